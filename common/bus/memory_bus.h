/*
 * The bus in memory, for tests: the same promises as Redis Streams, within one
 * process. All buses that were opened with the same prefix see the same
 * topics, which live until the process ends or bus_topic_delete(): so a test
 * can close a service and start it again.
 *
 * A transaction is a list of records that are appended together, under the
 * mutex, when it is committed. Opening with a name for transactions shuts out the
 * bus that was opened with the same one before, as Kafka does.
 *
 * One mutex guards everything; one condition tells waiting readers of new
 * messages. Entries are counted references, so that a message that was handed
 * out survives its trimming until the reader's next call.
 */
#ifndef OXBOW_BUS_MEMORY_BUS_H
#define OXBOW_BUS_MEMORY_BUS_H

#include <pthread.h>

#include "bus/bus_backend.h"
#include "bus/bus_id.h"

struct memory_entry {
    size_t refs; /* the topic's own is one */
    struct bus_id id;
    char *key; /* NULL: null */
    size_t key_len;
    char *value; /* NULL: null */
    size_t value_len;
    struct bus_header *headers; /* names and values are the entry's */
    size_t n_headers;
};

/* An entry that a group's member has and has not committed. */
struct memory_pending {
    struct bus_id id;
    char *member;
    int64_t since_ms; /* monotonic: when it was handed out last */
    uint32_t count;   /* how often it was handed out */
};

struct memory_group {
    char *name;
    struct bus_id last;             /* of the newest entry handed out */
    struct memory_pending *pending; /* by id */
    size_t n_pending;
    struct memory_group *next;
};

struct memory_topic {
    char *name;
    struct memory_entry **entries; /* by id */
    size_t n;
    size_t cap;
    struct bus_id last;    /* the newest id ever */
    struct bus_id removed; /* the newest that was trimmed; 0-0: none */
    uint64_t added;
    struct memory_group *groups;
    struct memory_topic *next;
};

/* What one prefix leads to. Lives until the process ends. */
struct memory_server {
    char *prefix;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* on the monotonic clock */
    struct memory_topic *topics;
    struct memory_owner *owners;
    struct memory_server *next;
};

/* A message of an open transaction: a copy of what was published. */
struct memory_held {
    struct bus_record rec; /* its bytes are those of `copy` */
    char *topic;
    struct memory_entry *copy;
    struct memory_held *next;
};

/* The newest writer with a name for transactions, on one server. */
struct memory_owner {
    char *id;
    uint64_t epoch;
    struct memory_owner *next;
};

struct memory_bus {
    struct bus base;
    struct memory_server *server;
    size_t max_message;
    struct memory_owner *owner; /* NULL: opened without a name for transactions */
    uint64_t epoch;             /* of this bus: fenced when the owner has a greater one */
    bool in_tx;
    struct memory_held *held, *last_held; /* published in the transaction, in order */
    struct bus_reader **senders;          /* group members whose positions it commits */
    size_t n_senders;
    struct memory_done *done; /* delivered and not told yet */
    size_t n_done;
    struct memory_entry *last; /* what bus_last() points to */
};

/* ---- memory_topic.c: the caller holds the mutex ---- */

struct memory_server *memory_server_get(const char *prefix); /* takes its own lock */
struct memory_topic *memory_topic_find(const struct memory_server *server, const char *name);
struct memory_topic *memory_topic_get(struct memory_server *server,
                                      const char *name); /* makes it */
void memory_topic_delete(struct memory_server *server, const char *name);

/* Appends a copy. Returns 0 or BUS_DUPLICATE; *ret_id is the message's id either way. */
int memory_topic_append(struct memory_topic *t, const struct bus_record *rec,
                        struct bus_id *ret_id);
/* Index of the first entry after `id`. */
size_t memory_topic_after(const struct memory_topic *t, struct bus_id id);
void memory_topic_trim(struct memory_topic *t, struct bus_id upto);

struct memory_group *memory_group_find(const struct memory_topic *t, const char *name);
struct memory_group *memory_group_get(struct memory_topic *t,
                                      const char *name); /* makes it, at the oldest */
/* Notes that `member` has the entry now: one delivery more. Returns how many there were before. */
uint32_t memory_group_deliver(struct memory_group *g, struct bus_id id, const char *member);
/* False when it was not pending. */
bool memory_group_ack(struct memory_group *g, struct bus_id id);

/* A copy of the record's bytes. */
struct memory_entry *memory_entry_new(const struct bus_record *rec, struct bus_id id);
void memory_entry_unref(struct memory_entry *e); /* NULL is fine */
struct bus_msg memory_entry_msg(const struct memory_entry *e, const char *topic);

/* ---- memory_tx.c ---- */

/* Becomes the writer of that name, shutting out the one before. */
void memory_tx_own(struct memory_bus *bus, const char *id);
/* Keeps a copy of the record for the commit. */
void memory_tx_hold(struct memory_bus *bus, const struct bus_record *rec);
void memory_tx_release(struct memory_bus *bus);
int memory_tx_begin(struct bus *base, struct err *err);
int memory_tx_send_positions(struct bus *base, struct bus_reader *member, struct err *err);
int memory_tx_commit(struct bus *base, int timeout_ms, struct err *err);
int memory_tx_abort(struct bus *base, struct err *err);

/* ---- memory.c ---- */

/* The publisher hears of the message with the next poll. */
void memory_done_add(struct memory_bus *bus, void *opaque, int result, struct bus_id id);

/* ---- memory_read.c: the slots ---- */

struct bus_reader *memory_reader_open(struct bus *bus, struct err *err);
int memory_reader_assign(struct bus_reader *base, const char *topic, int32_t partition,
                         const struct bus_pos *after, struct err *err);
int memory_reader_pause(struct bus_reader *base, const char *topic, bool paused, struct err *err);
struct bus_reader *memory_group_join(struct bus *bus, const char *group, const char *member,
                                     const char *const *topics, size_t n_topics, int claim_idle_ms,
                                     bus_group_fn event, void *ctx, struct err *err);
void memory_reader_close(struct bus_reader *base);
int memory_poll(struct bus_reader *base, size_t max, int timeout_ms, const struct bus_msg **ret,
                struct err *err);
int memory_commit(struct bus_reader *base, struct err *err);

#endif
