/*
 * Linear regression by stochastic gradient descent on the squared loss.
 *
 * For a sample x with label y, prediction p = w.x + b and sample weight s:
 *     g = clip(2 (p - y) s)
 *     b -= intercept_lr g
 *     w_j -= lr (x_j g + l2 w_j)        for every feature that is not missing
 * and, with l1, the cumulative penalty of Tsuruoka, Tsujii and Ananiadou 2009.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/learner_backend.h"

struct sgd_params {
    double lr;
};

struct linear_params {
    struct component *optimizer;
    double l2;
    double l1;
    double intercept_init;
    double intercept_lr;
    double clip_gradient;
};

struct linear {
    struct learner base;
    const struct linear_params *params; /* the component's */
    double lr;
    double intercept;
    double max_cum_l1; /* u: the penalty that any weight could have received by now */
    double w[];        /* n weights and, with l1, n penalties received (q) */
};

static size_t linear_size(const struct linear_params *params, size_t n)
{
    return sizeof(struct linear) + (params->l1 != 0 ? 2 : 1) * n * sizeof(double);
}

static struct learner *linear_create(const struct component *component, size_t n)
{
    const struct linear_params *params = component->params;
    const struct sgd_params *sgd = params->optimizer->params;
    struct linear *lin = mem_zalloc(1, linear_size(params, n));

    lin->base.ops = component->class->learner;
    lin->base.n = n;
    lin->params = params;
    lin->lr = sgd->lr;
    lin->intercept = params->intercept_init;
    return &lin->base;
}

static void linear_free(struct learner *lrn)
{
    free(lrn);
}

static size_t linear_bytes(const struct learner *lrn)
{
    return linear_size(((const struct linear *)lrn)->params, lrn->n);
}

static struct learner *linear_clone(const struct learner *lrn)
{
    size_t size = linear_bytes(lrn);

    return memcpy(mem_alloc(size), lrn, size);
}

static double linear_predict(const struct learner *lrn, const double *x)
{
    const struct linear *lin = (const struct linear *)lrn;
    double sum = 0;

    for (size_t j = 0; j < lrn->n; j++) {
        double term = lin->w[j] * x[j];

        sum += x[j] == x[j] ? term : 0;
    }
    return sum + lin->intercept;
}

static void apply_l1(struct linear *lin, const double *x)
{
    size_t n = lin->base.n;
    double *q = lin->w + n;

    lin->max_cum_l1 += lin->params->l1 * lin->lr;
    for (size_t j = 0; j < n; j++) {
        double before = lin->w[j];

        if (isnan(x[j]))
            continue;
        if (before > 0)
            lin->w[j] = fmax(0, before - (lin->max_cum_l1 + q[j]));
        else if (before < 0)
            lin->w[j] = fmin(0, before + (lin->max_cum_l1 - q[j]));
        q[j] += lin->w[j] - before;
    }
}

static void linear_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct linear *lin = (struct linear *)lrn;
    double clip = lin->params->clip_gradient;
    double l2 = lin->params->l2;
    double lr = lin->lr;
    double g = 2 * (linear_predict(lrn, x) - y) * weight;

    /* Weights that overflowed stay as they are, where River's would all become NaN. */
    if (isnan(g))
        return;

    g = g > clip ? clip : g < -clip ? -clip : g;
    lin->intercept -= lin->params->intercept_lr * g;
    for (size_t j = 0; j < lrn->n; j++) {
        double step = x[j] * g;

        /* Without l2 nothing is added, so that an infinite weight does not become NaN. */
        if (l2 != 0)
            step += l2 * lin->w[j];
        lin->w[j] = x[j] == x[j] ? lin->w[j] - lr * step : lin->w[j];
    }
    if (lin->params->l1 != 0)
        apply_l1(lin, x);
}

static void linear_save(const struct learner *lrn, struct buf *out)
{
    const struct linear *lin = (const struct linear *)lrn;
    bool l1 = lin->params->l1 != 0;

    blob_write_f64(out, lin->intercept);
    if (l1)
        blob_write_f64(out, lin->max_cum_l1);
    blob_write_f64s(out, lin->w, (l1 ? 2 : 1) * lrn->n);
}

static void linear_load(struct learner *lrn, struct blob_reader *in)
{
    struct linear *lin = (struct linear *)lrn;
    bool l1 = lin->params->l1 != 0;

    lin->intercept = blob_read_f64(in);
    if (l1)
        lin->max_cum_l1 = blob_read_f64(in);
    blob_read_f64s(in, lin->w, (l1 ? 2 : 1) * lrn->n);
}

static void linear_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out)
{
    const struct linear *lin = (const struct linear *)lrn;

    buf_text(out, ",\"intercept\":");
    json_write_number(out, lin->intercept);
    buf_text(out, ",\"weights\":{");
    for (size_t j = 0; j < lrn->n; j++) {
        const char *name = schema_name(schema, j);

        if (j)
            buf_byte(out, ',');
        json_write_string(out, name, strlen(name));
        buf_byte(out, ':');
        json_write_number(out, lin->w[j]);
    }
    buf_byte(out, '}');
}

static void linear_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    const struct linear *lin = (const struct linear *)lrn;

    ex->base = lin->intercept;
    ex->base_name = "intercept";
    for (size_t j = 0; j < lrn->n; j++) {
        double term = isnan(x[j]) ? 0 : lin->w[j] * x[j];

        explanation_add_part(ex, EXPLAIN_FEATURE, j, term)->weight = lin->w[j];
    }
}

static const struct learner_ops ops = {
    .create = linear_create,
    .free = linear_free,
    .clone = linear_clone,
    .learn = linear_learn,
    .predict = linear_predict,
    .save = linear_save,
    .load = linear_load,
    .bytes = linear_bytes,
    .set_max_bytes = NULL,
    .inspect = linear_inspect,
    .explain = linear_explain,
};

static const char *linear_check(const void *p)
{
    const struct linear_params *params = p;

    if (params->l1 != 0 && params->l2 != 0)
        return "l1 and l2 cannot be used together: set one of them to 0";
    return NULL;
}

#define PARAM(field) .name = #field, .offset = offsetof(struct linear_params, field)

static const struct learn_param params[] = {
    {PARAM(optimizer), .type = PARAM_CLASS, .kind = LEARN_OPTIMIZER, .fallback_class = "sgd",
     .help = "How weights are updated; the intercept has its own learning rate."},
    {PARAM(l2), .type = PARAM_REAL, .max = 1e6,
     .help = "L2 regularisation: pushes weights towards 0."},
    {PARAM(l1), .type = PARAM_REAL, .max = 1e6,
     .help = "L1 regularisation: pushes weights to exactly 0. Not together with l2."},
    {PARAM(intercept_init), .type = PARAM_REAL, .min = -1e12, .max = 1e12,
     .help = "The first value of the intercept."},
    {PARAM(intercept_lr), .type = PARAM_REAL, .fallback = 0.01, .max = 1e3,
     .help = "Learning rate of the intercept; 0 keeps it where it is."},
    {PARAM(clip_gradient), .type = PARAM_REAL, .fallback = 1e12, .max = 1e300, .above_min = true,
     .help = "Largest absolute value of the loss's gradient."},
};

const struct learn_class linear_regression_class = {
    .name = "linear_regression",
    .river = "linear_model.LinearRegression",
    .help = "A weight a feature and an intercept, by gradient descent on the squared loss.",
    .kind = LEARN_REGRESSOR,
    .fixed_size = true,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct linear_params),
    .check = linear_check,
    .learner = &ops,
};

static const struct learn_param sgd_params[] = {
    {.name = "lr",
     .offset = offsetof(struct sgd_params, lr),
     .type = PARAM_REAL,
     .fallback = 0.01,
     .max = 1e3,
     .above_min = true,
     .help = "Learning rate."},
};

const struct learn_class sgd_class = {
    .name = "sgd",
    .river = "optim.SGD",
    .help = "Plain stochastic gradient descent.",
    .kind = LEARN_OPTIMIZER,
    .params = sgd_params,
    .n_params = sizeof(sgd_params) / sizeof(sgd_params[0]),
    .params_size = sizeof(struct sgd_params),
};
