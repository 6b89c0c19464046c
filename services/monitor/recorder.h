/*
 * What the monitor keeps over a restart, in <data_dir>/monitor.db (SQLite):
 * curves, marks, the map, the newest errors, and what others put there by name. Writes gather in
 * one transaction, which recorder_commit() ends once a second, so a kill loses
 * at most that second.
 *
 * A file that is damaged is set aside, with its name in a warning, and a new
 * one begun; one that cannot be written is a warning, and nothing is kept: the
 * monitor goes on in either case. One thread at a time.
 */
#ifndef OXBOW_MONITOR_RECORDER_H
#define OXBOW_MONITOR_RECORDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "monitor/monitor.h"

struct recorder;

/* Says a warning to people; NULL: says nothing. */
typedef void (*recorder_warn_fn)(const char *text);

/* Never NULL: one without a file keeps nothing. */
struct recorder *recorder_open(const char *path, recorder_warn_fn warn);
void recorder_close(struct recorder *r); /* ends the transaction; NULL is fine */

/* True when it has a file. */
bool recorder_keeps(const struct recorder *r);

/* Puts everything that was kept and is not too old into the monitor. */
void recorder_restore(struct recorder *r, struct monitor *m, int64_t now_ms);

/* A point of the monitor's curves: a curves_keep_fn, with the recorder as `ctx`. May be called
 * with the monitor's lock held. */
void recorder_point(void *recorder, const struct curves_point *point);

/* Names of series and marks that are new since the last call, and the map from time to time; then
 * ends the transaction. */
void recorder_commit(struct recorder *r, struct monitor *m, int64_t now_ms);

/* Bytes by name, for others. put: part of the transaction. get: false when there are none. */
void recorder_put(struct recorder *r, const char *name, const void *data, size_t len);
bool recorder_get(struct recorder *r, const char *name, struct buf *ret);

#endif
