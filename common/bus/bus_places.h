/*
 * A place in a topic over all of its partitions: a position for each. What a
 * service that reads whole topics stores with its effects.
 *
 * Its text is one position a partition, in order, with commas between them:
 * with one partition it is the position's own text. Partitions that a text does
 * not mention, as they were added to the topic since, are read from the oldest.
 *
 *     struct bus_places places = BUS_PLACES_INIT;
 *     bus_places_parse(bus, text, &places, &err);
 *     bus_places_assign(reader, topic, &places, &err);
 *     ... for each message: bus_places_note(&places, msg);
 *     bus_places_format(bus, &places, &out);
 */
#ifndef OXBOW_BUS_BUS_PLACES_H
#define OXBOW_BUS_BUS_PLACES_H

#include "bus/bus.h"

#define BUS_PLACES_MAX 10000 /* partitions */

struct bus_places {
    struct bus_pos *pos; /* by partition; owned */
    int32_t n;           /* 0: oldest, all of them */
};

#define BUS_PLACES_INIT                                                                            \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

void bus_places_release(struct bus_places *places); /* usable again, as after BUS_PLACES_INIT */
void bus_places_copy(struct bus_places *to, const struct bus_places *from);

/* The position of one partition; oldest when it is not known. */
struct bus_pos bus_places_at(const struct bus_places *places, int32_t partition);
void bus_places_set(struct bus_places *places, int32_t partition, const struct bus_pos *pos);
/* Moves on to just after `msg`. */
static inline void bus_places_note(struct bus_places *places, const struct bus_msg *msg)
{
    bus_places_set(places, msg->partition, &msg->pos);
}
/* In each partition the lesser of the two. */
void bus_places_lower(const struct bus *bus, struct bus_places *places,
                      const struct bus_places *other);

void bus_places_format(const struct bus *bus, const struct bus_places *places, struct buf *out);
/* ERR_INVALID; "" is the oldest. `ret` must be initialised. */
int bus_places_parse(const struct bus *bus, const char *text, struct bus_places *ret,
                     struct err *err) MUST_CHECK;

/* bus_reader_assign() for every partition that there is: 1 when any of them lay past its end. */
int bus_places_assign(struct bus *bus, struct bus_reader *r, const char *topic,
                      const struct bus_places *places, struct err *err) MUST_CHECK;

/* The sums of bus_count_after(). */
int bus_places_count_after(struct bus *bus, const char *topic, const struct bus_places *places,
                           uint64_t *ret, struct err *err) MUST_CHECK;

/*
 * True when no message lies after `places`. Where offsets have holes this is what tells, and not
 * bus_places_count_after(): marks of transactions may come after the last message.
 */
int bus_places_at_end(struct bus *bus, const char *topic, const struct bus_places *places,
                      bool *ret, struct err *err) MUST_CHECK;

/* The high marks; none without the topic. `ret` must be initialised. */
int bus_places_high(struct bus *bus, const char *topic, struct bus_places *ret,
                    struct err *err) MUST_CHECK;

/* What the group has committed; partitions of which it has committed nothing are at the oldest.
 * ERR_NOT_FOUND when that is so of all. `ret` must be initialised. */
int bus_places_floor(struct bus *bus, const char *group, const char *topic, struct bus_places *ret,
                     struct err *err) MUST_CHECK;

/* bus_trim() for every partition. */
int bus_places_trim(struct bus *bus, const char *topic, const struct bus_places *upto,
                    struct err *err) MUST_CHECK;

#endif
