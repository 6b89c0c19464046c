/*
 * Scales each feature to [-1, 1] by the greatest size of a value so far: 0 while
 * that is 0. A missing value stays missing.
 * With a window_size: windowed_scaler.h.
 */
#include <math.h>

#include "learn/classes.h"
#include "learn/preprocessor_rows.h"
#include "learn/windowed_scaler.h"

struct max_abs_params {
    uint64_t window_size; /* PARAM_NONE: all values */
};

static struct preprocessor *max_abs_create(const struct component *component, size_t n_in)
{
    static const double first[] = {0};
    const struct max_abs_params *params = component->params;

    if (params->window_size != PARAM_NONE)
        return windowed_scaler_new(WINDOWED_MAX_ABS, n_in, (size_t)params->window_size);
    return preprocessor_rows_new(component, n_in, 1, first);
}

static void max_abs_learn(struct preprocessor *pre, const double *x)
{
    double *greatest = preprocessor_row_of(pre, 0);

    for (size_t i = 0; i < pre->n_in; i++)
        greatest[i] = fabs(x[i]) > greatest[i] ? fabs(x[i]) : greatest[i];
}

static void max_abs_transform(const struct preprocessor *pre, const double *x, double *out)
{
    const double *greatest = preprocessor_row(pre, 0);

    for (size_t i = 0; i < pre->n_in; i++)
        out[i] = greatest[i] != 0 || isnan(x[i]) ? x[i] / greatest[i] : 0;
}

static const struct preprocessor_ops ops = {
    PREPROCESSOR_ROWS_OPS,
    .create = max_abs_create,
    .learn = max_abs_learn,
    .transform = max_abs_transform,
};

static const struct learn_param params[] = {
    WINDOW_SIZE_PARAM(max_abs_params),
};

const struct learn_class max_abs_scaler_class = {
    .name = "max_abs_scaler",
    .river = "preprocessing.MaxAbsScaler",
    .help = "Scales each feature to [-1, 1] by its greatest size so far.",
    .kind = LEARN_PREPROCESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct max_abs_params),
    .preprocessor = &ops,
};
