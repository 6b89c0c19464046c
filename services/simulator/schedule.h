/*
 * The two streams of a source as one: each trip's request when it is picked
 * up, its outcome when it is dropped off, in the total order of cursor.h.
 *
 * A drop-off that is not after its pick-up (real files have some) takes its
 * place one millisecond after the pick-up; what it says stays as it is.
 * Memory: one small record for each trip under way.
 */
#ifndef OXBOW_SIMULATOR_SCHEDULE_H
#define OXBOW_SIMULATOR_SCHEDULE_H

#include "simulator/trip.h"

struct event {
    int64_t time_ms; /* its place in the order */
    enum event_kind kind;
    struct trip trip;
};

/* Appends the value of an outcome's message: {"drop_off_datetime":"..."}. */
void event_write_outcome(const struct event *e, struct buf *out);

struct schedule;

/* Borrows `source`. `max_trips`: end after so many requests and their outcomes; 0: no limit. */
struct schedule *schedule_new(struct trip_source *source, uint64_t max_trips);
void schedule_free(struct schedule *s); /* NULL is fine */

/* The next event, or NULL when there are no more; valid until the next call on `s`. */
const struct event *schedule_peek(struct schedule *s);

/* Passes the event that schedule_peek() gives. */
void schedule_pop(struct schedule *s);

/* The place of the last event that was passed; its number is 0 at the beginning. */
const struct cursor *schedule_at(const struct schedule *s);

/* The place that schedule_at() has once the event that schedule_peek() gives is passed. */
struct cursor schedule_place(const struct schedule *s, const struct event *e);

/* True when only outcomes are left. Call schedule_peek() before. */
bool schedule_in_tail(const struct schedule *s);

/* How many requests there are in all; 0: without end. */
uint64_t schedule_total(const struct schedule *s);

/* Goes to just after `after`. ERR_REFUSED when the source cannot have been there. */
int schedule_seek(struct schedule *s, const struct cursor *after, struct err *err) MUST_CHECK;

#endif
