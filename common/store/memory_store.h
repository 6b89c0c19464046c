/*
 * The store in memory, for tests: the same promises as Redis, within one
 * process. Stores of the same task see the same data, which live until the
 * process ends or store_wipe(). One mutex guards everything.
 */
#ifndef OXBOW_STORE_MEMORY_STORE_H
#define OXBOW_STORE_MEMORY_STORE_H

#include <pthread.h>

#include "store/store_backend.h"

struct memory_lease {
    char *name;
    char *owner;
    uint64_t token;   /* the newest; a released lease has one that nobody holds */
    int64_t until_ms; /* monotonic */
};

struct memory_floor {
    char *reader;
    char *topic;
    char *pos;
    uint64_t count;
};

struct memory_heartbeat {
    char *instance;
    char *json;
    int64_t until_ms; /* monotonic */
};

/* A name that inference is to take, or the head of a generation. */
struct memory_ref {
    char *model;
    char *generation; /* "" for what is served */
    char *version;
    uint64_t position;
};

/* All keys of one incarnation. Arrays grow one by one: they are short. */
struct memory_space {
    char *prefix;
    struct memory_lease *leases;
    size_t n_leases;
    struct store_version *versions; /* in the order of publishing */
    size_t n_versions;
    struct memory_ref *refs;
    size_t n_refs;
    struct memory_floor *floors;
    size_t n_floors;
    struct memory_heartbeat *heartbeats;
    size_t n_heartbeats;
    struct memory_space *next;
};

/* Takes and gives back the mutex of all stores in memory. */
void memory_store_lock(void);
void memory_store_unlock(void);

/* With the mutex held: the space that the store is bound to, made if need be. */
struct memory_space *memory_store_space(const struct store *st);
/* With the mutex held: ERR_FENCED unless the token is the newest. */
int memory_store_check_token(const struct memory_space *space, const char *lease, uint64_t token,
                             struct err *err);
/* With the mutex held: the current incarnation; "" when there is none. */
const char *memory_store_incarnation(const struct store *st);

/* Makes *p a copy of `s`, and frees what was there. */
void memory_store_set(char **p, const char *s);

/* ---- memory_versions.c ---- */

int memory_publish(struct store *st, const char *lease, uint64_t token,
                   const struct store_version *v, bool serve, struct err *err);
int memory_head(struct store *st, const char *model, const char *generation, struct buf *ret,
                struct err *err);
int memory_serving(struct store *st, const char *model, struct buf *ret, struct err *err);
int memory_version_get(struct store *st, const char *model, const char *version,
                       struct store_version *ret, struct err *err);
int memory_versions(struct store *st, const char *model, struct store_version **ret, size_t *ret_n,
                    struct err *err);
int memory_models(struct store *st, struct store_names *ret, struct err *err);
int memory_versions_delete(struct store *st, const char *model, const struct store_names *versions,
                           struct err *err);

#endif
