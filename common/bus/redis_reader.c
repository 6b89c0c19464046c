#include "bus/redis_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* ---- Lists of ids ---- */

void redis_ids_add(struct redis_ids *ids, struct bus_id id)
{
    if (ids->n == ids->cap) {
        ids->cap = ids->cap ? ids->cap * 2 : 64;
        ids->ids = mem_realloc(ids->ids, ids->cap, sizeof(*ids->ids));
    }
    ids->ids[ids->n++] = id;
}

bool redis_ids_have(const struct redis_ids *ids, struct bus_id id)
{
    for (size_t i = 0; i < ids->n; i++)
        if (bus_id_compare(ids->ids[i], id) == 0)
            return true;
    return false;
}

/* ---- Entries ---- */

struct bus_id redis_entry_id(const redisReply *entry)
{
    struct bus_id id = {0, 0};

    if (entry && entry->elements && entry->element[0]->str)
        (void)!redis_id_parse(entry->element[0]->str, entry->element[0]->len, &id.ms, &id.seq);
    return id;
}

static bool is_header(const redisReply *name)
{
    return name->len >= 2 && name->str[0] == 'h' && name->str[1] == ':';
}

/* A second walk, since most messages have none. */
static void fill_headers(struct redis_conn *conn, const redisReply *fields, size_t n,
                         struct bus_msg *msg)
{
    struct bus_header *headers = redis_conn_alloc(conn, n * sizeof(*headers));

    msg->headers = headers;
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        const redisReply *name = fields->element[i], *value = fields->element[i + 1];
        if (is_header(name))
            headers[msg->n_headers++] = (struct bus_header){name->str + 2, value->str, value->len};
    }
}

bool redis_msg_fill(struct redis_conn *conn, const redisReply *entry, const char *topic,
                    struct bus_msg *msg)
{
    struct bus_id id = redis_entry_id(entry);
    size_t n_headers = 0;

    if (entry->elements < 2 || entry->element[1]->type != REDIS_REPLY_ARRAY)
        return false;
    *msg = (struct bus_msg){.topic = topic, .pos = bus_id_to_pos(id), .time_ms = bus_id_time(id)};

    const redisReply *fields = entry->element[1];
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        const redisReply *name = fields->element[i], *value = fields->element[i + 1];
        if (name->len == 3 && memcmp(name->str, "key", 3) == 0) {
            msg->key = value->str;
            msg->key_len = value->len;
        } else if (name->len == 5 && memcmp(name->str, "value", 5) == 0) {
            msg->value = value->str;
            msg->value_len = value->len;
        } else if (is_header(name)) {
            n_headers++;
        }
    }
    if (n_headers)
        fill_headers(conn, fields, n_headers, msg);
    return true;
}

/* ---- Readers ---- */

void redis_reader_init(struct redis_reader *r, struct redis_bus *bus)
{
    r->bus = bus;
    r->conn = redis_bus_conn(bus);
}

void redis_reader_release(struct redis_reader *r)
{
    for (size_t i = 0; i < r->n_streams; i++) {
        free(r->streams[i].topic);
        free(r->streams[i].handed.ids);
    }
    free(r->streams);
    free(r->msgs);
    redis_conn_free(r->conn);
}

struct redis_stream *redis_reader_find(const struct redis_reader *r, const char *topic)
{
    for (size_t i = 0; i < r->n_streams; i++)
        if (strcmp(r->streams[i].topic, topic) == 0)
            return &r->streams[i];
    return NULL;
}

struct redis_stream *redis_reader_add(struct redis_reader *r, const char *topic)
{
    r->streams = mem_realloc(r->streams, r->n_streams + 1, sizeof(*r->streams));
    struct redis_stream *s = &r->streams[r->n_streams++];
    *s = (struct redis_stream){.topic = mem_strdup(topic)};
    return s;
}

bool redis_reader_has_rest(const struct redis_reader *r)
{
    for (size_t i = 0; i < r->n_streams; i++)
        if (r->streams[i].entries)
            return true;
    return false;
}

void redis_reader_recycle(struct redis_reader *r)
{
    /* The first half of an answer whose second half is still to come lies there too. */
    if (!redis_reader_has_rest(r) && !(r->due && r->got))
        redis_conn_recycle(r->conn);
}

/* How often the entry was handed out before, by XPENDING's [id, member, idle ms, count]. */
static uint32_t deliveries_before(const redisReply *counts, const redisReply *entry)
{
    const char *id = redis_reply_text(entry->element[0]);

    for (size_t i = 0; counts && i < counts->elements; i++) {
        const redisReply *line = counts->element[i];
        if (line->elements < 4 || strcmp(redis_reply_text(line->element[0]), id) != 0)
            continue;
        int64_t count = redis_reply_int(line->element[3]);
        return count > 1 ? (uint32_t)(count - 1) : 0;
    }
    return 0;
}

static size_t hand_out_stream(struct redis_reader *r, struct redis_stream *s, size_t max, size_t n)
{
    size_t last = s->entries->elements - s->at > max ? s->at + max : s->entries->elements;

    if (n + (last - s->at) > r->cap) {
        r->cap = n + (last - s->at);
        r->msgs = mem_realloc(r->msgs, r->cap, sizeof(*r->msgs));
    }
    for (; s->at < last; s->at++) {
        const redisReply *entry = s->entries->element[s->at];
        struct bus_msg *msg = &r->msgs[n];

        if (!entry)
            continue;
        s->pos = redis_entry_id(entry);
        if (r->base.is_group)
            redis_ids_add(&s->handed, s->pos);
        if (!redis_msg_fill(r->conn, entry, s->topic, msg))
            continue;
        if (s->counts)
            msg->deliveries = deliveries_before(s->counts, entry);
        n++;
    }
    if (s->at == s->entries->elements)
        s->entries = NULL;
    return n;
}

size_t redis_reader_hand_out(struct redis_reader *r, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_streams; i++)
        if (r->streams[i].entries)
            n = hand_out_stream(r, &r->streams[i], max, n);
    return n;
}

int redis_reader_asked(struct redis_reader *r, size_t n, struct err *err)
{
    r->due = n;
    r->got = 0;
    r->asked_ms = clock_mono_ms();
    int rc = redis_conn_send(r->conn, err);
    if (rc)
        redis_reader_forget(r);
    return rc;
}

int redis_reader_take(struct redis_reader *r, int timeout_ms, struct err *err)
{
    int64_t deadline = timeout_ms > 0 && r->due > 1 ? clock_mono_ms() + timeout_ms : 0;

    while (r->due) {
        int64_t left = deadline ? deadline - clock_mono_ms() : timeout_ms;
        int rc = redis_conn_reply(r->conn, left > 0 ? (int)left : 0, &r->replies[r->got], err);
        if (rc == 0 && clock_mono_ms() - r->asked_ms > REDIS_BLOCK_MS + r->bus->timeout_ms) {
            redis_conn_drop(r->conn);
            rc = err_set_retriable(err, ERR_DISCONNECTED, "Redis has not answered a read for %d ms",
                                   r->bus->timeout_ms);
        }
        if (rc < 0)
            redis_reader_forget(r);
        if (rc <= 0)
            return rc;
        r->got++;
        r->due--;
    }
    return 1;
}

void redis_reader_accept(struct redis_reader *r, const redisReply *answer)
{
    for (size_t i = 0; answer && answer->type == REDIS_REPLY_ARRAY && i < answer->elements; i++) {
        const redisReply *pair = answer->element[i];
        if (pair->elements < 2 || pair->element[0]->len < r->bus->prefix_len)
            continue;
        struct redis_stream *s = redis_reader_find(r, pair->element[0]->str + r->bus->prefix_len);
        if (!s || !s->asked || !pair->element[1]->elements)
            continue;
        s->entries = pair->element[1];
        s->at = 0;
        s->counts = NULL;
    }
    for (size_t i = 0; i < r->n_streams; i++)
        r->streams[i].asked = false;
}

void redis_reader_forget(struct redis_reader *r)
{
    r->due = 0;
    r->got = 0;
    for (size_t i = 0; i < r->n_streams; i++)
        r->streams[i].asked = false;
}

/* ---- Slots ---- */

int redis_bus_poll(struct bus_reader *base, size_t max, int timeout_ms, const struct bus_msg **ret,
                   struct err *err)
{
    struct redis_reader *r = (struct redis_reader *)base;

    return base->is_group ? redis_group_poll(r, max, timeout_ms, ret, err)
                          : redis_read_poll(r, max, timeout_ms, ret, err);
}

void redis_bus_reader_close(struct bus_reader *base)
{
    struct redis_reader *r = (struct redis_reader *)base;

    if (base->is_group)
        redis_group_close(r);
    else
        redis_read_close(r);
}
