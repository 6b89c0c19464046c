/* A source of trips that a test makes up: `n` of them, from an array sorted by pick-up. */
#ifndef OXBOW_TESTS_TRIPS_FIXTURE_H
#define OXBOW_TESTS_TRIPS_FIXTURE_H

#include "base/json.h"
#include "simulator/trip.h"

struct fixture_source {
    struct trip_source base;
    const struct trip *trips;
    size_t n;
    size_t at;
};

/* Two cursors in every field; their padding may differ. */
static inline bool same_place(const struct cursor *a, const struct cursor *b)
{
    return cursor_compare(a, b) == 0 && a->time_ms == b->time_ms && a->requests == b->requests &&
           a->outcomes == b->outcomes && a->request_ms == b->request_ms;
}

static inline bool fixture_next(struct trip_source *source, struct trip *ret)
{
    struct fixture_source *f = (struct fixture_source *)source;

    if (f->at == f->n)
        return false;
    *ret = f->trips[f->at++];
    return true;
}

static inline void fixture_write_request(struct trip_source *source, const struct trip *trip,
                                         struct buf *out)
{
    (void)source;
    buf_text(out, "{\"pickup\":");
    json_write_int(out, trip->pickup_ms);
    buf_byte(out, '}');
}

static inline void fixture_write_key(struct trip_source *source, uint64_t number, struct buf *out)
{
    (void)source;
    json_write_int(out, (int64_t)number);
}

static inline int fixture_seek(struct trip_source *source, const struct cursor *after,
                               uint64_t *ret_before, struct err *err)
{
    (void)after;
    (void)err;
    ((struct fixture_source *)source)->at = 0;
    *ret_before = 0;
    return 0;
}

static const struct trip_source_ops fixture_ops = {
    .next = fixture_next,
    .write_request = fixture_write_request,
    .write_key = fixture_write_key,
    .seek = fixture_seek,
};

static inline struct fixture_source fixture_source(const struct trip *trips, size_t n)
{
    return (struct fixture_source){
        .base = {.ops = &fixture_ops, .identity = "fixture", .total = n},
        .trips = trips,
        .n = n,
    };
}

#endif
