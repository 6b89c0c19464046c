/*
 * What the monitor reads out of the services' heartbeats beside what
 * inspect/status.h gives: when each process began, what it has done so far,
 * generations, the versions that inference has loaded. No I/O.
 */
#ifndef OXBOW_MONITOR_BEATS_H
#define OXBOW_MONITOR_BEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "inspect/status.h"

struct beat {
    char instance[64];
    char service[32];
    char state[16]; /* what it says that it is doing */
    int64_t started_ms;
    int64_t time_ms;
    int64_t rss_bytes;
    uint64_t work; /* messages, predictions or rows that it has dealt with since it began */
};

struct beat_model {
    char name[65];
    char generation[32];
    char served[64];   /* the version that inference has loaded; "" */
    char detector[32]; /* of error drift; "" */
    uint64_t alarms;   /* of it */
    int64_t alarm_ms;  /* bus time of the newest one's row; TIME_UNKNOWN */
};

/* Large: keep it on the heap. */
struct beats {
    struct beat beat[STATUS_MAX_SERVICES];
    size_t n;
    struct beat_model model[STATUS_MAX_MODELS];
    size_t n_models;
    uint64_t predicted; /* by all inference processes since they began */
    uint64_t position;  /* of the model that has learned most */
    double speed;       /* the simulator's; NaN when it has none */
};

int beats_parse(const char *text, size_t len, struct beats *ret, struct err *err) MUST_CHECK;

const struct beat_model *beats_model(const struct beats *b, const char *name); /* or NULL */

#endif
