/*
 * Scales each feature to [0, 1] by the least and greatest value so far: 0 while
 * they are equal. A missing value stays missing, and so does any value of a feature
 * that was never there.
 * With a window_size: windowed_scaler.h.
 */
#include <math.h>

#include "learn/classes.h"
#include "learn/preprocessor_rows.h"
#include "learn/windowed_scaler.h"

enum { LEAST, GREATEST, ROWS };

struct min_max_params {
    uint64_t window_size; /* PARAM_NONE: all values */
};

static struct preprocessor *min_max_create(const struct component *component, size_t n_in)
{
    static const double first[ROWS] = {(double)INFINITY, -(double)INFINITY};
    const struct min_max_params *params = component->params;

    if (params->window_size != PARAM_NONE)
        return windowed_scaler_new(WINDOWED_MIN_MAX, n_in, (size_t)params->window_size);
    return preprocessor_rows_new(component, n_in, ROWS, first);
}

static void min_max_learn(struct preprocessor *pre, const double *x)
{
    double *least = preprocessor_row_of(pre, LEAST);
    double *greatest = preprocessor_row_of(pre, GREATEST);

    for (size_t i = 0; i < pre->n_in; i++) {
        least[i] = x[i] < least[i] ? x[i] : least[i];
        greatest[i] = x[i] > greatest[i] ? x[i] : greatest[i];
    }
}

static void min_max_transform(const struct preprocessor *pre, const double *x, double *out)
{
    const double *least = preprocessor_row(pre, LEAST);
    const double *greatest = preprocessor_row(pre, GREATEST);

    for (size_t i = 0; i < pre->n_in; i++) {
        double range = greatest[i] - least[i];

        out[i] = range != 0 || isnan(x[i]) ? (x[i] - least[i]) / range : 0;
    }
}

static const struct preprocessor_ops ops = {
    PREPROCESSOR_ROWS_OPS,
    .create = min_max_create,
    .learn = min_max_learn,
    .transform = min_max_transform,
};

static const struct learn_param params[] = {
    WINDOW_SIZE_PARAM(min_max_params),
};

const struct learn_class min_max_scaler_class = {
    .name = "min_max_scaler",
    .river = "preprocessing.MinMaxScaler",
    .help = "Scales each feature to [0, 1] by its least and greatest value so far.",
    .kind = LEARN_PREPROCESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct min_max_params),
    .preprocessor = &ops,
};
