/* Feature drift: see drift.h. */
#include "drift/drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "drift/drift_internal.h"

struct drift *drift_new(const struct schema *schema, const struct drift_options *options)
{
    struct drift *d = mem_zalloc(1, sizeof(*d));

    d->schema = schema_clone(schema);
    d->options = *options;
    d->part_rows = (options->window_rows + DRIFT_PARTS - 1) / DRIFT_PARTS;
    d->n = schema_size(schema);
    d->features = mem_zalloc(d->n, sizeof(*d->features));
    for (size_t i = 0; i < d->n; i++) {
        struct drift_feature *f = &d->features[i];
        enum feature_kind kind = schema_kind(schema, i);

        f->reference = sketch_new(kind);
        f->window = sketch_new(kind);
        for (size_t p = 0; p < DRIFT_PARTS; p++)
            f->parts[p] = sketch_new(kind);
    }
    drift_reset(d);
    return d;
}

void drift_free(struct drift *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n; i++) {
        sketch_free(d->features[i].reference);
        sketch_free(d->features[i].window);
        for (size_t p = 0; p < DRIFT_PARTS; p++)
            sketch_free(d->features[i].parts[p]);
    }
    free(d->features);
    schema_free(d->schema);
    free(d);
}

void drift_reset(struct drift *d)
{
    d->rows = 0;
    d->reference_rows = 0;
    d->reference_ms = 0;
    d->part = 0;
    d->in_part = 0;
    d->parts_filled = 0;
    d->window_from_ms = 0;
    d->window_to_ms = 0;
    memset(d->from_ms, 0, sizeof(d->from_ms));
    for (size_t i = 0; i < d->n; i++) {
        struct drift_feature *f = &d->features[i];

        sketch_clear(f->reference);
        sketch_clear(f->window);
        for (size_t p = 0; p < DRIFT_PARTS; p++)
            sketch_clear(f->parts[p]);
        f->distance = (struct sketch_distance){(double)NAN, (double)NAN, (double)NAN};
        memset(f->over, 0, sizeof(f->over));
        f->drifting = false;
        f->changed = false;
    }
}

/* Windows judged since the reference. */
static uint64_t windows_of(const struct drift *d)
{
    return d->parts_filled < DRIFT_PARTS ? 0 : d->parts_filled - DRIFT_PARTS + 1;
}

/* Compares the newest window, of which this is the number, and decides on the alarm. */
static void judge(const struct drift *d, struct drift_feature *f, uint64_t number)
{
    bool over;
    bool before = f->over[number % DRIFT_PARTS]; /* of the newest one without a common row */

    sketch_clear(f->window);
    for (size_t p = 0; p < DRIFT_PARTS; p++)
        sketch_merge(f->window, f->parts[p]);
    sketch_freeze(f->reference);
    f->distance = sketch_compare(f->reference, f->window);
    over = f->distance.psi > d->options.psi || f->distance.ks > d->options.ks;
    f->over[number % DRIFT_PARTS] = over;
    f->changed = over == before && over != f->drifting && number >= DRIFT_PARTS;
    if (f->changed)
        f->drifting = over;
}

/* The part being filled is full; true when that closes a window. */
static bool close_part(struct drift *d, int64_t time_ms)
{
    uint32_t oldest = (d->part + 1) % DRIFT_PARTS;
    bool whole = ++d->parts_filled >= DRIFT_PARTS;

    if (whole) {
        d->window_from_ms = d->from_ms[oldest];
        d->window_to_ms = time_ms;
    }
    for (size_t i = 0; i < d->n; i++) {
        if (whole)
            judge(d, &d->features[i], windows_of(d) - 1);
        sketch_clear(d->features[i].parts[oldest]);
    }
    d->part = oldest;
    d->in_part = 0;
    return whole;
}

bool drift_add(struct drift *d, const double *x, int64_t time_ms)
{
    d->rows++;
    if (d->reference_rows < d->options.reference_rows) {
        if (d->reference_rows++ == 0)
            d->reference_ms = time_ms;
        for (size_t i = 0; i < d->n; i++)
            sketch_add(d->features[i].reference, x[i]);
        return false;
    }

    if (d->in_part++ == 0)
        d->from_ms[d->part] = time_ms;
    for (size_t i = 0; i < d->n; i++)
        sketch_add(d->features[i].parts[d->part], x[i]);
    return d->in_part >= d->part_rows && close_part(d, time_ms);
}

/* Looking */

void drift_progress(const struct drift *d, struct drift_progress *ret)
{
    uint64_t windows = windows_of(d);

    *ret = (struct drift_progress){
        .rows = d->rows,
        .reference_rows = d->reference_rows,
        .reference_ms = d->reference_ms,
        .windows = windows,
        .window_rows = windows ? DRIFT_PARTS * d->part_rows : 0,
        .window_from_ms = d->window_from_ms,
        .window_to_ms = d->window_to_ms,
    };
    for (size_t i = 0; i < d->n; i++)
        ret->drifting += d->features[i].drifting;
}

void drift_report(const struct drift *d, size_t feature, struct drift_report *ret)
{
    const struct drift_feature *f = &d->features[feature];

    *ret = (struct drift_report){
        .distance = f->distance,
        .drifting = f->drifting,
        .changed = f->changed,
        .reference = f->reference,
        .window = f->window,
    };
}

size_t drift_bytes(const struct drift *d)
{
    size_t bytes = sizeof(*d) + d->n * sizeof(*d->features);

    for (size_t i = 0; i < d->n; i++) {
        const struct drift_feature *f = &d->features[i];

        bytes += sketch_bytes(f->reference) + sketch_bytes(f->window);
        for (size_t p = 0; p < DRIFT_PARTS; p++)
            bytes += sketch_bytes(f->parts[p]);
    }
    return bytes;
}
