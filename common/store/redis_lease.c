/*
 * Leases on Redis. A token is the server's time in microseconds, or one more than the last token if
 * that is later: so a server that comes back without its last moments never gives the same token to
 * two holders. Whoever has the greatest token is the holder; the key with the time to live only
 * says until when nobody else may take it.
 */
#include <inttypes.h>
#include <string.h>

#include "store/redis_store.h"

/* Decimal texts are compared as texts: Lua's numbers are doubles. */
#define LUA_LESS                                                                                   \
    "local function less(a, b)\n"                                                                  \
    "  if #a ~= #b then return #a < #b end\n"                                                      \
    "  return a < b\n"                                                                             \
    "end\n"

static const char take_script[] =
    "local held = redis.call('GET', KEYS[1])\n"
    "if held then return {'HELD', held, redis.call('PTTL', KEYS[1])} end\n"
    "local t = redis.call('TIME')\n"
    "local token = t[1] * 1000000 + t[2]\n"
    "local last = tonumber(redis.call('HGET', KEYS[2], 'token:' .. ARGV[1]) or '0')\n"
    "if token <= last then token = last + 1 end\n"
    "token = string.format('%.0f', token)\n"
    "redis.call('HSET', KEYS[2], 'token:' .. ARGV[1], token, 'owner:' .. ARGV[1], ARGV[2])\n"
    "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])\n"
    "return {'OK', token}";

/* A missing or older token is one that the server has lost: nobody has taken the lease since. */
static const char renew_script[] =
    LUA_LESS "local last = redis.call('HGET', KEYS[2], 'token:' .. ARGV[1])\n"
             "if last and less(ARGV[2], last) then return {'FENCED'} end\n"
             "local owner = redis.call('HGET', KEYS[2], 'owner:' .. ARGV[1]) or 'unknown'\n"
             "redis.call('HSET', KEYS[2], 'token:' .. ARGV[1], ARGV[2])\n"
             "redis.call('SET', KEYS[1], owner, 'PX', ARGV[3])\n"
             "return {'OK'}";

/* The token that comes after the released one makes it an old one. */
static const char release_script[] = LUA_LESS
    "local last = redis.call('HGET', KEYS[2], 'token:' .. ARGV[1])\n"
    "if last and less(ARGV[2], last) then return {'FENCED'} end\n"
    "redis.call('HSET', KEYS[2], 'token:' .. ARGV[1], string.format('%.0f', ARGV[2] + 1))\n"
    "redis.call('DEL', KEYS[1])\n"
    "return {'OK'}";

/* Appends the start of EVAL: the script, its two keys, and ARGV[1]. */
static void append_eval(struct redis_store *st, const char *script, const char *name, size_t n_args)
{
    redis_cmd(st->conn, 5 + n_args);
    redis_arg_text(st->conn, "EVAL");
    redis_arg_text(st->conn, script);
    redis_arg_text(st->conn, "2");
    redis_store_arg_key(st, "lease:", name, "");
    redis_store_arg_key(st, "leases", "", "");
    redis_arg_text(st->conn, name);
}

static int check_answer(const redisReply *reply, const char *name, uint64_t token, struct err *err)
{
    const char *what = reply->elements ? redis_reply_text(reply->element[0]) : "";

    if (strcmp(what, "OK") == 0)
        return 0;
    return store_fenced(err, name, token);
}

int redis_lease_take(struct store *base, const char *name, const char *owner, int64_t ttl_ms,
                     uint64_t *ret_token, struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    const redisReply *reply;

    int rc = redis_store_begin(st, err);
    if (rc)
        return rc;
    append_eval(st, take_script, name, 3);
    redis_arg_text(st->conn, owner);
    redis_arg_uint(st->conn, (uint64_t)ttl_ms);
    rc = redis_store_call(st, "taking a lease", &reply, err);
    if (rc)
        return rc;
    if (reply->elements == 3)
        return err_set_retriable(
            err, ERR_CONFLICT, "the lease %s is held by %s for another %" PRId64 " ms", name,
            redis_reply_text(reply->element[1]), redis_reply_int(reply->element[2]));
    if (reply->elements != 2 || !redis_store_uint(reply->element[1], ret_token))
        return err_set(err, ERR_FATAL, "Redis answers oddly to taking the lease %s", name);
    return 0;
}

int redis_lease_renew(struct store *base, const char *name, uint64_t token, int64_t ttl_ms,
                      struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    const redisReply *reply;

    int rc = redis_store_begin(st, err);
    if (rc)
        return rc;
    append_eval(st, renew_script, name, 3);
    redis_arg_uint(st->conn, token);
    redis_arg_uint(st->conn, (uint64_t)ttl_ms);
    rc = redis_store_call(st, "renewing a lease", &reply, err);
    return rc ? rc : check_answer(reply, name, token, err);
}

int redis_lease_release(struct store *base, const char *name, uint64_t token, struct err *err)
{
    struct redis_store *st = (struct redis_store *)base;
    const redisReply *reply;

    int rc = redis_store_begin(st, err);
    if (rc)
        return rc;
    append_eval(st, release_script, name, 2);
    redis_arg_uint(st->conn, token);
    rc = redis_store_call(st, "releasing a lease", &reply, err);
    return rc ? rc : check_answer(reply, name, token, err);
}
