/*
 * Scales the features of a sample together so that their norm is 1; missing ones
 * stay missing and do not count. A sample of zeros stays one, where River divides
 * by zero. It has no state.
 */
#include <math.h>

#include "learn/classes.h"
#include "learn/preprocessor_rows.h"

struct normalizer_params {
    uint64_t order;
};

static struct preprocessor *normalizer_create(const struct component *component, size_t n_in)
{
    static const double none[] = {0};

    return preprocessor_rows_new(component, n_in, 0, none);
}

static void normalizer_learn(struct preprocessor *pre, const double *x)
{
    (void)pre;
    (void)x;
}

static double norm_of(const double *x, size_t n, uint64_t order)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        double v = isnan(x[i]) ? 0 : x[i];

        if (order == 1)
            sum += fabs(v);
        else
            sum += order == 2 ? v * v : pow(fabs(v), (double)order);
    }
    if (order == 1)
        return sum;
    return order == 2 ? sqrt(sum) : pow(sum, 1.0 / (double)order);
}

static void normalizer_transform(const struct preprocessor *pre, const double *x, double *out)
{
    const struct normalizer_params *params = ((const struct preprocessor_rows *)pre)->params;
    double norm = norm_of(x, pre->n_in, params->order);

    for (size_t i = 0; i < pre->n_in; i++)
        out[i] = norm != 0 ? x[i] / norm : x[i];
}

static const struct preprocessor_ops ops = {
    PREPROCESSOR_ROWS_OPS,
    .create = normalizer_create,
    .learn = normalizer_learn,
    .transform = normalizer_transform,
};

static const struct learn_param params[] = {
    {.name = "order",
     .type = PARAM_COUNT,
     .offset = offsetof(struct normalizer_params, order),
     .fallback = 2,
     .min = 1,
     .max = 16,
     .help = "Of the norm: 2 is the Euclidean one."},
};

const struct learn_class normalizer_class = {
    .name = "normalizer",
    .river = "preprocessing.Normalizer",
    .help = "Scales a sample's features together to norm 1.",
    .kind = LEARN_PREPROCESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct normalizer_params),
    .preprocessor = &ops,
};
