/*
 * For those who write a backend of the bus; users include bus.h.
 *
 * A backend is one `const struct bus_backend` at the end of its file, named in
 * the array in bus.c. Users never call through the table: bus.c wraps every
 * slot, and has checked before:
 *  - names of topics: letters, digits, '.', '_' and '-' only, at most 249;
 *  - that bus_commit() is for group members, assign and pause for the others;
 *  - that positions given to pos_compare and pos_format are neither oldest nor newest.
 * Everything else that bus.h promises is the backend's part: the comments
 * here only say what bus.h does not.
 */
#ifndef OXBOW_BUS_BUS_BACKEND_H
#define OXBOW_BUS_BUS_BACKEND_H

#include "bus/bus.h"

/* The first member of a backend's own struct. bus.c sets both fields after open(). */
struct bus {
    const struct bus_backend *backend;
    bus_delivery_fn delivered; /* may be NULL */
    void *delivered_ctx;
};

/* The first member of a backend's own reader. bus.c sets both fields. */
struct bus_reader {
    struct bus *bus;
    bool is_group;
};

struct bus_backend {
    const char *name;
    const char *help;              /* one line for --help */
    const char *const *properties; /* the names it knows, NULL-terminated; others never reach
                                      open(). NULL: open() checks them by itself */

    /* Lifecycle */
    struct bus *(*open)(const struct bus_options *options, struct err *err);
    void (*close)(struct bus *bus);
    int (*ping)(struct bus *bus, struct err *err);
    int (*topic_ensure)(struct bus *bus, const char *topic, int partitions, int replication,
                        struct err *err);
    int (*topic_delete)(struct bus *bus, const char *topic, struct err *err);
    bool (*can)(const struct bus *bus, enum bus_ability ability);

    /* Partitions (optional, both or none; without them a topic has one) */
    int (*partitions)(struct bus *bus, const char *topic, struct err *err);
    int (*partition_of)(struct bus *bus, const char *topic, const char *key, size_t key_len,
                        struct err *err);

    /* Publishing */
    int (*publish)(struct bus *bus, const struct bus_record *rec, struct err *err);
    int (*poll_deliveries)(struct bus *bus, int timeout_ms, struct err *err);
    int (*flush)(struct bus *bus, int timeout_ms, struct err *err);

    /* Transactions (optional, all or none; without them: ERR_UNSUPPORTED) */
    int (*tx_begin)(struct bus *bus, struct err *err);
    int (*tx_send_positions)(struct bus *bus, struct bus_reader *member, struct err *err);
    int (*tx_commit)(struct bus *bus, int timeout_ms, struct err *err);
    int (*tx_abort)(struct bus *bus, struct err *err);

    /* Reading. A reader may be used by another thread than its bus: it shares only what never
     * changes. */
    struct bus_reader *(*reader_open)(struct bus *bus, struct err *err);
    int (*reader_assign)(struct bus_reader *r, const char *topic, int32_t partition,
                         const struct bus_pos *after, struct err *err);
    int (*reader_pause)(struct bus_reader *r, const char *topic, bool paused, struct err *err);
    struct bus_reader *(*group_join)(struct bus *bus, const char *group, const char *member,
                                     const char *const *topics, size_t n_topics, int claim_idle_ms,
                                     bus_group_fn event, void *ctx, struct err *err);
    void (*reader_close)(struct bus_reader *r);
    int (*poll)(struct bus_reader *r, size_t max, int timeout_ms, const struct bus_msg **ret,
                struct err *err);
    int (*commit)(struct bus_reader *r, struct err *err);

    /* Asking */
    int (*marks)(struct bus *bus, const char *topic, int32_t partition, struct bus_marks *ret,
                 struct err *err);
    int (*count_after)(struct bus *bus, const char *topic, int32_t partition,
                       const struct bus_pos *pos, uint64_t *ret, struct err *err);
    int (*last)(struct bus *bus, const char *topic, int32_t partition, struct bus_msg *ret,
                struct err *err);
    int (*group_floor)(struct bus *bus, const char *group, const char *topic, int32_t partition,
                       struct bus_pos *ret, struct err *err);
    int (*trim)(struct bus *bus, const char *topic, int32_t partition, const struct bus_pos *upto,
                struct err *err);

    /* Positions. The wrapper deals with oldest and newest. */
    int (*pos_compare)(const struct bus_pos *a, const struct bus_pos *b);
    void (*pos_format)(const struct bus_pos *pos, struct buf *out);
    int (*pos_parse)(const char *text, struct bus_pos *ret, struct err *err);
};

extern const struct bus_backend bus_backend_kafka;
extern const struct bus_backend bus_backend_memory;
extern const struct bus_backend bus_backend_redis;

/* The value of a property, or NULL. */
const char *bus_option(const struct bus_options *options, const char *name);

/* A property as an integer from `min` to `max`; `*ret` keeps its default when it is not given. */
int bus_option_int(const struct bus_options *options, const char *name, int64_t min, int64_t max,
                   int64_t *ret, struct err *err) MUST_CHECK;

/* For backends without partitions: ERR_INVALID unless it is 0 or -1. */
int bus_partition_check(int32_t partition, struct err *err) MUST_CHECK;

/* Tells the delivery callback, if there is one. */
static inline void bus_tell_delivered(const struct bus *bus, void *opaque, int result,
                                      const struct bus_pos *pos, const struct err *err)
{
    if (bus->delivered)
        bus->delivered(bus->delivered_ctx, opaque, result, pos, err);
}

#endif
