/* Reading the JSON text of a pipeline into components. */
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

/* Appends the canonical text of the whole pipeline. */
void spec_write(const struct spec *spec, struct buf *out);

#endif
