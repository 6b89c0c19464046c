/* Feature drift and skew, as the monitor watches them: see drift.h. */
#include "monitor/drift.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "drift/skew.h"
#include "monitor/text.h"

#define TICK_BYTES 2500 /* of a tick, after which no feature follows */
#define SAVE_ROWS  250  /* rows after which a state is worth keeping again */

struct watch {
    const struct task *task;
    struct drift_options options;
    struct drift *drift;
    struct skew *skew;
    bool *silent;        /* by feature */
    uint64_t saved_rows; /* of drift_progress() when it was saved last */
};

/* True when the list of names, with commas between them, has this one. */
static bool is_listed(const char *list, const char *name)
{
    while (list) {
        size_t len = strcspn(list, ",");

        if (strlen(name) == len && memcmp(list, name, len) == 0)
            return true;
        list = list[len] ? list + len + 1 : NULL;
    }
    return false;
}

struct watch *watch_new(const struct task *task)
{
    struct watch *w = mem_zalloc(1, sizeof(*w));
    struct drift_options defaults = DRIFT_OPTIONS_DEFAULT;

    w->task = task;
    w->options = defaults;
    w->options.reference_rows = (uint32_t)task->monitor.drift_reference_rows;
    w->options.window_rows = (uint32_t)task->monitor.drift_window_rows;
    w->drift = drift_new(task->features, &w->options);
    w->skew = skew_new(task->features);
    w->silent = mem_zalloc(schema_size(task->features), sizeof(*w->silent));
    for (size_t i = 0; i < schema_size(task->features); i++)
        w->silent[i] = is_listed(task->monitor.drift_silent, schema_name(task->features, i));
    return w;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    drift_free(w->drift);
    skew_free(w->skew);
    free(w->silent);
    free(w);
}

void watch_clear(struct watch *w)
{
    watch_reset(w);
    skew_free(w->skew);
    w->skew = skew_new(w->task->features);
}

void watch_reset(struct watch *w)
{
    drift_reset(w->drift);
    w->saved_rows = UINT64_MAX;
}

/* What comes in */

void watch_served(struct watch *w, const char *key, size_t len, const struct json_value *features)
{
    skew_served(w->skew, key, len, features);
}

static void describe(const struct watch *w, size_t feature, const struct drift_report *report,
                     struct watch_alarm *alarm)
{
    const char *name = schema_name(w->task->features, feature);
    char ks[40] = "";

    if (!isnan(report->distance.ks))
        snprintf(ks, sizeof(ks), ", KS %.2f", report->distance.ks);
    snprintf(alarm->text, sizeof(alarm->text),
             report->drifting ? "%.255s is no longer distributed as in the first %" PRIu32
                                " rows: PSI %.2f%s over the last %" PRIu32
                              : "%.255s is distributed as in the first %" PRIu32
                                " rows again: PSI %.2f%s over the last %" PRIu32,
             name, w->options.reference_rows, report->distance.psi, ks, w->options.window_rows);
}

static void tell(const struct watch *w, int64_t time_ms, watch_alarm_fn alarm, void *ctx)
{
    struct drift_progress p;

    drift_progress(w->drift, &p);
    for (size_t i = 0; i < schema_size(w->task->features); i++) {
        struct watch_alarm a = {.feature = schema_name(w->task->features, i), .time_ms = time_ms};
        struct drift_report report;

        drift_report(w->drift, i, &report);
        if (!report.changed || w->silent[i])
            continue;
        snprintf(a.id, sizeof(a.id), "feature-drift/%zu/%" PRId64 "/%" PRIu64, i, p.reference_ms,
                 p.windows);
        describe(w, i, &report, &a);
        alarm(ctx, &a);
    }
}

void watch_learned(struct watch *w, const char *key, size_t len, const struct json_value *features,
                   const double *x, int64_t time_ms, watch_alarm_fn alarm, void *ctx)
{
    skew_learned(w->skew, key, len, features);
    if (drift_add(w->drift, x, time_ms))
        tell(w, time_ms, alarm, ctx);
}

/* What goes out */

void watch_feature(const struct watch *w, size_t feature, struct watch_figures *ret)
{
    struct drift_report report;

    drift_report(w->drift, feature, &report);
    *ret = (struct watch_figures){
        .psi = report.distance.psi,
        .ks = report.distance.ks,
        .drifting = report.drifting && !w->silent[feature],
        .silent = w->silent[feature],
    };
}

uint64_t watch_compared(const struct watch *w)
{
    return skew_compared(w->skew);
}

uint64_t watch_differing(const struct watch *w)
{
    return skew_differing(w->skew);
}

const char *watch_state(const struct watch *w)
{
    struct drift_progress p;

    drift_progress(w->drift, &p);
    if (p.windows == 0)
        return "learning";
    for (size_t i = 0; i < schema_size(w->task->features); i++) {
        struct watch_figures figures;

        watch_feature(w, i, &figures);
        if (figures.drifting)
            return "drifting";
    }
    return "ok";
}

/* A feature's place in a tick. */
struct rank {
    size_t feature;
    struct watch_figures figures;
};

/* Those with an alarm first, silent ones last, then by PSI; equal ones as in the file. */
static int compare_ranks(const void *a, const void *b)
{
    const struct rank *ra = a;
    const struct rank *rb = b;

    if (ra->figures.drifting != rb->figures.drifting)
        return ra->figures.drifting ? -1 : 1;
    if (ra->figures.silent != rb->figures.silent)
        return ra->figures.silent ? 1 : -1;
    if (ra->figures.psi > rb->figures.psi || ra->figures.psi < rb->figures.psi)
        return ra->figures.psi > rb->figures.psi ? -1 : 1;
    return ra->feature < rb->feature ? -1 : 1;
}

static void put_figures(const struct watch *w, const struct rank *rank, struct buf *out)
{
    text_put_string(out, "name", schema_name(w->task->features, rank->feature));
    text_put_number(out, "psi", rank->figures.psi);
    text_put_number(out, "ks", rank->figures.ks);
    text_put_bool(out, "drifting", rank->figures.drifting);
    text_put_bool(out, "silent", rank->figures.silent);
}

static void put_skew(const struct watch *w, struct buf *out)
{
    text_put_count(out, "compared", skew_compared(w->skew));
    text_put_count(out, "differing", skew_differing(w->skew));
}

void watch_write_tick(const struct watch *w, struct buf *out)
{
    size_t n = schema_size(w->task->features);
    struct rank *ranks = mem_zalloc(n, sizeof(*ranks));
    struct drift_progress p;
    size_t start = out->len;

    drift_progress(w->drift, &p);
    for (size_t i = 0; i < n; i++) {
        ranks[i].feature = i;
        watch_feature(w, i, &ranks[i].figures);
    }
    qsort(ranks, n, sizeof(*ranks), compare_ranks);
    text_put_string(out, "state", watch_state(w));
    text_put_count(out, "reference", p.reference_rows);
    text_put_name(out, "features");
    buf_byte(out, '[');
    for (size_t i = 0; i < n && i < WATCH_TICK_FEATURES && out->len - start < TICK_BYTES; i++) {
        text_next(out);
        buf_byte(out, '{');
        put_figures(w, &ranks[i], out);
        text_put_count(out, "n", p.window_rows);
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
    text_put_count(out, "features_of", n);
    text_put_name(out, "skew");
    buf_byte(out, '{');
    put_skew(w, out);
    buf_byte(out, '}');
    free(ranks);
}

static void put_sketch(const char *name, const struct sketch *s, struct buf *out)
{
    double deciles[SKETCH_DECILES];

    sketch_deciles(s, deciles);
    text_put_name(out, name);
    buf_byte(out, '{');
    text_put_count(out, "n", sketch_n(s));
    text_put_count(out, "missing", sketch_missing(s));
    text_put_number(out, "mean", sketch_mean(s));
    text_put_name(out, "deciles");
    if (isnan(deciles[0])) {
        buf_text(out, "null");
    } else {
        buf_byte(out, '[');
        for (size_t i = 0; i < SKETCH_DECILES; i++) {
            text_next(out);
            text_number(out, deciles[i]);
        }
        buf_byte(out, ']');
    }
    buf_byte(out, '}');
}

static void write_feature(const struct watch *w, size_t i, struct buf *out)
{
    struct rank rank = {.feature = i};
    struct drift_report report;

    watch_feature(w, i, &rank.figures);
    drift_report(w->drift, i, &report);
    buf_byte(out, '{');
    put_figures(w, &rank, out);
    text_put_number(out, "ks_error", report.distance.ks_error);
    put_sketch("reference", report.reference, out);
    put_sketch("window", report.window, out);
    buf_byte(out, '}');
}

static void put_progress(const struct watch *w, struct buf *out)
{
    struct drift_progress p;

    drift_progress(w->drift, &p);
    text_put_name(out, "reference");
    buf_byte(out, '{');
    text_put_count(out, "rows", p.reference_rows);
    text_put_count(out, "of", w->options.reference_rows);
    text_put_time(out, "since_ms", p.reference_rows ? p.reference_ms : TIME_UNKNOWN);
    buf_byte(out, '}');
    text_put_name(out, "window");
    buf_byte(out, '{');
    text_put_count(out, "rows", p.window_rows);
    text_put_count(out, "of", w->options.window_rows);
    text_put_number(out, "seconds",
                    p.windows ? (double)(p.window_to_ms - p.window_from_ms) / 1000 : (double)NAN);
    text_put_time(out, "to_ms", p.windows ? p.window_to_ms : TIME_UNKNOWN);
    buf_byte(out, '}');
    text_put_name(out, "thresholds");
    buf_byte(out, '{');
    text_put_number(out, "psi", w->options.psi);
    text_put_number(out, "ks", w->options.ks);
    buf_byte(out, '}');
    text_put_count(out, "bytes", drift_bytes(w->drift) + skew_bytes(w->skew));
}

void watch_write(const struct watch *w, struct buf *out)
{
    text_put_string(out, "state", watch_state(w));
    put_progress(w, out);
    text_put_name(out, "features");
    buf_byte(out, '[');
    for (size_t i = 0; i < schema_size(w->task->features); i++) {
        text_next(out);
        write_feature(w, i, out);
    }
    buf_byte(out, ']');
    text_put_name(out, "skew");
    buf_byte(out, '{');
    put_skew(w, out);
    text_put_number(out, "sample", skew_sample(w->skew));
    text_put_name(out, "examples");
    skew_write_examples(w->skew, out);
    buf_byte(out, '}');
}

/* Keeping */

bool watch_save(struct watch *w, struct buf *out)
{
    struct drift_progress p;

    drift_progress(w->drift, &p);
    if (p.rows >= w->saved_rows && p.rows - w->saved_rows < SAVE_ROWS)
        return false;
    w->saved_rows = p.rows;
    drift_save(w->drift, out);
    return true;
}

int watch_load(struct watch *w, const void *data, size_t len, struct err *err)
{
    struct drift_progress p;
    struct drift *loaded = drift_load(data, len, w->task->features, &w->options, err);

    if (!loaded)
        return err->code;
    drift_free(w->drift);
    w->drift = loaded;
    drift_progress(w->drift, &p);
    w->saved_rows = p.rows;
    return 0;
}
