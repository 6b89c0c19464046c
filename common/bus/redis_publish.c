/*
 * Publishing to Redis Streams: XADDs are pipelined on a connection of their
 * own. Answers come in order, so what is in flight is a ring.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/redis_bus.h"

#define SEND_BYTES    ((size_t)64 << 10)
#define SEND_MESSAGES 128
#define RING          8192 /* messages in flight; a power of two */
#define FLIGHT_BYTES  ((size_t)16 << 20)
#define RECYCLE       256 /* answers between two recyclings of their memory */

struct flight {
    void *opaque;
    const char *topic; /* interned */
    uint64_t seq;      /* 0: the server numbers it */
    size_t bytes;
};

struct redis_publisher {
    struct redis_bus *bus;
    struct redis_conn *conn;
    struct flight *ring; /* RING of them */
    size_t head;         /* index of the oldest */
    size_t n;            /* how many are in flight */
    size_t bytes;        /* of all that are in flight */
    size_t unsent;       /* messages appended since the last send */
    int64_t progress_ms; /* when the last answer came, or the first of these was queued */
    size_t failed;       /* since the last flush */
    struct err first;    /* the first of those failures */
    char **topics;       /* interned names */
    size_t n_topics;
};

struct redis_publisher *redis_publisher_new(struct redis_bus *bus)
{
    struct redis_publisher *p = mem_zalloc(1, sizeof(*p));

    p->bus = bus;
    p->conn = redis_bus_conn(bus);
    p->ring = mem_zalloc(RING, sizeof(*p->ring));
    return p;
}

void redis_publisher_free(struct redis_publisher *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_topics; i++)
        free(p->topics[i]);
    free(p->topics);
    free(p->ring);
    redis_conn_free(p->conn);
    free(p);
}

/* Names in flight outlive the caller's record. A process publishes to a handful of topics. */
static const char *intern(struct redis_publisher *p, const char *topic)
{
    for (size_t i = 0; i < p->n_topics; i++)
        if (strcmp(p->topics[i], topic) == 0)
            return p->topics[i];
    p->topics = mem_realloc(p->topics, p->n_topics + 1, sizeof(*p->topics));
    p->topics[p->n_topics] = mem_strdup(topic);
    return p->topics[p->n_topics++];
}

/* ---- The fate of messages ---- */

static struct flight take_oldest(struct redis_publisher *p)
{
    struct flight f = p->ring[p->head];

    p->head = (p->head + 1) & (RING - 1);
    p->n--;
    p->bytes -= f.bytes;
    return f;
}

static void tell_failed(struct redis_publisher *p, const struct flight *f, const struct err *err)
{
    if (!p->failed++)
        p->first = *err;
    bus_tell_delivered(&p->bus->base, f->opaque, err->code, NULL, err);
}

static void tell_all_failed(struct redis_publisher *p, const struct err *why)
{
    p->unsent = 0;
    while (p->n) {
        struct flight f = take_oldest(p);
        tell_failed(p, &f, why);
    }
}

static void tell_answer(struct redis_publisher *p, const redisReply *reply)
{
    struct flight f = take_oldest(p);
    struct bus_id id;

    if (reply->type == REDIS_REPLY_STRING &&
        redis_id_parse(reply->str, reply->len, &id.ms, &id.seq)) {
        struct bus_pos pos = bus_id_to_pos(id);
        bus_tell_delivered(&p->bus->base, f.opaque, 0, &pos, NULL);
        return;
    }
    if (f.seq && reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "equal or smaller")) {
        struct bus_pos pos = bus_id_to_pos((struct bus_id){f.seq, 0});
        bus_tell_delivered(&p->bus->base, f.opaque, BUS_DUPLICATE, &pos, NULL);
        return;
    }
    struct err err = {0};
    char key[300];
    snprintf(key, sizeof(key), "%.200s%.90s", p->bus->prefix, f.topic);
    if (!redis_reply_error(reply, key, &err))
        err_set(&err, ERR_FATAL, "%s: Redis answers XADD with something that is no id", key);
    tell_failed(p, &f, &err);
}

/*
 * Sends what is queued and handles the answers that are there, waiting for the first at most
 * `timeout_ms`. <0 when the connection was lost; everything in flight has then been told.
 */
static int pump(struct redis_publisher *p, int timeout_ms, struct err *err)
{
    struct err why = {0};
    const redisReply *reply;
    size_t handled = 0;
    int rc = 0;

    p->unsent = 0;
    while (p->n) {
        rc = redis_conn_reply(p->conn, handled ? 0 : timeout_ms, &reply, &why);
        if (rc <= 0)
            break;
        tell_answer(p, reply);
        if (++handled % RECYCLE == 0)
            redis_conn_recycle(p->conn);
    }
    redis_conn_recycle(p->conn);

    int64_t now = clock_mono_ms();
    if (handled)
        p->progress_ms = now;
    if (rc == 0 && p->n && now - p->progress_ms > p->bus->timeout_ms) {
        rc = err_set_retriable(&why, ERR_DISCONNECTED, "Redis has not answered for %d ms",
                               p->bus->timeout_ms);
        redis_conn_drop(p->conn);
    }
    if (rc >= 0)
        return 0;
    tell_all_failed(p, &why);
    if (err)
        *err = why;
    return rc;
}

/* ---- Publishing ---- */

static size_t record_bytes(const struct bus_record *rec)
{
    size_t n = rec->key_len + rec->value_len;

    for (size_t i = 0; i < rec->n_headers; i++)
        n += strlen(rec->headers[i].name) + rec->headers[i].len;
    return n;
}

static void append_xadd(struct redis_publisher *p, const struct bus_record *rec)
{
    struct redis_conn *c = p->conn;
    size_t fields = (rec->key ? 1u : 0u) + (rec->value ? 1u : 0u) + rec->n_headers;

    redis_cmd(c, 3 + 2 * (fields ? fields : 1));
    redis_arg(c, "XADD", 4);
    redis_bus_arg_key(p->bus, c, rec->topic);
    if (rec->seq)
        redis_arg_id(c, rec->seq, 0);
    else
        redis_arg(c, "*", 1);
    if (rec->key) {
        redis_arg(c, "key", 3);
        redis_arg(c, rec->key, rec->key_len);
    }
    if (rec->value) {
        redis_arg(c, "value", 5);
        redis_arg(c, rec->value, rec->value_len);
    }
    for (size_t i = 0; i < rec->n_headers; i++) {
        const struct bus_header *h = &rec->headers[i];
        redis_arg_pair(c, "h:", 2, h->name, strlen(h->name));
        redis_arg(c, h->value, h->len);
    }
    if (!fields) {
        /* An entry needs a field; readers ignore this one. */
        redis_arg(c, "null", 4);
        redis_arg(c, "", 0);
    }
}

/* Waits until one more message of this size may be in flight. */
static int wait_for_room(struct redis_publisher *p, size_t bytes, struct err *err)
{
    int64_t deadline = clock_mono_ms() + p->bus->timeout_ms;

    while (p->n && (p->n == RING || p->bytes + bytes > FLIGHT_BYTES)) {
        int64_t left = deadline - clock_mono_ms();
        if (left <= 0)
            return err_set_retriable(err, ERR_TIMEOUT,
                                     "%zu messages are in flight and Redis does not keep up", p->n);
        int rc = pump(p, (int)left, err);
        if (rc)
            return rc;
    }
    return 0;
}

int redis_bus_publish(struct bus *base, const struct bus_record *rec, struct err *err)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    struct redis_publisher *p = bus->publisher;
    size_t bytes = record_bytes(rec);

    if (bytes > bus->max_message)
        return err_set(err, ERR_TOO_LARGE,
                       "%s: a message of %zu bytes is over max_message_bytes (%zu)", rec->topic,
                       bytes, bus->max_message);
    if (rec->seq >= BUS_ID_TIME_MIN)
        return err_set(err, ERR_INVALID, "%s: sequence number %llu is not below 1e11", rec->topic,
                       (unsigned long long)rec->seq);
    int rc = bus_partition_check(rec->partition, err);
    if (rc)
        return rc;
    rc = redis_conn_connect(p->conn, err);
    if (rc < 0)
        return rc;
    if (p->n == RING || p->bytes + bytes > FLIGHT_BYTES) {
        rc = wait_for_room(p, bytes, err);
        if (rc)
            return rc;
    }

    if (!p->n)
        p->progress_ms = clock_mono_ms();
    append_xadd(p, rec);
    p->ring[(p->head + p->n) & (RING - 1)] =
        (struct flight){rec->opaque, intern(p, rec->topic), rec->seq, bytes};
    p->n++;
    p->bytes += bytes;

    /* The message is queued now: its fate, a lost connection too, is told to the callback alone. */
    if (++p->unsent >= SEND_MESSAGES || redis_conn_queued(p->conn) >= SEND_BYTES)
        (void)!pump(p, 0, NULL);
    return 0;
}

int redis_bus_poll_deliveries(struct bus *base, int timeout_ms, struct err *err)
{
    struct redis_publisher *p = ((struct redis_bus *)base)->publisher;
    int rc = p->n ? pump(p, timeout_ms, err) : 0;

    return rc ? rc : (int)p->n;
}

int redis_bus_flush(struct bus *base, int timeout_ms, struct err *err)
{
    struct redis_publisher *p = ((struct redis_bus *)base)->publisher;
    int64_t deadline = 0;

    while (p->n) {
        int64_t now = clock_mono_ms();
        if (!deadline)
            deadline = now + timeout_ms;
        /* The answers that are there are handled once even when no time is left. */
        if (pump(p, now < deadline ? (int)(deadline - now) : 0, NULL))
            break;
        if (p->n && clock_mono_ms() >= deadline)
            return err_set_retriable(
                err, ERR_TIMEOUT, "%zu messages are still in flight after %d ms", p->n, timeout_ms);
    }
    if (!p->failed)
        return 0;
    struct err first = p->first;
    size_t failed = p->failed;
    p->failed = 0;
    if (err) {
        *err = first;
        err_prefix(err, "%zu messages were not delivered", failed);
    }
    return first.code;
}
