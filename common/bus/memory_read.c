/* Reading from the bus in memory: positioned readers and group members. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/memory_bus.h"

#define CLAIM_IDLE_MS 30000

/* One topic of a reader. */
struct memory_place {
    char *topic;
    struct bus_id pos; /* positioned: of the last message handed out */
    bool paused;
    struct bus_id own_after; /* group: its own pending entries after this one are still to come */
    struct bus_id *handed;   /* group: handed out and not committed */
    size_t n_handed;
};

struct memory_reader {
    struct bus_reader base;
    struct memory_server *server;
    struct memory_place *places;
    size_t n_places;
    struct bus_msg *msgs; /* of the last poll, and the entries that they point to */
    struct memory_entry **held;
    size_t n;
    char *group; /* NULL: positioned */
    char *member;
    int claim_idle_ms;
    bus_group_fn event;
    void *ctx;
    bool joined;
};

static struct memory_reader *reader_new(struct bus *bus)
{
    struct memory_reader *r = mem_zalloc(1, sizeof(*r));

    r->server = ((struct memory_bus *)bus)->server;
    return r;
}

struct bus_reader *memory_reader_open(struct bus *bus, struct err *err)
{
    (void)err;
    return &reader_new(bus)->base;
}

static struct memory_place *find_place(const struct memory_reader *r, const char *topic)
{
    for (size_t i = 0; i < r->n_places; i++)
        if (strcmp(r->places[i].topic, topic) == 0)
            return &r->places[i];
    return NULL;
}

static struct memory_place *add_place(struct memory_reader *r, const char *topic)
{
    r->places = mem_realloc(r->places, r->n_places + 1, sizeof(*r->places));
    struct memory_place *p = &r->places[r->n_places++];
    *p = (struct memory_place){.topic = mem_strdup(topic)};
    return p;
}

struct bus_reader *memory_group_join(struct bus *bus, const char *group, const char *member,
                                     const char *const *topics, size_t n_topics, int claim_idle_ms,
                                     bus_group_fn event, void *ctx, struct err *err)
{
    struct memory_reader *r = reader_new(bus);

    (void)err;
    r->group = mem_strdup(group);
    r->member = mem_strdup(member);
    r->claim_idle_ms = claim_idle_ms > 0 ? claim_idle_ms : CLAIM_IDLE_MS;
    r->event = event;
    r->ctx = ctx;
    for (size_t i = 0; i < n_topics; i++)
        add_place(r, topics[i]);
    return &r->base;
}

/* With the mutex held: the messages of the last poll end. */
static void let_go(struct memory_reader *r)
{
    for (size_t i = 0; i < r->n; i++)
        memory_entry_unref(r->held[i]);
    r->n = 0;
}

void memory_reader_close(struct bus_reader *base)
{
    struct memory_reader *r = (struct memory_reader *)base;

    pthread_mutex_lock(&r->server->mutex);
    let_go(r);
    pthread_mutex_unlock(&r->server->mutex);
    for (size_t i = 0; i < r->n_places; i++) {
        free(r->places[i].topic);
        free(r->places[i].handed);
    }
    free(r->places);
    free(r->msgs);
    free(r->held);
    free(r->group);
    free(r->member);
    free(r);
}

/* ---- Positioned ---- */

static int trimmed(struct err *err, const char *topic, struct bus_id pos)
{
    return err_set(err, ERR_TRIMMED, "%s: entries after position %llu-%llu were trimmed", topic,
                   (unsigned long long)pos.ms, (unsigned long long)pos.seq);
}

static bool is_trimmed(const struct memory_topic *t, struct bus_id pos)
{
    return t && !bus_id_is_zero(pos) && bus_id_compare(pos, t->removed) < 0;
}

int memory_reader_assign(struct bus_reader *base, const char *topic, int32_t partition,
                         const struct bus_pos *after, struct err *err)
{
    struct memory_reader *r = (struct memory_reader *)base;
    struct bus_id pos = {0, 0};
    int past_the_tail = 0;
    int rc = bus_partition_check(partition, err);

    if (!rc && after->len != BUS_POS_NEWEST_LEN)
        rc = bus_id_from_pos(after, &pos, err);
    if (rc)
        return rc;

    pthread_mutex_lock(&r->server->mutex);
    const struct memory_topic *t = memory_topic_find(r->server, topic);
    struct bus_id last = t ? t->last : (struct bus_id){0, 0};
    let_go(r);
    if (after->len == BUS_POS_NEWEST_LEN) {
        pos = last;
    } else if (bus_id_compare(pos, last) > 0) {
        pos = last;
        past_the_tail = 1;
    } else if (is_trimmed(t, pos)) {
        rc = trimmed(err, topic, pos);
    }
    pthread_mutex_unlock(&r->server->mutex);
    if (rc)
        return rc;

    struct memory_place *p = find_place(r, topic);
    if (!p)
        p = add_place(r, topic);
    p->pos = pos;
    return past_the_tail;
}

int memory_reader_pause(struct bus_reader *base, const char *topic, bool paused, struct err *err)
{
    struct memory_place *p = find_place((struct memory_reader *)base, topic);

    if (!p)
        return err_set(err, ERR_INVALID, "%s is not assigned to this reader", topic);
    p->paused = paused;
    return 0;
}

static struct bus_msg *hold(struct memory_reader *r, struct memory_entry *e, const char *topic)
{
    r->msgs = mem_realloc(r->msgs, r->n + 1, sizeof(*r->msgs));
    r->held = mem_realloc(r->held, r->n + 1, sizeof(struct memory_entry *));
    e->refs++;
    r->held[r->n] = e;
    r->msgs[r->n] = memory_entry_msg(e, topic);
    return &r->msgs[r->n++];
}

static int take_positioned(struct memory_reader *r, size_t max, struct err *err)
{
    for (size_t i = 0; i < r->n_places; i++) {
        struct memory_place *p = &r->places[i];
        const struct memory_topic *t = memory_topic_find(r->server, p->topic);

        if (p->paused || !t)
            continue;
        if (is_trimmed(t, p->pos))
            return trimmed(err, p->topic, p->pos);
        size_t at = memory_topic_after(t, p->pos);
        for (size_t k = 0; k < max && at < t->n; k++, at++) {
            hold(r, t->entries[at], p->topic);
            p->pos = t->entries[at]->id;
        }
    }
    return 0;
}

/* ---- Groups ---- */

static bool has_handed(const struct memory_place *p, struct bus_id id)
{
    for (size_t i = 0; i < p->n_handed; i++)
        if (bus_id_compare(p->handed[i], id) == 0)
            return true;
    return false;
}

static void hand_out(struct memory_reader *r, struct memory_place *p, struct memory_group *g,
                     struct memory_entry *e)
{
    struct bus_msg *msg = hold(r, e, p->topic);

    msg->deliveries = memory_group_deliver(g, e->id, r->member);
    p->handed = mem_realloc(p->handed, p->n_handed + 1, sizeof(*p->handed));
    p->handed[p->n_handed++] = e->id;
}

/* Its own pending entries and those that others have left. Returns how many. */
static size_t take_pending(struct memory_reader *r, struct memory_place *p, struct memory_topic *t,
                           struct memory_group *g, size_t max)
{
    int64_t now = clock_mono_ms();
    size_t taken = 0;

    for (size_t i = 0; i < g->n_pending && taken < max; i++) {
        struct memory_pending *pending = &g->pending[i];
        bool own = strcmp(pending->member, r->member) == 0 &&
                   bus_id_compare(pending->id, p->own_after) > 0;
        bool idle = now - pending->since_ms >= r->claim_idle_ms && !has_handed(p, pending->id);

        if (!own && !idle)
            continue;
        if (own)
            p->own_after = pending->id;
        size_t at = memory_topic_after(t, bus_id_before(pending->id));
        if (at < t->n && bus_id_compare(t->entries[at]->id, pending->id) == 0) {
            hand_out(r, p, g, t->entries[at]);
            taken++;
        } else {
            memory_group_ack(g, pending->id); /* it was trimmed */
            i--;
        }
    }
    return taken;
}

static void take_group(struct memory_reader *r, size_t max)
{
    for (size_t i = 0; i < r->n_places; i++) {
        struct memory_place *p = &r->places[i];
        struct memory_topic *t = memory_topic_get(r->server, p->topic);
        struct memory_group *g = memory_group_get(t, r->group);

        if (take_pending(r, p, t, g, max))
            continue;
        /* From here on its own pending entries are those that it has handed out itself. */
        p->own_after = (struct bus_id){UINT64_MAX, UINT64_MAX};
        size_t at = memory_topic_after(t, g->last);
        for (size_t k = 0; k < max && at < t->n; k++, at++) {
            g->last = t->entries[at]->id;
            hand_out(r, p, g, t->entries[at]);
        }
    }
}

static void tell_joined(struct memory_reader *r)
{
    for (size_t i = 0; r->event && i < r->n_places; i++)
        r->event(r->ctx, BUS_ASSIGNED, r->places[i].topic, 0);
    r->joined = true;
}

/* ---- Slots ---- */

#define WAKE_MS 10 /* entries that others have left are looked for at least so often */

int memory_poll(struct bus_reader *base, size_t max, int timeout_ms, const struct bus_msg **ret,
                struct err *err)
{
    struct memory_reader *r = (struct memory_reader *)base;
    int64_t deadline = clock_mono_ms() + timeout_ms;
    int rc = 0;

    if (r->group && !r->joined)
        tell_joined(r);
    pthread_mutex_lock(&r->server->mutex);
    let_go(r);
    for (;;) {
        if (r->group)
            take_group(r, max);
        else
            rc = take_positioned(r, max, err);
        int64_t now = clock_mono_ms();
        if (rc || r->n || now >= deadline)
            break;
        int64_t wake = now + WAKE_MS < deadline ? now + WAKE_MS : deadline;
        struct timespec until = {wake / 1000, wake % 1000 * 1000000};
        pthread_cond_timedwait(&r->server->changed, &r->server->mutex, &until);
    }
    /* On an error the topics before the trimmed one have moved on already: hand their messages out
     * first. */
    if (rc && r->n)
        rc = 0;
    pthread_mutex_unlock(&r->server->mutex);
    if (rc)
        return rc;
    *ret = r->msgs;
    return (int)r->n;
}

int memory_commit(struct bus_reader *base, struct err *err)
{
    struct memory_reader *r = (struct memory_reader *)base;
    size_t taken = 0;

    pthread_mutex_lock(&r->server->mutex);
    for (size_t i = 0; i < r->n_places; i++) {
        struct memory_place *p = &r->places[i];
        const struct memory_topic *t = memory_topic_find(r->server, p->topic);
        struct memory_group *g = t ? memory_group_find(t, r->group) : NULL;

        for (size_t k = 0; k < p->n_handed; k++)
            taken += !g || !memory_group_ack(g, p->handed[k]);
        p->n_handed = 0;
    }
    pthread_mutex_unlock(&r->server->mutex);
    if (!taken)
        return 0;
    return err_set(err, ERR_CONFLICT,
                   "%zu messages of group %s were taken over and committed by another member",
                   taken, r->group);
}
