/*
 * The drift detection method (Gama, Medas, Castillo and Rodrigues 2004: "Learning
 * with drift detection"): while a model's errors, 0 or 1 each, come from one
 * distribution, their mean p falls or stays; when p + s, with s = sqrt(p (1 - p) / n),
 * has risen from its lowest point by drift_threshold of that point's s, it is a
 * drift. Parameters, defaults and order of operations are those of River 0.26's
 * drift.binary.DDM.
 *
 * It is for errors from 0 to 1: a value outside is passed over, as one that is
 * not finite. As in River, the update after a drift begins anew. Beyond River, and
 * without any effect on when a drift is found: the number of values at the lowest
 * point is kept, since that is where the change began. The warning that River's
 * also gives is not kept: nobody asks for it.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/detector_backend.h"
#include "learn/stat.h"

struct ddm_params {
    uint64_t warm_start;
    double warning_threshold;
    double drift_threshold;
};

struct ddm {
    struct detector base;
    struct ddm_params params;
    struct stat_mean p;
    double p_min; /* at the lowest point; the lowest sum is infinite before there is one */
    double s_min;
    double sum_min;
    double n_min; /* values until then */
    bool is_drift;
};

static void clear(struct ddm *d)
{
    d->p = (struct stat_mean){0};
    d->p_min = d->s_min = d->n_min = 0;
    d->sum_min = (double)INFINITY;
    d->is_drift = false;
}

static struct detector *ddm_create(const struct component *component)
{
    struct ddm *d = mem_zalloc(1, sizeof(*d));

    d->params = *(const struct ddm_params *)component->params;
    clear(d);
    return &d->base;
}

static void ddm_free(struct detector *base)
{
    free(base);
}

static struct detector_change change_of(const struct ddm *d)
{
    double since = d->p.n - d->n_min;

    return (struct detector_change){
        .mean_before = d->p_min,
        .mean_after = (d->p.n * d->p.mean - d->n_min * d->p_min) / since,
        .n = since,
    };
}

static bool ddm_update(struct detector *base, double v, struct detector_change *ret)
{
    struct ddm *d = (struct ddm *)base;
    double s;

    if (!(v >= 0 && v <= 1))
        return false;
    if (d->is_drift)
        clear(d);
    stat_mean_update(&d->p, v, 1);
    s = sqrt(d->p.mean * (1 - d->p.mean) / d->p.n);
    if (!(d->p.n > (double)d->params.warm_start))
        return false;

    if (d->p.mean + s <= d->sum_min) {
        d->p_min = d->p.mean;
        d->s_min = s;
        d->sum_min = d->p_min + d->s_min;
        d->n_min = d->p.n;
    }
    d->is_drift = d->p.mean + s > d->p_min + d->params.drift_threshold * d->s_min;
    if (d->is_drift)
        *ret = change_of(d);
    return d->is_drift;
}

static void ddm_save(const struct detector *base, struct buf *out)
{
    const struct ddm *d = (const struct ddm *)base;

    blob_write_u8(out, d->is_drift);
    blob_write_f64(out, d->p.n);
    blob_write_f64(out, d->p.mean);
    blob_write_f64(out, d->p_min);
    blob_write_f64(out, d->s_min);
    blob_write_f64(out, d->sum_min);
    blob_write_f64(out, d->n_min);
}

static void ddm_load(struct detector *base, struct blob_reader *in)
{
    struct ddm *d = (struct ddm *)base;
    uint8_t is_drift = blob_read_u8(in);

    d->p.n = blob_read_f64(in);
    d->p.mean = blob_read_f64(in);
    d->p_min = blob_read_f64(in);
    d->s_min = blob_read_f64(in);
    d->sum_min = blob_read_f64(in);
    d->n_min = blob_read_f64(in);
    if (is_drift > 1 || !(d->p.n >= 0) || !(d->p.mean >= 0 && d->p.mean <= 1) ||
        !(d->n_min >= 0 && d->n_min <= d->p.n))
        blob_fail(in, "its counts contradict each other");
    d->is_drift = is_drift == 1;
}

static double ddm_mean(const struct detector *base)
{
    return ((const struct ddm *)base)->p.mean;
}

static double ddm_width(const struct detector *base)
{
    return ((const struct ddm *)base)->p.n;
}

static size_t ddm_bytes(const struct detector *base)
{
    (void)base;
    return sizeof(struct ddm);
}

static const struct detector_ops ops = {
    .create = ddm_create,
    .free = ddm_free,
    .update = ddm_update,
    .save = ddm_save,
    .load = ddm_load,
    .mean = ddm_mean,
    .width = ddm_width,
    .bytes = ddm_bytes,
};

static const struct learn_param params[] = {
    {.name = "warm_start",
     .type = PARAM_COUNT,
     .offset = offsetof(struct ddm_params, warm_start),
     .fallback = 30,
     .max = 1e9,
     .help = "No change is found before more values than this."},
    {.name = "warning_threshold",
     .type = PARAM_REAL,
     .offset = offsetof(struct ddm_params, warning_threshold),
     .fallback = 2,
     .max = 1e300,
     .help = "River's bound for a warning, which has no effect on drifts."},
    {.name = "drift_threshold",
     .type = PARAM_REAL,
     .offset = offsetof(struct ddm_params, drift_threshold),
     .fallback = 3,
     .max = 1e300,
     .help = "Standard deviations by which the error rate must have risen."},
};

const struct learn_class ddm_class = {
    .name = "ddm",
    .river = "drift.binary.DDM",
    .help = "An error rate that has risen from its lowest point; for errors from 0 to 1.",
    .kind = LEARN_DETECTOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct ddm_params),
    .detector = &ops,
};
