/* Places over all partitions of a topic, made of bus.h's calls alone. */
#include "bus/bus_places.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void bus_places_release(struct bus_places *places)
{
    free(places->pos);
    *places = (struct bus_places)BUS_PLACES_INIT;
}

void bus_places_copy(struct bus_places *to, const struct bus_places *from)
{
    if (to->n < from->n)
        to->pos = mem_realloc(to->pos, (size_t)from->n, sizeof(*to->pos));
    to->n = from->n;
    if (from->n)
        memcpy(to->pos, from->pos, (size_t)from->n * sizeof(*to->pos));
}

struct bus_pos bus_places_at(const struct bus_places *places, int32_t partition)
{
    return partition < places->n ? places->pos[partition] : BUS_POS_OLDEST;
}

void bus_places_set(struct bus_places *places, int32_t partition, const struct bus_pos *pos)
{
    if (partition >= places->n) {
        places->pos = mem_realloc(places->pos, (size_t)partition + 1, sizeof(*places->pos));
        while (places->n <= partition)
            places->pos[places->n++] = BUS_POS_OLDEST;
    }
    places->pos[partition] = *pos;
}

void bus_places_lower(const struct bus *bus, struct bus_places *places,
                      const struct bus_places *other)
{
    for (int32_t p = 0; p < places->n; p++) {
        struct bus_pos pos = bus_places_at(other, p);
        if (bus_pos_compare(bus, &pos, &places->pos[p]) < 0)
            places->pos[p] = pos;
    }
}

void bus_places_format(const struct bus *bus, const struct bus_places *places, struct buf *out)
{
    for (int32_t p = 0; p < places->n; p++) {
        if (p)
            buf_byte(out, ',');
        bus_pos_format(bus, &places->pos[p], out);
    }
}

int bus_places_parse(const struct bus *bus, const char *text, struct bus_places *ret,
                     struct err *err)
{
    struct buf one = BUF_INIT;
    int rc = 0;

    bus_places_release(ret);
    while (rc == 0 && *text) {
        size_t len = strcspn(text, ",");
        struct bus_pos pos;

        buf_clear(&one);
        buf_append(&one, text, len);
        rc = bus_pos_parse(bus, buf_str(&one), &pos, err);
        if (rc == 0 && ret->n == BUS_PLACES_MAX)
            rc = err_set(err, ERR_INVALID, "more than %d positions", BUS_PLACES_MAX);
        if (rc == 0)
            bus_places_set(ret, ret->n, &pos);
        text += len + (text[len] == ',');
    }
    buf_release(&one);
    return rc;
}

int bus_places_assign(struct bus *bus, struct bus_reader *r, const char *topic,
                      const struct bus_places *places, struct err *err)
{
    int n = bus_partitions(bus, topic, err);
    int past = 0;

    /* A topic that is not there yet is read whole when it comes. */
    if (n == 0 && places->n == 0)
        return bus_reader_assign(r, topic, -1, &BUS_POS_OLDEST, err);
    if (n >= 0 && n < places->n)
        n = places->n;
    for (int32_t p = 0; p < n; p++) {
        struct bus_pos pos = bus_places_at(places, p);
        int rc = bus_reader_assign(r, topic, p, &pos, err);
        if (rc < 0)
            return rc;
        past = past || rc == 1;
    }
    return n < 0 ? n : past;
}

int bus_places_count_after(struct bus *bus, const char *topic, const struct bus_places *places,
                           uint64_t *ret, struct err *err)
{
    int n = bus_partitions(bus, topic, err);

    *ret = 0;
    for (int32_t p = 0; p < n; p++) {
        struct bus_pos pos = bus_places_at(places, p);
        uint64_t after;
        int rc = bus_count_after(bus, topic, p, &pos, &after, err);
        if (rc < 0)
            return rc;
        *ret += after;
    }
    return n < 0 ? n : 0;
}

int bus_places_at_end(struct bus *bus, const char *topic, const struct bus_places *places,
                      bool *ret, struct err *err)
{
    int n = bus_partitions(bus, topic, err);

    *ret = true;
    for (int32_t p = 0; p < n && *ret; p++) {
        struct bus_pos pos = bus_places_at(places, p);
        struct bus_msg last;
        uint64_t after;
        int rc = bus_count_after(bus, topic, p, &pos, &after, err);

        if (rc == 0 && after)
            rc = bus_last(bus, topic, p, &last, err);
        if (rc < 0 && rc != ERR_NOT_FOUND)
            return rc;
        *ret = !after || rc == ERR_NOT_FOUND || bus_pos_compare(bus, &last.pos, &pos) <= 0;
    }
    return n < 0 ? n : 0;
}

int bus_places_high(struct bus *bus, const char *topic, struct bus_places *ret, struct err *err)
{
    int n = bus_partitions(bus, topic, err);

    ret->n = 0;
    for (int32_t p = 0; p < n; p++) {
        struct bus_marks marks;
        int rc = bus_marks(bus, topic, p, &marks, err);
        if (rc < 0)
            return rc;
        bus_places_set(ret, p, &marks.high);
    }
    return n < 0 ? n : 0;
}

int bus_places_floor(struct bus *bus, const char *group, const char *topic, struct bus_places *ret,
                     struct err *err)
{
    int n = bus_partitions(bus, topic, err);
    bool is_any = false;

    ret->n = 0;
    for (int32_t p = 0; p < n; p++) {
        struct bus_pos pos = BUS_POS_OLDEST;
        int rc = bus_group_floor(bus, group, topic, p, &pos, err);
        if (rc < 0 && rc != ERR_NOT_FOUND)
            return rc;
        is_any = is_any || rc == 0;
        bus_places_set(ret, p, &pos);
    }
    if (n < 0)
        return n;
    return is_any ? 0 : err_set(err, ERR_NOT_FOUND, "topic %s has no group %s", topic, group);
}

int bus_places_trim(struct bus *bus, const char *topic, const struct bus_places *upto,
                    struct err *err)
{
    int rc = 0;

    for (int32_t p = 0; p < upto->n && rc == 0; p++)
        if (upto->pos[p].len)
            rc = bus_trim(bus, topic, p, &upto->pos[p], err);
    return rc;
}
