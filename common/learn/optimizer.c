/* How weights follow a gradient: see optimizer.h. */
#include "learn/optimizer.h"

#include <math.h>

#include "learn/classes.h"
#include "learn/component.h"

/* Each struct of parameters but ftrl_proximal's begins with lr. */
struct rate_params {
    struct component *lr;
};

struct momentum_params {
    struct component *lr;
    double rho;
};

struct ada_grad_params {
    struct component *lr;
    double eps;
};

struct adam_params {
    struct component *lr;
    double beta_1;
    double beta_2;
    double eps;
};

struct rms_prop_params {
    struct component *lr;
    double rho;
    double eps;
};

struct ftrl_params {
    double alpha;
    double beta;
    double l1;
    double l2;
};

static const struct {
    const struct learn_class *class;
    enum optimizer_kind kind;
    size_t rows;
} kinds[] = {
    {&sgd_class, OPTIMIZER_SGD, 0},
    {&momentum_class, OPTIMIZER_MOMENTUM, 1},
    {&ada_grad_class, OPTIMIZER_ADA_GRAD, 1},
    {&adam_class, OPTIMIZER_ADAM, 2},
    {&rms_prop_class, OPTIMIZER_RMS_PROP, 1},
    {&ftrl_proximal_class, OPTIMIZER_FTRL_PROXIMAL, 2},
    {&nesterov_momentum_class, OPTIMIZER_NESTEROV_MOMENTUM, 1},
};

static size_t kind_of(const struct component *component)
{
    size_t i = 0;

    while (kinds[i].class != component->class)
        i++;
    return i;
}

size_t optimizer_rows(const struct component *component)
{
    return kinds[kind_of(component)].rows;
}

struct optimizer optimizer_of(const struct component *component)
{
    struct optimizer o = {
        .kind = kinds[kind_of(component)].kind,
        .params = component->params,
    };

    if (o.kind != OPTIMIZER_FTRL_PROXIMAL)
        o.lr = scheduler_of(((const struct rate_params *)component->params)->lr);
    return o;
}

/* The steps; x tells where a feature is missing. */

/* A weight that would become NaN by an overflow stays as it is. */
static inline void set_weight(double *w, double next)
{
    *w = next == next ? next : *w;
}

static void sgd_step(const struct optimizer *o, double *w, const double *g, size_t n)
{
    double lr = scheduler_rate(&o->lr, o->t);

    for (size_t j = 0; j < n; j++)
        set_weight(&w[j], w[j] - lr * g[j]); /* g is NaN where x is */
}

static void momentum_step(const struct optimizer *o, double *w, const double *g, const double *x,
                          double *s, size_t n)
{
    const struct momentum_params *params = o->params;
    double lr = scheduler_rate(&o->lr, o->t);

    for (size_t j = 0; j < n; j++) {
        if (isnan(x[j]))
            continue;
        s[j] = params->rho * s[j] + lr * g[j];
        set_weight(&w[j], w[j] - s[j]);
    }
}

/* Moves each weight that is there by `by` of its last step. */
static void move(double *w, const double *x, const double *s, double by, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        if (!isnan(x[j]))
            set_weight(&w[j], w[j] + by * s[j]);
    }
}

void optimizer_look_ahead(const struct optimizer *o, double *w, const double *x,
                          const double *state, size_t n)
{
    if (o->kind == OPTIMIZER_NESTEROV_MOMENTUM)
        move(w, x, state, -((const struct momentum_params *)o->params)->rho, n);
}

void optimizer_look_back(const struct optimizer *o, double *w, const double *x, const double *state,
                         size_t n)
{
    if (o->kind == OPTIMIZER_NESTEROV_MOMENTUM)
        move(w, x, state, ((const struct momentum_params *)o->params)->rho, n);
}

static void ada_grad_step(const struct optimizer *o, double *w, const double *g, const double *x,
                          double *g2, size_t n)
{
    const struct ada_grad_params *params = o->params;
    double lr = scheduler_rate(&o->lr, o->t);

    for (size_t j = 0; j < n; j++) {
        if (isnan(x[j]))
            continue;
        g2[j] += g[j] * g[j];
        set_weight(&w[j], w[j] - lr / sqrt(g2[j] + params->eps) * g[j]);
    }
}

static void adam_step(const struct optimizer *o, double *w, const double *g, const double *x,
                      double *m, size_t n)
{
    const struct adam_params *params = o->params;
    double b1 = params->beta_1;
    double b2 = params->beta_2;
    double lr = scheduler_rate(&o->lr, o->t) * sqrt(1 - pow(b2, o->t + 1));
    double *v = m + n;

    lr /= 1 - pow(b1, o->t + 1);
    for (size_t j = 0; j < n; j++) {
        if (isnan(x[j]))
            continue;
        m[j] = b1 * m[j] + (1 - b1) * g[j];
        v[j] = b2 * v[j] + (1 - b2) * (g[j] * g[j]);
        set_weight(&w[j], w[j] - lr * m[j] / (sqrt(v[j]) + params->eps));
    }
}

static void rms_prop_step(const struct optimizer *o, double *w, const double *g, const double *x,
                          double *g2, size_t n)
{
    const struct rms_prop_params *params = o->params;
    double lr = scheduler_rate(&o->lr, o->t);

    for (size_t j = 0; j < n; j++) {
        if (isnan(x[j]))
            continue;
        g2[j] = params->rho * g2[j] + (1 - params->rho) * (g[j] * g[j]);
        set_weight(&w[j], w[j] - lr / sqrt(g2[j] + params->eps) * g[j]);
    }
}

static void ftrl_step(const struct optimizer *o, double *w, const double *g, const double *x,
                      double *z, size_t n)
{
    const struct ftrl_params *params = o->params;
    double *seen = z + n; /* the sum of squared gradients, n in the paper */

    for (size_t j = 0; j < n; j++) {
        double root = sqrt(seen[j]);
        double squared = g[j] * g[j];

        if (isnan(x[j]))
            continue;
        if (fabs(z[j]) > params->l1)
            w[j] = -(1 / ((params->beta + root) / params->alpha + params->l2)) *
                   (z[j] - copysign(params->l1, z[j]));
        z[j] += g[j] - (sqrt(seen[j] + squared) - root) / params->alpha * w[j];
        seen[j] += squared;
    }
}

void optimizer_step(struct optimizer *o, double *w, const double *g, const double *x, double *state,
                    size_t n)
{
    switch (o->kind) {
    case OPTIMIZER_SGD:
        sgd_step(o, w, g, n);
        break;
    case OPTIMIZER_MOMENTUM:
        momentum_step(o, w, g, x, state, n);
        break;
    case OPTIMIZER_NESTEROV_MOMENTUM:
        optimizer_look_back(o, w, x, state, n);
        momentum_step(o, w, g, x, state, n);
        break;
    case OPTIMIZER_ADA_GRAD:
        ada_grad_step(o, w, g, x, state, n);
        break;
    case OPTIMIZER_ADAM:
        adam_step(o, w, g, x, state, n);
        break;
    case OPTIMIZER_RMS_PROP:
        rms_prop_step(o, w, g, x, state, n);
        break;
    case OPTIMIZER_FTRL_PROXIMAL:
        ftrl_step(o, w, g, x, state, n);
        break;
    }
    o->t += 1;
}

/* The classes */

#define RATE(default_rate)                                                                         \
    {                                                                                              \
        .name = "lr", .type = PARAM_RATE, .offset = offsetof(struct rate_params, lr),              \
        .fallback = (default_rate), .max = 1e3, .above_min = true, .kind = LEARN_SCHEDULER,        \
        .help = "Learning rate: a number, or a scheduler."                                         \
    }
#define REAL(type_of, field)                                                                       \
    .name = #field, .type = PARAM_REAL, .offset = offsetof(struct type_of, field)
#define EPS(type_of)                                                                               \
    {                                                                                              \
        REAL(type_of, eps), .fallback = 1e-8, .max = 1e3, .above_min = true,                       \
                            .help = "Keeps the division away from 0."                              \
    }
#define PARAMS(list, type_of)                                                                      \
    .params = (list), .n_params = sizeof(list) / sizeof((list)[0]),                                \
    .params_size = sizeof(struct type_of)

static const struct learn_param sgd_params[] = {RATE(0.01)};

const struct learn_class sgd_class = {
    .name = "sgd",
    .river = "optim.SGD",
    .help = "Plain stochastic gradient descent.",
    .kind = LEARN_OPTIMIZER,
    PARAMS(sgd_params, rate_params),
};

static const struct learn_param momentum_params[] = {
    RATE(0.1),
    {REAL(momentum_params, rho), .fallback = 0.9, .max = 1,
     .help = "How much of the last step goes on."},
};

const struct learn_class momentum_class = {
    .name = "momentum",
    .river = "optim.Momentum",
    .help = "Gradient descent that keeps part of its last step.",
    .kind = LEARN_OPTIMIZER,
    PARAMS(momentum_params, momentum_params),
};

const struct learn_class nesterov_momentum_class = {
    .name = "nesterov_momentum",
    .river = "optim.NesterovMomentum",
    .help = "Momentum, with the gradient taken where the kept part leads to.",
    .kind = LEARN_OPTIMIZER,
    PARAMS(momentum_params, momentum_params),
};

static const struct learn_param ada_grad_params[] = {RATE(0.1), EPS(ada_grad_params)};

const struct learn_class ada_grad_class = {
    .name = "ada_grad",
    .river = "optim.AdaGrad",
    .help = "Steps become smaller for weights that were changed much.",
    .kind = LEARN_OPTIMIZER,
    PARAMS(ada_grad_params, ada_grad_params),
};

static const struct learn_param adam_params[] = {
    RATE(0.1),
    {REAL(adam_params, beta_1), .fallback = 0.9, .max = 0.999999,
     .help = "Decay of the gradient's mean."},
    {REAL(adam_params, beta_2), .fallback = 0.999, .max = 0.99999999,
     .help = "Decay of the squared gradient's mean."},
    EPS(adam_params),
};

const struct learn_class adam_class = {
    .name = "adam",
    .river = "optim.Adam",
    .help = "Steps by the faded mean of the gradient over that of its square.",
    .kind = LEARN_OPTIMIZER,
    PARAMS(adam_params, adam_params),
};

static const struct learn_param rms_prop_params[] = {
    RATE(0.1),
    {REAL(rms_prop_params, rho), .fallback = 0.9, .max = 1,
     .help = "Decay of the squared gradient's mean."},
    EPS(rms_prop_params),
};

const struct learn_class rms_prop_class = {
    .name = "rms_prop",
    .river = "optim.RMSProp",
    .help = "Steps divided by the faded size of the gradient.",
    .kind = LEARN_OPTIMIZER,
    PARAMS(rms_prop_params, rms_prop_params),
};

static const struct learn_param ftrl_params[] = {
    {REAL(ftrl_params, alpha), .fallback = 0.05, .max = 1e6, .above_min = true,
     .help = "The larger, the larger the steps."},
    {REAL(ftrl_params, beta), .fallback = 1, .max = 1e6, .help = "Keeps the first steps small."},
    {REAL(ftrl_params, l1), .max = 1e6, .help = "Keeps weights at 0 that matter little."},
    {REAL(ftrl_params, l2), .fallback = 1, .max = 1e6, .help = "Pulls weights towards 0."},
};

const struct learn_class ftrl_proximal_class = {
    .name = "ftrl_proximal",
    .river = "optim.FTRLProximal",
    .help = "Follow the regularised leader: sparse weights, a rate each.",
    .kind = LEARN_OPTIMIZER,
    PARAMS(ftrl_params, ftrl_params),
};
