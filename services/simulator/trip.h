/*
 * Where trips come from: the synthetic city (city.h) or a file of real ones
 * (replay.h). A source gives trips in the order of their pick-ups, numbered
 * without gaps from 1, and the same trips every time.
 *
 * Order of calls: (seek → (next → [write_request])*)*. write_request() is for
 * the trip that next() gave last; write_key() for any that it has given.
 */
#ifndef OXBOW_SIMULATOR_TRIP_H
#define OXBOW_SIMULATOR_TRIP_H

#include <stdbool.h>

#include "simulator/cursor.h"

struct trip {
    uint64_t number;
    int64_t pickup_ms;
    int64_t dropoff_ms; /* may lie before pickup_ms in a file */
};

struct trip_source;

struct trip_source_ops {
    /* The next trip, or false at the end. */
    bool (*next)(struct trip_source *source, struct trip *ret);
    /* Appends the request's value, a JSON object. */
    void (*write_request)(struct trip_source *source, const struct trip *trip, struct buf *out);
    /* Appends the key that a trip's request and outcome share. */
    void (*write_key)(struct trip_source *source, uint64_t number, struct buf *out);
    /*
     * Goes to a place such that every trip whose request or outcome comes after `after` is given by
     * the calls of next() that follow. *ret_before: how many trips lie before that place.
     * ERR_REFUSED when this source cannot have made that cursor.
     */
    int (*seek)(struct trip_source *source, const struct cursor *after, uint64_t *ret_before,
                struct err *err);
    void (*free)(struct trip_source *source);
};

struct trip_source {
    const struct trip_source_ops *ops;
    char identity[CURSOR_IDENTITY_MAX + 1]; /* see cursor.h; changes with all that changes trips */
    uint64_t total;                         /* trips; 0: without end */
    uint64_t skipped;                       /* trips of a file that could not be read */
};

static inline void trip_source_free(struct trip_source *source)
{
    if (source)
        source->ops->free(source);
}

#endif
