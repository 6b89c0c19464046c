/*
 * The fraction of labels so far that were positive, NaN before the first: the
 * baseline that every other classifier is measured against. Weights do not count,
 * as in River.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/learner_backend.h"
#include "learn/model.h"

struct prior {
    struct learner base;
    double n;            /* labels */
    double positive;     /* of them 1 */
    bool positive_first; /* the first was 1: River gives it ties */
};

static struct learner *prior_create(const struct component *component, size_t n)
{
    struct prior *prior = mem_zalloc(1, sizeof(*prior));

    prior->base.ops = component->class->learner;
    prior->base.n = n;
    return &prior->base;
}

static void prior_free(struct learner *lrn)
{
    free(lrn);
}

static struct learner *prior_clone(const struct learner *lrn)
{
    struct prior *prior = mem_alloc(sizeof(*prior));

    *prior = *(const struct prior *)lrn;
    return &prior->base;
}

static void prior_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct prior *prior = (struct prior *)lrn;

    (void)x;
    (void)weight;
    if (prior->n == 0)
        prior->positive_first = y == 1;
    prior->n += 1;
    prior->positive += y;
}

static double prior_predict(const struct learner *lrn, const double *x)
{
    const struct prior *prior = (const struct prior *)lrn;

    (void)x;
    if (prior->n == 0)
        return (double)NAN;
    if (prior->positive_first && 2 * prior->positive == prior->n)
        return MODEL_TIE_POSITIVE;
    return prior->positive / prior->n;
}

static void prior_save(const struct learner *lrn, struct buf *out)
{
    const struct prior *prior = (const struct prior *)lrn;

    blob_write_f64(out, prior->n);
    blob_write_f64(out, prior->positive);
    blob_write_u8(out, prior->positive_first);
}

static void prior_load(struct learner *lrn, struct blob_reader *in)
{
    struct prior *prior = (struct prior *)lrn;

    prior->n = blob_read_f64(in);
    prior->positive = blob_read_f64(in);
    prior->positive_first = blob_read_u8(in) == 1;
    if (!(prior->positive >= 0 && prior->positive <= prior->n))
        blob_fail(in, "more labels were positive than there were");
}

static size_t prior_bytes(const struct learner *lrn)
{
    (void)lrn;
    return sizeof(struct prior);
}

static void prior_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    ex->base = prior_predict(lrn, x);
    ex->base_name = "share of positive labels";
}

/* It looks at no feature, of whatever kind. */
static void prior_set_kinds(struct learner *lrn, const enum feature_kind *kinds)
{
    (void)lrn;
    (void)kinds;
}

static const struct learner_ops ops = {
    .create = prior_create,
    .free = prior_free,
    .clone = prior_clone,
    .learn = prior_learn,
    .predict = prior_predict,
    .save = prior_save,
    .load = prior_load,
    .bytes = prior_bytes,
    .set_max_bytes = NULL,
    .inspect = NULL,
    .explain = prior_explain,
    .set_kinds = prior_set_kinds,
};

const struct learn_class prior_class = {
    .name = "prior",
    .river = "dummy.PriorClassifier",
    .help = "The fraction of positive labels so far; nothing before the first.",
    .kind = LEARN_CLASSIFIER,
    .first_label_first = true,
    .fixed_size = true,
    .learner = &ops,
};
