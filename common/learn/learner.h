/*
 * One learner, by itself: what a model ends with, what a tree keeps in its
 * leaves, and what an ensemble holds; regressor or classifier. The contract of each function is in
 * learner_backend.h, beside its slot.
 */
#ifndef OXBOW_LEARN_LEARNER_H
#define OXBOW_LEARN_LEARNER_H

#include "learn/learner_backend.h"

static inline struct learner *learner_new(const struct component *component, size_t n)
{
    return component->class->learner->create(component, n);
}

static inline void learner_free(struct learner *lrn)
{
    if (lrn)
        lrn->ops->free(lrn);
}

static inline struct learner *learner_clone(const struct learner *lrn)
{
    return lrn->ops->clone(lrn);
}

static inline void learner_learn(struct learner *lrn, const double *x, double y, double weight)
{
    lrn->ops->learn(lrn, x, y, weight);
}

static inline double learner_predict(const struct learner *lrn, const double *x)
{
    return lrn->ops->predict(lrn, x);
}

static inline bool learner_has_intervals(const struct learner *lrn)
{
    return lrn->ops->has_intervals && lrn->ops->has_intervals(lrn);
}

/* What it says of x now, with its interval, where it has one. */
static inline void learner_answer(const struct learner *lrn, const double *x, struct issued *ret)
{
    *ret = issued_alone(learner_predict(lrn, x));
    if (learner_has_intervals(lrn))
        lrn->ops->interval(lrn, ret);
}

static inline void learner_learn_issued(struct learner *lrn, const double *x, double y,
                                        double weight, const struct issued *issued)
{
    if (learner_has_intervals(lrn))
        lrn->ops->learn_issued(lrn, x, y, weight, issued);
    else
        learner_learn(lrn, x, y, weight);
}

static inline void learner_save(const struct learner *lrn, struct buf *out)
{
    lrn->ops->save(lrn, out);
}

static inline void learner_load(struct learner *lrn, struct blob_reader *in)
{
    lrn->ops->load(lrn, in);
}

static inline size_t learner_bytes(const struct learner *lrn)
{
    return lrn->ops->bytes(lrn);
}

static inline void learner_set_max_bytes(struct learner *lrn, size_t max)
{
    if (lrn->ops->set_max_bytes)
        lrn->ops->set_max_bytes(lrn, max);
}

static inline void learner_set_schema(struct learner *lrn, const struct schema *schema)
{
    if (lrn->ops->set_schema)
        lrn->ops->set_schema(lrn, schema);
}

#endif
