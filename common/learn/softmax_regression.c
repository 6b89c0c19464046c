/*
 * Softmax regression (River's linear_model.SoftmaxRegression), of the two labels that
 * a classifier has here: weights and an optimizer for each label, no intercept, and the
 * answer is the softmax of the labels' scores w.x. A label has neither before it is
 * seen: NaN before the first, and certainty until the other one comes. A sample's weight
 * does not count, as in River.
 *
 * For a sample with label y, and for each label c that was seen (c = y is seen now):
 *     g = class weight of c * (P(c), kept 1e-15 away from 0 and 1, - [c = y])
 *     gradient of w_cj: x_j g + l2 w_cj         for every feature that is not missing
 *     w_c: a step of c's own optimizer (optimizer.h)
 *
 * Weights that overflow stay as they were rather than become NaN, where River's would.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/classes.h"
#include "learn/explain.h"
#include "learn/learner_backend.h"
#include "learn/loss.h"
#include "learn/model.h"
#include "learn/optimizer.h"

struct softmax_params {
    struct component *optimizer;
    struct component *loss;
    double l2;
};

struct softmax {
    struct learner base;
    const struct softmax_params *params; /* the component's */
    struct loss loss;
    struct optimizer optimizer[2]; /* by label */
    bool seen[2];
    bool positive_first; /* label 1 was seen before 0: River gives it ties */
    size_t rows;         /* of an optimizer */
    double w[];          /* by label: n weights, then the optimizer's rows */
};

static size_t doubles_of(const struct softmax *s)
{
    return (1 + s->rows) * s->base.n; /* of one label */
}

static double *weights_of(struct softmax *s, int label)
{
    return s->w + (size_t)label * doubles_of(s);
}

static double *state_of(struct softmax *s, int label)
{
    return weights_of(s, label) + s->base.n;
}

static struct learner *softmax_create(const struct component *component, size_t n)
{
    const struct softmax_params *params = component->params;
    size_t rows = optimizer_rows(params->optimizer);
    struct softmax *s = mem_zalloc(1, sizeof(*s) + 2 * (1 + rows) * n * sizeof(double));

    s->base.ops = component->class->learner;
    s->base.n = n;
    s->params = params;
    s->loss = loss_of(params->loss);
    s->optimizer[0] = s->optimizer[1] = optimizer_of(params->optimizer);
    s->rows = rows;
    return &s->base;
}

static void softmax_free(struct learner *lrn)
{
    free(lrn);
}

static size_t softmax_bytes(const struct learner *lrn)
{
    const struct softmax *s = (const struct softmax *)lrn;

    return sizeof(*s) + 2 * doubles_of(s) * sizeof(double);
}

static struct learner *softmax_clone(const struct learner *lrn)
{
    size_t size = softmax_bytes(lrn);

    return memcpy(mem_alloc(size), lrn, size);
}

static double score(const struct softmax *s, int label, const double *x)
{
    const double *w = s->w + (size_t)label * doubles_of(s);
    double sum = 0;

    for (size_t j = 0; j < s->base.n; j++) {
        double term = w[j] * x[j];

        sum += x[j] == x[j] ? term : 0;
    }
    return sum;
}

/* The probability of each label: 0 of one that was not seen. */
static void probabilities(const struct softmax *s, const double *x, double *ret)
{
    double largest = -(double)INFINITY;
    double total = 0;

    for (int c = 0; c < 2; c++) {
        ret[c] = s->seen[c] ? score(s, c, x) : 0;
        if (s->seen[c] && !(ret[c] <= largest))
            largest = ret[c];
    }
    for (int c = 0; c < 2; c++) {
        ret[c] = s->seen[c] ? exp(ret[c] - largest) : 0;
        total += ret[c];
    }
    for (int c = 0; c < 2; c++)
        ret[c] = s->seen[c] ? ret[c] / total : 0;
}

static void step(struct softmax *s, int label, const double *x, double g)
{
    double gradient[MODEL_MAX_WIDTH];
    const double *w = weights_of(s, label);
    double l2 = s->params->l2;

    for (size_t j = 0; j < s->base.n; j++) {
        gradient[j] = x[j] * g;
        if (l2 != 0)
            gradient[j] += l2 * w[j];
    }
    optimizer_step(&s->optimizer[label], weights_of(s, label), gradient, x, state_of(s, label),
                   s->base.n);
}

static void softmax_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct softmax *s = (struct softmax *)lrn;
    double p[2];

    (void)weight;
    for (int c = 0; c < 2; c++) {
        if (s->seen[c])
            optimizer_look_ahead(&s->optimizer[c], weights_of(s, c), x, state_of(s, c), lrn->n);
    }
    probabilities(s, x, p);
    if (!s->seen[0] && !s->seen[1])
        s->positive_first = y == 1;
    for (int c = 0; c < 2; c++) {
        if (!s->seen[c] && c != (y == 1))
            continue;
        if (isnan(p[c])) /* of both, then */
            optimizer_look_back(&s->optimizer[c], weights_of(s, c), x, state_of(s, c), lrn->n);
        else
            step(s, c, x, loss_of_label(&s->loss, c, p[c], c == (y == 1)));
        s->seen[c] = true;
    }
}

static double softmax_predict(const struct learner *lrn, const double *x)
{
    const struct softmax *s = (const struct softmax *)lrn;
    double p[2];

    if (!s->seen[0] && !s->seen[1])
        return (double)NAN;
    probabilities(s, x, p);
    return p[1] == 0.5 && s->positive_first ? MODEL_TIE_POSITIVE : p[1];
}

static void softmax_save(const struct learner *lrn, struct buf *out)
{
    const struct softmax *s = (const struct softmax *)lrn;

    for (int c = 0; c < 2; c++) {
        blob_write_u8(out, s->seen[c]);
        blob_write_f64(out, s->optimizer[c].t);
    }
    blob_write_u8(out, s->positive_first);
    blob_write_f64s(out, s->w, 2 * doubles_of(s));
}

static void softmax_load(struct learner *lrn, struct blob_reader *in)
{
    struct softmax *s = (struct softmax *)lrn;

    for (int c = 0; c < 2; c++) {
        s->seen[c] = blob_read_u8(in) == 1;
        s->optimizer[c].t = blob_read_f64(in);
        if (!(s->optimizer[c].t >= 0))
            blob_fail(in, "the number of steps is not one");
    }
    s->positive_first = blob_read_u8(in) == 1;
    blob_read_f64s(in, s->w, 2 * doubles_of(s));
}

static void softmax_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out)
{
    const struct softmax *s = (const struct softmax *)lrn;

    buf_text(out, ",\"weights\":{");
    for (size_t j = 0; j < lrn->n; j++) {
        const char *name = schema_name(schema, j);

        if (j)
            buf_byte(out, ',');
        json_write_string(out, name, strlen(name));
        buf_text(out, ":[");
        json_write_number(out, s->w[j]);
        buf_byte(out, ',');
        json_write_number(out, s->w[doubles_of(s) + j]);
        buf_byte(out, ']');
    }
    buf_byte(out, '}');
}

/* The log-odds are the difference of the two scores. */
static void softmax_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    const struct softmax *s = (const struct softmax *)lrn;
    const double *negative = s->w;
    const double *positive = s->w + doubles_of(s);

    ex->is_log_odds = true;
    ex->base_name = "zero";
    if (!s->seen[0] || !s->seen[1]) {
        ex->base_name = "the only label so far";
        ex->base = s->seen[1] ? (double)INFINITY : s->seen[0] ? -(double)INFINITY : (double)NAN;
        return;
    }
    for (size_t j = 0; j < lrn->n; j++) {
        double weight = positive[j] - negative[j];

        explanation_add_part(ex, EXPLAIN_FEATURE, j, isnan(x[j]) ? 0 : weight * x[j])->weight =
            weight;
    }
}

static const struct learner_ops ops = {
    .create = softmax_create,
    .free = softmax_free,
    .clone = softmax_clone,
    .learn = softmax_learn,
    .predict = softmax_predict,
    .save = softmax_save,
    .load = softmax_load,
    .bytes = softmax_bytes,
    .set_max_bytes = NULL,
    .inspect = softmax_inspect,
    .explain = softmax_explain,
    .set_kinds = NULL,
};

static const char *softmax_check(const void *p)
{
    const struct softmax_params *params = p;

    return params->loss->class == &cross_entropy_class ? NULL : "loss: write cross_entropy";
}

#define PARAM(field) .name = #field, .offset = offsetof(struct softmax_params, field)

static const struct learn_param params[] = {
    {PARAM(optimizer), .type = PARAM_CLASS, .kind = LEARN_OPTIMIZER, .fallback_class = "sgd",
     .help = "How weights are updated: one of its own for each label."},
    {PARAM(loss), .type = PARAM_CLASS, .kind = LEARN_LOSS, .fallback_class = "cross_entropy",
     .help = "What is made small: cross_entropy is the only one that there is."},
    {PARAM(l2), .type = PARAM_REAL, .max = 1e6,
     .help = "L2 regularisation: pushes weights towards 0."},
};

const struct learn_class softmax_regression_class = {
    .name = "softmax_regression",
    .river = "linear_model.SoftmaxRegression",
    .help = "Weights for each label, without an intercept; two labels, as every classifier here.",
    .kind = LEARN_CLASSIFIER,
    .fixed_size = true,
    .first_label_first = true,
    .weightless = true,
    .is_smooth = true,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct softmax_params),
    .check = softmax_check,
    .learner = &ops,
};
