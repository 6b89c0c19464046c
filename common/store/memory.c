/* The store in memory: incarnations, leases, floors, heartbeats, and its table. See memory_store.h.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/memory_store.h"

/* The incarnation of each task that was ever opened. */
struct memory_task {
    char *name;
    char id[UUID_TEXT_LEN + 1]; /* "": none */
    struct memory_task *next;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct memory_task *tasks;
static struct memory_space *spaces;

void memory_store_lock(void)
{
    pthread_mutex_lock(&mutex);
}

void memory_store_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

void memory_store_set(char **p, const char *s)
{
    char *copy = mem_strdup(s);

    free(*p);
    *p = copy;
}

static struct memory_task *get_task(const char *name)
{
    for (struct memory_task *t = tasks; t; t = t->next)
        if (strcmp(t->name, name) == 0)
            return t;
    struct memory_task *t = mem_zalloc(1, sizeof(*t));
    t->name = mem_strdup(name);
    t->next = tasks;
    tasks = t;
    return t;
}

const char *memory_store_incarnation(const struct store *st)
{
    return get_task(st->task)->id;
}

struct memory_space *memory_store_space(const struct store *st)
{
    for (struct memory_space *s = spaces; s; s = s->next)
        if (strcmp(s->prefix, st->prefix.data) == 0)
            return s;
    struct memory_space *s = mem_zalloc(1, sizeof(*s));
    s->prefix = mem_strdup(st->prefix.data);
    s->next = spaces;
    spaces = s;
    return s;
}

static void space_free(struct memory_space *s)
{
    for (size_t i = 0; i < s->n_leases; i++) {
        free(s->leases[i].name);
        free(s->leases[i].owner);
    }
    for (size_t i = 0; i < s->n_refs; i++) {
        free(s->refs[i].model);
        free(s->refs[i].generation);
        free(s->refs[i].version);
    }
    for (size_t i = 0; i < s->n_floors; i++) {
        free(s->floors[i].reader);
        free(s->floors[i].topic);
        free(s->floors[i].pos);
    }
    for (size_t i = 0; i < s->n_heartbeats; i++) {
        free(s->heartbeats[i].instance);
        free(s->heartbeats[i].json);
    }
    store_versions_free(s->versions, s->n_versions);
    free(s->leases);
    free(s->refs);
    free(s->floors);
    free(s->heartbeats);
    free(s->prefix);
    free(s);
}

/* ---- Lifecycle and incarnation ---- */

static struct store *memory_open(const struct store_options *options, struct err *err)
{
    (void)options;
    (void)err;
    return mem_zalloc(1, sizeof(struct store));
}

static void memory_close(struct store *st)
{
    free(st);
}

static int memory_ping(struct store *st, struct err *err)
{
    (void)st;
    (void)err;
    return 0;
}

static int memory_incarnation_get(struct store *st, struct buf *ret, struct err *err)
{
    memory_store_lock();
    const char *id = get_task(st->task)->id;
    bool there = id[0] != '\0';
    buf_text(ret, id);
    memory_store_unlock();
    return there ? 0
                 : err_set(err, ERR_NOT_FOUND,
                           "task %s has no incarnation yet: oxbow-views makes it", st->task);
}

static int set_incarnation(struct store *st, const char *id, bool only_new)
{
    memory_store_lock();
    struct memory_task *t = get_task(st->task);
    if (!only_new || !t->id[0])
        memcpy(t->id, id, UUID_TEXT_LEN + 1);
    memory_store_unlock();
    return 0;
}

static int memory_incarnation_create(struct store *st, const char *id, struct buf *ret,
                                     struct err *err)
{
    set_incarnation(st, id, true);
    return memory_incarnation_get(st, ret, err);
}

static int memory_incarnation_replace(struct store *st, const char *id, struct err *err)
{
    (void)err;
    return set_incarnation(st, id, false);
}

static int memory_wipe(struct store *st, const char *prefix, struct err *err)
{
    (void)st;
    (void)err;
    memory_store_lock();
    struct memory_space **at = &spaces;
    while (*at && strcmp((*at)->prefix, prefix) != 0)
        at = &(*at)->next;
    struct memory_space *found = *at;
    if (found) {
        *at = found->next;
        space_free(found);
    }
    memory_store_unlock();
    return 0;
}

/* ---- Leases ---- */

static struct memory_lease *find_lease(const struct memory_space *space, const char *name)
{
    for (size_t i = 0; i < space->n_leases; i++)
        if (strcmp(space->leases[i].name, name) == 0)
            return &space->leases[i];
    return NULL;
}

int memory_store_check_token(const struct memory_space *space, const char *lease, uint64_t token,
                             struct err *err)
{
    const struct memory_lease *l = find_lease(space, lease);

    return l && l->token == token ? 0 : store_fenced(err, lease, token);
}

static int memory_lease_take(struct store *st, const char *name, const char *owner, int64_t ttl_ms,
                             uint64_t *ret_token, struct err *err)
{
    int64_t now = clock_mono_ms();
    int rc = 0;

    memory_store_lock();
    struct memory_space *space = memory_store_space(st);
    struct memory_lease *l = find_lease(space, name);
    if (!l) {
        space->leases = mem_realloc(space->leases, space->n_leases + 1, sizeof(*space->leases));
        l = &space->leases[space->n_leases++];
        *l = (struct memory_lease){.name = mem_strdup(name)};
    }
    if (l->until_ms > now) {
        rc = err_set_retriable(err, ERR_CONFLICT,
                               "the lease %s is held by %s for another %" PRId64 " ms", name,
                               l->owner, l->until_ms - now);
    } else {
        memory_store_set(&l->owner, owner);
        l->until_ms = now + ttl_ms;
        *ret_token = ++l->token;
    }
    memory_store_unlock();
    return rc;
}

static int memory_lease_renew(struct store *st, const char *name, uint64_t token, int64_t ttl_ms,
                              struct err *err)
{
    memory_store_lock();
    const struct memory_space *space = memory_store_space(st);
    int rc = memory_store_check_token(space, name, token, err);
    if (!rc)
        find_lease(space, name)->until_ms = clock_mono_ms() + ttl_ms;
    memory_store_unlock();
    return rc;
}

static int memory_lease_release(struct store *st, const char *name, uint64_t token, struct err *err)
{
    memory_store_lock();
    const struct memory_space *space = memory_store_space(st);
    int rc = memory_store_check_token(space, name, token, err);
    if (!rc) {
        struct memory_lease *l = find_lease(space, name);
        l->token++;
        l->until_ms = 0;
    }
    memory_store_unlock();
    return rc;
}

/* ---- Floors ---- */

static struct memory_floor *find_floor(const struct memory_space *space, const char *reader,
                                       const char *topic)
{
    for (size_t i = 0; i < space->n_floors; i++)
        if (strcmp(space->floors[i].reader, reader) == 0 &&
            strcmp(space->floors[i].topic, topic) == 0)
            return &space->floors[i];
    return NULL;
}

static int memory_floor_put(struct store *st, const char *reader, const char *topic,
                            const char *pos, uint64_t count, struct err *err)
{
    (void)err;
    memory_store_lock();
    struct memory_space *space = memory_store_space(st);
    struct memory_floor *f = find_floor(space, reader, topic);
    if (!f) {
        space->floors = mem_realloc(space->floors, space->n_floors + 1, sizeof(*space->floors));
        f = &space->floors[space->n_floors++];
        *f = (struct memory_floor){.reader = mem_strdup(reader), .topic = mem_strdup(topic)};
    }
    memory_store_set(&f->pos, pos);
    f->count = count;
    memory_store_unlock();
    return 0;
}

static int memory_floor_get(struct store *st, const char *reader, const char *topic,
                            struct buf *ret_pos, uint64_t *ret_count, struct err *err)
{
    memory_store_lock();
    const struct memory_floor *f = find_floor(memory_store_space(st), reader, topic);
    if (f) {
        buf_text(ret_pos, f->pos);
        *ret_count = f->count;
    }
    memory_store_unlock();
    return f ? 0 : err_set(err, ERR_NOT_FOUND, "%s has left no floor in %s", reader, topic);
}

/* ---- Heartbeats ---- */

static struct memory_heartbeat *find_heartbeat(const struct memory_space *space,
                                               const char *instance)
{
    for (size_t i = 0; i < space->n_heartbeats; i++)
        if (strcmp(space->heartbeats[i].instance, instance) == 0)
            return &space->heartbeats[i];
    return NULL;
}

static int memory_heartbeat_put(struct store *st, const char *instance, const char *json,
                                int64_t ttl_ms, struct err *err)
{
    (void)err;
    memory_store_lock();
    struct memory_space *space = memory_store_space(st);
    struct memory_heartbeat *h = find_heartbeat(space, instance);
    if (!h) {
        space->heartbeats =
            mem_realloc(space->heartbeats, space->n_heartbeats + 1, sizeof(*space->heartbeats));
        h = &space->heartbeats[space->n_heartbeats++];
        *h = (struct memory_heartbeat){.instance = mem_strdup(instance)};
    }
    memory_store_set(&h->json, json);
    h->until_ms = clock_mono_ms() + ttl_ms;
    memory_store_unlock();
    return 0;
}

static int memory_heartbeats(struct store *st, struct store_names *ret_instances,
                             struct store_names *ret_json, struct err *err)
{
    int64_t now = clock_mono_ms();

    (void)err;
    memory_store_lock();
    const struct memory_space *space = memory_store_space(st);
    for (size_t i = 0; i < space->n_heartbeats; i++)
        if (space->heartbeats[i].until_ms > now)
            store_names_add(ret_instances, space->heartbeats[i].instance,
                            strlen(space->heartbeats[i].instance));
    store_names_sort(ret_instances);
    for (size_t i = 0; i < ret_instances->n; i++) {
        const char *json = find_heartbeat(space, ret_instances->names[i])->json;
        store_names_add(ret_json, json, strlen(json));
    }
    memory_store_unlock();
    return 0;
}

const struct store_backend store_backend_memory = {
    .name = "memory",
    .help = "within one process, for tests",
    .open = memory_open,
    .close = memory_close,
    .ping = memory_ping,
    .incarnation_get = memory_incarnation_get,
    .incarnation_create = memory_incarnation_create,
    .incarnation_replace = memory_incarnation_replace,
    .wipe = memory_wipe,
    .lease_take = memory_lease_take,
    .lease_renew = memory_lease_renew,
    .lease_release = memory_lease_release,
    .publish = memory_publish,
    .head = memory_head,
    .serving = memory_serving,
    .version_get = memory_version_get,
    .versions = memory_versions,
    .models = memory_models,
    .versions_delete = memory_versions_delete,
    .floor_put = memory_floor_put,
    .floor_get = memory_floor_get,
    .heartbeat_put = memory_heartbeat_put,
    .heartbeats = memory_heartbeats,
};
