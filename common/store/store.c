/* The store: finding a backend, checking what is the same for all of them, and passing calls on. */
#include "store/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/store_backend.h"

static const struct store_backend *const backends[] = {&store_backend_redis, &store_backend_memory};

#define N_BACKENDS (sizeof(backends) / sizeof(backends[0]))

/* ---- For backends ---- */

void store_names_add(struct store_names *list, const char *name, size_t len)
{
    list->names = mem_realloc(list->names, list->n + 1, sizeof(*list->names));
    list->names[list->n++] = mem_strndup(name, len);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void store_names_sort(struct store_names *list)
{
    if (list->n)
        qsort(list->names, list->n, sizeof(*list->names), compare_names);
}

void store_names_release(struct store_names *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct store_names){NULL, 0};
}

int store_not_found(struct err *err, const char *model, const char *version)
{
    return err_set(err, ERR_NOT_FOUND, "model %s has no version %s", model, version);
}

int store_fenced(struct err *err, const char *lease, uint64_t token)
{
    return err_set(err, ERR_FENCED,
                   "the lease %s is no longer held with token %" PRIu64
                   ": another has taken it, or it was released",
                   lease, token);
}

/* ---- Lifecycle ---- */

/* The task's name stands in keys, inside the braces that a Redis cluster looks for. */
static bool task_is_valid(const char *task)
{
    if (!task || !*task)
        return false;
    for (; *task; task++)
        if (*task <= ' ' || *task > '~' || strchr("{}:*?[]\\", *task))
            return false;
    return true;
}

struct store *store_open(const struct store_options *options, struct err *err)
{
    const struct store_backend *backend = NULL;

    for (size_t i = 0; i < N_BACKENDS; i++)
        if (options->backend && strcmp(backends[i]->name, options->backend) == 0)
            backend = backends[i];
    if (!backend) {
        struct buf known = BUF_INIT;
        for (size_t i = 0; i < N_BACKENDS; i++)
            buf_printf(&known, "%s%s", i ? ", " : "", backends[i]->name);
        err_set(err, ERR_INVALID, "there is no store '%.40s'; there are: %s",
                options->backend ? options->backend : "", known.data);
        buf_release(&known);
        return NULL;
    }
    if (!task_is_valid(options->task)) {
        err_set(err, ERR_INVALID, "'%.60s' is no task name: letters, digits, '.', '_' and '-'",
                options->task ? options->task : "");
        return NULL;
    }

    struct store *st = backend->open(options, err);
    if (!st)
        return NULL;
    st->backend = backend;
    st->task = mem_strdup(options->task);
    return st;
}

void store_close(struct store *st)
{
    if (!st)
        return;
    free(st->task);
    buf_release(&st->prefix);
    st->backend->close(st);
}

int store_ping(struct store *st, struct err *err)
{
    return st->backend->ping(st, err);
}

/* ---- Incarnation ---- */

static int check_id(const char *id, struct err *err)
{
    if (uuid_valid(id))
        return 0;
    return err_set(err, ERR_INVALID, "'%.60s' is no incarnation: it is a UUID", id);
}

int store_incarnation(struct store *st, char ret[UUID_TEXT_LEN + 1], struct err *err)
{
    struct buf id = BUF_INIT;
    int rc = st->backend->incarnation_get(st, &id, err);

    if (!rc && !uuid_valid(buf_str(&id)))
        rc = err_set(err, ERR_CORRUPT, "the incarnation of task %s is '%.60s', which is no UUID",
                     st->task, buf_str(&id));
    if (!rc)
        memcpy(ret, id.data, UUID_TEXT_LEN + 1);
    buf_release(&id);
    return rc;
}

int store_incarnation_create(struct store *st, const char *id, struct err *err)
{
    struct buf now = BUF_INIT;
    int rc = check_id(id, err);

    if (!rc)
        rc = st->backend->incarnation_create(st, id, &now, err);
    if (!rc && strcmp(buf_str(&now), id) != 0)
        rc = err_set(err, ERR_CONFLICT, "task %s already has the incarnation %s, not %s", st->task,
                     buf_str(&now), id);
    buf_release(&now);
    return rc;
}

int store_incarnation_replace(struct store *st, const char *id, struct err *err)
{
    int rc = check_id(id, err);

    return rc ? rc : st->backend->incarnation_replace(st, id, err);
}

static void make_prefix(const struct store *st, const char *id, struct buf *out)
{
    buf_clear(out);
    buf_printf(out, "oxbow:{%s}:%s:", st->task, id);
}

void store_bind(struct store *st, const char *id)
{
    assert(uuid_valid(id));
    memcpy(st->id, id, UUID_TEXT_LEN + 1);
    make_prefix(st, id, &st->prefix);
}

int store_check(struct store *st, struct err *err)
{
    char now[UUID_TEXT_LEN + 1];
    int rc = store_incarnation(st, now, err);

    if (rc == ERR_NOT_FOUND)
        return err_set(err, ERR_REFUSED,
                       "the store has no incarnation of task %s any more, and this is %s: the "
                       "server was wiped; start again with --fresh",
                       st->task, st->id);
    if (rc)
        return rc;
    if (strcmp(now, st->id) != 0)
        return err_set(err, ERR_REFUSED,
                       "the store's incarnation of task %s is %s, and this is %s: restart this "
                       "program, or start all again with --fresh",
                       st->task, now, st->id);
    return 0;
}

const char *store_prefix(const struct store *st)
{
    return buf_str(&st->prefix);
}

int store_wipe(struct store *st, const char *id, struct err *err)
{
    char now[UUID_TEXT_LEN + 1];
    int rc = check_id(id, err);

    if (rc)
        return rc;
    rc = store_incarnation(st, now, err);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (!rc && strcmp(now, id) == 0)
        return err_set(err, ERR_REFUSED, "incarnation %s of task %s is the current one", id,
                       st->task);

    struct buf prefix = BUF_INIT;
    make_prefix(st, id, &prefix);
    rc = st->backend->wipe(st, prefix.data, err);
    buf_release(&prefix);
    return rc;
}

/* ---- Leases ---- */

int store_lease_take(struct store *st, const char *name, const char *owner, int64_t ttl_ms,
                     uint64_t *ret_token, struct err *err)
{
    assert(st->id[0] && ttl_ms > 0);
    return st->backend->lease_take(st, name, owner, ttl_ms, ret_token, err);
}

int store_lease_renew(struct store *st, const char *name, uint64_t token, int64_t ttl_ms,
                      struct err *err)
{
    assert(st->id[0] && ttl_ms > 0);
    return st->backend->lease_renew(st, name, token, ttl_ms, err);
}

int store_lease_release(struct store *st, const char *name, uint64_t token, struct err *err)
{
    assert(st->id[0]);
    return st->backend->lease_release(st, name, token, err);
}

/* ---- Model versions ---- */

void store_version_release(struct store_version *v)
{
    free(v->model);
    free(v->version);
    free(v->generation);
    free(v->class_name);
    free(v->parameters);
    free(v->schema);
    free(v->parent);
    free(v->scores);
    free(v->bus_pos);
    free(v->blob);
    *v = (struct store_version){0};
}

void store_versions_free(struct store_version *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        store_version_release(&v[i]);
    free(v);
}

int store_publish(struct store *st, const char *lease, uint64_t token,
                  const struct store_version *v, bool serve, struct err *err)
{
    assert(st->id[0]);
    assert(v->model && v->version && v->generation && v->class_name && v->parameters && v->schema &&
           v->parent && v->scores && v->bus_pos && v->blob);
    if (v->checksum != XXH64(v->blob, v->blob_len, 0))
        return err_set(err, ERR_INVALID, "version %s of %s: its checksum is not that of its blob",
                       v->version, v->model);
    return st->backend->publish(st, lease, token, v, serve, err);
}

int store_version_get(struct store *st, const char *model, const char *version,
                      struct store_version *ret, struct err *err)
{
    struct store_version v = {0};

    assert(st->id[0]);
    int rc = st->backend->version_get(st, model, version, &v, err);
    if (!rc && (strcmp(v.model, model) != 0 || strcmp(v.version, version) != 0))
        rc = err_set(err, ERR_CORRUPT, "version %s of %s: the stored record is that of %s of %s",
                     version, model, v.version, v.model);
    if (!rc && XXH64(v.blob, v.blob_len, 0) != v.checksum)
        rc = err_set(err, ERR_CORRUPT,
                     "version %s of %s: the %zu stored bytes do not have their checksum", version,
                     model, v.blob_len);
    if (rc) {
        store_version_release(&v);
        return rc;
    }
    *ret = v;
    return 0;
}

int store_head(struct store *st, const char *model, const char *generation,
               struct store_version *ret, struct err *err)
{
    struct buf version = BUF_INIT;

    assert(st->id[0]);
    int rc = st->backend->head(st, model, generation, &version, err);
    if (!rc) {
        rc = store_version_get(st, model, buf_str(&version), ret, err);
        if (rc == ERR_NOT_FOUND)
            rc = err_set(err, ERR_CORRUPT, "the head of generation %s of %s is %s, which is gone",
                         generation, model, buf_str(&version));
    }
    buf_release(&version);
    return rc;
}

int store_serving(struct store *st, const char *model, struct buf *ret_version, struct err *err)
{
    assert(st->id[0]);
    return st->backend->serving(st, model, ret_version, err);
}

int store_versions(struct store *st, const char *model, struct store_version **ret, size_t *ret_n,
                   struct err *err)
{
    assert(st->id[0]);
    return st->backend->versions(st, model, ret, ret_n, err);
}

int store_models(struct store *st, struct buf *ret, struct err *err)
{
    struct store_names names = {0};

    assert(st->id[0]);
    int rc = st->backend->models(st, &names, err);
    if (!rc) {
        store_names_sort(&names);
        buf_byte(ret, '[');
        for (size_t i = 0; i < names.n; i++) {
            if (i)
                buf_byte(ret, ',');
            json_write_string(ret, names.names[i], strlen(names.names[i]));
        }
        buf_byte(ret, ']');
    }
    store_names_release(&names);
    return rc;
}

int store_prune(struct store *st, const char *model, size_t keep, struct err *err)
{
    struct store_version *v = NULL;
    struct store_names victims = {0};
    struct buf serving = BUF_INIT;
    size_t n = 0;

    int rc = store_serving(st, model, &serving, err);
    if (rc == ERR_NOT_FOUND)
        rc = 0;
    if (!rc)
        rc = store_versions(st, model, &v, &n, err);
    if (!rc) {
        store_prune_choose(v, n, keep, buf_str(&serving), &victims);
        if (victims.n)
            rc = st->backend->versions_delete(st, model, &victims, err);
    }
    store_versions_free(v, n);
    store_names_release(&victims);
    buf_release(&serving);
    return rc;
}

/* ---- Floors ---- */

int store_floor_put(struct store *st, const char *reader, const char *topic, const char *pos,
                    uint64_t count, struct err *err)
{
    assert(st->id[0]);
    return st->backend->floor_put(st, reader, topic, pos, count, err);
}

int store_floor_get(struct store *st, const char *reader, const char *topic, struct buf *ret_pos,
                    uint64_t *ret_count, struct err *err)
{
    assert(st->id[0]);
    return st->backend->floor_get(st, reader, topic, ret_pos, ret_count, err);
}

/* ---- Heartbeats ---- */

int store_heartbeat_put(struct store *st, const char *instance, const char *json, int64_t ttl_ms,
                        struct err *err)
{
    struct json_value root;

    assert(st->id[0] && ttl_ms > 0);
    int rc = json_parse(json, strlen(json), &root, err);
    if (!rc && root.type != JSON_OBJECT)
        rc = err_set(err, ERR_INVALID, "it is no JSON object");
    if (rc) {
        err_prefix(err, "the heartbeat of %s", instance);
        return rc;
    }
    return st->backend->heartbeat_put(st, instance, json, ttl_ms, err);
}

int store_heartbeats(struct store *st, struct buf *ret, struct err *err)
{
    struct store_names instances = {0}, json = {0};

    assert(st->id[0]);
    int rc = st->backend->heartbeats(st, &instances, &json, err);
    if (!rc) {
        buf_byte(ret, '{');
        for (size_t i = 0; i < instances.n; i++) {
            if (i)
                buf_byte(ret, ',');
            json_write_string(ret, instances.names[i], strlen(instances.names[i]));
            buf_byte(ret, ':');
            buf_text(ret, json.names[i]);
        }
        buf_byte(ret, '}');
    }
    store_names_release(&instances);
    store_names_release(&json);
    return rc;
}
