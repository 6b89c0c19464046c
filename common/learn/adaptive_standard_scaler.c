/*
 * Scales each feature by exponentially weighted mean and variance (Finch 2009): with
 * fading factor f, m = f v + (1 - f) m and s = f v^2 + (1 - f) s, both v at first;
 * the variance is s - m^2. 0 without variance. A missing value stays missing and
 * teaches nothing.
 */
#include <math.h>

#include "learn/classes.h"
#include "learn/preprocessor_rows.h"
#include "learn/root.h"

enum { MEAN, SQUARE, SEEN, ROWS };

struct adaptive_params {
    double fading_factor;
};

static struct preprocessor *adaptive_create(const struct component *component, size_t n_in)
{
    static const double first[ROWS] = {0};

    return preprocessor_rows_new(component, n_in, ROWS, first);
}

static void adaptive_learn(struct preprocessor *pre, const double *x)
{
    const struct adaptive_params *params = ((struct preprocessor_rows *)pre)->params;
    double f = params->fading_factor;
    double *mean = preprocessor_row_of(pre, MEAN);
    double *square = preprocessor_row_of(pre, SQUARE);
    double *seen = preprocessor_row_of(pre, SEEN);

    for (size_t i = 0; i < pre->n_in; i++) {
        double v = x[i];

        if (isnan(v))
            continue;
        mean[i] = seen[i] != 0 ? f * v + (1 - f) * mean[i] : v;
        square[i] = seen[i] != 0 ? f * (v * v) + (1 - f) * square[i] : v * v;
        seen[i] = 1;
    }
}

static void adaptive_transform(const struct preprocessor *pre, const double *x, double *out)
{
    const double *mean = preprocessor_row(pre, MEAN);
    const double *square = preprocessor_row(pre, SQUARE);

    for (size_t i = 0; i < pre->n_in; i++) {
        double var = square[i] - mean[i] * mean[i];

        out[i] = var > 0 || isnan(x[i]) ? (x[i] - mean[i]) / root_of(var) : 0;
    }
}

static const struct preprocessor_ops ops = {
    PREPROCESSOR_ROWS_OPS,
    .create = adaptive_create,
    .learn = adaptive_learn,
    .transform = adaptive_transform,
};

static const struct learn_param params[] = {
    {.name = "fading_factor",
     .type = PARAM_REAL,
     .offset = offsetof(struct adaptive_params, fading_factor),
     .fallback = 0.3,
     .max = 1,
     .help = "The closer to 1, the more the newest values count."},
};

const struct learn_class adaptive_standard_scaler_class = {
    .name = "adaptive_standard_scaler",
    .river = "preprocessing.AdaptiveStandardScaler",
    .help = "Scales each feature to mean 0 and variance 1, as they are of late.",
    .kind = LEARN_PREPROCESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct adaptive_params),
    .preprocessor = &ops,
};
