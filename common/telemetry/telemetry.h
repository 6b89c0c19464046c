/*
 * What a service counts about itself: counters, gauges and latency histograms,
 * that are written into its heartbeat as JSON and can be merged over processes
 * (a histogram by adding buckets: percentiles are never averaged).
 *
 * Names are Prometheus names (`oxbow_requests_total`, `oxbow_lag_seconds`).
 * Not thread-safe: one registry a service loop.
 */
#ifndef OXBOW_TELEMETRY_TELEMETRY_H
#define OXBOW_TELEMETRY_TELEMETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

/*
 * A histogram of spans in nanoseconds: log-linear, 16 buckets an octave from 1.024 us to 4.9 hours,
 * so that a percentile is within 1/32 (3.1 %) of the true value. Values below or above fall into
 * the ends. Zero-initialise.
 */
#define HIST_BUCKETS 544

struct hist {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t max_ns;
    uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, int64_t ns);                /* negative counts as 0 */
void hist_merge(struct hist *into, const struct hist *h); /* exact */
int64_t hist_percentile(const struct hist *h, double p); /* p in [0, 100]; 0 when empty; 100: max */
/* Upper bound of bucket `i` in ns. */
int64_t hist_bound(size_t i);
/* `{"count":N,"sum_ns":N,"max_ns":N,"buckets":[[index,count],...]}`: only buckets in use. */
void hist_write(const struct hist *h, struct buf *out);
int hist_read(const struct json_value *v, struct hist *ret, struct err *err) MUST_CHECK;

struct telemetry;

struct telemetry *telemetry_new(void);
void telemetry_free(struct telemetry *t);

/*
 * Registers (or finds) by name; `help` is one sentence. The pointer stays valid until
 * telemetry_free() and is written to directly.
 */
uint64_t *telemetry_counter(struct telemetry *t, const char *name, const char *help);
double *telemetry_gauge(struct telemetry *t, const char *name, const char *help);
struct hist *telemetry_hist(struct telemetry *t, const char *name, const char *help);

/*
 * `{"counters":{...},"gauges":{...},"histograms":{...},"help":{...}}`: each name with its value, or
 * its sentence, in the order of registration. A gauge that is not finite is null.
 */
void telemetry_write(const struct telemetry *t, struct buf *out);

#endif
