/*
 * Replies of a Redis server, parsed by hiredis into an arena.
 *
 * A batch of 1,000 stream entries is some 10,000 little objects. hiredis'
 * own allocation of each would cost more than all the rest of reading, so
 * they are cut from chunks that are forgotten as a whole. The objects have
 * hiredis' own type, redisReply; they must never be passed to
 * freeReplyObject().
 */
#ifndef OXBOW_REDIS_REDIS_REPLY_H
#define OXBOW_REDIS_REDIS_REPLY_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* ---- The arena ---- */

struct redis_chunk;

struct redis_arena {
    struct redis_chunk *chunks; /* the newest first; NULL until the first use */
    size_t total;               /* bytes used in the older ones */
};

/* Memory aligned for any type, valid until the next reset. Never NULL. */
void *redis_arena_alloc(struct redis_arena *a, size_t size);

/* Forgets everything, and keeps one chunk as large as the last use needed (at most 4 MiB). */
void redis_arena_reset(struct redis_arena *a);
void redis_arena_release(struct redis_arena *a);

/* A parser whose objects live in `a`, which must outlive it. redisReaderFree() it. */
redisReader *redis_reply_reader_new(struct redis_arena *a);

/* ---- Looking into replies ---- */

/* The value of a member of a flat [name, value, ...] array, or NULL. */
const redisReply *redis_reply_get(const redisReply *map, const char *name);

/* The integer of a reply or of its decimal text; 0 for anything else, NULL included. */
int64_t redis_reply_int(const redisReply *r);

/* The text of a string or status; "" for anything else, NULL included. */
const char *redis_reply_text(const redisReply *r);

/* True for an error reply whose text starts with `prefix`. */
bool redis_reply_is_error(const redisReply *r, const char *prefix);

/*
 * What an error reply means. A server that cannot serve now (LOADING, READONLY, MASTERDOWN, OOM,
 * ...) is ERR_DISCONNECTED, retriable; the rest is ERR_REFUSED, or ERR_UNSUPPORTED for a command
 * that the server does not know. `subject` (a key; may be NULL) comes first in the text. 0 when `r`
 * is no error.
 */
int redis_reply_error(const redisReply *r, const char *subject, struct err *err);

#endif
