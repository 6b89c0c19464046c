/*
 * How the task is doing, out of the services' heartbeats: what the live view
 * shows. Cheap to ask once a second; the audit reads the stores themselves.
 */
#ifndef OXBOW_INSPECT_STATUS_H
#define OXBOW_INSPECT_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"
#include "telemetry/telemetry.h"
#include "views/views.h"

#define STATUS_MAX_SERVICES 80
#define STATUS_MAX_MODELS   65
#define STATUS_LAG_SECONDS  10 /* the span of the lag's percentiles */

struct status_service {
    char instance[64];
    char service[32];
    char state[16];
    int64_t time_ms; /* of its heartbeat */
    int64_t rss_bytes;
};

struct status_model {
    char name[65];
    char version[64];
    char class_name[64];
    uint64_t position; /* seq learned up to */
    uint64_t learned;
    bool serving;
    bool caught_up;
    double mae; /* NaN where nothing was scored yet */
    double mae_window;
    double mae_served;
};

struct status {
    struct status_service service[STATUS_MAX_SERVICES];
    size_t n_services;
    struct status_model
        model[STATUS_MAX_MODELS]; /* in the learner's order; the baseline is the last */
    size_t n_models;
    struct views_ledger ledger;
    int64_t ledger_ms;   /* when views said so; 0: not yet */
    uint64_t backlog;    /* what the simulator waits for */
    char event_time[32]; /* the simulator's clock; "" when there is none */
};

/* The lag of predictions over the last STATUS_LAG_SECONDS, over all inference processes. */
struct status_lag {
    struct {
        char instance[64];
        int64_t started_ms;
        int64_t time_ms;
        struct hist last;
    } source[STATUS_MAX_SERVICES];
    size_t n_sources;
    struct hist second[STATUS_LAG_SECONDS];
    int64_t second_of[STATUS_LAG_SECONDS];
};

/* Reads all heartbeats; `lag` is kept from call to call. What cannot be read is left out. */
int status_read(struct store *st, struct status *ret, struct status_lag *lag,
                struct err *err) MUST_CHECK;

/* The same from text, for tests. */
int status_parse(const char *text, size_t len, struct status *ret, struct status_lag *lag,
                 struct err *err) MUST_CHECK;

/* Percentile of the lag in milliseconds; NaN without predictions. */
double status_lag_ms(const struct status_lag *lag, double percentile);

/* The baseline of the models, or NULL. */
const struct status_model *status_baseline(const struct status *s);

#endif
