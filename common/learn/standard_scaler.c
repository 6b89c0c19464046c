/*
 * Scales each feature to mean 0 and variance 1 by what was seen so far
 * (Welford; population variance; 0 when the variance is 0). A missing value
 * stays missing and teaches nothing. With a window_size: windowed_scaler.h.
 *
 * State: four rows of n doubles in one allocation, so that a sample is one pass
 * without a branch that the compiler turns into vector code.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/learner_backend.h"
#include "learn/root.h"
#include "learn/windowed_scaler.h"

#define ROWS 4

struct scaler_params {
    bool with_std;
    uint64_t window_size; /* PARAM_NONE: all values */
};

struct scaler {
    struct preprocessor base;
    bool with_std;
    double *count; /* n; the allocation */
    double *mean;  /* n */
    double *var;   /* n */
    double *sd;    /* n; the root of var, or infinity where var is 0: never stored */
};

static struct preprocessor *scaler_create(const struct component *component, size_t n_in)
{
    const struct scaler_params *params = component->params;
    struct scaler *s;

    if (params->window_size != PARAM_NONE)
        return windowed_scaler_new(params->with_std ? WINDOWED_STANDARD : WINDOWED_CENTRED, n_in,
                                   (size_t)params->window_size);

    s = mem_zalloc(1, sizeof(*s));
    s->base.ops = component->class->preprocessor;
    s->base.n_in = n_in;
    s->base.n_out = n_in;
    s->with_std = params->with_std;
    s->count = mem_zalloc(n_in ? n_in : 1, ROWS * sizeof(double));
    s->mean = s->count + n_in;
    s->var = s->mean + n_in;
    s->sd = s->var + n_in;
    for (size_t i = 0; i < n_in; i++)
        s->sd[i] = s->with_std ? (double)INFINITY : 1.0;
    return &s->base;
}

static void scaler_free(struct preprocessor *pre)
{
    struct scaler *s = (struct scaler *)pre;

    free(s->count);
    free(s);
}

/*
 * Where var is 0, infinity, which makes every value 0. Thresholds of trees want the last bit as
 * River has it; to what is smooth it is nothing, and a linear model would take a third longer.
 */
static void find_sds(struct scaler *s)
{
    if (s->base.is_before_smooth)
        for (size_t i = 0; i < s->base.n_in; i++)
            s->sd[i] = sqrt(s->var[i]);
    else
        root_all(s->var, s->sd, s->base.n_in);
    for (size_t i = 0; i < s->base.n_in; i++)
        s->sd[i] = s->sd[i] != 0 ? s->sd[i] : (double)INFINITY;
}

static void scaler_learn(struct preprocessor *pre, const double *restrict x)
{
    struct scaler *s = (struct scaler *)pre;
    double *restrict count = s->count;
    double *restrict mean = s->mean;
    double *restrict var = s->var;

    for (size_t i = 0; i < pre->n_in; i++) {
        double v = x[i];
        double seen = count[i] + 1;
        double delta = v - mean[i];
        double new_mean = mean[i] + delta / seen;
        double new_var = var[i] + (delta * (v - new_mean) - var[i]) / seen;
        int present = v == v;

        count[i] = present ? seen : count[i];
        mean[i] = present ? new_mean : mean[i];
        var[i] = present ? new_var : var[i];
    }
    if (s->with_std)
        find_sds(s);
}

static void scaler_transform(const struct preprocessor *pre, const double *restrict x,
                             double *restrict out)
{
    const struct scaler *s = (const struct scaler *)pre;

    for (size_t i = 0; i < pre->n_in; i++)
        out[i] = (x[i] - s->mean[i]) / s->sd[i];
}

static void scaler_save(const struct preprocessor *pre, struct buf *out)
{
    const struct scaler *s = (const struct scaler *)pre;

    blob_write_f64s(out, s->count, 3 * pre->n_in);
}

static void scaler_load(struct preprocessor *pre, struct blob_reader *in)
{
    struct scaler *s = (struct scaler *)pre;

    blob_read_f64s(in, s->count, 3 * pre->n_in);
    if (s->with_std)
        find_sds(s);
}

static size_t scaler_bytes(const struct preprocessor *pre)
{
    return sizeof(struct scaler) + ROWS * pre->n_in * sizeof(double);
}

static const struct preprocessor_ops ops = {
    .create = scaler_create,
    .free = scaler_free,
    .learn = scaler_learn,
    .transform = scaler_transform,
    .save = scaler_save,
    .load = scaler_load,
    .bytes = scaler_bytes,
};

static const struct learn_param params[] = {
    {.name = "with_std",
     .type = PARAM_FLAG,
     .offset = offsetof(struct scaler_params, with_std),
     .fallback = 1,
     .help = "Divide by the standard deviation, too."},
    WINDOW_SIZE_PARAM(scaler_params),
};

const struct learn_class standard_scaler_class = {
    .name = "standard_scaler",
    .river = "preprocessing.StandardScaler",
    .help = "Scales each feature to mean 0 and variance 1.",
    .kind = LEARN_PREPROCESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct scaler_params),
    .preprocessor = &ops,
};
