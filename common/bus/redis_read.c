/*
 * Positioned reading: XREAD over all topics that are assigned and not paused.
 *
 * The next XREAD goes out before a batch is returned, so its answer travels while the caller works.
 * Each carries an HMGET of what bus_trim() removed. An answer's first entry lies after everything
 * that was removed before the XREAD ran, and not after what is removed later: so entries between
 * the position and the first one are lost exactly when the removed id lies between the two.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/redis_reader.h"

struct bus_reader *redis_read_open(struct bus *bus, struct err *err)
{
    struct redis_reader *r = mem_zalloc(1, sizeof(*r));

    (void)err;
    redis_reader_init(r, (struct redis_bus *)bus);
    return &r->base;
}

void redis_read_close(struct redis_reader *r)
{
    redis_reader_release(r);
    free(r);
}

/* ---- Asking ---- */

static bool wanted(const struct redis_stream *s)
{
    return !s->paused && !s->trimmed;
}

/* Sends an XREAD for the wanted topics; with none of them it sends nothing. */
static int ask(struct redis_reader *r, size_t max, struct err *err)
{
    struct redis_conn *c = r->conn;
    size_t n = 0;

    for (size_t i = 0; i < r->n_streams; i++) {
        r->streams[i].asked = wanted(&r->streams[i]);
        n += r->streams[i].asked;
    }
    if (!n)
        return 0;

    redis_cmd(c, 6 + 2 * n);
    redis_arg_text(c, "XREAD");
    redis_arg_text(c, "COUNT");
    redis_arg_uint(c, max);
    redis_arg_text(c, "BLOCK");
    redis_arg_uint(c, REDIS_BLOCK_MS);
    redis_arg_text(c, "STREAMS");
    for (size_t i = 0; i < r->n_streams; i++)
        if (r->streams[i].asked)
            redis_bus_arg_key(r->bus, c, r->streams[i].topic);
    for (size_t i = 0; i < r->n_streams; i++)
        if (r->streams[i].asked)
            redis_arg_id(c, r->streams[i].pos.ms, r->streams[i].pos.seq);

    /* All topics: which of them are wanted may change before the answer is looked at. */
    redis_cmd(c, 2 + r->n_streams);
    redis_arg_text(c, "HMGET");
    redis_arg_text(c, r->bus->trimmed_key);
    for (size_t i = 0; i < r->n_streams; i++)
        redis_arg_text(c, r->streams[i].topic);
    return redis_reader_asked(r, 2, err);
}

static bool parse_id(const redisReply *r, struct bus_id *ret)
{
    return r && r->str && redis_id_parse(r->str, r->len, &ret->ms, &ret->seq);
}

static void check_trimmed(struct redis_reader *r, const redisReply *removed)
{
    for (size_t i = 0; i < removed->elements && i < r->n_streams; i++) {
        struct redis_stream *s = &r->streams[i];
        struct bus_id last;

        if (!s->entries || bus_id_is_zero(s->pos) || !parse_id(removed->element[i], &last))
            continue;
        struct bus_id first = redis_entry_id(s->entries->element[0]);
        if (bus_id_compare(s->pos, last) < 0 && bus_id_compare(last, first) < 0) {
            s->trimmed = true;
            s->entries = NULL;
        }
    }
}

/* Looks at a whole answer. */
static int accept_answer(struct redis_reader *r, struct err *err)
{
    for (size_t i = 0; i < r->got; i++) {
        int rc = redis_reply_error(r->replies[i], "reading", err);
        if (rc) {
            redis_reader_forget(r);
            return rc;
        }
    }
    redis_reader_accept(r, r->replies[0]);
    check_trimmed(r, r->replies[1]);
    return 0;
}

static int trimmed_error(const struct redis_reader *r, struct err *err)
{
    for (size_t i = 0; i < r->n_streams; i++) {
        const struct redis_stream *s = &r->streams[i];
        if (s->trimmed)
            return err_set(
                err, ERR_TRIMMED,
                "%s: entries after position %llu-%llu were trimmed before they were read", s->topic,
                (unsigned long long)s->pos.ms, (unsigned long long)s->pos.seq);
    }
    return 0;
}

int redis_read_poll(struct redis_reader *r, size_t max, int timeout_ms, const struct bus_msg **ret,
                    struct err *err)
{
    int64_t deadline = 0;

    redis_reader_recycle(r);
    for (;;) {
        int rc = trimmed_error(r, err);
        if (rc)
            return rc;
        size_t n = redis_reader_hand_out(r, max);
        if (n) {
            /* A connection that fails here is found lost by the next call. */
            if (!redis_reader_has_rest(r) && !r->due)
                (void)!ask(r, max, NULL);
            *ret = r->msgs;
            return (int)n;
        }
        rc = redis_conn_connect(r->conn, err);
        if (rc < 0)
            return rc;
        if (!r->due && (rc = ask(r, max, err)))
            return rc;

        int64_t now = timeout_ms > 0 ? clock_mono_ms() : 0;
        if (!deadline)
            deadline = now + timeout_ms;
        int left = deadline > now ? (int)(deadline - now) : 0;
        if (!r->due) {
            clock_sleep_ms(left); /* every topic is paused */
            return 0;
        }
        rc = redis_reader_take(r, left, err);
        if (rc <= 0)
            return rc;
        rc = accept_answer(r, err);
        if (rc)
            return rc;
        if (timeout_ms <= 0 && !redis_reader_has_rest(r))
            return 0;
    }
}

/* ---- Assigning ---- */

/* Waits for the request under way, so that the connection is free for another; keeps what it
 * brings. */
static int drain(struct redis_reader *r, struct err *err)
{
    while (r->due) {
        int rc = redis_reader_take(r, REDIS_BLOCK_MS, err);
        if (rc < 0)
            return rc;
        if (rc > 0)
            return accept_answer(r, err);
    }
    return 0;
}

struct tail {
    struct bus_id last;    /* the stream's newest id; 0-0 when there is no stream */
    struct bus_id removed; /* the newest that bus_trim() removed; 0-0: none */
};

static int ask_tail(struct redis_reader *r, const char *topic, struct tail *ret, struct err *err)
{
    const redisReply *info, *removed;
    char key[600];

    snprintf(key, sizeof(key), "%.300s%.250s", r->bus->prefix, topic);
    redis_cmd(r->conn, 3);
    redis_arg_text(r->conn, "XINFO");
    redis_arg_text(r->conn, "STREAM");
    redis_bus_arg_key(r->bus, r->conn, topic);
    redis_cmd_texts(r->conn, "HGET", r->bus->trimmed_key, topic, NULL);

    struct err first = {0};
    int rc = redis_conn_call(r->conn, key, &info, &first);
    bool up = redis_conn_is_up(r->conn);
    bool missing = up && redis_reply_is_error(info, "ERR no such key");
    if (up) {
        int second = redis_conn_call(r->conn, r->bus->trimmed_key, &removed, err);
        if (second)
            return second;
    }
    if (rc && !missing) {
        if (err)
            *err = first;
        return rc;
    }
    *ret = (struct tail){0};
    if (!missing)
        parse_id(redis_reply_get(info, "last-generated-id"), &ret->last);
    parse_id(removed, &ret->removed);
    return 0;
}

int redis_read_assign(struct bus_reader *base, const char *topic, int32_t partition,
                      const struct bus_pos *after, struct err *err)
{
    struct redis_reader *r = (struct redis_reader *)base;
    struct bus_id pos = {0, 0};
    struct tail tail;
    int past_the_tail = 0;

    int rc = bus_partition_check(partition, err);
    if (!rc && after->len != BUS_POS_NEWEST_LEN)
        rc = bus_id_from_pos(after, &pos, err);
    if (rc)
        return rc;
    rc = redis_conn_connect(r->conn, err);
    if (rc < 0)
        return rc;
    rc = drain(r, err);
    if (!rc)
        rc = ask_tail(r, topic, &tail, err);
    if (rc)
        return rc;

    if (after->len == BUS_POS_NEWEST_LEN) {
        pos = tail.last;
    } else if (bus_id_compare(pos, tail.last) > 0) {
        pos = tail.last;
        past_the_tail = 1;
    } else if (!bus_id_is_zero(pos) && bus_id_compare(pos, tail.removed) < 0) {
        return err_set(err, ERR_TRIMMED, "%s: entries after position %llu-%llu were trimmed", topic,
                       (unsigned long long)pos.ms, (unsigned long long)pos.seq);
    }

    struct redis_stream *s = redis_reader_find(r, topic);
    if (!s)
        s = redis_reader_add(r, topic);
    s->pos = pos;
    s->entries = NULL;
    s->asked = false;
    s->trimmed = false;
    return past_the_tail;
}

int redis_read_pause(struct bus_reader *base, const char *topic, bool paused, struct err *err)
{
    struct redis_reader *r = (struct redis_reader *)base;
    struct redis_stream *s = redis_reader_find(r, topic);

    if (!s)
        return err_set(err, ERR_INVALID, "%s is not assigned to this reader", topic);
    /* What was not handed out is asked for again after the pause. */
    s->paused = paused;
    s->entries = NULL;
    s->asked = false;
    return 0;
}
