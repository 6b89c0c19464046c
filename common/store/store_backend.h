/*
 * For those who write a backend of the store; users include store.h.
 *
 * A backend is one `const struct store_backend` at the end of its file, named
 * in the array in store.c, whose functions wrap every slot. They have checked
 * that ids are UUIDs, that an incarnation is bound where keys need one, and that a version's
 * strings are there and its checksum is that of its blob; they check the checksum again when a
 * version was read.
 */
#ifndef OXBOW_STORE_STORE_BACKEND_H
#define OXBOW_STORE_STORE_BACKEND_H

#include "store/store.h"

/* The first member of a backend's own struct. store.c fills it after open(). */
struct store {
    const struct store_backend *backend;
    char *task;
    char id[UUID_TEXT_LEN + 1]; /* "" before store_bind() */
    struct buf prefix;          /* `oxbow:{task}:<id>:` */
};

/* A growing list of strings that it owns. Zero-initialise. */
struct store_names {
    char **names;
    size_t n;
};
void store_names_add(struct store_names *list, const char *name, size_t len);
void store_names_sort(struct store_names *list);
void store_names_release(struct store_names *list);

struct store_backend {
    const char *name;
    const char *help; /* one line for --help */

    /* Lifecycle */
    struct store *(*open)(const struct store_options *options, struct err *err);
    void (*close)(struct store *st);
    int (*ping)(struct store *st, struct err *err);

    /* Incarnation. get appends to `ret`, ERR_NOT_FOUND. create appends the one that is current
     * afterwards. */
    int (*incarnation_get)(struct store *st, struct buf *ret, struct err *err);
    int (*incarnation_create)(struct store *st, const char *id, struct buf *ret, struct err *err);
    int (*incarnation_replace)(struct store *st, const char *id, struct err *err);
    /* `prefix` is that of another incarnation than the current one. */
    int (*wipe)(struct store *st, const char *prefix, struct err *err);

    /* Leases */
    int (*lease_take)(struct store *st, const char *name, const char *owner, int64_t ttl_ms,
                      uint64_t *ret_token, struct err *err);
    int (*lease_renew)(struct store *st, const char *name, uint64_t token, int64_t ttl_ms,
                       struct err *err);
    int (*lease_release)(struct store *st, const char *name, uint64_t token, struct err *err);

    /* Versions */
    int (*publish)(struct store *st, const char *lease, uint64_t token,
                   const struct store_version *v, bool serve, struct err *err);
    /* Append a version's name; ERR_NOT_FOUND. */
    int (*head)(struct store *st, const char *model, const char *generation, struct buf *ret,
                struct err *err);
    int (*serving)(struct store *st, const char *model, struct buf *ret, struct err *err);
    /* With the blob; `ret` is zeroed and may be half filled on error: the wrapper releases it. */
    int (*version_get)(struct store *st, const char *model, const char *version,
                       struct store_version *ret, struct err *err);
    /* In the order of publishing, without blobs but with blob_len. On error *ret is NULL. */
    int (*versions)(struct store *st, const char *model, struct store_version **ret, size_t *ret_n,
                    struct err *err);
    int (*models)(struct store *st, struct store_names *ret, struct err *err);
    /* Forgets these, except any that is a head or served by now. */
    int (*versions_delete)(struct store *st, const char *model, const struct store_names *versions,
                           struct err *err);

    /* Floors */
    int (*floor_put)(struct store *st, const char *reader, const char *topic, const char *pos,
                     uint64_t count, struct err *err);
    int (*floor_get)(struct store *st, const char *reader, const char *topic, struct buf *ret_pos,
                     uint64_t *ret_count, struct err *err);

    /* Heartbeats: `json` is a checked object. Lists instances and their JSON side by side. */
    int (*heartbeat_put)(struct store *st, const char *instance, const char *json, int64_t ttl_ms,
                         struct err *err);
    int (*heartbeats)(struct store *st, struct store_names *ret_instances,
                      struct store_names *ret_json, struct err *err);
};

extern const struct store_backend store_backend_memory;
extern const struct store_backend store_backend_redis;

/* Errors that read the same from every backend. */
int store_not_found(struct err *err, const char *model, const char *version);
int store_fenced(struct err *err, const char *lease, uint64_t token);

/*
 * Which of a model's versions (in the order of publishing) are to be forgotten: see store_prune().
 * `serving` may be
 * "". Adds their names to `ret`.
 */
void store_prune_choose(const struct store_version *v, size_t n, size_t keep, const char *serving,
                        struct store_names *ret);

#endif
