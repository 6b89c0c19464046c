/*
 * What linear_regression and logistic_regression share (River's linear_model.base.GLM):
 * a weight a feature and an intercept, by gradient descent on a loss.
 *
 * For a sample x with label y, raw prediction p = w.x + b and sample weight s, at step t:
 *     g = clip(loss'(y, p) s)
 *     b -= intercept_lr(t) g
 *     gradient of w_j: x_j g + l2 w_j           for every feature that is not missing
 *     w: a step of the optimizer (optimizer.h)
 * and, with l1, the cumulative penalty of Tsuruoka, Tsujii and Ananiadou 2009.
 *
 * A weight or intercept that overflows stays at what it was rather than become NaN,
 * where River's would.
 */
#ifndef OXBOW_LEARN_LINEAR_H
#define OXBOW_LEARN_LINEAR_H

#include "learn/learner_backend.h"
#include "learn/loss.h"
#include "learn/optimizer.h"

struct linear_params {
    struct component *optimizer;
    struct component *loss;
    double l2;
    double l1;
    double intercept_init;
    struct component *intercept_lr;
    double clip_gradient;
    struct component *initializer;
};

struct linear {
    struct learner base;
    const struct linear_params *params; /* the component's */
    struct loss loss;
    struct scheduler intercept_lr;
    struct optimizer optimizer;
    size_t rows;   /* of the optimizer */
    bool is_plain; /* sgd, rates that are constant, no l1, weights from 0 on: the most common */
    bool begins;   /* weights begin at what the initializer says */
    double intercept;
    double max_cum_l1; /* u: the penalty that any weight could have received by now */
    /*
     * n weights; with l1, n penalties received (q); the optimizer's rows; and where weights do not
     * begin at 0, of each whether it has begun. Aligned for vectors.
     */
    _Alignas(16) double w[];
};

/* w.x + b; features that are missing are left out. */
static inline double linear_raw(const struct linear *lin, const double *x)
{
    double sum = 0;

    for (size_t j = 0; j < lin->base.n; j++) {
        double term = lin->w[j] * x[j];

        sum += x[j] == x[j] ? term : 0;
    }
    return sum + lin->intercept;
}

/* Slots of the table of functions. */
struct learner *linear_create(const struct component *component, size_t n);
void linear_free(struct learner *lrn);
struct learner *linear_clone(const struct learner *lrn);
void linear_learn(struct learner *lrn, const double *x, double y, double weight);
void linear_save(const struct learner *lrn, struct buf *out);
void linear_load(struct learner *lrn, struct blob_reader *in);
size_t linear_bytes(const struct learner *lrn);
void linear_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out);
void linear_explain(const struct learner *lrn, const double *x, struct explanation *ex);

/* What cannot be used together, or NULL. */
const char *linear_check(const struct linear_params *params);

#define LINEAR_PARAM(field) .name = #field, .offset = offsetof(struct linear_params, field)

/* The table of parameters, with the class's own loss. */
#define LINEAR_PARAMS(default_loss)                                                                \
    {LINEAR_PARAM(optimizer), .type = PARAM_CLASS, .kind = LEARN_OPTIMIZER,                        \
     .fallback_class = "sgd",                                                                      \
     .help = "How weights are updated; the intercept has its own learning rate."},                 \
        {LINEAR_PARAM(loss), .type = PARAM_CLASS, .kind = LEARN_LOSS,                              \
         .fallback_class = (default_loss), .help = "What is made small."},                         \
        {LINEAR_PARAM(l2), .type = PARAM_REAL, .max = 1e6,                                         \
         .help = "L2 regularisation: pushes weights towards 0."},                                  \
        {LINEAR_PARAM(l1), .type = PARAM_REAL, .max = 1e6,                                         \
         .help = "L1 regularisation: pushes weights to exactly 0. Not together with l2."},         \
        {LINEAR_PARAM(intercept_init), .type = PARAM_REAL, .min = -1e12, .max = 1e12,              \
         .help = "The first value of the intercept."},                                             \
        {LINEAR_PARAM(intercept_lr),                                                               \
         .type = PARAM_RATE,                                                                       \
         .kind = LEARN_SCHEDULER,                                                                  \
         .fallback = 0.01,                                                                         \
         .max = 1e3,                                                                               \
         .help = "Learning rate of the intercept, a number or a scheduler; 0 keeps it."},          \
        {LINEAR_PARAM(clip_gradient),                                                              \
         .type = PARAM_REAL,                                                                       \
         .fallback = 1e12,                                                                         \
         .max = 1e300,                                                                             \
         .above_min = true,                                                                        \
         .help = "Largest absolute value of the loss's gradient."},                                \
    {                                                                                              \
        LINEAR_PARAM(initializer), .type = PARAM_CLASS, .kind = LEARN_INITIALIZER,                 \
                                   .fallback_class = "zeros", .late = true,                        \
                                   .help = "What a weight is when its feature is first learned."   \
    }

#endif
