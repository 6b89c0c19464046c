/*
 * A baseline: the last label, with all certainty; NaN before the first. A sample's weight does not
 * count, as in River.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/learner_backend.h"

struct no_change {
    struct learner base;
    double last; /* label; NaN: none yet */
};

static struct learner *no_change_create(const struct component *component, size_t n)
{
    struct no_change *l = mem_zalloc(1, sizeof(*l));

    l->base.ops = component->class->learner;
    l->base.n = n;
    l->last = (double)NAN;
    return &l->base;
}

static void no_change_free(struct learner *lrn)
{
    free(lrn);
}

static struct learner *no_change_clone(const struct learner *lrn)
{
    struct no_change *l = mem_alloc(sizeof(*l));

    *l = *(const struct no_change *)lrn;
    return &l->base;
}

static void no_change_learn(struct learner *lrn, const double *x, double y, double weight)
{
    (void)x;
    (void)weight;
    ((struct no_change *)lrn)->last = y;
}

static double no_change_predict(const struct learner *lrn, const double *x)
{
    (void)x;
    return ((const struct no_change *)lrn)->last;
}

static void no_change_save(const struct learner *lrn, struct buf *out)
{
    blob_write_f64(out, ((const struct no_change *)lrn)->last);
}

static void no_change_load(struct learner *lrn, struct blob_reader *in)
{
    double last = blob_read_f64(in);

    if (!isnan(last) && last != 0 && last != 1)
        blob_fail(in, "a label is 0 or 1");
    ((struct no_change *)lrn)->last = last;
}

static size_t no_change_bytes(const struct learner *lrn)
{
    (void)lrn;
    return sizeof(struct no_change);
}

static void no_change_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    ex->base = no_change_predict(lrn, x);
    ex->base_name = "last label";
}

/* It looks at no feature, of whatever kind. */
static void no_change_set_kinds(struct learner *lrn, const enum feature_kind *kinds)
{
    (void)lrn;
    (void)kinds;
}

static const struct learner_ops ops = {
    .create = no_change_create,
    .free = no_change_free,
    .clone = no_change_clone,
    .learn = no_change_learn,
    .predict = no_change_predict,
    .save = no_change_save,
    .load = no_change_load,
    .bytes = no_change_bytes,
    .explain = no_change_explain,
    .set_kinds = no_change_set_kinds,
};

const struct learn_class no_change_classifier_class = {
    .name = "no_change_classifier",
    .river = "dummy.NoChangeClassifier",
    .help = "The last label: a baseline.",
    .kind = LEARN_CLASSIFIER,
    .fixed_size = true,
    .learner = &ops,
};
