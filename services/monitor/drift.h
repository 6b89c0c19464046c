/*
 * Feature drift and skew, as the monitor watches them: what common/drift finds in
 * the messages that the monitor has looked at, as JSON, and as marks when an alarm
 * rises or clears. No I/O; behind the lock of whoever owns it.
 */
#ifndef OXBOW_MONITOR_DRIFT_H
#define OXBOW_MONITOR_DRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "drift/drift.h"
#include "task/task.h"

#define WATCH_TICK_FEATURES 12 /* in a tick: those that drift, then those that are farthest */

struct watch;

/* An alarm that has risen, or cleared. */
struct watch_alarm {
    const char *feature; /* the task's */
    char id[96];         /* "feature-drift/<feature's number>/<reference>/<window>": comes once */
    char text[480];      /* for people */
    int64_t time_ms;
};

typedef void (*watch_alarm_fn)(void *ctx, const struct watch_alarm *alarm);

/* Lifecycle */

/* Borrows `task`. */
struct watch *watch_new(const struct task *task);
void watch_free(struct watch *w); /* NULL is fine */

/* Forgets everything: another life of the task. */
void watch_clear(struct watch *w);
/* Begins a new reference; the counts of skew stay. */
void watch_reset(struct watch *w);

/* What comes in */

/* The message of a prediction: its features object. */
void watch_served(struct watch *w, const char *key, size_t len, const struct json_value *features);

/*
 * The row that is learned: its features object, and the same as the doubles that models take.
 * `alarm` is called for each alarm that changes with it.
 */
void watch_learned(struct watch *w, const char *key, size_t len, const struct json_value *features,
                   const double *x, int64_t time_ms, watch_alarm_fn alarm, void *ctx);

/* What goes out */

/* "learning" (the reference is not full, or there was no window yet), "ok" or "drifting". */
const char *watch_state(const struct watch *w);

/* The members of tick.drift, without braces. */
void watch_write_tick(const struct watch *w, struct buf *out);

/* The members of /api/drift but `errors`, without braces. */
void watch_write(const struct watch *w, struct buf *out);

struct watch_figures {
    double psi;    /* NaN before the first window */
    double ks;     /* NaN where there is none */
    bool drifting; /* with an alarm: never of a silent feature */
    bool silent;
};

void watch_feature(const struct watch *w, size_t feature, struct watch_figures *ret);
uint64_t watch_compared(const struct watch *w);  /* values, of skew */
uint64_t watch_differing(const struct watch *w); /* of them */

/* Keeping: the reference and the windows; skew is counted anew after a start */

/* Appends the state and is true, when a window was judged or some rows came in since the last. */
bool watch_save(struct watch *w, struct buf *out);
/* ERR_CONFLICT, ERR_UNSUPPORTED, ERR_CORRUPT: a new reference begins, and the text says so. */
int watch_load(struct watch *w, const void *data, size_t len, struct err *err) MUST_CHECK;

#endif
