#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/memory_bus.h"

static pthread_mutex_t servers_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct memory_server *servers;

struct memory_server *memory_server_get(const char *prefix)
{
    pthread_condattr_t attr;
    struct memory_server *s;

    pthread_mutex_lock(&servers_mutex);
    for (s = servers; s; s = s->next)
        if (strcmp(s->prefix, prefix) == 0)
            break;
    if (!s) {
        s = mem_zalloc(1, sizeof(*s));
        s->prefix = mem_strdup(prefix);
        pthread_mutex_init(&s->mutex, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&s->changed, &attr);
        pthread_condattr_destroy(&attr);
        s->next = servers;
        servers = s;
    }
    pthread_mutex_unlock(&servers_mutex);
    return s;
}

/* ---- Entries ---- */

struct memory_entry *memory_entry_new(const struct bus_record *rec, struct bus_id id)
{
    struct memory_entry *e = mem_zalloc(1, sizeof(*e));

    e->refs = 1;
    e->id = id;
    e->key = rec->key ? mem_strndup(rec->key, rec->key_len) : NULL;
    e->key_len = rec->key ? rec->key_len : 0;
    e->value = rec->value ? mem_strndup(rec->value, rec->value_len) : NULL;
    e->value_len = rec->value ? rec->value_len : 0;
    e->n_headers = rec->n_headers;
    e->headers = rec->n_headers ? mem_zalloc(rec->n_headers, sizeof(*e->headers)) : NULL;
    for (size_t i = 0; i < rec->n_headers; i++) {
        const struct bus_header *h = &rec->headers[i];
        e->headers[i] = (struct bus_header){
            .name = mem_strdup(h->name),
            .value = mem_strndup(h->value, h->len),
            .len = h->len,
        };
    }
    return e;
}

/* Header names and values are const for users; here they were allocated. */
static void free_const(const void *p)
{
    free((void *)(uintptr_t)p);
}

void memory_entry_unref(struct memory_entry *e)
{
    if (!e || --e->refs)
        return;
    for (size_t i = 0; i < e->n_headers; i++) {
        free_const(e->headers[i].name);
        free_const(e->headers[i].value);
    }
    free(e->headers);
    free(e->key);
    free(e->value);
    free(e);
}

struct bus_msg memory_entry_msg(const struct memory_entry *e, const char *topic)
{
    return (struct bus_msg){
        .topic = topic,
        .pos = bus_id_to_pos(e->id),
        .time_ms = bus_id_time(e->id),
        .key = e->key,
        .key_len = e->key_len,
        .value = e->value,
        .value_len = e->value_len,
        .headers = e->headers,
        .n_headers = e->n_headers,
    };
}

/* ---- Topics ---- */

struct memory_topic *memory_topic_find(const struct memory_server *server, const char *name)
{
    for (struct memory_topic *t = server->topics; t; t = t->next)
        if (strcmp(t->name, name) == 0)
            return t;
    return NULL;
}

struct memory_topic *memory_topic_get(struct memory_server *server, const char *name)
{
    struct memory_topic *t = memory_topic_find(server, name);

    if (t)
        return t;
    t = mem_zalloc(1, sizeof(*t));
    t->name = mem_strdup(name);
    t->next = server->topics;
    server->topics = t;
    return t;
}

static void group_free(struct memory_group *g)
{
    for (size_t i = 0; i < g->n_pending; i++)
        free(g->pending[i].member);
    free(g->pending);
    free(g->name);
    free(g);
}

void memory_topic_delete(struct memory_server *server, const char *name)
{
    struct memory_topic **at = &server->topics;

    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    struct memory_topic *t = *at;
    if (!t)
        return;
    *at = t->next;
    while (t->groups) {
        struct memory_group *next = t->groups->next;
        group_free(t->groups);
        t->groups = next;
    }
    for (size_t i = 0; i < t->n; i++)
        memory_entry_unref(t->entries[i]);
    free(t->entries);
    free(t->name);
    free(t);
}

int memory_topic_append(struct memory_topic *t, const struct bus_record *rec, struct bus_id *ret_id)
{
    struct bus_id id = {rec->seq, 0};

    if (rec->seq) {
        *ret_id = id;
        if (bus_id_compare(id, t->last) <= 0)
            return BUS_DUPLICATE;
    } else {
        id.ms = (uint64_t)clock_wall_ms();
        /* The clock may have gone back; ids do not. */
        if (id.ms <= t->last.ms)
            id = (struct bus_id){t->last.ms, t->last.seq + 1};
        *ret_id = id;
    }
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->entries = mem_realloc(t->entries, t->cap, sizeof(struct memory_entry *));
    }
    t->entries[t->n++] = memory_entry_new(rec, id);
    t->last = id;
    t->added++;
    return 0;
}

size_t memory_topic_after(const struct memory_topic *t, struct bus_id id)
{
    size_t low = 0, high = t->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (bus_id_compare(t->entries[mid]->id, id) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void memory_topic_trim(struct memory_topic *t, struct bus_id upto)
{
    size_t n = memory_topic_after(t, upto);

    if (n == t->n && n)
        n--;
    if (!n)
        return;
    t->removed = t->entries[n - 1]->id;
    for (size_t i = 0; i < n; i++)
        memory_entry_unref(t->entries[i]);
    t->n -= n;
    memmove(t->entries, t->entries + n, t->n * sizeof(struct memory_entry *));
}

/* ---- Groups ---- */

struct memory_group *memory_group_find(const struct memory_topic *t, const char *name)
{
    for (struct memory_group *g = t->groups; g; g = g->next)
        if (strcmp(g->name, name) == 0)
            return g;
    return NULL;
}

struct memory_group *memory_group_get(struct memory_topic *t, const char *name)
{
    struct memory_group *g = memory_group_find(t, name);

    if (g)
        return g;
    g = mem_zalloc(1, sizeof(*g));
    g->name = mem_strdup(name);
    g->next = t->groups;
    t->groups = g;
    return g;
}

/* The index where `id` is or belongs. */
static size_t pending_index(const struct memory_group *g, struct bus_id id)
{
    size_t i = g->n_pending;

    while (i && bus_id_compare(g->pending[i - 1].id, id) >= 0)
        i--;
    return i;
}

uint32_t memory_group_deliver(struct memory_group *g, struct bus_id id, const char *member)
{
    size_t i = pending_index(g, id);

    if (i == g->n_pending || bus_id_compare(g->pending[i].id, id) != 0) {
        g->pending = mem_realloc(g->pending, g->n_pending + 1, sizeof(*g->pending));
        memmove(g->pending + i + 1, g->pending + i, (g->n_pending - i) * sizeof(*g->pending));
        g->n_pending++;
        g->pending[i] = (struct memory_pending){.id = id};
    }
    struct memory_pending *p = &g->pending[i];
    if (!p->member || strcmp(p->member, member) != 0) {
        free(p->member);
        p->member = mem_strdup(member);
    }
    p->since_ms = clock_mono_ms();
    return p->count++;
}

bool memory_group_ack(struct memory_group *g, struct bus_id id)
{
    size_t i = pending_index(g, id);

    if (i == g->n_pending || bus_id_compare(g->pending[i].id, id) != 0)
        return false;
    free(g->pending[i].member);
    g->n_pending--;
    memmove(g->pending + i, g->pending + i + 1, (g->n_pending - i) * sizeof(*g->pending));
    return true;
}
