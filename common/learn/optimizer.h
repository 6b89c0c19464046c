/*
 * How weights follow a gradient (river.optim): state a weight, and the step.
 *
 * Step t (from 0) with gradient g_j changes weight w_j and its state, a row of n
 * doubles for each letter, all 0 at first; only weights whose feature is there.
 *
 *     sgd            w -= lr g
 *     momentum       s = rho s + lr g; w -= s
 *     nesterov_momentum   the same, and the gradient is the one at w - rho s
 *     ada_grad       G += g^2; w -= lr / sqrt(G + eps) g          (Duchi, Hazan, Singer 2011)
 *     adam           m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2
 *                    w -= lr sqrt(1 - b2^(t+1)) / (1 - b1^(t+1)) m / (sqrt(v) + eps)
 *                                                                 (Kingma, Ba 2014)
 *     rms_prop       G = rho G + (1 - rho) g^2; w -= lr / sqrt(G + eps) g
 *     ftrl_proximal  where |z| > l1: w = -(z - sign(z) l1) / ((beta + sqrt(n)) / alpha + l2)
 *                    s = (sqrt(n + g^2) - sqrt(n)) / alpha; z += g - s w; n += g^2
 *                                                                 (McMahan et al. 2013)
 */
#ifndef OXBOW_LEARN_OPTIMIZER_H
#define OXBOW_LEARN_OPTIMIZER_H

#include <stddef.h>

#include "learn/scheduler.h"

struct component;

#define OPTIMIZER_MAX_ROWS 2

enum optimizer_kind {
    OPTIMIZER_SGD,
    OPTIMIZER_MOMENTUM,
    OPTIMIZER_NESTEROV_MOMENTUM,
    OPTIMIZER_ADA_GRAD,
    OPTIMIZER_ADAM,
    OPTIMIZER_RMS_PROP,
    OPTIMIZER_FTRL_PROXIMAL,
};

/* Plain values: copied with what holds it. */
struct optimizer {
    enum optimizer_kind kind;
    struct scheduler lr; /* ftrl_proximal has none */
    const void *params;  /* the component's, which outlives it */
    double t;            /* steps taken: the only thing that changes */
};

/* From a component of kind LEARN_OPTIMIZER. */
struct optimizer optimizer_of(const struct component *component);

/* Rows of n doubles that the caller keeps for it. */
size_t optimizer_rows(const struct component *component);

/*
 * Before the gradient is taken: moves w to where it is to be taken, which optimizer_step() goes on
 * from, and optimizer_look_back() undoes if there is none. Of nesterov_momentum only.
 */
void optimizer_look_ahead(const struct optimizer *o, double *w, const double *x,
                          const double *state, size_t n);
void optimizer_look_back(const struct optimizer *o, double *w, const double *x, const double *state,
                         size_t n);

/*
 * One step: w, g and each row of `state` have n elements. Where x is NaN the feature is missing, g
 * has to be NaN as well, and neither weight nor state change. No weight becomes NaN.
 */
void optimizer_step(struct optimizer *o, double *w, const double *g, const double *x, double *state,
                    size_t n);

#endif
