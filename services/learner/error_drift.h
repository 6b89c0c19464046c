/*
 * Has a model's error changed? One detector (learn/detector.h) over the absolute
 * errors of its progressive predictions, in the order of seq: part of the fold
 * (fold.h), so that the same rows always raise the same alarms, at the same
 * positions.
 *
 * An error that falls is a change as well: a young model raises alarms as it
 * gets better. Rows that are skipped, and predictions that are not finite, are
 * passed over.
 *
 * The detector is no part of what identifies a generation: when the task file
 * names another one, or other parameters, its state begins anew at the place
 * where that was noticed (`since`), and the model stays what it is.
 */
#ifndef OXBOW_LEARNER_ERROR_DRIFT_H
#define OXBOW_LEARNER_ERROR_DRIFT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "learn/detector.h"
#include "task/task.h"

struct drift_alarm {
    uint64_t position; /* seq of the row that showed it; 0: no alarm yet */
    int64_t at_ms;     /* bus time of that row's outcome; 0: not known */
    struct detector_change change;
};

struct error_drift {
    struct detector *detector; /* NULL: the task has none */
    uint64_t since;            /* it has seen the rows behind this position */
    uint64_t alarms;           /* raised since then */
    struct drift_alarm newest;
};

/* Lifecycle */

void error_drift_init(struct error_drift *d, const struct task *task, uint64_t since);
void error_drift_release(struct error_drift *d);

/* Use */

/* Takes in one error; true when it raised an alarm, which is then d->newest. */
bool error_drift_update(struct error_drift *d, uint64_t position, int64_t at_ms, double error);

/* Appends the object that is stored with a version, or null. */
void error_drift_write(const struct error_drift *d, struct buf *out);

/*
 * Reads what error_drift_write() wrote into one fresh from _init; it stays so when `v` is of other
 * parameters, or nothing (NULL, a JSON null). ERR_CORRUPT.
 */
int error_drift_read(struct error_drift *d, const struct json_value *v, struct err *err) MUST_CHECK;

/* For people: `{"detector":"adwin","alarms":2,"newest":{...}|null}`, or null. */
void error_drift_write_status(const struct error_drift *d, struct buf *out);

/* Appends `"position":N,"at":"...","mean_before":X,"mean_after":X,"n":N`; `at` may be null. */
void error_drift_write_alarm(const struct drift_alarm *alarm, struct buf *out);

#endif
