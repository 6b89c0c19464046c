/* The detector that never finds a change: for forests and other ensembles that shall not adapt. */
#include <stdlib.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/detector_backend.h"

static struct detector *no_drift_create(const struct component *component)
{
    (void)component;
    return mem_zalloc(1, sizeof(struct detector));
}

static void no_drift_free(struct detector *d)
{
    free(d);
}

static bool no_drift_update(struct detector *d, double v, struct detector_change *ret)
{
    (void)d;
    (void)v;
    (void)ret;
    return false;
}

static void no_drift_save(const struct detector *d, struct buf *out)
{
    (void)d;
    (void)out;
}

static void no_drift_load(struct detector *d, struct blob_reader *in)
{
    (void)d;
    (void)in;
}

static double no_drift_nothing(const struct detector *d)
{
    (void)d;
    return 0;
}

static size_t no_drift_bytes(const struct detector *d)
{
    return sizeof(*d);
}

static const struct detector_ops ops = {
    .create = no_drift_create,
    .free = no_drift_free,
    .update = no_drift_update,
    .save = no_drift_save,
    .load = no_drift_load,
    .mean = no_drift_nothing,
    .width = no_drift_nothing,
    .bytes = no_drift_bytes,
};

const struct learn_class no_drift_class = {
    .name = "no_drift",
    .river = "drift.NoDrift",
    .help = "Never finds a change: turns a forest's detection off.",
    .kind = LEARN_DETECTOR,
    .detector = &ops,
};
