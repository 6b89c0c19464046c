/*
 * What the services' heartbeats say (docs/internals.md has their members). Cheap to
 * ask once a second; overview.h judges it, and the audit reads the stores themselves.
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
    int64_t started_ms;
    int64_t time_ms; /* of its heartbeat */
    int64_t rss_bytes;
    uint64_t dead_letters; /* that it has put there itself, since it was started */
    bool paused;           /* views: it holds back until a stage behind it keeps up */
};

struct status_model {
    char name[65];
    char version[64];        /* the learner's newest */
    char served_version[64]; /* inference's; "" while it has none */
    char class_name[64];
    uint64_t position; /* seq learned up to */
    uint64_t learned;
    bool serving;
    bool caught_up;
    double mae; /* NaN where nothing was scored yet */
    double mae_window;
    double mae_served;
    bool is_binary; /* what follows is known; else it is NaN */
    double log_loss;
    double log_loss_window;
    double log_loss_served;
    uint64_t n_intervals; /* labels whose prediction came with one; 0: the model gives none, or */
                          /* none has come back, and what follows is NaN */
    double interval_coverage;        /* how many of those lay within theirs */
    double interval_coverage_window; /* the same of the newest */
    double interval_width;           /* mean */
    char detector[32];               /* class of its detector of error drift; "" when it has none */
    uint64_t alarms;                 /* of error drift, in the life of this generation */
    char alarm_at[32];               /* of the newest: time of the row's outcome on the wire; "" */
    int64_t served_age_ms; /* of served_version, by inference's clock; the oldest of several */
};

struct status {
    struct status_service service[STATUS_MAX_SERVICES];
    size_t n_services;
    struct status_model
        model[STATUS_MAX_MODELS]; /* in the learner's order; the baseline is the last */
    size_t n_models;
    struct views_ledger ledger;
    int64_t ledger_ms;   /* when views said so; 0: not yet */
    int64_t learner_ms;  /* of the learner's newest heartbeat; 0: there is none */
    bool has_backlog;    /* a simulator runs, and says what it waits for */
    uint64_t backlog;    /* that: messages that views has not read */
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

/* Over which rows: all, each before it was learned; the last ones of those; or as served. */
enum status_rows { STATUS_ALL, STATUS_WINDOW, STATUS_SERVED };

/* What a model is judged by: the log loss of a binary task, else the MAE. NaN: not known yet. */
double status_loss(const struct status_model *m, enum status_rows rows);

/* 1 - the model's loss / the baseline's; NaN where it is not known, 0 for the baseline itself. */
double status_skill(const struct status *s, const struct status_model *m, enum status_rows rows);

/* The model with the least loss over all rows; NULL when there is none, or when it is the baseline.
 */
const struct status_model *status_best(const struct status *s);

#endif
