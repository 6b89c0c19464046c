/*
 * The bus: topics of keyed messages, at least once, on Redis Streams, on a
 * Kafka API, or in memory.
 *
 * Publishing is asynchronous: bus_publish() queues, the delivery callback tells
 * the fate of each message, bus_flush() waits for all of them.
 *
 * There are two ways to read:
 *  - Positioned (bus_reader_open, bus_reader_assign): the caller keeps the
 *    position, in the same transaction as the effect of what it read.
 *  - As a member of a group (bus_group_join): the bus keeps the position, hands
 *    each message to one member, and again to another if it is never
 *    committed. Order between members is not promised.
 *
 * Legal order of calls on a reader:
 *    open → assign+ → (poll | assign | pause)* → close
 *    join → (poll → [effect] → commit)* → close
 *
 * Positions are opaque: a position names the place just AFTER a message of one
 * topic and partition, so reading from msg->pos gives the next one. Only the
 * backend can compare two of them, and they must never be subtracted to count:
 * offsets have holes.
 *
 * Losing the server: calls return ERR_DISCONNECTED (retriable). The next call
 * tries to connect again; the caller backs off in between. After that a reader
 * goes on behind the last message that it handed out (a group member first gets
 * its own uncommitted messages again), and messages in flight to be published
 * have been reported to the delivery callback as failed: their effect is not
 * known, and the caller decides what to publish again.
 *
 * A handle belongs to one thread at a time; different handles are independent.
 */
#ifndef OXBOW_BUS_BUS_H
#define OXBOW_BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct bus;
struct bus_reader;

/* ---- Positions ---- */

#define BUS_POS_MAX 24

struct bus_pos {
    uint8_t len; /* bytes in use; 0: before everything (oldest); BUS_POS_NEWEST_LEN: after it */
    unsigned char bytes[BUS_POS_MAX];
};

#define BUS_POS_NEWEST_LEN 0xff
static const struct bus_pos BUS_POS_OLDEST = {0, {0}};
static const struct bus_pos BUS_POS_NEWEST = {BUS_POS_NEWEST_LEN, {0}};

/* ---- Messages ---- */

struct bus_header {
    const char *name; /* NUL-terminated */
    const void *value;
    size_t len;
};

/* A message that was read. Everything it points to is valid until the reader's next call. */
struct bus_msg {
    const char *topic;
    int32_t partition;  /* 0 where the backend has no partitions */
    struct bus_pos pos; /* just after this message */
    int64_t time_ms;    /* the bus's own clock, when it was appended; 0 when it was given a sequence
                           number */
    const char *key;    /* NULL for a null key; not NUL-terminated */
    size_t key_len;
    const char *value; /* NULL for a null value (a tombstone) */
    size_t value_len;
    const struct bus_header *headers;
    size_t n_headers;
    uint32_t deliveries; /* how often it was handed out before, by a group; 0 the first time, and
                            where the bus does not count (Kafka) */
};

/* A message to publish. All bytes are copied before bus_publish() returns. */
struct bus_record {
    const char *topic;
    int32_t partition; /* -1: by hash of the key */
    const char *key;   /* NULL: a null key */
    size_t key_len;
    const char *value; /* NULL: a null value */
    size_t value_len;
    const struct bus_header *headers;
    size_t n_headers;
    /*
     * Above 0: the message's place in a gapless sequence that its one writer keeps; below 1e11.
     * Where the bus can (Redis: the entry's id is `<seq>-0`), a number that is not above the last
     * one is answered with BUS_DUPLICATE, so that publishing again after a crash adds nothing
     * twice; and a message fails (ERR_CONFLICT, retriable) when one that was queued before it on
     * the topic was not appended, so that no failure leaves a hole, until the writer goes back to
     * an earlier number. Elsewhere ignored.
     */
    uint64_t seq;
    void *opaque; /* handed to the delivery callback */
};

#define BUS_DUPLICATE 1

/*
 * The fate of one message: `result` is 0 (durable under the bus's setting, `pos` is its position),
 * BUS_DUPLICATE (it was there already), or a negative code with `err`. Called on the thread that
 * calls bus_publish, bus_poll_deliveries or bus_flush; it must not call the bus.
 */
typedef void (*bus_delivery_fn)(void *ctx, void *opaque, int result, const struct bus_pos *pos,
                                const struct err *err);

/* ---- Lifecycle ---- */

struct bus_property {
    const char *name;
    const char *value;
};

struct bus_options {
    const char *backend; /* "redis", "memory", ... */
    const char
        *url; /* redis://[user:password@]host[:port][/db] or unix:///path; brokers for Kafka */
    const char
        *prefix; /* put before topic names on a shared server: Redis keys are <prefix><topic> */
    const char *client; /* the program's name, for the server's own lists */
    const struct bus_property
        *properties; /* the backend's own settings; NULL with n_properties 0 */
    size_t n_properties;
    bus_delivery_fn delivered; /* may be NULL: then only bus_flush() reports failures */
    void *delivered_ctx;
    /*
     * For servers whose topics are not apart by `prefix` (Kafka); others ignore the first two, and
     * each may be NULL. `task` is part of the names of groups. Every message that is published
     * carries `incarnation` as header BUS_INCARNATION. `transaction` names the one writer of
     * transactions: a later one of that name shuts an earlier one out.
     */
    const char *task;
    const char *incarnation;
    const char *transaction;
};

#define BUS_INCARNATION "incarnation"

/* Names of the backends that exist, NULL-terminated: for error texts and --help. */
const char *const *bus_backends(void);

/*
 * Opens the bus; all strings are copied. The server need not answer yet. ERR_INVALID for an unknown
 * backend or a bad URL or property.
 */
struct bus *bus_open(const struct bus_options *options, struct err *err) MUST_CHECK;
void bus_close(struct bus *bus); /* NULL is fine; readers must be closed before; does not flush */

/* What not every bus can. */
enum bus_ability {
    BUS_COUNTS,    /* marks.added is known, and counts are exact */
    BUS_NUMBERS,   /* bus_record.seq keeps a message from being added twice */
    BUS_TRANSACTS, /* bus_tx_*; it was opened with options.transaction */
    BUS_STAMPS,    /* messages carry options.incarnation */
    BUS_ORDERS,    /* one writer's messages arrive in their order, whatever their topics */
};
bool bus_can(const struct bus *bus, enum bus_ability ability);

/* Tries the server: 0 when it answers. */
int bus_ping(struct bus *bus, struct err *err) MUST_CHECK;

/* How many partitions the topic has: they are numbered from 0. 0: there is no such topic yet. May
 * be a minute old. */
int bus_partitions(struct bus *bus, const char *topic, struct err *err) MUST_CHECK;

/* Where bus_publish() puts a message with this key when it is told partition -1. */
int bus_partition_of(struct bus *bus, const char *topic, const char *key, size_t key_len,
                     struct err *err) MUST_CHECK;

/* Makes the topic if it is missing; never changes or deletes one. 0 or negative
 * `partitions`/`replication`: the default. */
int bus_topic_ensure(struct bus *bus, const char *topic, int partitions, int replication,
                     struct err *err) MUST_CHECK;

/* ---- Publishing ---- */

/*
 * Queues one message; sends when enough are queued. ERR_TOO_LARGE when the bus would refuse the
 * size. After a negative answer the message is not queued, and the callback does not hear of it.
 * When the connection is lost, the next call here or of bus_poll_deliveries() or bus_flush()
 * returns ERR_DISCONNECTED before anything more is sent.
 */
int bus_publish(struct bus *bus, const struct bus_record *rec, struct err *err) MUST_CHECK;

/* Sends what is queued and handles the answers that are there, waiting at most `timeout_ms` for the
 * first. Returns how many messages are still in flight, or <0. */
int bus_poll_deliveries(struct bus *bus, int timeout_ms, struct err *err) MUST_CHECK;

/* Waits until nothing is in flight. 0 only when every message since the last flush was delivered.
 * ERR_TIMEOUT leaves the rest in flight. */
int bus_flush(struct bus *bus, int timeout_ms, struct err *err) MUST_CHECK;

/*
 * Transactions: messages published and positions consumed become visible together. ERR_UNSUPPORTED
 * where the bus has none, or was opened without a name for them; with a name, everything is
 * published within transactions. On failure err->retriable means: the same call again;
 * ERR_CONFLICT: bus_tx_abort() and do the work again; ERR_FATAL: reopen.
 *
 * bus_tx_abort() with no transaction open does no harm, and the first call settles what an earlier
 * process of the same name left open: call it before looking at what that process has published.
 */
int bus_tx_begin(struct bus *bus, struct err *err) MUST_CHECK;
int bus_tx_send_positions(struct bus *bus, struct bus_reader *group_member,
                          struct err *err) MUST_CHECK;
int bus_tx_commit(struct bus *bus, int timeout_ms, struct err *err) MUST_CHECK;
int bus_tx_abort(struct bus *bus, struct err *err) MUST_CHECK;

/* ---- Reading ---- */

/* A positioned reader, with no topic yet. Borrows `bus`. */
struct bus_reader *bus_reader_open(struct bus *bus, struct err *err) MUST_CHECK;

/*
 * Reads `topic` from `after` on, or seeks there when it is assigned already. Partition -1: all of
 * them, with `after` oldest or newest (bus_places.h for anything between).
 * Returns 0; 1 when the position lies past the end of the topic (a server that came back without
 * its last moments), and reading goes on from the end; ERR_TRIMMED when entries after the position
 * were trimmed: assign BUS_POS_OLDEST to accept the loss. A topic that does not exist yet is empty.
 */
int bus_reader_assign(struct bus_reader *r, const char *topic, int32_t partition,
                      const struct bus_pos *after, struct err *err) MUST_CHECK;

/* Stops or resumes handing out a topic's messages; the position stays. */
int bus_reader_pause(struct bus_reader *r, const char *topic, bool paused,
                     struct err *err) MUST_CHECK;

/*
 * Told to a group member, from inside bus_poll, before the effect: partitions given; taken (commit
 * what is done now); lost (taken already: what was not committed is being handed to another, do not
 * commit).
 */
enum bus_group_event { BUS_ASSIGNED, BUS_REVOKED, BUS_LOST };
typedef void (*bus_group_fn)(void *ctx, enum bus_group_event event, const char *topic,
                             int32_t partition);

/*
 * Joins `group` as `member` (a name that a restarted process has again). A group that is new starts
 * at the oldest message. First come the member's own uncommitted messages; those that another
 * member has left uncommitted for `claim_idle_ms` (0: 30 s) are taken over.
 */
struct bus_reader *bus_group_join(struct bus *bus, const char *group, const char *member,
                                  const char *const *topics, size_t n_topics, int claim_idle_ms,
                                  bus_group_fn event, void *ctx, struct err *err) MUST_CHECK;

void bus_reader_close(struct bus_reader *r); /* NULL is fine; leaves a group without committing */

/*
 * Waits up to `timeout_ms` (0: does not wait) and gives at most `max` messages a topic. Returns
 * their number >0 and sets *ret to the array; 0 on timeout; <0 on error. A positioned reader asks
 * the server for the next messages before it returns, so that they travel while the caller works.
 */
int bus_poll(struct bus_reader *r, size_t max, int timeout_ms, const struct bus_msg **ret,
             struct err *err) MUST_CHECK;

/* Group: commits every message handed out so far. ERR_CONFLICT when some were taken away meanwhile.
 */
int bus_commit(struct bus_reader *r, struct err *err) MUST_CHECK;

/* ---- Asking ---- */

struct bus_marks {
    struct bus_pos low;  /* reading from here gives the oldest kept message */
    struct bus_pos high; /* the position just after the newest message */
    uint64_t kept;       /* messages kept now; where offsets have holes, never too few */
    uint64_t added;      /* messages ever added; 0 where the bus does not know */
};

/* A topic that does not exist: all zero. Partition -1: of all of them, but for low and high. */
int bus_marks(struct bus *bus, const char *topic, int32_t partition, struct bus_marks *ret,
              struct err *err) MUST_CHECK;

/* How many kept messages lie after `pos`; exact where `added` is, elsewhere never too few. */
int bus_count_after(struct bus *bus, const char *topic, int32_t partition,
                    const struct bus_pos *pos, uint64_t *ret, struct err *err) MUST_CHECK;

/* The newest message: ERR_NOT_FOUND when there is none. *ret points into memory valid until the
 * next call on `bus`. */
int bus_last(struct bus *bus, const char *topic, int32_t partition, struct bus_msg *ret,
             struct err *err) MUST_CHECK;

/* Position up to which `group` has committed everything. ERR_NOT_FOUND: no such group or topic, or
 * nothing committed yet. */
int bus_group_floor(struct bus *bus, const char *group, const char *topic, int32_t partition,
                    struct bus_pos *ret, struct err *err) MUST_CHECK;

/*
 * Forgets messages at or before `upto`, but always keeps the newest one. May keep some more; a
 * reader whose position lies before `upto` is then told ERR_TRIMMED.
 */
int bus_trim(struct bus *bus, const char *topic, int32_t partition, const struct bus_pos *upto,
             struct err *err) MUST_CHECK;

/* Deletes the topic with its messages and groups: for --fresh. */
int bus_topic_delete(struct bus *bus, const char *topic, struct err *err) MUST_CHECK;

/* <0, 0, >0 as `a` lies before, at or after `b`, both of one topic and partition. */
int bus_pos_compare(const struct bus *bus, const struct bus_pos *a, const struct bus_pos *b);
/* The backend's own spelling ("1700000000000-0", "42", "oldest", "newest"). */
void bus_pos_format(const struct bus *bus, const struct bus_pos *pos, struct buf *out);
int bus_pos_parse(const struct bus *bus, const char *text, struct bus_pos *ret,
                  struct err *err) MUST_CHECK;

/* Where a message is, for people: its position, after "<partition>/" where the bus has them. */
void bus_msg_place(const struct bus *bus, const struct bus_msg *msg, struct buf *out);

/* The value of a header, or NULL; its length to *ret_len. */
const void *bus_msg_header(const struct bus_msg *msg, const char *name, size_t *ret_len);

#endif
