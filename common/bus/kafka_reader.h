/*
 * What positioned readers and members of groups share. A reader has a handle of
 * librdkafka to itself, one queue into which all of its partitions flow, and a
 * place for each partition.
 */
#ifndef OXBOW_BUS_KAFKA_READER_H
#define OXBOW_BUS_KAFKA_READER_H

#include "bus/kafka_bus.h"

enum kafka_place_state {
    KAFKA_FLOWING, /* its messages come */
    KAFKA_STOPPED, /* paused, or refused */
    KAFKA_MISSING, /* there is no such topic yet */
    KAFKA_TRIMMED, /* what comes next is gone: said until it is assigned again */
};

/* One partition of a reader. */
struct kafka_place {
    char *topic; /* bus.h's name */
    char *full;  /* the server's */
    int32_t partition;
    int64_t next;          /* offset behind the last message handed out, or where to begin */
    bool is_fresh;         /* nothing was handed out, and it began at the oldest */
    rd_kafka_topic_t *rkt; /* positioned */
    enum kafka_place_state state;
    bool is_paused;
    bool is_all;       /* stands for all partitions of a topic that was missing */
    int64_t committed; /* group: what was committed of `next` */
};

struct kafka_reader {
    struct bus_reader base;
    struct kafka_bus *bus;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    struct kafka_trouble trouble;
    struct kafka_place *places;
    size_t n_places;
    size_t near; /* index of the place of the last message */

    /* Of the last poll. */
    rd_kafka_message_t **held;
    struct bus_msg *msgs;
    struct bus_header **headers; /* by message */
    size_t n_held;
    size_t cap;

    int64_t look_again_ms; /* monotonic; when missing topics are looked for */

    /* Group. */
    char **topics; /* bus.h's names, NULL-terminated; NULL: positioned */
    bus_group_fn event;
    void *ctx;
    bool has_lost;   /* messages handed out were taken before they were committed */
    bool is_settled; /* has had its first assignment */
    bool is_refused; /* it may not be a member, or not read */
};

static inline struct kafka_reader *kafka_reader_of(struct bus_reader *base)
{
    return (struct kafka_reader *)base;
}

struct kafka_reader *kafka_reader_new(struct bus *base, enum kafka_role role, rd_kafka_conf_t *conf,
                                      struct err *err);
/* Forgets the messages of the last poll. */
void kafka_reader_drop(struct kafka_reader *r);
struct kafka_place *kafka_reader_place(const struct kafka_reader *r, const char *topic,
                                       int32_t partition);
struct kafka_place *kafka_reader_add(struct kafka_reader *r, const char *topic, const char *full,
                                     int32_t partition);
void kafka_reader_remove(struct kafka_reader *r, struct kafka_place *place);

/* Deals with an error that came as a message, of `place` (NULL: of none). 0 to go on. */
int kafka_read_trouble(struct kafka_reader *r, struct kafka_place *place,
                       const rd_kafka_message_t *m, struct err *err);
int kafka_group_trouble(struct kafka_reader *r, struct kafka_place *place,
                        const rd_kafka_message_t *m, struct err *err);
/*
 * Gets a member of a group ready to be destroyed. False when it must not be: then its handle is to
 * be left alone, and the group forgets it when its session times out.
 */
bool kafka_group_settle(struct kafka_reader *r);
/* What a positioned reader does before it waits: looks for missing topics, says what was trimmed.
 */
int kafka_read_prepare(struct kafka_reader *r, struct err *err);

#endif
