/*
 * The mean of all labels so far, 0 before the first: the baseline that every
 * other model is measured against.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/learner_backend.h"
#include "learn/stat.h"

struct mean_learner {
    struct learner base;
    struct stat_mean mean;
};

static struct learner *mean_create(const struct component *component, size_t n)
{
    struct mean_learner *m = mem_zalloc(1, sizeof(*m));

    m->base.ops = component->class->learner;
    m->base.n = n;
    return &m->base;
}

static void mean_free(struct learner *lrn)
{
    free(lrn);
}

static struct learner *mean_clone(const struct learner *lrn)
{
    struct mean_learner *m = mem_alloc(sizeof(*m));

    *m = *(const struct mean_learner *)lrn;
    return &m->base;
}

static void mean_learn(struct learner *lrn, const double *x, double y, double weight)
{
    (void)x;
    stat_mean_update(&((struct mean_learner *)lrn)->mean, y, weight);
}

static double mean_predict(const struct learner *lrn, const double *x)
{
    (void)x;
    return ((const struct mean_learner *)lrn)->mean.mean;
}

static void mean_save(const struct learner *lrn, struct buf *out)
{
    const struct mean_learner *m = (const struct mean_learner *)lrn;

    blob_write_f64(out, m->mean.n);
    blob_write_f64(out, m->mean.mean);
}

static void mean_load(struct learner *lrn, struct blob_reader *in)
{
    struct mean_learner *m = (struct mean_learner *)lrn;

    m->mean.n = blob_read_f64(in);
    m->mean.mean = blob_read_f64(in);
}

static size_t mean_bytes(const struct learner *lrn)
{
    (void)lrn;
    return sizeof(struct mean_learner);
}

static void mean_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    ex->base = mean_predict(lrn, x);
    ex->base_name = "mean of all labels";
}

/* It looks at no feature, of whatever kind. */
static void mean_set_kinds(struct learner *lrn, const enum feature_kind *kinds)
{
    (void)lrn;
    (void)kinds;
}

static const struct learner_ops ops = {
    .create = mean_create,
    .free = mean_free,
    .clone = mean_clone,
    .learn = mean_learn,
    .predict = mean_predict,
    .save = mean_save,
    .load = mean_load,
    .bytes = mean_bytes,
    .set_max_bytes = NULL,
    .inspect = NULL,
    .explain = mean_explain,
    .set_kinds = mean_set_kinds,
};

const struct learn_class mean_class = {
    .name = "mean",
    .river = "dummy.StatisticRegressor(stats.Mean())",
    .help = "The mean of all labels so far; 0 before the first.",
    .kind = LEARN_REGRESSOR,
    .fixed_size = true,
    .weightless = true,
    .learner = &ops,
};
