/*
 * Events to messages. Messages in flight are numbered; a ring keeps, for each, the place before it,
 * so that publishing can go back to one that failed.
 */
#include "simulator/publisher.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define FLUSH_MS 5000 /* waiting for the fates of what is in flight */
#define SCAN_MAX 1000 /* messages read at once when looking for a cursor */
#define SCAN_MS  1000

struct slot {
    struct cursor before; /* the place before the message */
    bool is_settled;      /* its fate is known */
};

struct publisher {
    struct trip_source *source;
    struct schedule *schedule;
    const char *topic[2]; /* by event_kind */

    struct slot *ring; /* of messages oldest..next - 1, by number modulo PUBLISHER_IN_FLIGHT */
    uint64_t oldest;
    uint64_t next;
    uint64_t n_delivered;

    struct err failure;          /* the first since the last sync; code 0: none */
    uint64_t first_failed;       /* the number of that message ... */
    struct cursor before_failed; /* ... and the place before it */
    bool has_hole;               /* a message behind it was delivered */

    /* What the bus had at the last sync, where it orders partitions alone. */
    struct cursor *last[2]; /* by event_kind and partition; number 0: nothing */
    int32_t n_partitions[2];
    struct cursor newest; /* of them; number 0: nothing is to be passed over */

    struct buf key;
    struct buf value;
    struct buf cursor;
};

struct publisher *publisher_new(struct trip_source *source, struct schedule *schedule,
                                const char *requests, const char *outcomes)
{
    struct publisher *p = mem_zalloc(1, sizeof(*p));

    p->source = source;
    p->schedule = schedule;
    p->topic[EVENT_REQUEST] = requests;
    p->topic[EVENT_OUTCOME] = outcomes;
    p->ring = mem_zalloc(PUBLISHER_IN_FLIGHT, sizeof(*p->ring));
    return p;
}

void publisher_free(struct publisher *p)
{
    if (!p)
        return;
    buf_release(&p->key);
    buf_release(&p->value);
    buf_release(&p->cursor);
    free(p->last[0]);
    free(p->last[1]);
    free(p->ring);
    free(p);
}

/* Fates */

static struct slot *slot_of(struct publisher *p, uint64_t number)
{
    return &p->ring[number % PUBLISHER_IN_FLIGHT];
}

void publisher_delivered(void *ctx, void *opaque, int result, const struct bus_pos *pos,
                         const struct err *err)
{
    struct publisher *p = ctx;
    uint64_t number = (uint64_t)(uintptr_t)opaque;
    struct slot *slot = slot_of(p, number);

    (void)pos;
    if (result >= 0) {
        p->n_delivered++;
        p->has_hole |= p->failure.code && number > p->first_failed;
    } else if (!p->failure.code) {
        if (err && err->code)
            p->failure = *err;
        else
            err_set(&p->failure, result, "publishing: %s", err_str(result));
        p->first_failed = number;
        p->before_failed = slot->before;
    }
    slot->is_settled = true;
    while (p->oldest < p->next && slot_of(p, p->oldest)->is_settled)
        p->oldest++;
}

bool publisher_has_room(const struct publisher *p)
{
    return p->next - p->oldest < PUBLISHER_IN_FLIGHT;
}

const struct err *publisher_failure(const struct publisher *p)
{
    return p->failure.code ? &p->failure : NULL;
}

uint64_t publisher_delivered_count(const struct publisher *p)
{
    return p->n_delivered;
}

/* Publishing */

static void write_event(struct publisher *p, const struct event *e, const struct cursor *place)
{
    buf_clear(&p->key);
    buf_clear(&p->value);
    buf_clear(&p->cursor);
    p->source->ops->write_key(p->source, e->trip.number, &p->key);
    cursor_write(place, p->source->identity, &p->cursor);
    if (e->kind == EVENT_REQUEST)
        p->source->ops->write_request(p->source, &e->trip, &p->value);
    else
        event_write_outcome(e, &p->value);
}

/* 1 when the bus has the event, 0 when it has not, or <0. */
static int is_there(struct publisher *p, struct bus *bus, const struct event *e, struct err *err)
{
    struct cursor place = schedule_place(p->schedule, e);

    if (!p->newest.number)
        return 0;
    if (cursor_compare(&place, &p->newest) > 0) {
        p->newest.number = 0; /* nothing behind it is there either */
        return 0;
    }
    buf_clear(&p->key);
    p->source->ops->write_key(p->source, e->trip.number, &p->key);
    int partition = bus_partition_of(bus, p->topic[e->kind], buf_str(&p->key), p->key.len, err);
    if (partition < 0 || partition >= p->n_partitions[e->kind])
        return partition < 0 ? partition : 0;
    return cursor_compare(&place, &p->last[e->kind][partition]) <= 0;
}

int publisher_publish(struct publisher *p, struct bus *bus, struct err *err)
{
    const struct event *e = schedule_peek(p->schedule);
    struct cursor place = schedule_place(p->schedule, e);

    /* A message behind one that was lost would make a hole that no cursor shows. */
    if (p->failure.code) {
        if (err)
            *err = p->failure;
        return p->failure.code;
    }

    int rc = is_there(p, bus, e, err);
    if (rc != 0) {
        if (rc > 0)
            schedule_pop(p->schedule);
        return rc < 0 ? rc : 0;
    }

    uint64_t number = p->next++;
    write_event(p, e, &place);
    *slot_of(p, number) = (struct slot){.before = *schedule_at(p->schedule)};

    struct bus_header header = {"cursor", p->cursor.data, p->cursor.len};
    struct bus_record rec = {
        .topic = p->topic[e->kind],
        .partition = -1,
        .key = p->key.data,
        .key_len = p->key.len,
        .value = p->value.data,
        .value_len = p->value.len,
        .headers = &header,
        .n_headers = 1,
        .opaque = (void *)(uintptr_t)number,
    };
    rc = bus_publish(bus, &rec, err);
    if (rc != 0) {
        /* It was not taken, so no callback tells of it: the number goes to the next. */
        p->next--;
        return rc;
    }
    schedule_pop(p->schedule);
    return 0;
}

/* Going on where it was */

/* The cursor that a message carries; false when it has none, as messages that are not ours. */
static bool message_cursor(const struct bus_msg *msg, struct cursor *ret,
                           char ret_identity[CURSOR_IDENTITY_MAX + 1])
{
    size_t len;
    const char *text = bus_msg_header(msg, "cursor", &len);

    return text && cursor_read(text, len, ret, ret_identity) == 0;
}

/* Reads a partition from its oldest message, keeping the last cursor. 1, 0 when there is none, or
 * <0. */
static int scan_cursor(struct bus *bus, const char *topic, int32_t partition, struct cursor *ret,
                       char ret_identity[CURSOR_IDENTITY_MAX + 1], struct err *err)
{
    const struct bus_msg *msg;
    struct bus_marks marks;
    bool is_found = false;
    bool is_over = false;
    int rc = bus_marks(bus, topic, partition, &marks, err);

    if (rc != 0)
        return rc;
    struct bus_reader *r = bus_reader_open(bus, err);
    if (!r)
        return err->code;
    rc = bus_reader_assign(r, topic, partition, &BUS_POS_OLDEST, err);
    while (rc >= 0 && !is_over) {
        rc = bus_poll(r, SCAN_MAX, SCAN_MS, &msg, err);
        for (int i = 0; i < rc; i++) {
            is_found |= message_cursor(&msg[i], ret, ret_identity);
            is_over |= bus_pos_compare(bus, &msg[i].pos, &marks.high) >= 0;
        }
        is_over |= rc == 0;
    }
    bus_reader_close(r);
    return rc < 0 ? rc : is_found;
}

/*
 * The cursor of the newest message of ours. 1; 0 with *ret_is_empty when the partition has no
 * message, 0 without it when it has only others'; or <0. Others may write to the topic too, a
 * hand-made message for example: only then the partition is read.
 */
static int last_cursor(struct bus *bus, const char *topic, int32_t partition, struct cursor *ret,
                       char ret_identity[CURSOR_IDENTITY_MAX + 1], bool *ret_is_empty,
                       struct err *err)
{
    struct bus_msg last;
    int rc = bus_last(bus, topic, partition, &last, err);

    *ret_is_empty = rc == ERR_NOT_FOUND;
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return rc;
    if (message_cursor(&last, ret, ret_identity))
        return 1;
    return scan_cursor(bus, topic, partition, ret, ret_identity, err);
}

/* Notes the last cursor of every partition of a topic. */
static int read_cursors(struct publisher *p, struct bus *bus, size_t kind, bool *is_empty,
                        struct err *err)
{
    const char *topic = p->topic[kind];
    int n = bus_partitions(bus, topic, err);

    if (n < 0)
        return n;
    p->n_partitions[kind] = n;
    p->last[kind] = mem_realloc(p->last[kind], (size_t)n + 1, sizeof(*p->last[kind]));
    for (int32_t i = 0; i < n; i++) {
        char identity[CURSOR_IDENTITY_MAX + 1];
        struct cursor *c = &p->last[kind][i];
        bool is_this_empty;

        *c = (struct cursor){.number = 0};
        int rc = last_cursor(bus, topic, i, c, identity, &is_this_empty, err);
        if (rc < 0)
            return rc;
        *is_empty &= is_this_empty;
        if (rc == 1 && strcmp(identity, p->source->identity) != 0)
            return err_set(
                err, ERR_REFUSED,
                "topic %s was filled by simulation %s, and this one is %s: start it with "
                "the options and the file it had, or start over with --fresh",
                topic, identity, p->source->identity);
    }
    return 0;
}

/*
 * Where to go on: behind the latest cursor of all, or, where only partitions are in order, behind
 * the earliest. Its number is 0 when that is the beginning.
 */
static int bus_cursor(struct publisher *p, struct bus *bus, struct cursor *ret, struct err *err)
{
    struct cursor newest = {0};
    const struct cursor *earliest = NULL;
    bool is_empty = true;

    for (size_t i = 0; i < 2; i++) {
        int rc = read_cursors(p, bus, i, &is_empty, err);
        if (rc < 0)
            return rc;
        for (int32_t k = 0; k < p->n_partitions[i]; k++) {
            const struct cursor *c = &p->last[i][k];
            if (!earliest || !c->number || (earliest->number && cursor_compare(c, earliest) < 0))
                earliest = c;
            if (c->number && cursor_compare(c, &newest) > 0)
                newest = *c;
        }
    }
    if (!is_empty && !newest.number)
        return err_set(
            err, ERR_REFUSED,
            "topics %s and %s hold messages that no simulator has written: it cannot tell "
            "where to go on; start over with --fresh",
            p->topic[EVENT_REQUEST], p->topic[EVENT_OUTCOME]);
    bool is_ordered = bus_can(bus, BUS_ORDERS);
    p->newest = is_ordered ? (struct cursor){0} : newest;
    *ret = is_ordered || !earliest ? newest : *earliest;
    return 0;
}

/* Passes over what the bus has, so that the pace begins with what it has not. */
static int pass_over(struct publisher *p, struct bus *bus, struct err *err)
{
    const struct event *e;
    int rc = 0;

    while ((e = schedule_peek(p->schedule)) && (rc = is_there(p, bus, e, err)) > 0)
        schedule_pop(p->schedule);
    return rc < 0 ? rc : 0;
}

int publisher_sync(struct publisher *p, struct bus *bus, struct err *err)
{
    struct cursor place;

    /* All fates must be known: one that came later would speak of a place before this one. */
    if (p->oldest < p->next) {
        int rc = bus_flush(bus, FLUSH_MS, err);
        if (p->oldest < p->next)
            return rc != 0 ? rc
                           : err_set_retriable(err, ERR_TIMEOUT,
                                               "messages in flight are still not answered");
    }

    int rc = bus_cursor(p, bus, &place, err);
    if (rc != 0)
        return rc;
    if (p->has_hole && cursor_compare(&p->before_failed, &place) < 0)
        place = p->before_failed;
    rc = schedule_seek(p->schedule, &place, err);
    if (rc == 0)
        rc = pass_over(p, bus, err);
    if (rc != 0)
        return rc;
    p->has_hole = false;
    p->failure = (struct err){0};
    return 0;
}
