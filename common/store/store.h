/*
 * The store: the dead drop where the learner leaves model versions and
 * inference finds them; also leases, floors of readers, and heartbeats. Redis,
 * or memory for tests.
 *
 * Everything lives under `oxbow:{<task>}:<incarnation>:`. The incarnation is a
 * UUID that ties one life's stores together (the bus's topics, the view
 * engine's database, this store). oxbow-views alone makes it; every other
 * program waits for it with store_incarnation() and then calls store_bind().
 *
 * Versions are write-once: the same (model, version) always means the same
 * bytes. What is read back is checked against its checksum: ERR_CORRUPT names
 * the version.
 *
 * Losing the server: as in bus.h; calls return ERR_DISCONNECTED (retriable),
 * and the next call tries to connect again. One thread at a time.
 */
#ifndef OXBOW_STORE_STORE_H
#define OXBOW_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"

struct store;

/* ---- Lifecycle ---- */

struct store_options {
    const char *backend; /* "redis" or "memory" */
    const char *url;     /* as in bus.h */
    const char *task;    /* the {task} of the key names */
    const char *client;  /* the program's name */
};

/* The server need not answer yet. */
struct store *store_open(const struct store_options *options, struct err *err) MUST_CHECK;
void store_close(struct store *st);
int store_ping(struct store *st, struct err *err) MUST_CHECK;

/* ---- Incarnation ---- */

/* The current incarnation; ERR_NOT_FOUND when there is none yet. */
int store_incarnation(struct store *st, char ret[UUID_TEXT_LEN + 1], struct err *err) MUST_CHECK;

/* Makes `id` the incarnation if there is none; ERR_CONFLICT (text names it) when there is another.
 * 0 when it is this one already. */
int store_incarnation_create(struct store *st, const char *id, struct err *err) MUST_CHECK;

/* For --fresh: makes `id` the incarnation, whatever was there. The old one's keys stay until
 * store_wipe(). */
int store_incarnation_replace(struct store *st, const char *id, struct err *err) MUST_CHECK;

/* All keyed calls below act on this incarnation from now on. No I/O. */
void store_bind(struct store *st, const char *id);
/* ERR_REFUSED when the store's incarnation is not the bound one (another was made, or the server
 * was wiped): the text names both and what to do. */
int store_check(struct store *st, struct err *err) MUST_CHECK;

/* `oxbow:{task}:<incarnation>:`, the prefix for the bus's topics too. Valid until the next
 * store_bind(). */
const char *store_prefix(const struct store *st);

/* Deletes every key of an incarnation that is not the current one. */
int store_wipe(struct store *st, const char *id, struct err *err) MUST_CHECK;

/* ---- Leases ---- */

/*
 * Takes the lease `name` for `ttl_ms`, or ERR_CONFLICT (retriable; the text says who has it and for
 * how long). *ret_token grows with every holder: a write with an older token is refused
 * (ERR_FENCED).
 */
int store_lease_take(struct store *st, const char *name, const char *owner, int64_t ttl_ms,
                     uint64_t *ret_token, struct err *err) MUST_CHECK;
/* ERR_FENCED when another has taken it meanwhile. A lease that ran out and nobody took is renewed.
 */
int store_lease_renew(struct store *st, const char *name, uint64_t token, int64_t ttl_ms,
                      struct err *err) MUST_CHECK;
int store_lease_release(struct store *st, const char *name, uint64_t token,
                        struct err *err) MUST_CHECK;

/* ---- Model versions ---- */

/* Strings are NUL-terminated; owned by the struct when it was read (store_version_release). */
struct store_version {
    char *model;      /* the name in the task file: "linear-regression" */
    char *version;    /* "<generation>-<position>" */
    char *generation; /* 16 hex digits */
    char *class_name; /* the learner's class */
    char *parameters; /* the canonical pipeline, JSON */
    char *schema;     /* the features, JSON, for people and for the monitor */
    char *parent;     /* the version that this one continues; "" for the first */
    char *scores;     /* JSON object: what the learner counts ("mae", "rmse", ..., see learner.h) */
    char *bus_pos;  /* position in learning-queue after `position`, as bus_pos_format() spells it */
    uint64_t start; /* seq after which the generation began to learn */
    uint64_t position; /* seq of the last row it includes */
    uint64_t learned;  /* rows learned since `start` */
    uint64_t skipped;  /* rows passed over (bad rows); learned + skipped = position - start */
    int64_t time_ms;   /* when it was published */
    char *blob;        /* the model's bytes; NULL in lists */
    size_t blob_len;
    uint64_t checksum; /* XXH64 of the blob */
};

void store_version_release(struct store_version *v);

/*
 * One atomic write of a checkpoint: the version, the head of its generation, and (with `serve`) the
 * version that inference is to take. Conditions, checked in the same step: `token` is still the
 * holder of lease `lease` (else ERR_FENCED), and the position does not go back within the
 * generation (else ERR_CONFLICT). The same version once more is 0.
 */
int store_publish(struct store *st, const char *lease, uint64_t token,
                  const struct store_version *v, bool serve, struct err *err) MUST_CHECK;

/* The newest version of a generation, with its blob; ERR_NOT_FOUND. */
int store_head(struct store *st, const char *model, const char *generation,
               struct store_version *ret, struct err *err) MUST_CHECK;

/* The name of the version that inference is to take, without its blob (cheap: asked often).
 * ERR_NOT_FOUND: none yet. */
int store_serving(struct store *st, const char *model, struct buf *ret_version,
                  struct err *err) MUST_CHECK;

/* One version with its blob; ERR_NOT_FOUND, ERR_CORRUPT. */
int store_version_get(struct store *st, const char *model, const char *version,
                      struct store_version *ret, struct err *err) MUST_CHECK;

/* All kept versions of a model, oldest first, without blobs; *ret is an array of *ret_n
 * (store_versions_free). */
int store_versions(struct store *st, const char *model, struct store_version **ret, size_t *ret_n,
                   struct err *err) MUST_CHECK;
void store_versions_free(struct store_version *v, size_t n);

/* Names of all models that have versions; JSON array text appended to `ret`. */
int store_models(struct store *st, struct buf *ret, struct err *err) MUST_CHECK;

/*
 * Forgets versions beyond the `keep` newest of each generation, but keeps one an hour for 24 hours,
 * each generation's head, and what is being served.
 */
int store_prune(struct store *st, const char *model, size_t keep, struct err *err) MUST_CHECK;

/* ---- Floors: how far a required reader has come in a topic ---- */

/* `pos` as bus_pos_format() spells it; `count` is what the reader counts (messages read, or a seq).
 */
int store_floor_put(struct store *st, const char *reader, const char *topic, const char *pos,
                    uint64_t count, struct err *err) MUST_CHECK;
int store_floor_get(struct store *st, const char *reader, const char *topic, struct buf *ret_pos,
                    uint64_t *ret_count, struct err *err) MUST_CHECK;

/* ---- Heartbeats ---- */

/* A service's state as a JSON object; forgotten after `ttl_ms`. `instance` is "views-1". */
int store_heartbeat_put(struct store *st, const char *instance, const char *json, int64_t ttl_ms,
                        struct err *err) MUST_CHECK;
/* One JSON object: {"views-1":{...},...}, appended to `ret`. */
int store_heartbeats(struct store *st, struct buf *ret, struct err *err) MUST_CHECK;

#endif
