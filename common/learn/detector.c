/* Drift detectors by name: see detector.h. */
#include "learn/detector.h"

#include <math.h>

#include "learn/detector_backend.h"
#include "learn/spec.h"

struct detector *detector_new(const char *json, size_t len, struct err *err)
{
    struct component *component = NULL;

    if (spec_parse_one(LEARN_DETECTOR, json, len, &component, err))
        return NULL;
    struct detector *d = component->class->detector->create(component);
    d->ops = component->class->detector;
    d->component = component;
    component_write(component, &d->parameters);
    return d;
}

struct detector *detector_borrow(struct component *component)
{
    struct detector *d = component->class->detector->create(component);

    d->ops = component->class->detector;
    d->component = component;
    d->borrowed = true;
    return d;
}

void detector_free(struct detector *d)
{
    if (!d)
        return;
    if (!d->borrowed)
        component_free(d->component);
    buf_release(&d->parameters);
    d->ops->free(d);
}

bool detector_update(struct detector *d, double v, struct detector_change *ret)
{
    struct detector_change change;

    return isfinite(v) && d->ops->update(d, v, ret ? ret : &change);
}

double detector_mean(const struct detector *d)
{
    return d->ops->mean(d);
}

double detector_width(const struct detector *d)
{
    return d->ops->width(d);
}

size_t detector_bytes(const struct detector *d)
{
    return d->ops->bytes(d) + d->parameters.cap;
}

const char *detector_class(const struct detector *d)
{
    return d->component->class->name;
}

const char *detector_parameters(const struct detector *d)
{
    return buf_str(&d->parameters);
}

void detector_save(const struct detector *d, struct buf *out)
{
    d->ops->save(d, out);
}

int detector_load(struct detector *d, const void *state, size_t len, struct err *err)
{
    struct blob_reader in;
    struct buf fresh = BUF_INIT;

    struct detector *empty = d->ops->create(d->component);
    d->ops->save(empty, &fresh);
    d->ops->free(empty);

    blob_reader_init(&in, state, len);
    d->ops->load(d, &in);
    if (!blob_failed(&in) && blob_left(&in) != 0)
        blob_fail(&in, "it goes on after its end");
    int rc = blob_failed(&in)
                 ? err_set(err, ERR_CORRUPT, "state of %s: %s", detector_class(d), in.failure)
                 : 0;
    if (rc < 0) {
        blob_reader_init(&in, fresh.data, fresh.len);
        d->ops->load(d, &in);
    }
    buf_release(&fresh);
    return rc;
}
