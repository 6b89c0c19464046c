/* The store on Redis: connection, incarnation, floors, heartbeats, and its table. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "redis/redis_url.h"
#include "store/redis_store.h"

#define SCAN_COUNT "1000"

/* ---- For the other files ---- */

int redis_store_begin(struct redis_store *st, struct err *err)
{
    int rc = redis_conn_connect(st->conn, err);

    if (rc < 0)
        return rc;
    redis_conn_recycle(st->conn);
    return 0;
}

void redis_store_arg_key(struct redis_store *st, const char *a, const char *b, const char *c)
{
    struct buf key = BUF_INIT;

    buf_append(&key, st->base.prefix.data, st->base.prefix.len);
    buf_text(&key, "store:");
    buf_text(&key, a);
    buf_text(&key, b);
    buf_text(&key, c);
    redis_arg(st->conn, key.data, key.len);
    buf_release(&key);
}

void redis_store_arg_incarnation(struct redis_store *st)
{
    struct buf key = BUF_INIT;

    buf_printf(&key, "oxbow:{%s}:incarnation", st->base.task);
    redis_arg(st->conn, key.data, key.len);
    buf_release(&key);
}

int redis_store_call(struct redis_store *st, const char *what, const redisReply **ret,
                     struct err *err)
{
    return redis_conn_call(st->conn, what, ret, err);
}

bool redis_store_uint(const redisReply *r, uint64_t *ret)
{
    uint64_t v, rest;

    /* An id without its second half is an unsigned number. */
    if (!r || !r->str || strchr(r->str, '-') || !redis_id_parse(r->str, r->len, &v, &rest))
        return false;
    *ret = v;
    return true;
}

/* ---- Lifecycle ---- */

static void redis_close(struct store *base)
{
    struct redis_store *st = (struct redis_store *)base;

    redis_conn_free(st->conn);
    free(st->publish_sha);
    free(st);
}

static struct store *redis_open(const struct store_options *options, struct err *err)
{
    struct redis_conn_options conn_options = {.url = options->url, .client = options->client};

    if (!options->url) {
        err_set(err, ERR_INVALID, "the redis store needs a URL: redis://host:port");
        return NULL;
    }
    struct redis_conn *conn = redis_conn_new(&conn_options, err);
    if (!conn)
        return NULL;
    struct redis_store *st = mem_zalloc(1, sizeof(*st));
    st->conn = conn;
    return &st->base;
}

static int redis_ping(struct store *base, struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    const redisReply *reply;
    int rc = redis_store_begin(st, err);

    if (rc)
        return rc;
    redis_cmd_texts(st->conn, "PING", NULL);
    return redis_store_call(st, NULL, &reply, err);
}

/* ---- Incarnation ---- */

static int redis_incarnation_get(struct store *base, struct buf *ret, struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    const redisReply *reply;
    int rc = redis_store_begin(st, err);

    if (rc)
        return rc;
    redis_cmd(st->conn, 2);
    redis_arg_text(st->conn, "GET");
    redis_store_arg_incarnation(st);
    rc = redis_store_call(st, "the incarnation", &reply, err);
    if (rc)
        return rc;
    if (!reply->str)
        return err_set(err, ERR_NOT_FOUND, "task %s has no incarnation yet: oxbow-views makes it",
                       base->task);
    buf_append(ret, reply->str, reply->len);
    return 0;
}

static int set_incarnation(struct store *base, const char *id, bool only_new, struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    const redisReply *reply;
    int rc = redis_store_begin(st, err);

    if (rc)
        return rc;
    redis_cmd(st->conn, only_new ? 4 : 3);
    redis_arg_text(st->conn, "SET");
    redis_store_arg_incarnation(st);
    redis_arg_text(st->conn, id);
    if (only_new)
        redis_arg_text(st->conn, "NX");
    return redis_store_call(st, "the incarnation", &reply, err);
}

static int redis_incarnation_create(struct store *base, const char *id, struct buf *ret,
                                    struct err *err)
{
    int rc = set_incarnation(base, id, true, err);

    return rc ? rc : redis_incarnation_get(base, ret, err);
}

static int redis_incarnation_replace(struct store *base, const char *id, struct err *err)
{
    return set_incarnation(base, id, false, err);
}

/* One step of SCAN: unlinks what it found; *cursor is "0" after the last. */
static int wipe_step(struct redis_store *st, const char *pattern, char cursor[32], struct err *err)
{
    const redisReply *reply;
    int rc = redis_store_begin(st, err);

    if (rc)
        return rc;
    redis_cmd_texts(st->conn, "SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_COUNT, NULL);
    rc = redis_store_call(st, "looking for old keys", &reply, err);
    if (rc)
        return rc;
    if (reply->elements != 2)
        return err_set(err, ERR_FATAL, "Redis answers SCAN oddly");
    snprintf(cursor, 32, "%s", redis_reply_text(reply->element[0]));

    const redisReply *keys = reply->element[1];
    if (!keys->elements)
        return 0;
    redis_cmd(st->conn, 1 + keys->elements);
    redis_arg_text(st->conn, "UNLINK");
    for (size_t i = 0; i < keys->elements; i++)
        redis_arg(st->conn, keys->element[i]->str, keys->element[i]->len);
    return redis_store_call(st, "deleting old keys", &reply, err);
}

static int redis_wipe(struct store *base, const char *prefix, struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    struct buf pattern = BUF_INIT;
    char cursor[32] = "0";
    int rc;

    /* Names of tasks hold none of the characters that a pattern knows. */
    buf_printf(&pattern, "%s*", prefix);
    do {
        rc = wipe_step(st, pattern.data, cursor, err);
    } while (!rc && strcmp(cursor, "0") != 0);
    buf_release(&pattern);
    return rc;
}

/* ---- Floors ---- */

static void append_floor(struct redis_store *st, const char *command, size_t n_args,
                         const char *reader, const char *topic)
{
    struct buf field = BUF_INIT;

    buf_printf(&field, "%s:%s", reader, topic);
    redis_cmd(st->conn, n_args);
    redis_arg_text(st->conn, command);
    redis_store_arg_key(st, "floors", "", "");
    redis_arg(st->conn, field.data, field.len);
    buf_release(&field);
}

static int redis_floor_put(struct store *base, const char *reader, const char *topic,
                           const char *pos, uint64_t count, struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    struct buf value = BUF_INIT;
    const redisReply *reply;
    int rc = redis_store_begin(st, err);

    if (rc)
        return rc;
    append_floor(st, "HSET", 4, reader, topic);
    buf_printf(&value, "%" PRIu64 " %s", count, pos);
    redis_arg(st->conn, value.data, value.len);
    buf_release(&value);
    return redis_store_call(st, "a floor", &reply, err);
}

static int redis_floor_get(struct store *base, const char *reader, const char *topic,
                           struct buf *ret_pos, uint64_t *ret_count, struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    const redisReply *reply;
    uint64_t count, rest;
    int rc = redis_store_begin(st, err);

    if (rc)
        return rc;
    append_floor(st, "HGET", 3, reader, topic);
    rc = redis_store_call(st, "a floor", &reply, err);
    if (rc)
        return rc;
    if (!reply->str)
        return err_set(err, ERR_NOT_FOUND, "%s has left no floor in %s", reader, topic);
    const char *space = strchr(reply->str, ' ');
    if (!space || !redis_id_parse(reply->str, (size_t)(space - reply->str), &count, &rest))
        return err_set(err, ERR_CORRUPT, "the floor of %s in %s is '%.60s'", reader, topic,
                       reply->str);
    buf_text(ret_pos, space + 1);
    *ret_count = count;
    return 0;
}

/* ---- Heartbeats ---- */

static int redis_heartbeat_put(struct store *base, const char *instance, const char *json,
                               int64_t ttl_ms, struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    const redisReply *reply;
    int rc = redis_store_begin(st, err);

    if (rc)
        return rc;
    redis_cmd(st->conn, 5);
    redis_arg_text(st->conn, "SET");
    redis_store_arg_key(st, "heartbeat:", instance, "");
    redis_arg_text(st->conn, json);
    redis_arg_text(st->conn, "PX");
    redis_arg_uint(st->conn, (uint64_t)ttl_ms);
    redis_cmd(st->conn, 3);
    redis_arg_text(st->conn, "SADD");
    redis_store_arg_key(st, "heartbeats", "", "");
    redis_arg_text(st->conn, instance);

    struct err first = {0};
    rc = redis_store_call(st, "a heartbeat", &reply, &first);
    if (redis_conn_is_up(st->conn)) {
        int second = redis_store_call(st, "a heartbeat", &reply, err);
        if (second)
            return second;
    }
    if (rc && err)
        *err = first;
    return rc;
}

/* One script, so that an instance whose heartbeat has run out can be forgotten without forgetting
 * one that just came. */
static const char heartbeats_script[] =
    "local out = {}\n"
    "for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do\n"
    "  local json = redis.call('GET', ARGV[1] .. name)\n"
    "  if json then\n"
    "    out[#out + 1] = name\n"
    "    out[#out + 1] = json\n"
    "  else\n"
    "    redis.call('SREM', KEYS[1], name)\n"
    "  end\n"
    "end\n"
    "return out";

static int redis_heartbeats(struct store *base, struct store_names *ret_instances,
                            struct store_names *ret_json, struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    const redisReply *reply;
    int rc = redis_store_begin(st, err);

    if (rc)
        return rc;
    redis_cmd(st->conn, 5);
    redis_arg_text(st->conn, "EVAL");
    redis_arg_text(st->conn, heartbeats_script);
    redis_arg_text(st->conn, "1");
    redis_store_arg_key(st, "heartbeats", "", "");
    redis_store_arg_key(st, "heartbeat:", "", "");
    rc = redis_store_call(st, "heartbeats", &reply, err);
    if (rc)
        return rc;
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        store_names_add(ret_instances, reply->element[i]->str, reply->element[i]->len);
    store_names_sort(ret_instances);
    for (size_t i = 0; i < ret_instances->n; i++) {
        const redisReply *json = redis_reply_get(reply, ret_instances->names[i]);
        store_names_add(ret_json, json->str, json->len);
    }
    return 0;
}

const struct store_backend store_backend_redis = {
    .name = "redis",
    .help = "Redis 7.0 or newer",
    .open = redis_open,
    .close = redis_close,
    .ping = redis_ping,
    .incarnation_get = redis_incarnation_get,
    .incarnation_create = redis_incarnation_create,
    .incarnation_replace = redis_incarnation_replace,
    .wipe = redis_wipe,
    .lease_take = redis_lease_take,
    .lease_renew = redis_lease_renew,
    .lease_release = redis_lease_release,
    .publish = redis_publish_version,
    .head = redis_head,
    .serving = redis_serving,
    .version_get = redis_version_get,
    .versions = redis_versions,
    .models = redis_models,
    .versions_delete = redis_versions_delete,
    .floor_put = redis_floor_put,
    .floor_get = redis_floor_get,
    .heartbeat_put = redis_heartbeat_put,
    .heartbeats = redis_heartbeats,
};
