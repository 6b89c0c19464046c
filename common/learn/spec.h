/* Reading the JSON text of a pipeline, or of one component, into components. */
#ifndef OXBOW_LEARN_SPEC_H
#define OXBOW_LEARN_SPEC_H

#include <stddef.h>

#include "base/err.h"
#include "learn/component.h"

#define SPEC_MAX_STAGES 32

struct spec {
    struct component *stages[SPEC_MAX_STAGES]; /* preprocessors, then one learner */
    size_t n;                                  /* at least 1 */
};

void spec_release(struct spec *spec);

/*
 * Fills `spec` from ["standard_scaler", {"linear_regression": {"l2": 0.1}}].
 * ERR_INVALID names the place in the text, what is wrong there and, for a name
 * that is not known, the nearest that is. `spec` is empty on failure.
 */
int spec_parse(struct spec *spec, const char *text, size_t len, struct err *err) MUST_CHECK;

/*
 * One component by itself, "class" or {"class": {parameters}}, of `kind`. ERR_INVALID; the text
 * then begins with the place within it: ".adwin.delta: ..." or ": ...".
 */
int spec_parse_one(enum learn_kind kind, const char *text, size_t len, struct component **ret,
                   struct err *err) MUST_CHECK;

/* Appends the canonical text of the whole pipeline. */
void spec_write(const struct spec *spec, struct buf *out);

#endif
