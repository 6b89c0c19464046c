/*
 * Positions of the backends that number messages as Redis streams do: two
 * numbers, (ms, seq), in 16 bytes, most significant byte first, so that
 * comparing the bytes compares the positions.
 *
 * `ms` is the time of the append, or, in a stream whose writer numbers its
 * messages (bus_record.seq), that number with `seq` 0. An `ms` below
 * BUS_ID_TIME_MIN (March 1973) is such a number and no time.
 */
#ifndef OXBOW_BUS_BUS_ID_H
#define OXBOW_BUS_BUS_ID_H

#include "bus/bus.h"

#define BUS_ID_LEN      16
#define BUS_ID_TIME_MIN UINT64_C(100000000000)

struct bus_id {
    uint64_t ms;
    uint64_t seq;
};

static inline int bus_id_compare(struct bus_id a, struct bus_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.seq < b.seq ? -1 : a.seq > b.seq;
}

static inline bool bus_id_is_zero(struct bus_id id)
{
    return !id.ms && !id.seq;
}

/* The greatest id below `id`; 0-0 stays. */
static inline struct bus_id bus_id_before(struct bus_id id)
{
    if (id.seq)
        return (struct bus_id){id.ms, id.seq - 1};
    return id.ms ? (struct bus_id){id.ms - 1, UINT64_MAX} : id;
}

/* What bus_msg.time_ms is for a message with this id. */
static inline int64_t bus_id_time(struct bus_id id)
{
    return id.ms < BUS_ID_TIME_MIN || id.ms > INT64_MAX ? 0 : (int64_t)id.ms;
}

struct bus_pos bus_id_to_pos(struct bus_id id);

/* ERR_INVALID when it is another backend's; oldest is 0-0; the caller has dealt with newest. */
int bus_id_from_pos(const struct bus_pos *pos, struct bus_id *ret, struct err *err) MUST_CHECK;

/* The slots of struct bus_backend. */
int bus_id_pos_compare(const struct bus_pos *a, const struct bus_pos *b);
void bus_id_pos_format(const struct bus_pos *pos, struct buf *out);
int bus_id_pos_parse(const char *text, struct bus_pos *ret, struct err *err) MUST_CHECK;

#endif
