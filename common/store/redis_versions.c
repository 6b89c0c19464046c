/* Model versions on Redis: publishing, reading, listing, forgetting. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "store/redis_store.h"

/* ---- The fields of a version's hash ---- */

struct text_field {
    const char *name;
    size_t offset;
};

struct uint_field {
    const char *name;
    size_t offset;
};

#define FIELD(name) offsetof(struct store_version, name)

static const struct text_field text_fields[] = {
    {"model", FIELD(model)},           {"version", FIELD(version)},
    {"generation", FIELD(generation)}, {"class", FIELD(class_name)},
    {"parameters", FIELD(parameters)}, {"schema", FIELD(schema)},
    {"parent", FIELD(parent)},         {"scores", FIELD(scores)},
    {"bus_pos", FIELD(bus_pos)},
};

/* time_ms is an int64_t that is never negative. */
static const struct uint_field uint_fields[] = {
    {"start", FIELD(start)},     {"position", FIELD(position)}, {"learned", FIELD(learned)},
    {"skipped", FIELD(skipped)}, {"time_ms", FIELD(time_ms)},   {"checksum", FIELD(checksum)},
};

#define N_TEXTS (sizeof(text_fields) / sizeof(text_fields[0]))
#define N_UINTS (sizeof(uint_fields) / sizeof(uint_fields[0]))

static char **text_of(struct store_version *v, size_t i)
{
    return (char **)(void *)((char *)v + text_fields[i].offset);
}

static uint64_t *uint_of(struct store_version *v, size_t i)
{
    return (uint64_t *)(void *)((char *)v + uint_fields[i].offset);
}

static void append_fields(struct redis_conn *c, const struct store_version *v)
{
    struct store_version copy = *v; /* only so that the accessors need no second, const form */

    for (size_t i = 0; i < N_TEXTS; i++) {
        redis_arg_text(c, text_fields[i].name);
        redis_arg_text(c, *text_of(&copy, i));
    }
    for (size_t i = 0; i < N_UINTS; i++) {
        redis_arg_text(c, uint_fields[i].name);
        redis_arg_uint(c, *uint_of(&copy, i));
    }
    redis_arg_text(c, "blob");
    redis_arg(c, v->blob, v->blob_len);
}

/* HMGET of all fields but the blob, and the blob too if `blob`. */
static void append_get(struct redis_store *st, const char *model, const char *version, bool blob)
{
    char suffix[320];

    snprintf(suffix, sizeof(suffix), ":%.300s", version);
    redis_cmd(st->conn, 2 + N_TEXTS + N_UINTS + (blob ? 1 : 0));
    redis_arg_text(st->conn, "HMGET");
    redis_store_arg_key(st, "version:", model, suffix);
    for (size_t i = 0; i < N_TEXTS; i++)
        redis_arg_text(st->conn, text_fields[i].name);
    for (size_t i = 0; i < N_UINTS; i++)
        redis_arg_text(st->conn, uint_fields[i].name);
    if (blob)
        redis_arg_text(st->conn, "blob");
}

/* Fills `v` from HMGET's answer. ERR_NOT_FOUND when no field is there at all. */
static int take_fields(const redisReply *reply, bool blob, const char *model, const char *version,
                       struct store_version *v, struct err *err)
{
    size_t n = N_TEXTS + N_UINTS + (blob ? 1 : 0), there = 0;

    for (size_t i = 0; i < reply->elements; i++)
        there += reply->element[i]->str != NULL;
    if (!there)
        return store_not_found(err, model, version);
    if (there != n)
        return err_set(err, ERR_CORRUPT, "version %s of %s: %zu of its %zu fields are missing",
                       version, model, n - there, n);
    for (size_t i = 0; i < N_TEXTS; i++)
        *text_of(v, i) = mem_strndup(reply->element[i]->str, reply->element[i]->len);
    for (size_t i = 0; i < N_UINTS; i++)
        if (!redis_store_uint(reply->element[N_TEXTS + i], uint_of(v, i)))
            return err_set(err, ERR_CORRUPT, "version %s of %s: its field %s is no number", version,
                           model, uint_fields[i].name);
    if (blob) {
        const redisReply *bytes = reply->element[n - 1];
        v->blob = mem_alloc(bytes->len);
        memcpy(v->blob, bytes->str, bytes->len);
        v->blob_len = bytes->len;
    }
    return 0;
}

/* ---- Publishing ---- */

/*
 * KEYS: 1 incarnation, 2 leases, 3 version, 4 versions, 5 heads, 6 positions, 7 serving, 8 models
 * ARGV: 1 incarnation, 2 lease, 3 token, 4 model, 5 version, 6 generation, 7 position, 8 checksum,
 * 9 serve, 10... the fields of the version
 */
static const char publish_script[] =
    "local function less(a, b)\n"
    "  if #a ~= #b then return #a < #b end\n"
    "  return a < b\n"
    "end\n"
    "local id = redis.call('GET', KEYS[1])\n"
    "if id ~= ARGV[1] then return {'INCARNATION', id or 'none'} end\n"
    "local token = redis.call('HGET', KEYS[2], 'token:' .. ARGV[2])\n"
    "if token ~= ARGV[3] then return {'FENCED'} end\n"
    "local there = redis.call('HGET', KEYS[3], 'checksum')\n"
    "if there and there ~= ARGV[8] then return {'OTHER'} end\n"
    "local position = redis.call('HGET', KEYS[6], ARGV[6])\n"
    "if position and less(ARGV[7], position) then return {'BACK', position} end\n"
    "if not there then\n"
    "  redis.call('HSET', KEYS[3], unpack(ARGV, 10))\n"
    "  local last = redis.call('ZRANGE', KEYS[4], -1, -1, 'WITHSCORES')\n"
    "  local score = last[2] and last[2] + 1 or 1\n"
    "  redis.call('ZADD', KEYS[4], string.format('%.0f', score), ARGV[5])\n"
    "  redis.call('SADD', KEYS[8], ARGV[4])\n"
    "end\n"
    "redis.call('HSET', KEYS[5], ARGV[6], ARGV[5])\n"
    "redis.call('HSET', KEYS[6], ARGV[6], ARGV[7])\n"
    "if ARGV[9] == '1' then redis.call('HSET', KEYS[7], ARGV[4], ARGV[5]) end\n"
    "return {'OK'}";

static int load_script(struct redis_store *st, struct err *err)
{
    const redisReply *reply;

    if (st->publish_sha)
        return 0;
    redis_cmd_texts(st->conn, "SCRIPT", "LOAD", publish_script, NULL);
    int rc = redis_store_call(st, "loading a script", &reply, err);
    if (!rc)
        st->publish_sha = mem_strdup(redis_reply_text(reply));
    return rc;
}

static void append_publish(struct redis_store *st, const char *lease, uint64_t token,
                           const struct store_version *v, bool serve)
{
    struct redis_conn *c = st->conn;
    char suffix[320];

    snprintf(suffix, sizeof(suffix), ":%.300s", v->version);
    redis_cmd(c, 3 + 8 + 9 + 2 * (N_TEXTS + N_UINTS + 1));
    redis_arg_text(c, "EVALSHA");
    redis_arg_text(c, st->publish_sha);
    redis_arg_text(c, "8");
    redis_store_arg_incarnation(st);
    redis_store_arg_key(st, "leases", "", "");
    redis_store_arg_key(st, "version:", v->model, suffix);
    redis_store_arg_key(st, "versions:", v->model, "");
    redis_store_arg_key(st, "heads:", v->model, "");
    redis_store_arg_key(st, "positions:", v->model, "");
    redis_store_arg_key(st, "serving", "", "");
    redis_store_arg_key(st, "models", "", "");

    redis_arg_text(c, st->base.id);
    redis_arg_text(c, lease);
    redis_arg_uint(c, token);
    redis_arg_text(c, v->model);
    redis_arg_text(c, v->version);
    redis_arg_text(c, v->generation);
    redis_arg_uint(c, v->position);
    redis_arg_uint(c, v->checksum);
    redis_arg_text(c, serve ? "1" : "0");
    append_fields(c, v);
}

static int publish_result(const redisReply *reply, const char *lease, uint64_t token,
                          const struct store_version *v, const struct store *st, struct err *err)
{
    const char *what = reply->elements ? redis_reply_text(reply->element[0]) : "";
    const char *detail = reply->elements > 1 ? redis_reply_text(reply->element[1]) : "";

    if (strcmp(what, "OK") == 0)
        return 0;
    if (strcmp(what, "FENCED") == 0)
        return store_fenced(err, lease, token);
    if (strcmp(what, "BACK") == 0)
        return err_set(err, ERR_CONFLICT,
                       "version %s of %s goes back: its generation is at position %s already",
                       v->version, v->model, detail);
    if (strcmp(what, "OTHER") == 0)
        return err_set(err, ERR_CONFLICT, "version %s of %s is there already, with other bytes",
                       v->version, v->model);
    if (strcmp(what, "INCARNATION") == 0)
        return err_set(err, ERR_REFUSED,
                       "the store's incarnation of task %s is %s, and this is %s: restart this "
                       "program, or start all again with --fresh",
                       st->task, detail, st->id);
    return err_set(err, ERR_FATAL, "Redis answers oddly to publishing version %s", v->version);
}

int redis_publish_version(struct store *base, const char *lease, uint64_t token,
                          const struct store_version *v, bool serve, struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    const redisReply *reply = NULL;
    int rc;

    /* A second time when the server has forgotten the script: it was restarted or flushed. */
    for (int tries = 0;; tries++) {
        rc = redis_store_begin(st, err);
        if (!rc)
            rc = load_script(st, err);
        if (rc)
            return rc;
        append_publish(st, lease, token, v, serve);
        rc = redis_store_call(st, "publishing a version", &reply, err);
        if (!rc || !redis_conn_is_up(st->conn) || !redis_reply_is_error(reply, "NOSCRIPT") || tries)
            break;
        free(st->publish_sha);
        st->publish_sha = NULL;
    }
    return rc ? rc : publish_result(reply, lease, token, v, base, err);
}

/* ---- Reading ---- */

/* HGET <key> <field>, whose absence is ERR_NOT_FOUND. */
static int get_name(struct redis_store *st, const char *a, const char *b, const char *field,
                    const char *what, struct buf *ret, struct err *err)
{
    const redisReply *reply;

    int rc = redis_store_begin(st, err);
    if (rc)
        return rc;
    redis_cmd(st->conn, 3);
    redis_arg_text(st->conn, "HGET");
    redis_store_arg_key(st, a, b, "");
    redis_arg_text(st->conn, field);
    rc = redis_store_call(st, what, &reply, err);
    if (rc)
        return rc;
    if (!reply->str)
        return err_set(err, ERR_NOT_FOUND, "%s: there is none yet", what);
    buf_append(ret, reply->str, reply->len);
    return 0;
}

int redis_head(struct store *base, const char *model, const char *generation, struct buf *ret,
               struct err *err)
{
    char what[200];

    snprintf(what, sizeof(what), "the head of generation %.40s of %.100s", generation, model);
    return get_name((struct redis_store *)base, "heads:", model, generation, what, ret, err);
}

int redis_serving(struct store *base, const char *model, struct buf *ret, struct err *err)
{
    char what[200];

    snprintf(what, sizeof(what), "the version of %.100s to serve", model);
    return get_name((struct redis_store *)base, "serving", "", model, what, ret, err);
}

int redis_version_get(struct store *base, const char *model, const char *version,
                      struct store_version *ret, struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    const redisReply *reply;

    int rc = redis_store_begin(st, err);
    if (rc)
        return rc;
    append_get(st, model, version, true);
    rc = redis_store_call(st, version, &reply, err);
    if (rc)
        return rc;
    return take_fields(reply, true, model, version, ret, err);
}

static int ask_names(struct redis_store *st, const char *model, const redisReply **ret,
                     struct err *err)
{
    int rc = redis_store_begin(st, err);

    if (rc)
        return rc;
    redis_cmd(st->conn, 4);
    redis_arg_text(st->conn, "ZRANGE");
    redis_store_arg_key(st, "versions:", model, "");
    redis_arg_text(st->conn, "0");
    redis_arg_text(st->conn, "-1");
    return redis_store_call(st, "listing versions", ret, err);
}

int redis_versions(struct store *base, const char *model, struct store_version **ret, size_t *ret_n,
                   struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    const redisReply *names, *fields, *size;
    size_t n = 0;

    *ret = NULL;
    *ret_n = 0;
    int rc = ask_names(st, model, &names, err);
    if (rc)
        return rc;
    struct store_version *v = mem_zalloc(names->elements, sizeof(*v));
    for (size_t i = 0; i < names->elements; i++) {
        const char *version = redis_reply_text(names->element[i]);
        char suffix[320];

        snprintf(suffix, sizeof(suffix), ":%.300s", version);
        append_get(st, model, version, false);
        redis_cmd(st->conn, 3);
        redis_arg_text(st->conn, "HSTRLEN");
        redis_store_arg_key(st, "version:", model, suffix);
        redis_arg_text(st->conn, "blob");
    }
    for (size_t i = 0; i < names->elements && !rc; i++) {
        const char *version = redis_reply_text(names->element[i]);
        rc = redis_store_call(st, version, &fields, err);
        if (!rc)
            rc = redis_store_call(st, version, &size, err);
        if (!rc)
            rc = take_fields(fields, false, model, version, &v[n], err);
        if (rc == ERR_NOT_FOUND) {
            rc = 0; /* forgotten since it was listed */
            continue;
        }
        if (!rc)
            v[n].blob_len = (size_t)redis_reply_int(size);
        n++;
    }
    if (rc) {
        /* Answers that nobody took would be taken for the next call's. */
        redis_conn_drop(st->conn);
        store_versions_free(v, n);
        return rc;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

int redis_models(struct store *base, struct store_names *ret, struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    const redisReply *reply;

    int rc = redis_store_begin(st, err);
    if (rc)
        return rc;
    redis_cmd(st->conn, 2);
    redis_arg_text(st->conn, "SMEMBERS");
    redis_store_arg_key(st, "models", "", "");
    rc = redis_store_call(st, "listing models", &reply, err);
    for (size_t i = 0; !rc && i < reply->elements; i++)
        store_names_add(ret, reply->element[i]->str, reply->element[i]->len);
    return rc;
}

/* ---- Forgetting ---- */

/* KEYS: 1 version, 2 versions, 3 heads, 4 serving. ARGV: 1 model, 2 version. */
static const char delete_script[] =
    "if redis.call('HGET', KEYS[4], ARGV[1]) == ARGV[2] then return 0 end\n"
    "local generation = redis.call('HGET', KEYS[1], 'generation')\n"
    "if generation and redis.call('HGET', KEYS[3], generation) == ARGV[2] then return 0 end\n"
    "redis.call('ZREM', KEYS[2], ARGV[2])\n"
    "return redis.call('UNLINK', KEYS[1])";

int redis_versions_delete(struct store *base, const char *model, const struct store_names *versions,
                          struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    const redisReply *reply;
    int rc = redis_store_begin(st, err);

    for (size_t i = 0; i < versions->n && !rc; i++) {
        char suffix[320];

        snprintf(suffix, sizeof(suffix), ":%.300s", versions->names[i]);
        redis_cmd(st->conn, 9);
        redis_arg_text(st->conn, "EVAL");
        redis_arg_text(st->conn, delete_script);
        redis_arg_text(st->conn, "4");
        redis_store_arg_key(st, "version:", model, suffix);
        redis_store_arg_key(st, "versions:", model, "");
        redis_store_arg_key(st, "heads:", model, "");
        redis_store_arg_key(st, "serving", "", "");
        redis_arg_text(st->conn, model);
        redis_arg_text(st->conn, versions->names[i]);
        rc = redis_store_call(st, "forgetting a version", &reply, err);
    }
    return rc;
}
