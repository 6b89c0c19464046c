/*
 * A place in the simulator's total order of events, as it travels in the
 * header `cursor` of each message that it publishes.
 *
 * The order: time, then outcomes before requests, then the trip's number. The
 * text is `<identity> <time in ms> <r|o> <number> <requests> <outcomes> <lag>`,
 * lag being the event time in ms since the last request; the identity names the source that the
 * events come from, so that a run never goes on where a different one has stopped.
 */
#ifndef OXBOW_SIMULATOR_CURSOR_H
#define OXBOW_SIMULATOR_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CURSOR_IDENTITY_MAX 96 /* bytes, without a NUL; no spaces inside */

enum event_kind { EVENT_OUTCOME, EVENT_REQUEST };

struct cursor {
    int64_t time_ms; /* event time */
    enum event_kind kind;
    uint64_t number;    /* of the trip, from 1; 0: before the first event */
    uint64_t requests;  /* requests up to and including this event */
    uint64_t outcomes;  /* outcomes up to and including it */
    int64_t request_ms; /* event time of the last of those requests */
};

/* <0, 0, >0 as `a` comes before, is, or comes after `b`. */
int cursor_compare(const struct cursor *a, const struct cursor *b);

/* Appends the text. */
void cursor_write(const struct cursor *c, const char *identity, struct buf *out);

/* Reads it; ERR_INVALID when it is none. */
int cursor_read(const char *text, size_t len, struct cursor *ret,
                char ret_identity[CURSOR_IDENTITY_MAX + 1]) MUST_CHECK;

#endif
