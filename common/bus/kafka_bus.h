/*
 * The Kafka backend of the bus, as its files see it: librdkafka's producer and
 * consumer behind bus.h.
 *
 *   kafka.c          options, lifecycle, the table
 *   kafka_conf.c     properties: ours, the user's, and those that nobody may change
 *   kafka_err.c      librdkafka's errors as ours
 *   kafka_topic.c    topics: looking them up, making and deleting them, trimming
 *   kafka_publish.c  the producer and its transactions
 *   kafka_ask.c      marks, counts, the newest message, floors of groups
 *   kafka_read.c     positioned readers
 *   kafka_group.c    members of groups
 *   kafka_reader.c   what both kinds of reader share
 *
 * A topic is called `<prefix><topic>` on the server. A position is the offset of
 * the next message, 8 bytes, most significant first. Offsets have holes (the
 * marks at the ends of transactions, what was aborted), so nothing is counted
 * by subtracting them but as an upper bound.
 *
 * librdkafka connects by itself again whenever it can, and retries what it has
 * queued; what this backend adds is to say ERR_DISCONNECTED once when no server
 * is left, and to say it again until one answers.
 */
#ifndef OXBOW_BUS_KAFKA_BUS_H
#define OXBOW_BUS_KAFKA_BUS_H

#include <librdkafka/rdkafka.h>

#include "bus/bus_backend.h"

#define KAFKA_BLOCK_MS 100 /* the longest single wait within librdkafka; a poll takes several */

/* What librdkafka has said about the connection; filled by kafka_on_error(). */
struct kafka_trouble {
    bool is_down;   /* no server is connected */
    char text[200]; /* the newest message; "" when there was none */
};

/* A topic as the thread of the bus knows it. */
struct kafka_topic {
    char *name;            /* bus.h's */
    char *full;            /* the server's */
    int32_t n_partitions;  /* 0: not known, or not there */
    int64_t look_again_ms; /* monotonic; when n_partitions is looked up again */
    rd_kafka_topic_t *rkt; /* the producer's; NULL until it publishes there */
    int64_t *trimmed;      /* by partition: the offset of the newest trim; NULL: none */
    struct kafka_topic *next;
};

struct kafka_property {
    char *name;
    char *value;
};

struct kafka_bus {
    struct bus base;
    /* These do not change after open(), so that readers on other threads may look at them. */
    char *brokers;
    char *prefix;
    char *client;
    char *task;        /* "" without */
    char *incarnation; /* NULL: messages are not stamped */
    char *transaction; /* NULL: the producer has no transactions */
    struct kafka_property *properties;
    size_t n_properties;
    int timeout_ms;
    size_t max_message; /* bytes of key, value and headers together */
    int n_partitions;   /* of topics that are made without a number */
    int replication;
    bool tells; /* every delivery is told, not only failures */

    struct kafka_topic *topics;

    rd_kafka_t *producer; /* NULL until it is needed */
    struct kafka_trouble producer_trouble;
    size_t in_flight;   /* where every delivery is told */
    size_t untold;      /* published since the answers were looked at */
    struct err failure; /* the first since the last flush; code 0: none */
    bool is_tx_ready;   /* what an earlier process left open is settled */
    bool is_tx_open;
    bool is_tx_ending; /* a commit was begun, and how it ends is not known */

    rd_kafka_t *asker; /* NULL until it is needed */
    struct kafka_trouble asker_trouble;
    rd_kafka_message_t *last; /* what bus_last() points to */
    struct bus_header *last_headers;

    rd_kafka_t *floor; /* knows the group `floor_group`; NULL until it is needed */
    char *floor_group;
    struct kafka_trouble floor_trouble;
};

static inline struct kafka_bus *kafka_bus_of(struct bus *bus)
{
    return (struct kafka_bus *)bus;
}

/* ---- kafka_conf.c ---- */

enum kafka_role { KAFKA_PRODUCER, KAFKA_ASKER, KAFKA_READER, KAFKA_MEMBER };

/* Reads and checks the properties into the bus. */
int kafka_conf_read(struct kafka_bus *bus, const struct bus_options *options, struct err *err);

/*
 * A new handle for the role; `opaque` is what callbacks are given, `trouble` is where the
 * connection's state goes. `conf` comes from kafka_conf_new() and is consumed.
 */
rd_kafka_conf_t *kafka_conf_new(const struct kafka_bus *bus, enum kafka_role role);
rd_kafka_t *kafka_handle_new(const struct kafka_bus *bus, enum kafka_role role,
                             rd_kafka_conf_t *conf, void *opaque, struct err *err);
/* For what is known to be a property with a good value. */
void kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value);

/* ---- kafka_err.c ---- */

/*
 * Says "<server>: <what>: <librdkafka's text>" with the code of ours that fits, and marks what may
 * work later as retriable. `trouble` may be NULL; what it has heard is added.
 */
int kafka_fail(const struct kafka_bus *bus, const struct kafka_trouble *trouble,
               rd_kafka_resp_err_t code, const char *what, struct err *err);

/* The error callback's work; `rk` is asked for the text of a fatal error. */
void kafka_note_trouble(struct kafka_trouble *trouble, rd_kafka_t *rk, rd_kafka_resp_err_t code,
                        const char *reason);

/*
 * When `trouble` says that no server is left: asks once more, and answers ERR_DISCONNECTED while
 * none answers. 0 when all is well.
 */
int kafka_check_up(const struct kafka_bus *bus, struct kafka_trouble *trouble, rd_kafka_t *rk,
                   int timeout_ms, struct err *err);

/* ---- kafka_topic.c ---- */

/* A handle for asking, connected or not; NULL and the error. */
rd_kafka_t *kafka_asker(struct kafka_bus *bus, struct err *err);

/* How many partitions there are on the server now; 0: no such topic. */
int kafka_count_partitions(const struct kafka_bus *bus, const struct kafka_trouble *trouble,
                           rd_kafka_t *rk, const char *full, struct err *err);

/* The bus's entry for a topic, made when missing. Does not ask the server. */
struct kafka_topic *kafka_topic_get(struct kafka_bus *bus, const char *name);
/* The same with n_partitions looked up, and the topic made on the server when `make`. NULL and the
 * error. */
struct kafka_topic *kafka_topic_look(struct kafka_bus *bus, const char *name, bool make,
                                     struct err *err);
void kafka_topics_free(struct kafka_bus *bus);

int kafka_topic_ensure(struct bus *base, const char *topic, int partitions, int replication,
                       struct err *err);
int kafka_topic_delete(struct bus *base, const char *topic, struct err *err);
int kafka_partitions(struct bus *base, const char *topic, struct err *err);
int kafka_partition_of(struct bus *base, const char *topic, const char *key, size_t key_len,
                       struct err *err);
int kafka_trim(struct bus *base, const char *topic, int32_t partition, const struct bus_pos *upto,
               struct err *err);

/* ---- kafka_publish.c ---- */

int kafka_publish(struct bus *base, const struct bus_record *rec, struct err *err);
int kafka_poll_deliveries(struct bus *base, int timeout_ms, struct err *err);
int kafka_flush(struct bus *base, int timeout_ms, struct err *err);
int kafka_tx_begin(struct bus *base, struct err *err);
int kafka_tx_send_positions(struct bus *base, struct bus_reader *member, struct err *err);
int kafka_tx_commit(struct bus *base, int timeout_ms, struct err *err);
int kafka_tx_abort(struct bus *base, struct err *err);
void kafka_publisher_release(struct kafka_bus *bus);

/* ---- kafka_ask.c ---- */

int kafka_ping(struct bus *base, struct err *err);
int kafka_marks(struct bus *base, const char *topic, int32_t partition, struct bus_marks *ret,
                struct err *err);
int kafka_count_after(struct bus *base, const char *topic, int32_t partition,
                      const struct bus_pos *pos, uint64_t *ret, struct err *err);
int kafka_last(struct bus *base, const char *topic, int32_t partition, struct bus_msg *ret,
               struct err *err);
int kafka_group_floor(struct bus *base, const char *group, const char *topic, int32_t partition,
                      struct bus_pos *ret, struct err *err);
void kafka_asker_release(struct kafka_bus *bus);

/*
 * Offsets of the oldest kept message and behind the newest. The topic is known to be there: a
 * broker that has just started may know nothing of it yet, which is an error that passes and does
 * not mean that it is empty.
 */
int kafka_offsets(const struct kafka_bus *bus, const struct kafka_trouble *trouble, rd_kafka_t *rk,
                  const char *full, int32_t partition, int64_t *ret_low, int64_t *ret_high,
                  struct err *err);
/* The name of a group on the server, to be freed. */
char *kafka_group_name(const struct kafka_bus *bus, const char *group);

/* ---- kafka_read.c, kafka_group.c ---- */

struct bus_reader *kafka_reader_open(struct bus *base, struct err *err);
int kafka_reader_assign(struct bus_reader *base, const char *topic, int32_t partition,
                        const struct bus_pos *after, struct err *err);
int kafka_reader_pause(struct bus_reader *base, const char *topic, bool paused, struct err *err);
struct bus_reader *kafka_group_join(struct bus *base, const char *group, const char *member,
                                    const char *const *topics, size_t n_topics, int claim_idle_ms,
                                    bus_group_fn event, void *ctx, struct err *err);
void kafka_reader_close(struct bus_reader *base);
int kafka_poll(struct bus_reader *base, size_t max, int timeout_ms, const struct bus_msg **ret,
               struct err *err);
int kafka_commit(struct bus_reader *base, struct err *err);

/* The offsets that a member has handed out and not committed, for a transaction; NULL: none. */
rd_kafka_topic_partition_list_t *kafka_member_offsets(struct bus_reader *base);
rd_kafka_t *kafka_member_handle(struct bus_reader *base);
/* A transaction took them. */
void kafka_member_committed(struct bus_reader *base);

/* ---- Messages and positions ---- */

/* `m` as bus.h gives it; *headers is grown as needed and holds its headers. */
struct bus_msg kafka_msg(const rd_kafka_message_t *m, const char *topic,
                         struct bus_header **headers);

struct bus_pos kafka_pos(int64_t offset);
/* ERR_INVALID when it is another backend's; the caller has dealt with newest; oldest is 0. */
int kafka_pos_offset(const struct bus_pos *pos, int64_t *ret, struct err *err) MUST_CHECK;

#endif
