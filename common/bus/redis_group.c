/*
 * Group members on Redis: XREADGROUP, XACK, XAUTOCLAIM.
 *
 * After each connect a member first reads its own pending entries, from the start; then new ones,
 * and every few seconds it claims those that others have left. Only the request for new ones is
 * sent ahead; the other two are rare and are waited for. Acknowledgements go over a connection of
 * their own, where no blocked read holds them up, and nobody waits for their answers: an error
 * shows at the next commit.
 *
 * When either connection is lost both are dropped, and the member forgets what it handed out: all
 * of it that is not acknowledged comes again as its own pending entries.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/redis_reader.h"

#define CLAIM_IDLE_MS  30000
#define CLAIM_EVERY_MS 5000
#define ACKS_MAX       64   /* acknowledgements under way before a commit waits for answers */
#define CLOSE_MS       1000 /* how long closing waits for acknowledgements */
#define CREATE_TRIES   3

struct redis_member {
    struct redis_reader r;
    struct redis_conn *acks;
    char *group;
    char *member;
    bus_group_fn event; /* may be NULL */
    void *ctx;
    bool joined; /* BUS_ASSIGNED has been told */
    int claim_idle_ms;
    int claim_every_ms;
    int64_t claim_at_ms; /* when to claim next */
    size_t acks_due;     /* answers to XACK that are still to come */
    uint64_t acked;      /* entries that the answers so far had acknowledged ... */
    uint64_t sent;       /* ... of so many that were sent */
};

struct bus_reader *redis_group_join(struct bus *bus, const char *group, const char *member,
                                    const char *const *topics, size_t n_topics, int claim_idle_ms,
                                    bus_group_fn event, void *ctx, struct err *err)
{
    struct redis_member *m = mem_zalloc(1, sizeof(*m));

    (void)err;
    redis_reader_init(&m->r, (struct redis_bus *)bus);
    m->acks = redis_bus_conn(m->r.bus);
    m->group = mem_strdup(group);
    m->member = mem_strdup(member);
    m->event = event;
    m->ctx = ctx;
    m->claim_idle_ms = claim_idle_ms > 0 ? claim_idle_ms : CLAIM_IDLE_MS;
    m->claim_every_ms =
        m->claim_idle_ms / 2 < CLAIM_EVERY_MS ? m->claim_idle_ms / 2 : CLAIM_EVERY_MS;
    for (size_t i = 0; i < n_topics; i++)
        redis_reader_add(&m->r, topics[i]);
    return &m->r.base;
}

static void lose(struct redis_member *m)
{
    redis_reader_forget(&m->r);
    redis_conn_drop(m->r.conn);
    redis_conn_drop(m->acks);
    m->acks_due = 0;
    m->acked = 0;
    m->sent = 0;
}

/* ---- Connecting ---- */

static int create_groups(struct redis_member *m, struct err *err)
{
    struct redis_reader *r = &m->r;
    const redisReply *reply;

    for (size_t i = 0; i < r->n_streams; i++) {
        char key[600];
        snprintf(key, sizeof(key), "%.300s%.250s", r->bus->prefix, r->streams[i].topic);
        redis_cmd(r->conn, 6);
        redis_arg_text(r->conn, "XGROUP");
        redis_arg_text(r->conn, "CREATE");
        redis_bus_arg_key(r->bus, r->conn, r->streams[i].topic);
        redis_arg_text(r->conn, m->group);
        redis_arg_text(r->conn, "0");
        redis_arg_text(r->conn, "MKSTREAM");
        int rc = redis_conn_call(r->conn, key, &reply, err);
        if (rc && !(redis_conn_is_up(r->conn) && redis_reply_is_error(reply, "BUSYGROUP")))
            return rc;
    }
    return 0;
}

static int connect_member(struct redis_member *m, struct err *err)
{
    struct redis_reader *r = &m->r;

    if (redis_conn_is_up(r->conn) && redis_conn_is_up(m->acks))
        return 0;
    lose(m);
    int rc = redis_conn_connect(r->conn, err);
    if (rc >= 0)
        rc = redis_conn_connect(m->acks, err);
    if (rc >= 0)
        rc = create_groups(m, err);
    if (rc < 0) {
        lose(m);
        return rc;
    }
    for (size_t i = 0; i < r->n_streams; i++) {
        struct redis_stream *s = &r->streams[i];
        s->entries = NULL;
        s->handed.n = 0;
        s->own = true;
        s->own_after = (struct bus_id){0, 0};
        s->claim_from = (struct bus_id){0, 0};
        if (!m->joined && m->event)
            m->event(m->ctx, BUS_ASSIGNED, s->topic, 0);
    }
    m->joined = true;
    m->claim_at_ms = clock_mono_ms();
    return 0;
}

/* ---- Asking ---- */

static void append_readgroup(struct redis_member *m, size_t max, size_t n_streams, bool block)
{
    struct redis_conn *c = m->r.conn;

    redis_cmd(c, (block ? 9 : 7) + 2 * n_streams);
    redis_arg_text(c, "XREADGROUP");
    redis_arg_text(c, "GROUP");
    redis_arg_text(c, m->group);
    redis_arg_text(c, m->member);
    redis_arg_text(c, "COUNT");
    redis_arg_uint(c, max);
    if (block) {
        redis_arg_text(c, "BLOCK");
        redis_arg_uint(c, REDIS_BLOCK_MS);
    }
    redis_arg_text(c, "STREAMS");
}

static int ask_new(struct redis_member *m, size_t max, struct err *err)
{
    struct redis_reader *r = &m->r;

    append_readgroup(m, max, r->n_streams, true);
    for (size_t i = 0; i < r->n_streams; i++) {
        r->streams[i].asked = true;
        redis_bus_arg_key(r->bus, r->conn, r->streams[i].topic);
    }
    for (size_t i = 0; i < r->n_streams; i++)
        redis_arg_text(r->conn, ">");
    return redis_reader_asked(r, 1, err);
}

/* XPENDING of this member's entries from the first to the last of s->entries. */
static int ask_counts(struct redis_member *m, struct redis_stream *s, struct err *err)
{
    struct redis_conn *c = m->r.conn;
    struct bus_id first = redis_entry_id(s->entries->element[0]);
    struct bus_id last = redis_entry_id(s->entries->element[s->entries->elements - 1]);

    redis_cmd(c, 7);
    redis_arg_text(c, "XPENDING");
    redis_bus_arg_key(m->r.bus, c, s->topic);
    redis_arg_text(c, m->group);
    redis_arg_id(c, first.ms, first.seq);
    redis_arg_id(c, last.ms, last.seq);
    redis_arg_uint(c, s->entries->elements + s->handed.n);
    redis_arg_text(c, m->member);
    return redis_conn_call(c, s->topic, &s->counts, err);
}

/* The next of the member's own pending entries of one topic. */
static int read_own(struct redis_member *m, struct redis_stream *s, size_t max, struct err *err)
{
    struct redis_reader *r = &m->r;
    const redisReply *reply;

    append_readgroup(m, max, 1, false);
    redis_bus_arg_key(r->bus, r->conn, s->topic);
    redis_arg_id(r->conn, s->own_after.ms, s->own_after.seq);
    int rc = redis_conn_call(r->conn, s->topic, &reply, err);
    if (rc)
        return rc;
    s->asked = true;
    redis_reader_accept(r, reply);
    if (!s->entries) {
        s->own = false;
        return 0;
    }
    s->own_after = redis_entry_id(s->entries->element[s->entries->elements - 1]);
    return ask_counts(m, s, err);
}

/* Leaves out what this member itself has handed out and is still working on. */
static void drop_handed(struct redis_stream *s)
{
    bool left = false;

    for (size_t i = 0; i < s->entries->elements; i++) {
        const redisReply *entry = s->entries->element[i];
        if (entry && redis_ids_have(&s->handed, redis_entry_id(entry)))
            s->entries->element[i] = NULL;
        else
            left = true;
    }
    if (!left)
        s->entries = NULL;
}

/* Takes over what others have left of one topic. Sets *ret_more when there may be more of it. */
static int claim(struct redis_member *m, struct redis_stream *s, size_t max, bool *ret_more,
                 struct err *err)
{
    struct redis_conn *c = m->r.conn;
    const redisReply *reply;

    redis_cmd(c, 8);
    redis_arg_text(c, "XAUTOCLAIM");
    redis_bus_arg_key(m->r.bus, c, s->topic);
    redis_arg_text(c, m->group);
    redis_arg_text(c, m->member);
    redis_arg_uint(c, (uint64_t)m->claim_idle_ms);
    redis_arg_id(c, s->claim_from.ms, s->claim_from.seq);
    redis_arg_text(c, "COUNT");
    redis_arg_uint(c, max);
    int rc = redis_conn_call(c, s->topic, &reply, err);
    if (rc)
        return rc;
    if (reply->elements < 2 ||
        !redis_id_parse(redis_reply_text(reply->element[0]), reply->element[0]->len,
                        &s->claim_from.ms, &s->claim_from.seq))
        return err_set(err, ERR_UNSUPPORTED,
                       "Redis 7.0 or newer is needed: XAUTOCLAIM answers oddly");
    *ret_more = *ret_more || !bus_id_is_zero(s->claim_from);
    if (!reply->element[1]->elements)
        return 0;
    s->entries = reply->element[1];
    s->at = 0;
    rc = ask_counts(m, s, err);
    drop_handed(s);
    return rc;
}

/* Own entries and claims, when they are due. Only called with no request under way and nothing left
 * to hand out. */
static int ask_pending(struct redis_member *m, size_t max, struct err *err)
{
    struct redis_reader *r = &m->r;
    bool own = false, more = false;
    int rc = 0;

    for (size_t i = 0; i < r->n_streams && !rc; i++)
        if (r->streams[i].own) {
            own = true;
            rc = read_own(m, &r->streams[i], max, err);
        }
    if (rc || own || clock_mono_ms() < m->claim_at_ms)
        return rc;
    for (size_t i = 0; i < r->n_streams && !rc; i++)
        rc = claim(m, &r->streams[i], max, &more, err);
    m->claim_at_ms = clock_mono_ms() + (more ? 0 : m->claim_every_ms);
    return rc;
}

static bool owes_pending(const struct redis_member *m)
{
    for (size_t i = 0; i < m->r.n_streams; i++)
        if (m->r.streams[i].own)
            return true;
    return clock_mono_ms() >= m->claim_at_ms;
}

/* ---- Polling ---- */

/* The stream or the group is gone: the server was wiped, or came back without its last moments. */
static bool group_is_gone(const struct err *err)
{
    return strstr(err->text, "NOGROUP") || strstr(err->text, "UNBLOCKED");
}

/* One step towards messages. 1: look again; 0: no time left; <0. */
static int step(struct redis_member *m, size_t max, int left, struct err *err)
{
    struct redis_reader *r = &m->r;
    int rc;

    if (!r->due && owes_pending(m)) {
        rc = ask_pending(m, max, err);
        return rc ? rc : 1;
    }
    if (!r->due && (rc = ask_new(m, max, err)))
        return rc;
    rc = redis_reader_take(r, left, err);
    if (rc <= 0)
        return rc;
    rc = redis_reply_error(r->replies[0], "reading", err);
    if (rc) {
        redis_reader_forget(r);
        return rc;
    }
    redis_reader_accept(r, r->replies[0]);
    return left > 0 || redis_reader_has_rest(r);
}

int redis_group_poll(struct redis_reader *r, size_t max, int timeout_ms, const struct bus_msg **ret,
                     struct err *err)
{
    struct redis_member *m = (struct redis_member *)r;
    int64_t deadline = clock_mono_ms() + timeout_ms;
    struct err why = {0};
    int created = 0;

    redis_reader_recycle(r);
    for (;;) {
        int rc = connect_member(m, err);
        if (rc)
            return rc;
        size_t n = redis_reader_hand_out(r, max);
        if (n) {
            if (!redis_reader_has_rest(r) && !r->due && !owes_pending(m))
                (void)!ask_new(m, max, NULL);
            *ret = r->msgs;
            return (int)n;
        }
        int64_t left = timeout_ms ? deadline - clock_mono_ms() : 0;
        rc = step(m, max, left > 0 ? (int)left : 0, &why);
        if (rc == ERR_REFUSED && group_is_gone(&why) && created++ < CREATE_TRIES)
            rc = create_groups(m, &why) ? why.code : 1;
        if (rc == 0)
            return 0;
        if (rc < 0) {
            if (rc == ERR_DISCONNECTED)
                lose(m);
            if (err)
                *err = why;
            return rc;
        }
    }
}

/* ---- Committing ---- */

static int lose_acks(struct redis_member *m, int rc)
{
    if (rc < 0 && !redis_conn_is_up(m->acks))
        lose(m);
    return rc;
}

/* Handles answers to XACK until at most `leave` are still to come, waiting up to `timeout_ms` for
 * each. */
static int take_acks(struct redis_member *m, size_t leave, int timeout_ms, struct err *err)
{
    const redisReply *reply;

    while (m->acks_due) {
        bool must = m->acks_due > leave;
        int rc = redis_conn_reply(m->acks, must ? timeout_ms : 0, &reply, err);
        if (rc < 0)
            return lose_acks(m, rc);
        if (rc == 0 && must) {
            lose(m);
            return err_set_retriable(err, ERR_DISCONNECTED,
                                     "Redis has not answered an acknowledgement for %d ms",
                                     timeout_ms);
        }
        if (rc == 0)
            break;
        m->acks_due--;
        rc = redis_reply_error(reply, "acknowledging", err);
        if (rc)
            return rc;
        m->acked += (uint64_t)redis_reply_int(reply);
    }
    redis_conn_recycle(m->acks);
    return 0;
}

/* The answers are all there and some entries were no longer pending: another member has taken and
 * committed them. */
static int check_taken(struct redis_member *m, struct err *err)
{
    uint64_t taken = m->sent - m->acked;

    if (m->acks_due)
        return 0;
    m->sent = 0;
    m->acked = 0;
    if (!taken)
        return 0;
    return err_set(err, ERR_CONFLICT,
                   "%llu messages of group %s were taken over and committed by another member",
                   (unsigned long long)taken, m->group);
}

int redis_group_commit(struct bus_reader *base, struct err *err)
{
    struct redis_member *m = (struct redis_member *)base;
    struct redis_reader *r = &m->r;

    if (!redis_conn_is_up(m->acks)) {
        lose(m);
        return err_set_retriable(err, ERR_DISCONNECTED,
                                 "not connected: what was handed out comes again");
    }
    int rc = take_acks(m, ACKS_MAX, r->bus->timeout_ms, err);
    if (!rc)
        rc = check_taken(m, err);
    if (rc && rc != ERR_CONFLICT)
        return rc;

    for (size_t i = 0; i < r->n_streams; i++) {
        struct redis_stream *s = &r->streams[i];
        if (!s->handed.n)
            continue;
        redis_cmd(m->acks, 3 + s->handed.n);
        redis_arg_text(m->acks, "XACK");
        redis_bus_arg_key(r->bus, m->acks, s->topic);
        redis_arg_text(m->acks, m->group);
        for (size_t j = 0; j < s->handed.n; j++)
            redis_arg_id(m->acks, s->handed.ids[j].ms, s->handed.ids[j].seq);
        m->acks_due++;
        m->sent += s->handed.n;
        s->handed.n = 0;
    }
    int sent = redis_conn_send(m->acks, rc ? NULL : err);
    return sent ? lose_acks(m, sent) : rc;
}

void redis_group_close(struct redis_reader *r)
{
    struct redis_member *m = (struct redis_member *)r;

    /* Closing the socket under an acknowledgement could lose it. */
    if (m->acks_due)
        (void)!take_acks(m, 0, CLOSE_MS, NULL);
    redis_reader_release(r);
    redis_conn_free(m->acks);
    free(m->group);
    free(m->member);
    free(m);
}
