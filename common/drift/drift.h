/*
 * Feature drift: is what comes in today distributed as what came in at first?
 *
 *     struct drift *d = drift_new(schema, &options);
 *     for each learned row:
 *         if (drift_add(d, x, time_ms))
 *             for each feature: drift_report(d, i, &report), of which report.changed
 *                 says whether its alarm has just risen or cleared
 *
 * The first `reference_rows` rows are the reference. After it rows go into a ring of
 * DRIFT_PARTS sketches of window_rows / DRIFT_PARTS rows each; when one of them is full,
 * all of them together, the newest window_rows rows, are compared with the reference (sketch.h:
 * PSI and KS), and the oldest is emptied for what comes next. A window is over when
 * its PSI is above options.psi or its KS above options.ks. An alarm rises when a
 * window is over and the one just before it, with which it shares no row, was over as
 * well, and clears when neither of two such windows is. A burst within one part does
 * neither.
 *
 * Rows that the caller leaves out are left out here: a sample of the stream serves
 * as well, only more slowly. Memory is bounded: see drift_bytes() and sketch.h.
 *
 * No I/O, no clock, no lock: one thread at a time.
 */
#ifndef OXBOW_DRIFT_DRIFT_H
#define OXBOW_DRIFT_DRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "drift/sketch.h"
#include "learn/schema.h"

#define DRIFT_PARTS    4        /* of a window */
#define DRIFT_WINDOW   1000     /* least window_rows for alarms that mean something */
#define DRIFT_MAX_ROWS 10000000 /* of reference_rows and window_rows */

struct drift;

struct drift_options {
    uint32_t reference_rows; /* 1 to DRIFT_MAX_ROWS */
    uint32_t window_rows;    /* DRIFT_PARTS to DRIFT_MAX_ROWS; rounded up to whole parts */
    double psi;              /* an alarm is above it */
    double ks;
};

/* 10,000 and 1,000 rows, 0.2, 0.1. */
#define DRIFT_OPTIONS_DEFAULT                                                                      \
    {                                                                                              \
        .reference_rows = 10000, .window_rows = DRIFT_WINDOW, .psi = 0.2, .ks = 0.1                \
    }

/* Lifecycle */

/* The schema is copied. */
struct drift *drift_new(const struct schema *schema, const struct drift_options *options);
void drift_free(struct drift *d); /* NULL is fine */

/* Forgets everything: the next rows are the new reference. */
void drift_reset(struct drift *d);

/* Use */

/*
 * A row: schema_size() doubles, NaN where missing; `time_ms` is when, for those who look. True
 * when a window has just been judged.
 */
bool drift_add(struct drift *d, const double *x, int64_t time_ms);

/* Looking */

struct drift_progress {
    uint64_t rows;           /* ever added since the reference began */
    uint32_t reference_rows; /* in the reference by now */
    int64_t reference_ms;    /* time of its first row; 0 when there is none */
    uint64_t windows;        /* judged since then */
    uint32_t window_rows;    /* of the last one judged; 0 before the first */
    int64_t window_from_ms;  /* times of its first and its last row */
    int64_t window_to_ms;
    size_t drifting; /* features with an alarm */
};

void drift_progress(const struct drift *d, struct drift_progress *ret);

struct drift_report {
    struct sketch_distance distance; /* of the last window; psi is NaN before the first */
    bool drifting;
    bool changed;                   /* `drifting` became what it is with the last window */
    const struct sketch *reference; /* both belong to `d`, until it changes */
    const struct sketch *window;    /* empty before the first */
};

void drift_report(const struct drift *d, size_t feature, struct drift_report *ret);

size_t drift_bytes(const struct drift *d); /* memory taken by now; O(features) */

/* Keeping */

/* Appends the blob. One that was loaded goes on as if it had never stopped, bit for bit. */
void drift_save(const struct drift *d, struct buf *out);

/*
 * Reads what drift_save() wrote; the bytes may be anything. ERR_CONFLICT for other features or
 * options than these: begin a new reference; ERR_UNSUPPORTED for another format; ERR_CORRUPT
 * otherwise.
 */
struct drift *drift_load(const void *blob, size_t len, const struct schema *schema,
                         const struct drift_options *options, struct err *err) MUST_CHECK;

#endif
