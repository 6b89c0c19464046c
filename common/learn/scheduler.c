/* Learning rates: see scheduler.h. */
#include "learn/scheduler.h"

#include <math.h>

#include "learn/classes.h"
#include "learn/component.h"
#include "learn/loss.h"

struct constant_params {
    double learning_rate;
};

struct inverse_params {
    double learning_rate;
    double power;
};

struct optimal_params {
    struct component *loss;
    double alpha;
};

static struct scheduler optimal_of(const struct optimal_params *params)
{
    struct loss loss = loss_of(params->loss);
    double typical = sqrt(1.0 / sqrt(params->alpha));
    double first = typical / fmax(1.0, loss_gradient(&loss, 1, -typical));

    return (struct scheduler){
        .kind = SCHEDULER_OPTIMAL,
        .a = params->alpha,
        .b = 1.0 / (first * params->alpha),
    };
}

struct scheduler scheduler_of(const struct component *component)
{
    if (component->class == &optimal_class)
        return optimal_of(component->params);
    if (component->class == &inverse_scaling_class) {
        const struct inverse_params *params = component->params;

        return (struct scheduler){
            .kind = SCHEDULER_INVERSE_SCALING,
            .a = params->learning_rate,
            .b = params->power,
        };
    }
    return (struct scheduler){
        .kind = SCHEDULER_CONSTANT,
        .a = ((const struct constant_params *)component->params)->learning_rate,
    };
}

double scheduler_later(const struct scheduler *s, double t)
{
    switch (s->kind) {
    case SCHEDULER_INVERSE_SCALING:
        return s->a / pow(t + 1, s->b);
    case SCHEDULER_OPTIMAL:
        return 1.0 / (s->a * (s->b + t));
    case SCHEDULER_CONSTANT:
        break;
    }
    return s->a;
}

/* The classes */

static const struct learn_param constant_params[] = {
    {.name = "learning_rate",
     .type = PARAM_REAL,
     .offset = offsetof(struct constant_params, learning_rate),
     .fallback = 0.01,
     .max = 1e3,
     .help = "The rate."},
};

const struct learn_class constant_class = {
    .name = "constant",
    .river = "optim.schedulers.Constant",
    .help = "Always the same rate; a number by itself means this.",
    .kind = LEARN_SCHEDULER,
    .params = constant_params,
    .n_params = sizeof(constant_params) / sizeof(constant_params[0]),
    .params_size = sizeof(struct constant_params),
};

static const struct learn_param inverse_params[] = {
    {.name = "learning_rate",
     .type = PARAM_REAL,
     .offset = offsetof(struct inverse_params, learning_rate),
     .fallback = 0.01,
     .max = 1e3,
     .help = "The first rate; River has no default."},
    {.name = "power",
     .type = PARAM_REAL,
     .offset = offsetof(struct inverse_params, power),
     .fallback = 0.5,
     .max = 10,
     .help = "How fast it falls."},
};

const struct learn_class inverse_scaling_class = {
    .name = "inverse_scaling",
    .river = "optim.schedulers.InverseScaling",
    .help = "Falls with a power of the number of steps.",
    .kind = LEARN_SCHEDULER,
    .params = inverse_params,
    .n_params = sizeof(inverse_params) / sizeof(inverse_params[0]),
    .params_size = sizeof(struct inverse_params),
};

static const char *optimal_check(const void *p)
{
    const struct optimal_params *params = p;

    return loss_is_of_labels(params->loss)
               ? "loss: write another one; cross_entropy has a gradient "
                 "for each label"
               : NULL;
}

static const struct learn_param optimal_params[] = {
    {.name = "loss",
     .type = PARAM_CLASS,
     .offset = offsetof(struct optimal_params, loss),
     .kind = LEARN_LOSS,
     .fallback_class = "log",
     .help = "The loss that is descended; River has no default."},
    {.name = "alpha",
     .type = PARAM_REAL,
     .offset = offsetof(struct optimal_params, alpha),
     .fallback = 1e-4,
     .max = 1e3,
     .above_min = true,
     .help = "The larger, the faster it falls."},
};

const struct learn_class optimal_class = {
    .name = "optimal",
    .river = "optim.schedulers.Optimal",
    .help = "Falls as Bottou proposes (2012).",
    .kind = LEARN_SCHEDULER,
    .params = optimal_params,
    .n_params = sizeof(optimal_params) / sizeof(optimal_params[0]),
    .params_size = sizeof(struct optimal_params),
    .check = optimal_check,
};
