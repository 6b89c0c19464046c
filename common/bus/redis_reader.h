/*
 * What positioned readers and group members on Redis have in common: a
 * connection with at most one request under way, and the entries of its last
 * answer, which are handed out in parts of at most `max` a topic.
 *
 * A request that is under way outlives the poll that sent it: the next poll
 * waits for the same answer. What it answers for a topic that was assigned or
 * paused meanwhile is dropped (`asked` is false then) and asked for again.
 *
 * Messages point into the connection's arena. It is recycled at the start of
 * the first poll that finds all entries handed out.
 */
#ifndef OXBOW_BUS_REDIS_READER_H
#define OXBOW_BUS_REDIS_READER_H

#include "bus/redis_bus.h"

struct redis_ids {
    struct bus_id *ids;
    size_t n;
    size_t cap;
};

/* One topic of a reader. */
struct redis_stream {
    char *topic;
    bool asked;                /* the request under way covers it, and the answer is wanted */
    const redisReply *entries; /* of the last answer; NULL: none */
    size_t at;                 /* the first entry not handed out yet */

    /* Positioned */
    struct bus_id pos; /* of the last message handed out, or where it was assigned */
    bool paused;
    bool trimmed; /* entries after `pos` are gone: said at every poll until it is assigned anew */

    /* Group */
    const redisReply *counts; /* XPENDING's lines for `entries`; NULL: all are new */
    struct redis_ids handed;  /* handed out and not committed */
    bool own;                 /* its own pending entries are still to come, after `own_after` */
    struct bus_id own_after;
    struct bus_id claim_from;
};

#define REDIS_REPLIES_MAX 2

struct redis_reader {
    struct bus_reader base;
    const struct redis_bus *bus;
    struct redis_conn *conn;
    struct redis_stream *streams;
    size_t n_streams;
    struct bus_msg *msgs; /* what the last poll handed out */
    size_t cap;

    size_t due; /* replies that the request under way still owes; 0: none is under way */
    size_t got;
    const redisReply *replies[REDIS_REPLIES_MAX];
    int64_t asked_ms;
};

/* `r` is zeroed storage. Borrows `bus`. */
void redis_reader_init(struct redis_reader *r, struct redis_bus *bus);
void redis_reader_release(struct redis_reader *r);

/* The topic's place, or NULL. */
struct redis_stream *redis_reader_find(const struct redis_reader *r, const char *topic);
/* Adds a topic; earlier pointers to streams are of no more use. */
struct redis_stream *redis_reader_add(struct redis_reader *r, const char *topic);

/* True while entries of the last answer are not handed out. */
bool redis_reader_has_rest(const struct redis_reader *r);

/* At the start of a poll: forgets the messages of the one before, unless something of that memory
 * is still wanted. */
void redis_reader_recycle(struct redis_reader *r);

/* Builds at most `max` messages a topic in r->msgs and returns their number. */
size_t redis_reader_hand_out(struct redis_reader *r, size_t max);

/* Says that a request with `n` replies was appended, and sends it. */
int redis_reader_asked(struct redis_reader *r, size_t n, struct err *err) MUST_CHECK;

/* Waits for the request under way: 1 when r->replies holds its answer, 0 on timeout, <0. */
int redis_reader_take(struct redis_reader *r, int timeout_ms, struct err *err) MUST_CHECK;

/* Gives the streams of an XREAD or XREADGROUP answer their entries, where they are still wanted. */
void redis_reader_accept(struct redis_reader *r, const redisReply *answer);

/* After the connection was lost: no request is under way. */
void redis_reader_forget(struct redis_reader *r);

/*
 * Fills `msg` from a stream's entry; headers are put into `conn`'s arena. False for an entry
 * without fields (one that is pending but was removed).
 */
bool redis_msg_fill(struct redis_conn *conn, const redisReply *entry, const char *topic,
                    struct bus_msg *msg);

/* The id of an entry; 0-0 when it is malformed. */
struct bus_id redis_entry_id(const redisReply *entry);

void redis_ids_add(struct redis_ids *ids, struct bus_id id);
bool redis_ids_have(const struct redis_ids *ids, struct bus_id id);

/* The slots behind redis_bus_poll() and redis_bus_reader_close(). */
int redis_read_poll(struct redis_reader *r, size_t max, int timeout_ms, const struct bus_msg **ret,
                    struct err *err);
int redis_group_poll(struct redis_reader *r, size_t max, int timeout_ms, const struct bus_msg **ret,
                     struct err *err);
void redis_read_close(struct redis_reader *r);
void redis_group_close(struct redis_reader *r);

#endif
