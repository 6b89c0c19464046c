/*
 * Publishing to Redis Streams. Messages are pipelined on a connection of their
 * own; answers come in order, so what is in flight is a ring.
 *
 * Messages without a number are single XADDs. Numbered ones go in batches, one
 * script a topic and sending: it appends what lies above the stream's last
 * number, and refuses the whole batch when a message that was queued before it is not in the
 * stream. Without that, a server that refuses some writes of a pipeline (out of memory, a full
 * disk) and takes later ones would leave a hole that nobody could fill, since numbers only grow. A
 * writer that goes back to an earlier number starts a new chain.
 */
#include <inttypes.h>
#include <stdio.h>
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

struct pub_topic;

struct flight {
    void *opaque;
    const struct pub_topic *topic;
    uint64_t seq;  /* 0: the server numbers it */
    size_t bytes;  /* of key, value and headers */
    size_t covers; /* how many flights the next answer is for: 1, or those of a batch */
};

/* A topic that was published to, and the batch of numbered messages that is not sent yet. */
struct pub_topic {
    char *name;
    uint64_t last_seq; /* of the last numbered message that was queued; 0: none */
    uint64_t prev;     /* what the stream must hold before the batch; 0: whatever it holds */
    struct buf args;
    size_t n_args;
    struct flight *flights;
    size_t n;
    size_t cap;
};

struct redis_publisher {
    struct redis_bus *bus;
    struct redis_conn *conn;
    struct flight *ring; /* RING of them: sent or in the output buffer */
    size_t head;         /* index of the oldest */
    size_t n;            /* how many are in the ring */
    size_t n_batched;    /* how many are in the topics' batches */
    size_t bytes;        /* of all of these */
    size_t unsent;       /* messages since the last sending, and their bytes */
    size_t unsent_bytes;
    int64_t progress_ms; /* when the last answer came, or the first of these was queued */
    bool lost;           /* the connection was lost and no call has returned that yet */
    size_t failed;       /* since the last flush */
    struct err first;    /* the first of those failures */
    struct pub_topic **topics;
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
    for (size_t i = 0; i < p->n_topics; i++) {
        struct pub_topic *t = p->topics[i];
        free(t->name);
        free(t->flights);
        buf_release(&t->args);
        free(t);
    }
    free(p->topics);
    free(p->ring);
    redis_conn_free(p->conn);
    free(p);
}

/* A process publishes to a handful of topics. */
static struct pub_topic *find_topic(struct redis_publisher *p, const char *name)
{
    for (size_t i = 0; i < p->n_topics; i++)
        if (strcmp(p->topics[i]->name, name) == 0)
            return p->topics[i];

    struct pub_topic *t = mem_zalloc(1, sizeof(*t));
    t->name = mem_strdup(name);
    p->topics = mem_realloc(p->topics, p->n_topics + 1, sizeof(struct pub_topic *));
    p->topics[p->n_topics++] = t;
    return t;
}

static size_t in_flight(const struct redis_publisher *p)
{
    return p->n + p->n_batched;
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

static void clear_batch(struct redis_publisher *p, struct pub_topic *t)
{
    p->n_batched -= t->n;
    t->n = 0;
    t->n_args = 0;
    buf_clear(&t->args);
}

static void tell_all_failed(struct redis_publisher *p, const struct err *why)
{
    p->unsent = 0;
    p->unsent_bytes = 0;
    while (p->n) {
        struct flight f = take_oldest(p);
        tell_failed(p, &f, why);
    }
    for (size_t i = 0; i < p->n_topics; i++) {
        struct pub_topic *t = p->topics[i];
        for (size_t k = 0; k < t->n; k++) {
            p->bytes -= t->flights[k].bytes;
            tell_failed(p, &t->flights[k], why);
        }
        clear_batch(p, t);
    }
}

/* What an answer that is no success means for the messages it is for. */
static void answer_error(const struct redis_publisher *p, const redisReply *reply,
                         const struct flight *f, struct err *err)
{
    char key[600];

    snprintf(key, sizeof(key), "%.300s%.250s", p->bus->prefix, f->topic->name);
    if (redis_reply_is_error(reply, "GAP"))
        err_set_retriable(err, ERR_CONFLICT,
                          "%s: message %" PRIu64 " was not appended, because one that was queued "
                          "before it was not either",
                          key, f->seq);
    else if (redis_reply_is_error(reply, "UNNUMBERED"))
        err_set(err, ERR_REFUSED,
                "%s holds messages that its one writer has not numbered: something else publishes "
                "there",
                key);
    else if (!redis_reply_error(reply, key, err))
        err_set(err, ERR_FATAL, "%s: Redis answers oddly to a message", key);
}

/* The answer to a batch: the stream's last number before it. */
static void tell_batch(struct redis_publisher *p, const redisReply *reply)
{
    bool ok = reply->type == REDIS_REPLY_INTEGER;
    uint64_t last = ok ? (uint64_t)reply->integer : 0;

    for (size_t n = p->ring[p->head].covers; n; n--) {
        struct flight f = take_oldest(p);
        if (!ok) {
            struct err err = {0};
            answer_error(p, reply, &f, &err);
            tell_failed(p, &f, &err);
            continue;
        }
        struct bus_pos pos = bus_id_to_pos((struct bus_id){f.seq, 0});
        bus_tell_delivered(&p->bus->base, f.opaque, f.seq > last ? 0 : BUS_DUPLICATE, &pos, NULL);
    }
}

static void tell_answer(struct redis_publisher *p, const redisReply *reply)
{
    struct bus_id id;

    if (p->ring[p->head].seq) {
        tell_batch(p, reply);
        return;
    }
    struct flight f = take_oldest(p);
    if (reply->type == REDIS_REPLY_STRING &&
        redis_id_parse(reply->str, reply->len, &id.ms, &id.seq)) {
        struct bus_pos pos = bus_id_to_pos(id);
        bus_tell_delivered(&p->bus->base, f.opaque, 0, &pos, NULL);
        return;
    }
    struct err err = {0};
    answer_error(p, reply, &f, &err);
    tell_failed(p, &f, &err);
}

/* ---- Sending ---- */

/* KEYS: the stream. ARGV: what it must hold before; then, for each message, number, count of
 * fields, the fields. */
static const char batch_script[] =
    "local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)\n"
    "local last = newest[1] and tonumber(string.match(newest[1][1], '^%d+')) or 0\n"
    "if last >= 1e11 then return redis.error_reply('UNNUMBERED') end\n"
    "if last < tonumber(ARGV[1]) then return redis.error_reply('GAP after ' .. last) end\n"
    "local at = 2\n"
    "while at <= #ARGV do\n"
    "  local n = tonumber(ARGV[at + 1])\n"
    "  if tonumber(ARGV[at]) > last then\n"
    "    redis.call('XADD', KEYS[1], ARGV[at] .. '-0', unpack(ARGV, at + 2, at + 1 + n))\n"
    "  end\n"
    "  at = at + 2 + n\n"
    "end\n"
    "return last";

static void push(struct redis_publisher *p, const struct flight *f)
{
    p->ring[(p->head + p->n) & (RING - 1)] = *f;
    p->n++;
}

/* Moves the topic's batch to the output buffer and the ring. */
static void append_batch(struct redis_publisher *p, struct pub_topic *t)
{
    if (!t->n)
        return;
    redis_cmd(p->conn, 5 + t->n_args);
    redis_arg(p->conn, "EVAL", 4);
    redis_arg(p->conn, batch_script, sizeof(batch_script) - 1);
    redis_arg(p->conn, "1", 1);
    redis_bus_arg_key(p->bus, p->conn, t->name);
    redis_arg_uint(p->conn, t->prev);
    redis_args(p->conn, &t->args);
    t->flights[0].covers = t->n;
    for (size_t i = 0; i < t->n; i++)
        push(p, &t->flights[i]);
    clear_batch(p, t);
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

    for (size_t i = 0; i < p->n_topics && p->n_batched; i++)
        append_batch(p, p->topics[i]);
    p->unsent = 0;
    p->unsent_bytes = 0;
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

/* How many arguments the message's fields are: a name and a value each. */
static size_t count_fields(const struct bus_record *rec)
{
    size_t n = (rec->key ? 1u : 0u) + (rec->value ? 1u : 0u) + rec->n_headers;

    return 2 * (n ? n : 1);
}

static void encode_field(struct buf *out, const char *name, size_t name_len, const void *value,
                         size_t len)
{
    redis_encode_pair(out, name, name_len, NULL, 0);
    redis_encode_pair(out, value, len, NULL, 0);
}

static void encode_fields(struct buf *out, const struct bus_record *rec)
{
    if (rec->key)
        encode_field(out, "key", 3, rec->key, rec->key_len);
    if (rec->value)
        encode_field(out, "value", 5, rec->value, rec->value_len);
    for (size_t i = 0; i < rec->n_headers; i++) {
        const struct bus_header *h = &rec->headers[i];
        redis_encode_pair(out, "h:", 2, h->name, strlen(h->name));
        redis_encode_pair(out, h->value, h->len, NULL, 0);
    }
    /* An entry needs a field; readers ignore this one. */
    if (!rec->key && !rec->value && !rec->n_headers)
        encode_field(out, "null", 4, "", 0);
}

static void queue_plain(struct redis_publisher *p, const struct bus_record *rec,
                        const struct flight *f)
{
    redis_cmd(p->conn, 3 + count_fields(rec));
    redis_arg(p->conn, "XADD", 4);
    redis_bus_arg_key(p->bus, p->conn, rec->topic);
    redis_arg(p->conn, "*", 1);
    encode_fields(redis_conn_out(p->conn), rec);
    push(p, f);
}

static void queue_numbered(struct redis_publisher *p, struct pub_topic *t,
                           const struct bus_record *rec, const struct flight *f)
{
    bool goes_on = rec->seq > t->last_seq;

    if (!goes_on)
        append_batch(p, t);
    if (!t->n)
        t->prev = goes_on ? t->last_seq : 0;
    t->last_seq = rec->seq;
    redis_encode_uint(&t->args, rec->seq);
    redis_encode_uint(&t->args, count_fields(rec));
    encode_fields(&t->args, rec);
    t->n_args += 2 + count_fields(rec);
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : SEND_MESSAGES;
        t->flights = mem_realloc(t->flights, t->cap, sizeof(*t->flights));
    }
    t->flights[t->n++] = *f;
    p->n_batched++;
}

static bool is_full(const struct redis_publisher *p, size_t bytes)
{
    return in_flight(p) == RING || (in_flight(p) && p->bytes + bytes > FLIGHT_BYTES);
}

/* Waits until one more message of this size may be in flight. */
static int wait_for_room(struct redis_publisher *p, size_t bytes, struct err *err)
{
    int64_t deadline = clock_mono_ms() + p->bus->timeout_ms;

    while (is_full(p, bytes)) {
        int64_t left = deadline - clock_mono_ms();
        if (left <= 0)
            return err_set_retriable(err, ERR_TIMEOUT,
                                     "%zu messages are in flight and Redis does not keep up",
                                     in_flight(p));
        int rc = pump(p, (int)left, err);
        if (rc)
            return rc;
    }
    return 0;
}

static int check_record(const struct redis_bus *bus, const struct bus_record *rec, size_t bytes,
                        struct err *err)
{
    if (bytes > bus->max_message)
        return err_set(err, ERR_TOO_LARGE,
                       "%s: a message of %zu bytes is over max_message_bytes (%zu)", rec->topic,
                       bytes, bus->max_message);
    if (rec->seq >= BUS_ID_TIME_MIN)
        return err_set(err, ERR_INVALID, "%s: sequence number %" PRIu64 " is not below 1e11",
                       rec->topic, rec->seq);
    return bus_partition_check(rec->partition, err);
}

/* The caller must know before anything else is sent: it may have to go back first. */
static int tell_lost(struct redis_publisher *p, struct err *err)
{
    p->lost = false;
    return err_set_retriable(err, ERR_DISCONNECTED, "messages in flight were lost: %s",
                             p->first.text);
}

int redis_bus_publish(struct bus *base, const struct bus_record *rec, struct err *err)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    struct redis_publisher *p = bus->publisher;
    size_t bytes = record_bytes(rec);
    struct err why;

    int rc = check_record(bus, rec, bytes, err);
    if (rc)
        return rc;
    if (p->lost)
        return tell_lost(p, err);
    rc = redis_conn_connect(p->conn, err);
    if (rc < 0)
        return rc;
    if (is_full(p, bytes)) {
        rc = wait_for_room(p, bytes, &why);
        if (rc && err)
            *err = why;
        if (rc)
            return rc;
    }

    if (!in_flight(p))
        p->progress_ms = clock_mono_ms();
    struct pub_topic *t = find_topic(p, rec->topic);
    struct flight f = {rec->opaque, t, rec->seq, bytes, 1};
    if (rec->seq)
        queue_numbered(p, t, rec, &f);
    else
        queue_plain(p, rec, &f);
    p->bytes += bytes;
    p->unsent_bytes += bytes;

    /* The message is queued now: its fate, a lost connection too, is told to the callback. */
    if (++p->unsent >= SEND_MESSAGES || p->unsent_bytes >= SEND_BYTES)
        p->lost = pump(p, 0, &why) < 0;
    return 0;
}

int redis_bus_poll_deliveries(struct bus *base, int timeout_ms, struct err *err)
{
    struct redis_publisher *p = ((struct redis_bus *)base)->publisher;
    struct err why;

    if (p->lost)
        return tell_lost(p, err);
    int rc = in_flight(p) ? pump(p, timeout_ms, &why) : 0;
    if (rc && err)
        *err = why;
    return rc ? rc : (int)in_flight(p);
}

int redis_bus_flush(struct bus *base, int timeout_ms, struct err *err)
{
    struct redis_publisher *p = ((struct redis_bus *)base)->publisher;
    int64_t deadline = 0;
    struct err why;

    p->lost = false; /* it is among the failures */
    while (in_flight(p)) {
        int64_t now = clock_mono_ms();
        if (!deadline)
            deadline = now + timeout_ms;
        /* The answers that are there are handled once even when no time is left. */
        if (pump(p, now < deadline ? (int)(deadline - now) : 0, &why))
            break;
        if (in_flight(p) && clock_mono_ms() >= deadline)
            return err_set_retriable(err, ERR_TIMEOUT,
                                     "%zu messages are still in flight after %d ms", in_flight(p),
                                     timeout_ms);
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
