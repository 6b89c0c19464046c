/*
 * oxbow-learner: folds the rows of learning-queue into every model of the task
 * and leaves the models in the store, each with the place that it has reached.
 *
 *     l = learning_new(&options)
 *     learning_open(l)      until it returns 0: lease, models, reader
 *     learning_step(l)*     one batch each; renews the lease, publishes when it is time
 *     learning_close(l)     publishes what is not yet, gives the lease back
 *     learning_free(l)      without learning_close: as if killed
 *
 * Exactly once: a version is one atomic write of the model's bytes and the seq
 * of the last row in them. Whatever happens between two such writes is done
 * again from the last one, and comes out the same to the last bit (fold.h).
 *
 * A row that cannot be learned (no features, a label outside label_range) is
 * counted by each model as skipped, and goes to dead-letters before a version
 * passes it; after a crash in between, a second time.
 *
 * When a model's error has changed (error_drift.h), an alarm goes to the topic
 * drift-alarms, and is durable before a version includes the row that showed it.
 * A restart, or a server that was away, repeats none that the topic still has,
 * and adds those that it has not: an alarm's identity is its model, generation,
 * position and detector.
 *
 * One learner at a time: the lease "learner" fences all others; whoever has
 * lost it gets ERR_FENCED from any call and must leave.
 *
 * Retriable errors (err->retriable) leave the learner as it was: back off, and
 * call the same function again. Any other error ends it.
 */
#ifndef OXBOW_LEARNER_LEARNING_H
#define OXBOW_LEARNER_LEARNING_H

#include <stdint.h>

#include "bus/bus.h"
#include "learner/fold.h"
#include "store/store.h"
#include "task/task.h"
#include "telemetry/telemetry.h"

#define LEARNING_LEASE  "learner"
#define LEARNING_READER "learner" /* its name among the floors */

/* All borrowed; they must outlive the learner. */
struct learning_options {
    const struct task *task;
    uint64_t sql_hash;
    struct store *store;
    struct bus *bus;
    struct telemetry *tm;
    const char *owner;    /* of the lease: the instance's name */
    int64_t lease_ttl_ms; /* 0: 6 s */
};

struct learning;

/* Lifecycle */

/* No I/O. NULL with ERR_UNSUPPORTED when the task has a feature that cannot be read. */
struct learning *learning_new(const struct learning_options *options, struct err *err) MUST_CHECK;
void learning_free(struct learning *l); /* NULL is fine */

/*
 * Takes the lease, restores or begins every model, publishes those that begin, and opens the reader
 * at the place of the one that is furthest behind. ERR_CONFLICT, retriable, while another holds the
 * lease; ERR_REFUSED when the rows that a model needs are gone.
 */
int learning_open(struct learning *l, struct err *err) MUST_CHECK;

/*
 * Waits up to `timeout_ms` for rows, folds one batch of them, publishes what is due. Returns the
 * number of messages, 0 on timeout. ERR_REFUSED on a gap in seq: the text names both ends and what
 * to do.
 */
int learning_step(struct learning *l, int timeout_ms, struct err *err) MUST_CHECK;

/* Publishes every model that has moved since its last version, whether it is time or not. */
int learning_checkpoint(struct learning *l, struct err *err) MUST_CHECK;

/* The last checkpoint, then gives the lease back. The lease alone is not worth an error. */
int learning_close(struct learning *l, struct err *err) MUST_CHECK;

/* Introspection */

/* Sets the gauges of the models; for runtime_observe(). */
void learning_observe(void *l);

/* The heartbeat's members, as docs/internals.md has them; for runtime_tick(). */
void learning_status(void *l, struct buf *out);

/* Model `i` of the task file; NULL before learning_open() is done. */
const struct fold *learning_fold(const struct learning *l, size_t i);

#endif
