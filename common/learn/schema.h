/*
 * The ordered features of a task.
 *
 * A sample is `const double *x` of schema_size() doubles in this order; NaN
 * means missing. The order is part of the schema: it fixes the order of sums,
 * and with it every bit of a model.
 */
#ifndef OXBOW_LEARN_SCHEMA_H
#define OXBOW_LEARN_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SCHEMA_MAX_FEATURES 1024
#define SCHEMA_MAX_NAME     255 /* bytes */

enum feature_kind {
    FEATURE_NUMERIC,
    FEATURE_BOOLEAN,     /* 0 or 1 */
    FEATURE_CATEGORICAL, /* a double that stands for a category, and only equals itself: whoever
                            reads rows makes it by schema_category() */
};

struct schema;

/* Lifecycle */

struct schema *schema_new(void);
void schema_free(struct schema *schema); /* NULL is fine */
struct schema *schema_clone(const struct schema *schema);

/* Appends a feature. ERR_INVALID when the name is empty, too long, taken, or one too many. */
int schema_add(struct schema *schema, const char *name, enum feature_kind kind,
               struct err *err) MUST_CHECK;

/* Introspection */

size_t schema_size(const struct schema *schema);
const char *schema_name(const struct schema *schema, size_t i); /* lives as long as the schema */
enum feature_kind schema_kind(const struct schema *schema, size_t i);

/* The index of the feature of that name, or -1. `name` need not be NUL-terminated. */
int schema_find(const struct schema *schema, const char *name, size_t len);

/* The indices of all features into `ret`, by name: Python's order of sorted(), by code points. */
void schema_sort(const struct schema *schema, size_t *ret);

/*
 * The same, of a name that the user wrote: ERR_INVALID when there is none such, with the nearest
 * that there is.
 */
int schema_need(const struct schema *schema, const char *name, size_t *ret,
                struct err *err) MUST_CHECK;

/* XXH64 over the ordered names and kinds. */
uint64_t schema_hash(const struct schema *schema);

/*
 * The double for a category's text: the low 52 bits of the XXH64 (seed 0) of its bytes, a whole
 * number. The same in every process and for ever, as it is part of what models have learned; among
 * a thousand categories the chance that any two are the same is 1e-10.
 */
double schema_category(const char *text, size_t len);

const char *feature_kind_name(enum feature_kind kind); /* "numeric", "boolean", "categorical" */

#endif
