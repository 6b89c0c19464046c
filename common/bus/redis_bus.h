/*
 * The Redis Streams backend of the bus, as its files see it.
 *
 * A topic is the stream `<prefix><topic>`. An entry's fields are `key`,
 * `value` and `h:<name>` for a header; an absent field is null, unknown ones are ignored, so that
 * a message can be written by hand:
 *
 *     redis-cli XADD <prefix><topic> '*' key trip-1 value '{"trip_id":"trip-1"}'
 *
 * A message whose writer numbers it has the id `<seq>-0`; all others `*`.
 * The hash `<prefix>bus:trimmed` holds, per topic, the id of the newest entry
 * that bus_trim() removed: a reader that stands before it has lost something.
 *
 * Three connections at most for a bus and its readers on one thread: one
 * publishes, one asks, and each reader has its own (a group member two: a
 * blocked read must not hold up an acknowledgement).
 */
#ifndef OXBOW_BUS_REDIS_BUS_H
#define OXBOW_BUS_REDIS_BUS_H

#include "bus/bus_backend.h"
#include "bus/bus_id.h"
#include "redis/redis_conn.h"

#define REDIS_BLOCK_MS                                                                             \
    100 /* how long the server holds a read; an assign or a commit waits no longer */

struct redis_publisher;

struct redis_bus {
    struct bus base;
    /* These do not change after open(), so that readers on other threads may look at them. */
    char *url;
    char *prefix;
    size_t prefix_len;
    char *client; /* NULL: none */
    char *trimmed_key;
    int timeout_ms;
    size_t max_message; /* bytes of key, value and headers together */

    struct redis_publisher *publisher;
    struct redis_conn *ask;
};

/* A connection of its own, not yet connected. The URL is known to be good, so it cannot fail. */
struct redis_conn *redis_bus_conn(const struct redis_bus *bus);

/* Appends the stream's key as one argument. */
void redis_bus_arg_key(const struct redis_bus *bus, struct redis_conn *c, const char *topic);

/* ---- redis_publish.c ---- */

struct redis_publisher *redis_publisher_new(struct redis_bus *bus);
void redis_publisher_free(
    struct redis_publisher *p); /* NULL is fine; what is in flight is forgotten */
int redis_bus_publish(struct bus *bus, const struct bus_record *rec, struct err *err);
int redis_bus_poll_deliveries(struct bus *bus, int timeout_ms, struct err *err);
int redis_bus_flush(struct bus *bus, int timeout_ms, struct err *err);

/* ---- redis_read.c ---- */

struct bus_reader *redis_read_open(struct bus *bus, struct err *err);
int redis_read_assign(struct bus_reader *r, const char *topic, int32_t partition,
                      const struct bus_pos *after, struct err *err);
int redis_read_pause(struct bus_reader *r, const char *topic, bool paused, struct err *err);

/* ---- redis_group.c ---- */

struct bus_reader *redis_group_join(struct bus *bus, const char *group, const char *member,
                                    const char *const *topics, size_t n_topics, int claim_idle_ms,
                                    bus_group_fn event, void *ctx, struct err *err);
int redis_group_commit(struct bus_reader *r, struct err *err);

/* Positioned readers and group members are different structs; these are what redis_reader.h's slots
 * lead to. */
int redis_bus_poll(struct bus_reader *r, size_t max, int timeout_ms, const struct bus_msg **ret,
                   struct err *err);
void redis_bus_reader_close(struct bus_reader *r);

/* ---- redis_ask.c ---- */

int redis_ask_ping(struct bus *bus, struct err *err);
int redis_ask_topic_ensure(struct bus *bus, const char *topic, int partitions, int replication,
                           struct err *err);
int redis_ask_topic_delete(struct bus *bus, const char *topic, struct err *err);
int redis_ask_marks(struct bus *bus, const char *topic, int32_t partition, struct bus_marks *ret,
                    struct err *err);
int redis_ask_count_after(struct bus *bus, const char *topic, int32_t partition,
                          const struct bus_pos *pos, uint64_t *ret, struct err *err);
int redis_ask_last(struct bus *bus, const char *topic, int32_t partition, struct bus_msg *ret,
                   struct err *err);
int redis_ask_group_floor(struct bus *bus, const char *group, const char *topic, int32_t partition,
                          struct bus_pos *ret, struct err *err);
int redis_ask_trim(struct bus *bus, const char *topic, int32_t partition,
                   const struct bus_pos *upto, struct err *err);

#endif
