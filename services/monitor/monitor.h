/*
 * oxbow-monitor's picture of the task: what was read from the bus, from the
 * heartbeats and by the audit, behind one lock, and the ticks made of it once a
 * second. No I/O: loop.c feeds it, api.c serves it, recorder.c keeps its curves.
 *
 * Every function takes the lock for itself and may be called from any thread;
 * monitor_messages() and monitor_second() by one thread, the loop's.
 */
#ifndef OXBOW_MONITOR_MONITOR_H
#define OXBOW_MONITOR_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bus/bus.h"
#include "monitor/curves.h"
#include "monitor/marks.h"
#include "store/store.h"
#include "task/task.h"

#define MONITOR_TICK_BYTES 20000 /* of a tick, at any load */

struct monitor;
struct watch_figures; /* drift.h */

/* Topics that are read, in the order of monitor_topic(). */
enum monitor_topic {
    MONITOR_REQUESTS,
    MONITOR_OUTCOMES,
    MONITOR_PREDICTIONS,
    MONITOR_ROWS,
    MONITOR_DEAD,
    MONITOR_ALARMS,
    MONITOR_N_TOPICS
};
const char *monitor_topic(const struct task *task, enum monitor_topic topic);

/* What a start waits for. */
enum monitor_check {
    MONITOR_CHECK_STORE,
    MONITOR_CHECK_VIEWS,
    MONITOR_CHECK_TOPICS,
    MONITOR_CHECK_INFERENCE,
    MONITOR_CHECK_LEARNER,
    MONITOR_CHECK_REQUEST,
    MONITOR_N_CHECKS
};

/* Lifecycle */

/* Borrows `task`. NULL when its rows cannot be read (see row.h). */
struct monitor *monitor_new(const struct task *task, int64_t started_ms,
                            struct err *err) MUST_CHECK;
void monitor_free(struct monitor *m); /* NULL is fine */

/* A new life of the task: what was seen of the old one is forgotten, but for curves and marks. */
void monitor_begin(struct monitor *m, const char *incarnation, int64_t now_ms);

/* What comes in */

void monitor_messages(struct monitor *m, const struct bus_msg *msgs, size_t n, int64_t now_ms);

/* Messages of a topic that were looked at and skipped since the last call. */
void monitor_looked(struct monitor *m, enum monitor_topic topic, uint64_t looked, uint64_t skipped);

/* The connection's state; `detail` is copied. The others find themselves in the heartbeats. */
void monitor_check(struct monitor *m, enum monitor_check check, bool ok, const char *detail);

/* The kept versions of a model, oldest first, after one of them has changed. */
void monitor_versions(struct monitor *m, size_t model, const struct store_version *versions,
                      size_t n);
/* True when the heartbeats name a version of the model that monitor_versions() has not brought. */
bool monitor_wants_versions(struct monitor *m, size_t model);

/* `text` in the form of /api/audit; `state` and `words` of the tick. Copied. */
void monitor_audit(struct monitor *m, const char *state, const char *words, const char *json,
                   int64_t time_ms);

/* Adds a mark; false when there is one of its id already. */
bool monitor_mark(struct monitor *m, const struct mark *mark);

/*
 * Once a second: takes the heartbeats (NULL: the store is away), adds a point to the curves, and
 * makes the tick. *ret_id is its id, `ret_tick` its JSON.
 */
void monitor_second(struct monitor *m, const char *beats, size_t len, int64_t now_ms,
                    curves_keep_fn keep, void *ctx, uint64_t *ret_id, struct buf *ret_tick);

/* What is kept over a restart (recorder.h), put back before the first second. */
void monitor_restore_point(struct monitor *m, const struct curves_point *point);
int monitor_series(struct monitor *m, const char *name);
/* The name of a series, or NULL behind the last; lives as long as the monitor. */
const char *monitor_series_name(struct monitor *m, size_t series);
/* Adds an outage mark when the newest point lies long before now. */
void monitor_resume(struct monitor *m, int64_t now_ms);
/* Copies marks from number `from` on as JSON lines; returns the number of the next. */
uint64_t monitor_new_marks(struct monitor *m, uint64_t from, struct buf *ret);
void monitor_save_places(struct monitor *m, struct buf *ret);
void monitor_restore_places(struct monitor *m, const void *data, size_t len);
/* The newest labelled rows, so that scores go on where they were. They are of the task's models:
 * put back into a task of others, they are left out. */
void monitor_save_errors(struct monitor *m, struct buf *ret);
void monitor_restore_errors(struct monitor *m, const void *data, size_t len);

/* What goes out: each appends a whole JSON answer */

void monitor_write_snapshot(struct monitor *m, struct buf *out, uint64_t *ret_id);
/* ERR_INVALID for an unknown range, axis or format ("json", NULL, or "csv"). */
int monitor_write_history(struct monitor *m, const char *range, const char *axis,
                          const char *series, const char *format, struct buf *out,
                          struct err *err) MUST_CHECK;
void monitor_write_breakdown(struct monitor *m, struct buf *out);
/* The version of a model that is served now, or that the learner has published last; nothing when
 * there is none yet. */
void monitor_model_version(struct monitor *m, const char *name, struct buf *ret);
/* ERR_NOT_FOUND. `state`: the JSON of what model_inspect() says of it, or "null". */
int monitor_write_model(struct monitor *m, const char *name, const char *state, struct buf *out,
                        struct err *err) MUST_CHECK;
int monitor_write_request(struct monitor *m, const char *key, size_t len, struct buf *out,
                          struct err *err) MUST_CHECK;
void monitor_write_audit(struct monitor *m, struct buf *out);
void monitor_write_dead(struct monitor *m, struct buf *out);
/* "latest" or "models", as "csv" or "json". ERR_INVALID. */
int monitor_write_export(struct monitor *m, const char *what, const char *format, struct buf *out,
                         struct err *err) MUST_CHECK;

/* Feature drift and skew (drift.h). Restoring: errors as of watch_load(). */
void monitor_write_drift(struct monitor *m, struct buf *out);
/* One of each feature of the task; values compared for skew, and those of them that differed. */
void monitor_drift_figures(struct monitor *m, struct watch_figures *ret, uint64_t *ret_compared,
                           uint64_t *ret_differing);
void monitor_reset_drift(struct monitor *m);
bool monitor_save_drift(struct monitor *m, struct buf *ret);
int monitor_restore_drift(struct monitor *m, const void *data, size_t len,
                          struct err *err) MUST_CHECK;

/* A prediction that is to be explained, copied. */
struct monitor_asked {
    char incarnation[UUID_TEXT_LEN + 1];
    struct buf version;  /* that answered */
    struct buf features; /* the object that it answered to */
    double served;       /* as it went out; NaN */
};

/* ERR_NOT_FOUND: no such request or model, or its messages are kept no longer. Release in any case.
 */
int monitor_ask(struct monitor *m, const char *key, size_t len, const char *model,
                struct monitor_asked *ret_asked, struct err *err) MUST_CHECK;
void monitor_asked_release(struct monitor_asked *asked);

/* The task's incarnation as it was begun; "" before. */
void monitor_incarnation(struct monitor *m, char ret[UUID_TEXT_LEN + 1]);

#endif
