/*
 * Loss functions of linear models: their gradient by the raw prediction, in
 * River's order of operations (river.optim.losses).
 *
 * p is the raw prediction (w.x + b), y the label; of log and hinge the label is 1
 * or 0 and p the log-odds.
 *
 *     squared                     2 (p - y)
 *     absolute                    1 where p > y, else -1
 *     huber                       p - y, within epsilon
 *     quantile                    1 - alpha where p > y, else -alpha
 *     epsilon_insensitive_hinge   1 or -1 where p is further than eps from 2 y - 1, else 0:
 *                                 River maps labels from {0, 1} to {-1, 1}, whatever they are
 *     log                         -t w / (exp(p t) + 1), where t is 1 or -1 and w the side's weight
 *     hinge                       -t where p t is not above the threshold, else 0
 *
 * cross_entropy is of several labels at once, each with its probability p: loss_of_label().
 */
#ifndef OXBOW_LEARN_LOSS_H
#define OXBOW_LEARN_LOSS_H

#include <stdbool.h>

struct component;
struct learn_class;

enum loss_kind {
    LOSS_SQUARED,
    LOSS_ABSOLUTE,
    LOSS_HUBER,
    LOSS_QUANTILE,
    LOSS_EPSILON_INSENSITIVE_HINGE,
    LOSS_LOG,
    LOSS_HINGE,
    LOSS_CROSS_ENTROPY,
};

/* Plain values: copied with what holds it. */
struct loss {
    enum loss_kind kind;
    double a; /* huber's epsilon, quantile's alpha, eps, weight_pos, hinge's threshold */
    double b; /* weight_neg */
};

/* From a component of kind LEARN_LOSS. */
struct loss loss_of(const struct component *component);

/* Of log and hinge: for classifiers. */
bool loss_is_binary(const struct component *component);

/* Of cross_entropy: there is no gradient by a raw prediction. */
bool loss_is_of_labels(const struct component *component);

/* The gradient of cross_entropy by the score of `label`, which has probability p. */
double loss_of_label(const struct loss *loss, int label, double p, bool is_true);

double loss_slope(const struct loss *loss, double y, double p); /* the gradient, of any kind */

static inline double loss_gradient(const struct loss *loss, double y, double p)
{
    return loss->kind == LOSS_SQUARED ? 2 * (p - y) : loss_slope(loss, y, p);
}

/* River's sigmoid: 0 below -30 and 1 above 30. */
double loss_sigmoid(double p);

#endif
