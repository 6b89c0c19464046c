/*
 * A baseline: what a running statistic of all labels says, whatever the features. 0 while it has
 * nothing to say. A sample's weight does not count, as in River.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/learner_backend.h"
#include "learn/statistic.h"

struct statistic_params {
    struct component *statistic;
};

struct statistic_learner {
    struct learner base;
    struct statistic statistic;
    const char *name; /* the statistic's */
    double state[];
};

static struct learner *statistic_create(const struct component *component, size_t n)
{
    const struct statistic_params *params = component->params;
    struct statistic st = statistic_of(params->statistic);
    struct statistic_learner *l = mem_zalloc(1, sizeof(*l) + st.size * sizeof(double));

    l->base.ops = component->class->learner;
    l->base.n = n;
    l->statistic = st;
    l->name = params->statistic->class->name;
    statistic_init(&st, l->state);
    return &l->base;
}

static void statistic_free(struct learner *lrn)
{
    free(lrn);
}

static size_t statistic_bytes(const struct learner *lrn)
{
    const struct statistic_learner *l = (const struct statistic_learner *)lrn;

    return sizeof(*l) + l->statistic.size * sizeof(double);
}

static struct learner *statistic_clone(const struct learner *lrn)
{
    size_t size = statistic_bytes(lrn);

    return memcpy(mem_alloc(size), lrn, size);
}

static void statistic_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct statistic_learner *l = (struct statistic_learner *)lrn;

    (void)x;
    (void)weight;
    statistic_update(&l->statistic, l->state, y);
}

static double statistic_predict(const struct learner *lrn, const double *x)
{
    const struct statistic_learner *l = (const struct statistic_learner *)lrn;
    double value = statistic_get(&l->statistic, l->state);

    (void)x;
    return isnan(value) ? 0 : value;
}

static void statistic_save(const struct learner *lrn, struct buf *out)
{
    const struct statistic_learner *l = (const struct statistic_learner *)lrn;

    blob_write_f64s(out, l->state, l->statistic.size);
}

static void statistic_load(struct learner *lrn, struct blob_reader *in)
{
    struct statistic_learner *l = (struct statistic_learner *)lrn;

    blob_read_f64s(in, l->state, l->statistic.size);
    if (!statistic_is_sound(&l->statistic, l->state))
        blob_fail(in, "the statistic cannot be so");
}

static void statistic_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    ex->base = statistic_predict(lrn, x);
    ex->base_name = ((const struct statistic_learner *)lrn)->name;
}

/* It looks at no feature, of whatever kind. */
static void statistic_set_kinds(struct learner *lrn, const enum feature_kind *kinds)
{
    (void)lrn;
    (void)kinds;
}

static const struct learner_ops ops = {
    .create = statistic_create,
    .free = statistic_free,
    .clone = statistic_clone,
    .learn = statistic_learn,
    .predict = statistic_predict,
    .save = statistic_save,
    .load = statistic_load,
    .bytes = statistic_bytes,
    .explain = statistic_explain,
    .set_kinds = statistic_set_kinds,
};

static const char *statistic_check(const void *p)
{
    const struct statistic_params *params = p;

    if (!params->statistic->class->statistic->of_numbers)
        return "statistic is one of categories, and labels are numbers; write another";
    return NULL;
}

static const struct learn_param params[] = {
    {.name = "statistic",
     .type = PARAM_CLASS,
     .offset = offsetof(struct statistic_params, statistic),
     .kind = LEARN_STATISTIC,
     .fallback_class = "mean",
     .help =
         "Of all labels so far; {\"shift\": {\"amount\": 0}} is the last. River has no default."},
};

const struct learn_class statistic_regressor_class = {
    .name = "statistic_regressor",
    .river = "dummy.StatisticRegressor",
    .help = "A running statistic of the labels, whatever the features: a baseline.",
    .kind = LEARN_REGRESSOR,
    .fixed_size = true,
    .weightless = true,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct statistic_params),
    .check = statistic_check,
    .learner = &ops,
};
