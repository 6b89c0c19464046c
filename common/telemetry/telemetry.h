/*
 * What a service counts about itself: counters, gauges and histograms, each perhaps with labels
 * ({model}). They are written for two readers: into the service's heartbeat as JSON (what has no
 * labels: a heartbeat stays small), where processes can be merged (a histogram by adding buckets:
 * percentiles are never averaged); and all of them as Prometheus' text (prometheus.c).
 *
 * Names are Prometheus names with the unit at the end (`oxbow_requests_total`,
 * `oxbow_lag_seconds`, `ml_model_bytes`). Nothing that grows without bound is ever a label: no
 * model version, no key. Not thread-safe: one registry a service loop.
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

/* Adds `n` spans of the same length. */
void hist_add_many(struct hist *h, int64_t ns, uint64_t n);

/*
 * A histogram of values of any unit between a few bounds that rise. NaN is not counted.
 * value_hist_bounds() makes bounds for values of a range.
 */
#define VALUE_HIST_BOUNDS 16

struct value_hist {
    size_t n_bounds;
    double bound[VALUE_HIST_BOUNDS];
    uint64_t count[VALUE_HIST_BOUNDS + 1]; /* of values <= bound[i] and above the one before */
    double sum;
};

void value_hist_add(struct value_hist *h, double v);
/*
 * `n` (2 to VALUE_HIST_BOUNDS) rising bounds from `low` to `high`, of at most two digits where that
 * keeps them apart: evenly, or in even ratios where low is above 0 and high at least 20 times as
 * large. A range that is open (infinite) on a side gets powers of ten, 0.001 and upwards.
 */
void value_hist_bounds(double low, double high, size_t n, double ret[VALUE_HIST_BOUNDS]);

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

struct telemetry_label {
    const char *name;
    const char *value;
};
#define TELEMETRY_LABELS 4 /* at most, of one series */

/*
 * The same for one series of a family: all series of a name have the same kind, help and label
 * names. Label by label the values are copied.
 *
 *     const struct telemetry_label labels[] = {{"model", name}};
 *     m->alarms = telemetry_counter_of(tm, "ml_drift_alarms_total", "Alarms.", labels, 1);
 */
uint64_t *telemetry_counter_of(struct telemetry *t, const char *name, const char *help,
                               const struct telemetry_label *labels, size_t n_labels);
double *telemetry_gauge_of(struct telemetry *t, const char *name, const char *help,
                           const struct telemetry_label *labels, size_t n_labels);
struct hist *telemetry_hist_of(struct telemetry *t, const char *name, const char *help,
                               const struct telemetry_label *labels, size_t n_labels);
struct value_hist *telemetry_values_of(struct telemetry *t, const char *name, const char *help,
                                       const struct telemetry_label *labels, size_t n_labels,
                                       const double *bounds, size_t n_bounds);

/*
 * How many bounds a histogram of every model may have, so that the whole task stays below 2,000
 * series with 64 models (docs/metrics.md): fewer with more models.
 */
size_t telemetry_bounds_for(size_t n_models);
/* Bounds in seconds for a latency by model, `n` of them as telemetry_bounds_for() says; those of
 * fewer are among those of more. */
void telemetry_latency_bounds(size_t n, double ret[VALUE_HIST_BOUNDS]);

/*
 * `{"counters":{...},"gauges":{...},"histograms":{...},"help":{...}}`: each name with its value, or
 * its sentence, in the order of registration, without what has labels. A gauge that is not finite
 * is null.
 */
void telemetry_write(const struct telemetry *t, struct buf *out);

/* Prometheus' text exposition format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/) */

#define PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * Everything, family by family. `common` are labels that every series gets (task, service). A gauge
 * that is NaN is not known, and left out. A struct hist is cut at sixteen of its own bounds, powers
 * of two from 0.26 ms to 4.6 minutes, so that each count is exact.
 */
void prometheus_write(const struct telemetry *t, const struct telemetry_label *common,
                      size_t n_common, struct buf *out);
/* cpu, memory, files and start of this process, under Prometheus' own names. */
void prometheus_write_process(const struct telemetry_label *common, size_t n_common,
                              struct buf *out);

#endif
