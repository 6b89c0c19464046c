/*
 * oxbow-inference: reads `features` as a member of the bus group "inference",
 * asks every model of the task, and publishes one message a request to
 * `predictions`. It never changes a model.
 *
 *     inf = inference_new(&options)
 *     inference_open(inf)      until it returns 0: models, membership
 *     inference_step(inf)*     one batch each
 *     inference_free(inf)      nothing to drain: a step leaves nothing half-done
 *
 * Nothing is lost: a row is committed only after its prediction is durable. A
 * row whose commit fails, or whose process dies, comes again and is predicted
 * again; the second prediction is a duplicate that views counts.
 *
 * Newer models: once a second (or every refresh_seconds, if that is shorter)
 * it asks the store for the name of what is to be served, and swaps models
 * between two batches. A version that is refused (damaged, too large, of
 * another format or with other features) is named in the log once and counted,
 * and what was served goes on. A model with nothing to go on with takes the
 * newest good version of its own generation, or begins untrained, as version
 * `<generation>-0`.
 *
 * With the task's `exactly_once` and a bus that has transactions, a batch's
 * predictions and its positions become visible together, so no row is predicted
 * twice either. When a transaction fails, the member leaves the group and joins
 * it again where the last one ended.
 *
 * Rows that cannot be read go to dead-letters, and so do rows handed out five
 * times without ever being committed. To find which row of a batch it is that
 * kills the process, rows that come for the third time come one by one.
 *
 * Retriable errors (err->retriable) leave it as it was: back off, and call the
 * same function again.
 */
#ifndef OXBOW_INFERENCE_INFERENCE_H
#define OXBOW_INFERENCE_INFERENCE_H

#include <stdint.h>

#include "bus/bus.h"
#include "learn/model.h"
#include "store/store.h"
#include "task/task.h"
#include "telemetry/telemetry.h"

#define INFERENCE_GROUP          "inference"
#define INFERENCE_MAX_DELIVERIES 5 /* a row that was handed out so often is dead */

/* All borrowed; they must outlive it. */
struct inference_options {
    const struct task *task;
    uint64_t sql_hash;
    struct store *store;
    struct bus *bus;
    struct telemetry *tm;
    const char *member; /* of the group: the instance's name, the same after a restart */
    int claim_idle_ms;  /* as bus_group_join() takes it; 0: its default */
};

struct inference;

/* Lifecycle */

/* No I/O. NULL with ERR_UNSUPPORTED when the task has a feature that cannot be read. */
struct inference *inference_new(const struct inference_options *options,
                                struct err *err) MUST_CHECK;
void inference_free(struct inference *inf); /* NULL is fine */

/* Finds every model something to serve and joins the group. */
int inference_open(struct inference *inf, struct err *err) MUST_CHECK;

/*
 * Waits up to `timeout_ms` for rows, predicts one batch of them, waits until the predictions are
 * durable, commits. Returns the number of rows, 0 on timeout. A store that is away is no error
 * here.
 */
int inference_step(struct inference *inf, int timeout_ms, struct err *err) MUST_CHECK;

/* Looks for newer models now, whatever the time. */
int inference_refresh(struct inference *inf, struct err *err) MUST_CHECK;

/* Introspection */

/* The heartbeat's members, as docs/internals.md has them; for runtime_tick(). */
void inference_status(void *inf, struct buf *out);

/* Sets the gauges of the models; for runtime_observe(). */
void inference_observe(void *inf);

/* What serves as model `i` of the task file; "" before inference_open() is done. */
const char *inference_version(const struct inference *inf, size_t i);

#endif
