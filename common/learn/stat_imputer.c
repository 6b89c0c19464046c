/*
 * Fills in missing values by a statistic of the values that were there, of every
 * feature: River's StatImputer with one statistic for all. Before the first value a
 * mean is 0, as in River; a least or greatest one stays missing, where River's is
 * infinite.
 */
#include <math.h>

#include "learn/classes.h"
#include "learn/preprocessor_rows.h"

enum statistic { STATISTIC_MEAN, STATISTIC_MIN, STATISTIC_MAX, STATISTIC_CONSTANT };
enum { COUNT, VALUE, ROWS };

struct imputer_params {
    int statistic; /* enum statistic */
    double value;
};

static const struct imputer_params *params_of(const struct preprocessor *pre)
{
    return ((const struct preprocessor_rows *)pre)->params;
}

static struct preprocessor *imputer_create(const struct component *component, size_t n_in)
{
    const struct imputer_params *params = component->params;
    double first[ROWS] = {0};

    switch ((enum statistic)params->statistic) {
    case STATISTIC_MEAN:
        break;
    case STATISTIC_MIN:
    case STATISTIC_MAX:
        first[VALUE] = (double)NAN;
        break;
    case STATISTIC_CONSTANT:
        first[VALUE] = params->value;
        break;
    }
    return preprocessor_rows_new(component, n_in, ROWS, first);
}

static void imputer_learn(struct preprocessor *pre, const double *x)
{
    double *count = preprocessor_row_of(pre, COUNT);
    double *value = preprocessor_row_of(pre, VALUE);

    for (size_t i = 0; i < pre->n_in; i++) {
        if (isnan(x[i]))
            continue;
        count[i] += 1;
        switch ((enum statistic)params_of(pre)->statistic) {
        case STATISTIC_MEAN:
            value[i] += 1 / count[i] * (x[i] - value[i]);
            break;
        case STATISTIC_MIN:
            value[i] = fmin(value[i], x[i]); /* of NaN and a number the number */
            break;
        case STATISTIC_MAX:
            value[i] = fmax(value[i], x[i]);
            break;
        case STATISTIC_CONSTANT:
            break;
        }
    }
}

static void imputer_transform(const struct preprocessor *pre, const double *x, double *out)
{
    const double *value = preprocessor_row(pre, VALUE);

    for (size_t i = 0; i < pre->n_in; i++)
        out[i] = isnan(x[i]) ? value[i] : x[i];
}

static const struct preprocessor_ops ops = {
    PREPROCESSOR_ROWS_OPS,
    .create = imputer_create,
    .learn = imputer_learn,
    .transform = imputer_transform,
};

static const char *const statistics[] = {
    [STATISTIC_MEAN] = "mean",
    [STATISTIC_MIN] = "min",
    [STATISTIC_MAX] = "max",
    [STATISTIC_CONSTANT] = "constant",
    NULL,
};

static const struct learn_param params[] = {
    {.name = "statistic",
     .type = PARAM_CHOICE,
     .offset = offsetof(struct imputer_params, statistic),
     .choices = statistics,
     .help = "What a missing value is replaced with; constant takes `value`."},
    {.name = "value",
     .type = PARAM_REAL,
     .offset = offsetof(struct imputer_params, value),
     .min = -1e300,
     .max = 1e300,
     .help = "The constant."},
};

const struct learn_class stat_imputer_class = {
    .name = "stat_imputer",
    .river = "preprocessing.StatImputer",
    .help = "Fills in missing values by a running statistic, the same of every feature.",
    .kind = LEARN_PREPROCESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct imputer_params),
    .preprocessor = &ops,
};
