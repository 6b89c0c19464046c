/*
 * Publishing the rows of an engine that reads the bus by itself (Materialize).
 *
 * Each batch of the engine becomes transactions of the bus: rows of features and
 * learning-queue with gapless numbers, the keys that they have, and the state to
 * go on from (state.h). A row is published when its key appears for the first
 * time within the dedupe window; what the engine takes back later is counted and
 * not acted on. So it does not matter how often the engine hands out a row: after
 * a crash, with a snapshot because history has expired, or because something that
 * it is computed from has changed.
 *
 * The state is the bus's: after a start and after every failure it is read back
 * from there, so that what is believed is what was committed. The newest process
 * shuts out those before it (bus_options.transaction).
 *
 * Legal order: new → (recover → step*)* → free.
 */
#ifndef OXBOW_VIEWS_SUBSCRIBER_H
#define OXBOW_VIEWS_SUBSCRIBER_H

#include "bus/bus.h"
#include "state/state.h"
#include "task/task.h"
#include "views/views.h"

struct subscriber;

struct subscriber_options {
    struct bus *bus; /* opened with options.transaction */
    struct views *views;
    const struct task *task;
    const char *incarnation;
};

/* Borrows everything in `options` but the struct itself. */
struct subscriber *subscriber_new(const struct subscriber_options *options);
void subscriber_free(struct subscriber *sub); /* NULL is fine */

/* "<task>-views-state" */
const char *subscriber_state_topic(const struct subscriber *sub);

/*
 * Shuts out earlier processes, reads the state back and has the engine go on from it. To be called
 * before the first step, and again after a step that failed on the bus (subscriber_is_lost).
 * ERR_REFUSED when the topics hold rows that the state does not know of.
 */
int subscriber_recover(struct subscriber *sub, struct err *err) MUST_CHECK;

/* Waits up to `timeout_ms` for the engine and publishes what it gives. Errors are the engine's, or,
 * when subscriber_is_lost(), the bus's. Returns how many rows were published. */
int subscriber_step(struct subscriber *sub, int timeout_ms, struct err *err) MUST_CHECK;
bool subscriber_is_lost(const struct subscriber *sub);

/* As committed last. */
const struct state *subscriber_state(const struct subscriber *sub);
size_t subscriber_keys(const struct subscriber *sub, enum views_output output);
/* What the engine has taken in before this time (ms) has come out; 0: not known yet. */
int64_t subscriber_frontier_ms(const struct subscriber *sub);

/* Makes known in the engine's ledger what only the state knows. */
void subscriber_complete_ledger(const struct subscriber *sub, struct views_ledger *ledger);

#endif
