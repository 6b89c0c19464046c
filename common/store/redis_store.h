/*
 * The store on Redis, as its files see it. Under `oxbow:{task}:<id>:store:` are
 *
 *   lease:<name>         string: the owner, with the lease's time to live
 *   leases               hash: `token:<name>` the newest token, `owner:<name>` who took it
 *   models               set of names of models
 *   versions:<model>     sorted set of versions, by the order of publishing
 *   version:<model>:<v>  hash: the fields of struct store_version, the blob among them
 *   heads:<model>        hash: generation -> its newest version
 *   positions:<model>    hash: generation -> its newest version's position
 *   serving              hash: model -> the version that inference is to take
 *   floors               hash: `<reader>:<topic>` -> `<count> <position>`
 *   heartbeats           set of instances
 *   heartbeat:<instance> string: JSON, with a time to live
 *
 * and `oxbow:{task}:incarnation` holds the id. All keys of a task are in one
 * cluster slot. Everything that must be one step is one Lua script.
 */
#ifndef OXBOW_STORE_REDIS_STORE_H
#define OXBOW_STORE_REDIS_STORE_H

#include "redis/redis_conn.h"
#include "store/store_backend.h"

struct redis_store {
    struct store base;
    struct redis_conn *conn;
    char *publish_sha; /* of the script that publishes, once this connection has loaded it; NULL
                          before */
};

/* Connects if need be; forgets earlier replies. */
int redis_store_begin(struct redis_store *st, struct err *err) MUST_CHECK;

/* Appends the key `<prefix>store:<a><b><c>` as one argument. */
void redis_store_arg_key(struct redis_store *st, const char *a, const char *b, const char *c);
/* Appends `oxbow:{task}:incarnation`. */
void redis_store_arg_incarnation(struct redis_store *st);

/* Waits for one reply. */
int redis_store_call(struct redis_store *st, const char *what, const redisReply **ret,
                     struct err *err) MUST_CHECK;

/* An unsigned decimal number that is the whole text; false otherwise. */
bool redis_store_uint(const redisReply *r, uint64_t *ret);

/* ---- redis_lease.c ---- */

int redis_lease_take(struct store *base, const char *name, const char *owner, int64_t ttl_ms,
                     uint64_t *ret_token, struct err *err);
int redis_lease_renew(struct store *base, const char *name, uint64_t token, int64_t ttl_ms,
                      struct err *err);
int redis_lease_release(struct store *base, const char *name, uint64_t token, struct err *err);

/* ---- redis_versions.c ---- */

int redis_publish_version(struct store *base, const char *lease, uint64_t token,
                          const struct store_version *v, bool serve, struct err *err);
int redis_head(struct store *base, const char *model, const char *generation, struct buf *ret,
               struct err *err);
int redis_serving(struct store *base, const char *model, struct buf *ret, struct err *err);
int redis_version_get(struct store *base, const char *model, const char *version,
                      struct store_version *ret, struct err *err);
int redis_versions(struct store *base, const char *model, struct store_version **ret, size_t *ret_n,
                   struct err *err);
int redis_models(struct store *base, struct store_names *ret, struct err *err);
int redis_versions_delete(struct store *base, const char *model, const struct store_names *versions,
                          struct err *err);

#endif
