/*
 * A regressor over labels that are scaled to mean 0 and variance 1 by those so far
 * (the sample variance; a label becomes 0 without one); its answers are scaled
 * back. A sample's weight does not count, as in River.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/learner.h"
#include "learn/root.h"
#include "learn/stat.h"

struct target_params {
    struct component *regressor;
};

struct target {
    struct learner base;
    struct learner *inner;
    struct stat_var labels;
};

static struct learner *target_create(const struct component *component, size_t n)
{
    const struct target_params *params = component->params;
    struct target *t = mem_zalloc(1, sizeof(*t));

    t->base.ops = component->class->learner;
    t->base.n = n;
    t->inner = learner_new(params->regressor, n);
    return &t->base;
}

static void target_free(struct learner *lrn)
{
    learner_free(((struct target *)lrn)->inner);
    free(lrn);
}

/* A label without a variance is 0. */
static double scale(const struct target *t, double y)
{
    double sd = root_of(stat_var_get(&t->labels));

    return sd != 0 ? (y - t->labels.mean.mean) / sd : 0;
}

static void target_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct target *t = (struct target *)lrn;
    double scaled;

    (void)weight;
    stat_var_update(&t->labels, y, 1);
    scaled = scale(t, y);
    if (isfinite(scaled))
        learner_learn(t->inner, x, scaled, 1);
}

static double unscale(const struct target *t, double p)
{
    return p * root_of(stat_var_get(&t->labels)) + t->labels.mean.mean;
}

static double target_predict(const struct learner *lrn, const double *x)
{
    const struct target *t = (const struct target *)lrn;

    return unscale(t, learner_predict(t->inner, x));
}

/* Intervals are the regressor's: scaled as its labels are. */

static bool target_has_intervals(const struct learner *lrn)
{
    return learner_has_intervals(((const struct target *)lrn)->inner);
}

static bool target_interval(const struct learner *lrn, struct issued *ret)
{
    const struct target *t = (const struct target *)lrn;
    struct issued scaled = issued_alone(scale(t, ret->value));
    double low;
    double high;

    if (!(stat_var_get(&t->labels) > 0) || !t->inner->ops->interval(t->inner, &scaled))
        return false;
    low = fmin(unscale(t, scaled.low), ret->value); /* rounding aside */
    high = fmax(unscale(t, scaled.high), ret->value);
    if (!isfinite(low) || !isfinite(high))
        return false;
    ret->low = low;
    ret->high = high;
    ret->alpha = scaled.alpha;
    return true;
}

/* What was issued is taken as today's mean and variance have it, like the label. */
static void target_learn_issued(struct learner *lrn, const double *x, double y, double weight,
                                const struct issued *issued)
{
    struct target *t = (struct target *)lrn;
    struct issued scaled = issued_alone((double)NAN);
    double y_scaled;

    (void)weight;
    stat_var_update(&t->labels, y, 1);
    y_scaled = scale(t, y);
    if (stat_var_get(&t->labels) > 0)
        scaled = (struct issued){scale(t, issued->value), scale(t, issued->low),
                                 scale(t, issued->high), issued->alpha, issued->age};
    if (isfinite(y_scaled))
        learner_learn_issued(t->inner, x, y_scaled, 1, &scaled);
}

static void target_save(const struct learner *lrn, struct buf *out)
{
    const struct target *t = (const struct target *)lrn;

    blob_write_f64(out, t->labels.mean.n);
    blob_write_f64(out, t->labels.mean.mean);
    blob_write_f64(out, t->labels.s);
    learner_save(t->inner, out);
}

static void target_load(struct learner *lrn, struct blob_reader *in)
{
    struct target *t = (struct target *)lrn;

    t->labels.mean.n = blob_read_f64(in);
    t->labels.mean.mean = blob_read_f64(in);
    t->labels.s = blob_read_f64(in);
    learner_load(t->inner, in);
}

static size_t target_bytes(const struct learner *lrn)
{
    return sizeof(struct target) + learner_bytes(((const struct target *)lrn)->inner);
}

static void target_set_max_bytes(struct learner *lrn, size_t max)
{
    learner_set_max_bytes(((struct target *)lrn)->inner,
                          max > sizeof(struct target) ? max - sizeof(struct target) : 0);
}

static void target_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out)
{
    const struct learner *inner = ((const struct target *)lrn)->inner;

    if (inner->ops->inspect)
        inner->ops->inspect(inner, schema, out);
}

/* The regressor's explanation, every label in it scaled back. */
static void target_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    const struct target *t = (const struct target *)lrn;
    double sd = root_of(stat_var_get(&t->labels));

    if (!t->inner->ops->explain) {
        ex->base = target_predict(lrn, x);
        ex->base_name = "the regressor's answer";
        return;
    }
    t->inner->ops->explain(t->inner, x, ex);
    ex->base = unscale(t, ex->base);
    for (size_t i = 0; i < ex->n_parts; i++) {
        struct explain_part *part = &ex->parts[i];

        if (part->kind == EXPLAIN_NEIGHBOUR)
            part->value = unscale(t, part->value);
        else
            part->weight *= sd;
        part->contribution *= sd;
    }
    for (size_t i = 0; i < ex->n_path; i++)
        ex->path[i].mean = unscale(t, ex->path[i].mean);
    for (size_t i = 0; i < ex->n_neighbours; i++)
        ex->neighbours[i].label = unscale(t, ex->neighbours[i].label);
}

static void target_set_schema(struct learner *lrn, const struct schema *schema)
{
    learner_set_schema(((struct target *)lrn)->inner, schema);
}

static const struct learner_ops ops = {
    .create = target_create,
    .free = target_free,
    .clone = NULL,
    .learn = target_learn,
    .predict = target_predict,
    .save = target_save,
    .load = target_load,
    .bytes = target_bytes,
    .set_max_bytes = target_set_max_bytes,
    .inspect = target_inspect,
    .explain = target_explain,
    .set_kinds = NULL,
    .set_schema = target_set_schema,
    .has_intervals = target_has_intervals,
    .interval = target_interval,
    .learn_issued = target_learn_issued,
};

static const struct learn_param params[] = {
    {.name = "regressor",
     .type = PARAM_CLASS,
     .offset = offsetof(struct target_params, regressor),
     .kind = LEARN_REGRESSOR,
     .fallback_class = "linear_regression",
     .may_grow = true,
     .help = "What learns the scaled labels; River has no default."},
};

const struct learn_class target_standard_scaler_class = {
    .name = "target_standard_scaler",
    .river = "preprocessing.TargetStandardScaler",
    .help = "A regressor over labels that are scaled to mean 0 and variance 1.",
    .kind = LEARN_REGRESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct target_params),
    .learner = &ops,
};
