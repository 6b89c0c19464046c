/*
 * A connection to a Redis server that pipelines.
 *
 * Commands are appended to an output buffer (redis_cmd, then its arguments),
 * go out together, and their replies come in the same order. hiredis connects
 * and parses; the bytes are moved here, because a reader must be able to wait
 * for an answer for a moment, do something else, and wait for the same answer
 * again.
 *
 * A connection that fails is dropped at once, with everything that was queued
 * or unanswered, and the failing call returns ERR_DISCONNECTED (retriable).
 * redis_conn_connect() makes a new one; nothing else does.
 *
 * Replies live in the connection's arena until redis_conn_recycle().
 * One thread at a time.
 */
#ifndef OXBOW_REDIS_REDIS_CONN_H
#define OXBOW_REDIS_REDIS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "redis/redis_reply.h"

struct redis_conn;

struct redis_conn_options {
    const char *url;    /* see redis_url.h */
    const char *client; /* for CLIENT LIST; NULL: none */
    int connect_ms;     /* how long connecting may take; 0: 2 s */
    int timeout_ms;     /* how long redis_conn_call() waits for its answer; 0: 10 s */
};

/* ---- Lifecycle ---- */

/* No I/O; copies the options. ERR_INVALID for a bad URL. */
struct redis_conn *redis_conn_new(const struct redis_conn_options *options,
                                  struct err *err) MUST_CHECK;
void redis_conn_free(struct redis_conn *c); /* NULL is fine */

/*
 * Returns 0 when it is up, 1 after connecting anew (what the server kept for the connection is
 * gone), or <0. A server that is still loading its data counts as away: of a pipeline it would
 * refuse the first commands and take the later ones.
 */
int redis_conn_connect(struct redis_conn *c, struct err *err) MUST_CHECK;
void redis_conn_drop(struct redis_conn *c);
bool redis_conn_is_up(const struct redis_conn *c);
int redis_conn_timeout_ms(const struct redis_conn *c);

/* ---- Commands: redis_cmd() and then exactly `n_args` times one of redis_arg...() ---- */

void redis_cmd(struct redis_conn *c, size_t n_args);
void redis_arg(struct redis_conn *c, const void *data, size_t len);
/* Two pieces as one argument. */
void redis_arg_pair(struct redis_conn *c, const char *a, size_t a_len, const char *b, size_t b_len);
void redis_arg_uint(struct redis_conn *c, uint64_t v);
/* `<ms>-<seq>` */
void redis_arg_id(struct redis_conn *c, uint64_t ms, uint64_t seq);
static inline void redis_arg_text(struct redis_conn *c, const char *s)
{
    redis_arg(c, s, strlen(s));
}
/* A whole command of texts; NULL ends the list. */
void redis_cmd_texts(struct redis_conn *c, ...) __attribute__((sentinel));

/*
 * Arguments that are counted only later are collected in a buffer of the caller's, in the same
 * form, and appended after redis_cmd() all at once.
 */
void redis_encode_pair(struct buf *out, const char *a, size_t a_len, const char *b, size_t b_len);
void redis_encode_uint(struct buf *out, uint64_t v);
void redis_args(struct redis_conn *c, const struct buf *args);
/* Where redis_arg...() append, for a caller that encodes into either. */
struct buf *redis_conn_out(struct redis_conn *c);

/* Bytes that are appended and not sent. */
size_t redis_conn_queued(const struct redis_conn *c);

/* ---- Moving bytes ---- */

/* Sends as much as the socket takes without waiting. Returns 0 or ERR_DISCONNECTED. */
int redis_conn_send(struct redis_conn *c, struct err *err) MUST_CHECK;

/* The next reply: 1 and *ret, 0 when none has come within `timeout_ms` (0: does not wait), <0.
 * Sends what is queued. */
int redis_conn_reply(struct redis_conn *c, int timeout_ms, const redisReply **ret,
                     struct err *err) MUST_CHECK;

/*
 * Sends what is queued and waits for one reply. An error reply becomes a code (redis_reply_error),
 * *ret is set all the same. No answer in time: the connection is dropped, since the late answer
 * would be taken for another's.
 */
int redis_conn_call(struct redis_conn *c, const char *subject, const redisReply **ret,
                    struct err *err) MUST_CHECK;

/* ---- Memory ---- */

/* Forgets all replies handed out, unless one is half read; then it does nothing. */
void redis_conn_recycle(struct redis_conn *c);
/* Memory that lives as long as the replies. */
void *redis_conn_alloc(struct redis_conn *c, size_t size);

/* ---- Stream ids ---- */

/* Reads `<ms>-<seq>` or `<ms>`. False for anything else. */
bool redis_id_parse(const char *s, size_t len, uint64_t *ret_ms, uint64_t *ret_seq);

#endif
