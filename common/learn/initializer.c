/* First weights: see initializer.h. */
#include "learn/initializer.h"

#include <math.h>
#include <stdint.h>

#include "learn/classes.h"
#include "learn/component.h"
#include "learn/rng.h"

#define SEED_MAX 4294967295.0 /* NumPy's */

struct constant_params {
    double value;
};

struct normal_params {
    double mu;
    double sigma;
    uint64_t seed; /* PARAM_NONE: 0 */
};

bool initializer_is_zeros(const struct component *component)
{
    if (component->class == &constant_initializer_class)
        return ((const struct constant_params *)component->params)->value == 0;
    return component->class == &zeros_class;
}

/* The k-th standard normal deviate; of a pair the second is first. */
static double deviate(uint64_t seed, size_t k)
{
    struct rng rng;
    double a = 0;
    double b = 0;
    double r2 = 0;

    rng_seed_numpy(&rng, seed == PARAM_NONE ? 0 : (uint32_t)seed);
    for (size_t pair = 0; pair <= k / 2; pair++) {
        do {
            a = 2 * rng_random(&rng) - 1;
            b = 2 * rng_random(&rng) - 1;
            r2 = a * a + b * b;
        } while (r2 >= 1 || r2 == 0);
    }
    return sqrt(-2 * log(r2) / r2) * (k % 2 ? a : b);
}

double initializer_weight(const struct component *component, size_t k)
{
    const struct normal_params *normal = component->params;

    if (component->class == &zeros_class)
        return 0;
    if (component->class == &constant_initializer_class)
        return ((const struct constant_params *)component->params)->value;
    return normal->mu + normal->sigma * deviate(normal->seed, k);
}

/* The classes */

const struct learn_class zeros_class = {
    .name = "zeros",
    .river = "optim.initializers.Zeros",
    .help = "Weights begin at 0.",
    .kind = LEARN_INITIALIZER,
};

static const struct learn_param constant_params[] = {
    {.name = "value",
     .type = PARAM_REAL,
     .offset = offsetof(struct constant_params, value),
     .min = -1e12,
     .max = 1e12,
     .help = "Where weights begin."},
};

const struct learn_class constant_initializer_class = {
    .name = "constant",
    .river = "optim.initializers.Constant",
    .help = "Weights begin at the same number.",
    .kind = LEARN_INITIALIZER,
    .params = constant_params,
    .n_params = sizeof(constant_params) / sizeof(constant_params[0]),
    .params_size = sizeof(struct constant_params),
};

static const struct learn_param normal_params[] = {
    {.name = "mu",
     .type = PARAM_REAL,
     .offset = offsetof(struct normal_params, mu),
     .min = -1e12,
     .max = 1e12,
     .help = "The mean of the weights."},
    {.name = "sigma",
     .type = PARAM_REAL,
     .offset = offsetof(struct normal_params, sigma),
     .fallback = 1,
     .max = 1e12,
     .help = "Their standard deviation."},
    {.name = "seed",
     .type = PARAM_COUNT,
     .offset = offsetof(struct normal_params, seed),
     .max = SEED_MAX,
     .optional = true,
     .help = "Of the random numbers, which are NumPy's; null is 0."},
};

const struct learn_class normal_class = {
    .name = "normal",
    .river = "optim.initializers.Normal",
    .help = "Weights begin at random, normally distributed.",
    .kind = LEARN_INITIALIZER,
    .params = normal_params,
    .n_params = sizeof(normal_params) / sizeof(normal_params[0]),
    .params_size = sizeof(struct normal_params),
};
