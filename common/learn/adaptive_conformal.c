/* Intervals by adaptive conformal inference: see adaptive_conformal.h. */
#include "learn/adaptive_conformal.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/learner.h"

#define WINDOW_PART 4 /* the residuals take at most this part of the bound on memory */

struct conformal {
    struct learner base;
    const struct conformal_params *params; /* the component's */
    struct learner *inner;
    double alpha; /* alpha_t */
    struct residuals residuals;
};

static struct learner *conformal_create(const struct component *component, size_t n)
{
    struct conformal *c = mem_zalloc(1, sizeof(*c));

    c->base.ops = component->class->learner;
    c->base.n = n;
    c->params = component->params;
    c->inner = learner_new(c->params->regressor, n);
    c->alpha = 1 - c->params->coverage;
    c->residuals.window = (size_t)c->params->window_size;
    return &c->base;
}

static void conformal_free(struct learner *lrn)
{
    struct conformal *c = (struct conformal *)lrn;

    learner_free(c->inner);
    residuals_release(&c->residuals);
    free(c);
}

/* Intervals */

/* Which of n residuals is the half-width at `alpha`, the smallest being the first; may be above n.
 */
static size_t rank_at(size_t n, double alpha)
{
    double rank = ceil((double)(n + 1) * (1 - alpha));

    return rank < 1 ? 1 : (size_t)rank;
}

static bool is_ready(const struct conformal *c)
{
    size_t n = c->residuals.count;

    return rank_at(n, 1 - c->params->coverage) <= n;
}

/* There is at least one residual. */
static double half_width(const struct conformal *c)
{
    size_t n = c->residuals.count;
    size_t rank = rank_at(n, c->alpha);

    return c->residuals.sorted[(rank < n ? rank : n) - 1];
}

static bool conformal_has_intervals(const struct learner *lrn)
{
    (void)lrn;
    return true;
}

static bool conformal_interval(const struct learner *lrn, struct issued *ret)
{
    const struct conformal *c = (const struct conformal *)lrn;
    double half;

    if (!is_ready(c))
        return false;
    half = half_width(c);
    if (!isfinite(ret->value - half) || !isfinite(ret->value + half))
        return false;
    ret->low = ret->value - half;
    ret->high = ret->value + half;
    ret->alpha = c->alpha;
    return true;
}

/* The alpha of an issued interval. Of one that does not say, what it amounts to by the residuals of
 * now; one of its ends may have been clipped: the wider side counts. */
static double alpha_of(const struct conformal *c, const struct issued *issued)
{
    size_t n = c->residuals.count;
    double half = fmax(issued->high - issued->value, issued->value - issued->low);

    if (!isnan(issued->alpha))
        return issued->alpha;
    return n ? (double)residuals_above(&c->residuals, half) / (double)n : c->alpha;
}

/* The step of alpha_t. */
static void follow(struct conformal *c, double y, const struct issued *issued)
{
    double missed = y < issued->low || y > issued->high ? 1 : 0;
    double alpha = 1 - c->params->coverage;
    double gamma = c->params->gamma / (1 + c->params->gamma * issued->age);

    c->alpha += gamma * ((alpha_of(c, issued) - c->alpha) + (alpha - missed));
    if (c->alpha < 0)
        c->alpha = 0;
    if (c->alpha > 1)
        c->alpha = 1;
}

/* Learning and predicting */

static void conformal_learn_issued(struct learner *lrn, const double *x, double y, double weight,
                                   const struct issued *issued)
{
    struct conformal *c = (struct conformal *)lrn;

    if (isfinite(issued->value)) {
        if (issued_has_interval(issued))
            follow(c, y, issued);
        residuals_push(&c->residuals, fmin(fabs(y - issued->value), DBL_MAX));
    }
    learner_learn(c->inner, x, y, weight);
}

static double conformal_predict(const struct learner *lrn, const double *x)
{
    return learner_predict(((const struct conformal *)lrn)->inner, x);
}

static void conformal_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct issued now;

    learner_answer(lrn, x, &now);
    conformal_learn_issued(lrn, x, y, weight, &now);
}

/* Keeping */

static void conformal_save(const struct learner *lrn, struct buf *out)
{
    const struct conformal *c = (const struct conformal *)lrn;

    blob_write_f64(out, c->alpha);
    blob_write_u64(out, c->residuals.count);
    for (size_t i = 0; i < c->residuals.count; i++)
        blob_write_f64(out, residuals_at(&c->residuals, i));
    learner_save(c->inner, out);
}

static void load_residuals(struct conformal *c, struct blob_reader *in)
{
    size_t n = blob_read_count(in, sizeof(double), (size_t)c->params->window_size);
    double *v = mem_alloc((n + 1) * sizeof(*v));

    blob_read_f64s(in, v, n);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(v[i]) || v[i] < 0) {
            blob_fail(in, "a residual is not a distance");
            v[i] = 0;
        }
    }
    residuals_fill(&c->residuals, v, n);
    free(v);
}

static void conformal_load(struct learner *lrn, struct blob_reader *in)
{
    struct conformal *c = (struct conformal *)lrn;

    c->alpha = blob_read_f64(in);
    if (!(c->alpha >= 0 && c->alpha <= 1)) {
        blob_fail(in, "the level of the intervals is not within 0 and 1");
        c->alpha = 0;
    }
    load_residuals(c, in);
    learner_load(c->inner, in);
}

static size_t conformal_bytes(const struct learner *lrn)
{
    const struct conformal *c = (const struct conformal *)lrn;

    return sizeof(*c) + c->residuals.count * residuals_bytes_each() + learner_bytes(c->inner);
}

/* What the window may come to is taken off at once, so that the regressor never has to give back.
 */
static void conformal_set_max_bytes(struct learner *lrn, size_t max)
{
    struct conformal *c = (struct conformal *)lrn;
    size_t window = max / WINDOW_PART / residuals_bytes_each();
    size_t used;

    if (window > c->params->window_size)
        window = (size_t)c->params->window_size;
    if (window == 0)
        window = 1;
    residuals_resize(&c->residuals, window);
    used = sizeof(*c) + window * residuals_bytes_each();
    learner_set_max_bytes(c->inner, max > used ? max - used : 0);
}

static void conformal_inspect(const struct learner *lrn, const struct schema *schema,
                              struct buf *out)
{
    const struct conformal *c = (const struct conformal *)lrn;

    buf_printf(out, ",\"regressor\":\"%s\",\"coverage\":", c->params->regressor->class->name);
    json_write_number(out, c->params->coverage);
    buf_text(out, ",\"alpha\":");
    json_write_number(out, c->alpha);
    buf_text(out, ",\"half_width\":");
    json_write_number(out, is_ready(c) ? half_width(c) : (double)NAN);
    buf_text(out, ",\"residuals\":");
    json_write_int(out, (int64_t)c->residuals.count);
    if (c->inner->ops->inspect)
        c->inner->ops->inspect(c->inner, schema, out);
}

/* The regressor's explanation: the answer is its own. */
static void conformal_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    const struct learner *inner = ((const struct conformal *)lrn)->inner;

    if (inner->ops->explain) {
        inner->ops->explain(inner, x, ex);
        return;
    }
    ex->base = learner_predict(inner, x);
    ex->base_name = "the regressor's answer";
}

static void conformal_set_kinds(struct learner *lrn, const enum feature_kind *kinds)
{
    struct learner *inner = ((struct conformal *)lrn)->inner;

    inner->ops->set_kinds(inner, kinds);
}

static void conformal_set_schema(struct learner *lrn, const struct schema *schema)
{
    learner_set_schema(((struct conformal *)lrn)->inner, schema);
}

/* The class */

static const char *conformal_check(const void *params)
{
    const struct conformal_params *p = params;

    if (p->coverage >= 1)
        return "coverage must be below 1: no interval holds every label";
    if (rank_at((size_t)p->window_size, 1 - p->coverage) > p->window_size)
        return "window_size is too small for coverage: (window_size + 1) * coverage must not be "
               "above window_size";
    return NULL;
}

static const struct learner_ops ops = {
    .create = conformal_create,
    .free = conformal_free,
    .clone = NULL,
    .learn = conformal_learn,
    .predict = conformal_predict,
    .save = conformal_save,
    .load = conformal_load,
    .bytes = conformal_bytes,
    .set_max_bytes = conformal_set_max_bytes,
    .inspect = conformal_inspect,
    .explain = conformal_explain,
    .set_kinds = conformal_set_kinds,
    .set_schema = conformal_set_schema,
    .has_intervals = conformal_has_intervals,
    .interval = conformal_interval,
    .learn_issued = conformal_learn_issued,
};

#define PARAM(field) .name = #field, .offset = offsetof(struct conformal_params, field)

static const struct learn_param params[] = {
    {PARAM(regressor), .type = PARAM_CLASS, .kind = LEARN_REGRESSOR,
     .fallback_class = "linear_regression", .may_grow = true,
     .help = "What answers; the intervals are around its answers."},
    {PARAM(coverage), .type = PARAM_REAL, .fallback = 0.9, .min = 0, .max = 1, .above_min = true,
     .help = "Which part of the labels is to lie within the intervals; below 1."},
    {PARAM(window_size), .type = PARAM_COUNT, .fallback = 1000, .min = 1,
     .max = CONFORMAL_WINDOW_MAX,
     .help = "How many of the last residuals are kept; fewer when max_model_bytes says so."},
    {PARAM(gamma), .type = PARAM_REAL, .fallback = 0.005, .min = 0, .max = 1,
     .help = "How far one label moves the level of the intervals; 0 leaves it where it is."},
};

const struct learn_class adaptive_conformal_class = {
    .name = "adaptive_conformal",
    .river = NULL,
    .help = "A regressor with an interval around each of its answers (Gibbs and Candes 2021); "
            "River has none like it.",
    .kind = LEARN_REGRESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct conformal_params),
    .check = conformal_check,
    .learner = &ops,
};
