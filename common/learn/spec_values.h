/*
 * For spec.c: reading the values of parameters that are no classes. ERR_INVALID begins with where
 * in the text they are, and says what may be written there.
 */
#ifndef OXBOW_LEARN_SPEC_VALUES_H
#define OXBOW_LEARN_SPEC_VALUES_H

#include "base/buf.h"
#include "base/err.h"
#include "learn/registry.h"

struct cJSON;

/* Where in the text we are: "[1].linear_regression.l2". */
struct spec_path {
    struct buf text;
    int nest;
};

/* Goes on to a member; spec_pop() with what it returns goes back. */
size_t spec_push(struct spec_path *path, const char *name);
void spec_pop(struct spec_path *path, size_t before);

/* A list or object that is there already is freed. */
int spec_number(const struct cJSON *json, const struct learn_param *param, void *value,
                const struct spec_path *path, struct err *err) MUST_CHECK;
int spec_choice(const struct cJSON *json, const struct learn_param *param, int *value,
                const struct spec_path *path, struct err *err) MUST_CHECK;
int spec_amount(const struct cJSON *json, const struct learn_param *param,
                struct learn_amount *value, const struct spec_path *path,
                struct err *err) MUST_CHECK;
int spec_names(const struct cJSON *json, struct learn_names *value, const struct spec_path *path,
               struct err *err) MUST_CHECK;
int spec_lists(const struct cJSON *json, struct learn_lists *lists, struct spec_path *path,
               struct err *err) MUST_CHECK;
int spec_text(const struct cJSON *json, char **value, const struct spec_path *path,
              struct err *err) MUST_CHECK;

#endif
