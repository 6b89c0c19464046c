/* What model.c and model_blob.c share. */
#ifndef OXBOW_LEARN_MODEL_INTERNAL_H
#define OXBOW_LEARN_MODEL_INTERNAL_H

#include "learn/learner.h"
#include "learn/model.h"
#include "learn/spec.h"

#define MODEL_MAX_TEXT 65536 /* bytes of the pipeline's canonical text: a blob has no more */

struct model {
    struct schema *schema;
    struct schema *seen; /* what the learner sees */
    size_t *source;      /* of each feature of `seen`: the index of the one in `schema`, or
                            PREPROCESSOR_NO_SOURCE */
    uint64_t schema_hash;
    struct spec spec; /* what the stages below were made from; they point into it */
    struct preprocessor *pre[SPEC_MAX_STAGES];
    size_t n_pre;
    size_t n_features;
    struct learner *lrn;
    bool is_classifier;    /* the learner: labels are 0 and 1 */
    struct buf parameters; /* the canonical text */
    uint64_t parameters_hash;
    uint64_t learned;
    uint64_t skipped;
};

struct model *model_new_from(const char *json, size_t len, const struct schema *schema,
                             struct err *err);

/* The sample as the learner sees it: x itself, or what the last stage wrote. */
const double *model_transform(const struct model *m, const double *x,
                              double buffers[2][MODEL_MAX_WIDTH]);

/* Bytes of everything but the learner. */
size_t model_overhead(const struct model *m);

#endif
