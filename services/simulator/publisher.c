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

#define OUTCOME_HEAD "{\"drop_off_datetime\":\""

static void write_event(struct publisher *p, const struct event *e, const struct cursor *place)
{
    char at[CLOCK_TEXT_LEN + 1];

    buf_clear(&p->key);
    buf_clear(&p->value);
    buf_clear(&p->cursor);
    p->source->ops->write_key(p->source, e->trip.number, &p->key);
    cursor_write(place, p->source->identity, &p->cursor);
    if (e->kind == EVENT_REQUEST) {
        p->source->ops->write_request(p->source, &e->trip, &p->value);
        return;
    }
    clock_format(e->trip.dropoff_ms, at);
    buf_append(&p->value, OUTCOME_HEAD, sizeof(OUTCOME_HEAD) - 1);
    buf_append(&p->value, at, CLOCK_TEXT_LEN);
    buf_append(&p->value, "\"}", 2);
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
    int rc = bus_publish(bus, &rec, err);
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

/* Reads a topic from its oldest message, keeping the last cursor. 1, 0 when there is none, or <0.
 */
static int scan_cursor(struct bus *bus, const char *topic, struct cursor *ret,
                       char ret_identity[CURSOR_IDENTITY_MAX + 1], struct err *err)
{
    const struct bus_msg *msg;
    struct bus_marks marks;
    bool is_found = false;
    bool is_over = false;
    int rc = bus_marks(bus, topic, 0, &marks, err);

    if (rc != 0)
        return rc;
    struct bus_reader *r = bus_reader_open(bus, err);
    if (!r)
        return err->code;
    rc = bus_reader_assign(r, topic, 0, &BUS_POS_OLDEST, err);
    while (rc >= 0 && !is_over) {
        rc = bus_poll(r, SCAN_MAX, 0, &msg, err);
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
 * The cursor of the newest message of ours. 1; 0 with *ret_is_empty when the topic has no message,
 * 0 without it when it has only others'; or <0. Others may write to the topic too, a hand-made
 * message for example: only then the topic is read.
 */
static int topic_cursor(struct bus *bus, const char *topic, struct cursor *ret,
                        char ret_identity[CURSOR_IDENTITY_MAX + 1], bool *ret_is_empty,
                        struct err *err)
{
    struct bus_msg last;
    int rc = bus_last(bus, topic, 0, &last, err);

    *ret_is_empty = rc == ERR_NOT_FOUND;
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return rc;
    if (message_cursor(&last, ret, ret_identity))
        return 1;
    return scan_cursor(bus, topic, ret, ret_identity, err);
}

/* The later cursor of the two topics; its number is 0 when both are empty. */
static int bus_cursor(struct publisher *p, struct bus *bus, struct cursor *ret, struct err *err)
{
    struct cursor newest = {0};
    bool is_empty = true;

    for (size_t i = 0; i < 2; i++) {
        char identity[CURSOR_IDENTITY_MAX + 1];
        struct cursor c;
        bool is_this_empty;
        int rc = topic_cursor(bus, p->topic[i], &c, identity, &is_this_empty, err);
        if (rc < 0)
            return rc;
        is_empty &= is_this_empty;
        if (rc == 0)
            continue;
        if (strcmp(identity, p->source->identity) != 0)
            return err_set(
                err, ERR_REFUSED,
                "topic %s was filled by simulation %s, and this one is %s: start it with "
                "the options and the file it had, or start over with --fresh",
                p->topic[i], identity, p->source->identity);
        if (cursor_compare(&c, &newest) > 0)
            newest = c;
    }
    if (!is_empty && !newest.number)
        return err_set(
            err, ERR_REFUSED,
            "topics %s and %s hold messages that no simulator has written: it cannot tell "
            "where to go on; start over with --fresh",
            p->topic[EVENT_REQUEST], p->topic[EVENT_OUTCOME]);
    *ret = newest;
    return 0;
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
    if (rc != 0)
        return rc;
    p->has_hole = false;
    p->failure = (struct err){0};
    return 0;
}
