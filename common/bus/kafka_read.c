/*
 * Positioned readers: librdkafka's consumer without a group. Starting and
 * stopping a partition's flow takes with it what has been fetched ahead, so a
 * seek or a pause is a stop and a start at the place that we keep.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/kafka_reader.h"

#define LOOK_AGAIN_MS 250

struct bus_reader *kafka_reader_open(struct bus *base, struct err *err)
{
    rd_kafka_conf_t *conf = kafka_conf_new(kafka_bus_of(base), KAFKA_READER);
    struct kafka_reader *r = kafka_reader_new(base, KAFKA_READER, conf, err);

    if (!r)
        return NULL;
    r->queue = rd_kafka_queue_new(r->rk);
    return &r->base;
}

/* ---- The flow of a place ---- */

static void stop(struct kafka_place *place)
{
    if (place->state == KAFKA_FLOWING)
        rd_kafka_consume_stop(place->rkt, place->partition);
    place->state = KAFKA_STOPPED;
}

static int start(struct kafka_reader *r, struct kafka_place *place, struct err *err)
{
    if (!place->rkt)
        place->rkt = rd_kafka_topic_new(r->rk, place->full, NULL);
    if (rd_kafka_consume_start_queue(place->rkt, place->partition, place->next, r->queue) < 0)
        return kafka_fail(r->bus, &r->trouble, rd_kafka_last_error(), place->full, err);
    place->state = KAFKA_FLOWING;
    return 0;
}

static int low_and_high(struct kafka_reader *r, const struct kafka_place *place, int64_t *ret_low,
                        int64_t *ret_high, struct err *err)
{
    return kafka_offsets(r->bus, &r->trouble, r->rk, place->full, place->partition, ret_low,
                         ret_high, err);
}

/* ---- Assigning ---- */

/* The position is kept: it may be that a broker has just started, and does not know of the topic.
 */
static int assign_missing(struct kafka_place *place, const struct bus_pos *after, int64_t wanted)
{
    bool is_extreme = after->len == 0 || after->len == BUS_POS_NEWEST_LEN;

    place->state = KAFKA_MISSING;
    place->is_fresh = is_extreme;
    place->next = is_extreme ? 0 : wanted;
    return !is_extreme;
}

static int assign_one(struct kafka_reader *r, const char *topic, const char *full,
                      int32_t partition, const struct bus_pos *after, bool is_there,
                      struct err *err)
{
    struct kafka_place *place = kafka_reader_place(r, topic, partition);
    int64_t low, high, wanted = 0;
    int past = 0;

    if (after->len != BUS_POS_NEWEST_LEN && kafka_pos_offset(after, &wanted, err) < 0)
        return err->code;
    if (!place)
        place = kafka_reader_add(r, topic, full, partition);
    stop(place);
    place->is_paused = false;
    if (!is_there)
        return assign_missing(place, after, wanted);
    int rc = low_and_high(r, place, &low, &high, err);
    if (rc < 0)
        return rc;
    if (after->len == 0) {
        wanted = low;
    } else if (after->len == BUS_POS_NEWEST_LEN) {
        wanted = high;
    } else if (wanted < low) {
        return err_set(err, ERR_TRIMMED, "%s/%" PRId32 ": %" PRId64 " is trimmed up to %" PRId64,
                       topic, partition, wanted, low);
    } else if (wanted > high) {
        wanted = high;
        past = 1;
    }
    place->next = wanted;
    place->is_fresh = after->len == 0;
    rc = start(r, place, err);
    return rc < 0 ? rc : past;
}

int kafka_reader_assign(struct bus_reader *base, const char *topic, int32_t partition,
                        const struct bus_pos *after, struct err *err)
{
    struct kafka_reader *r = kafka_reader_of(base);
    bool is_extreme = after->len == 0 || after->len == BUS_POS_NEWEST_LEN;
    struct buf full = BUF_INIT;
    int rc;

    kafka_reader_drop(r);
    buf_printf(&full, "%s%s", r->bus->prefix, topic);
    rd_kafka_poll(r->rk, 0);
    int n = kafka_count_partitions(r->bus, &r->trouble, r->rk, full.data, err);
    if (n < 0)
        rc = n;
    else if (n && (partition < -1 || partition >= n))
        rc = err_set(err, ERR_INVALID, "topic %s has no partition %" PRId32, topic, partition);
    else if (partition == -1 && !is_extreme && n > 1)
        rc = err_set(err, ERR_INVALID, "one position does not do for the %d partitions of %s", n,
                     topic);
    else if (partition >= 0 || n == 0)
        rc = assign_one(r, topic, full.data, partition < 0 ? 0 : partition, after, n > 0, err);
    else
        for (rc = 0, partition = 0; rc >= 0 && partition < n; partition++)
            rc = assign_one(r, topic, full.data, partition, after, true, err);
    if (rc >= 0 && n == 0)
        kafka_reader_place(r, topic, partition < 0 ? 0 : partition)->is_all = partition < 0;
    buf_release(&full);
    return rc;
}

/* Works on every partition of the topic. */
int kafka_reader_pause(struct bus_reader *base, const char *topic, bool paused, struct err *err)
{
    struct kafka_reader *r = kafka_reader_of(base);
    bool is_known = false;
    int rc = 0;

    for (size_t i = 0; i < r->n_places && rc == 0; i++) {
        struct kafka_place *place = &r->places[i];
        if (strcmp(place->topic, topic) != 0)
            continue;
        is_known = true;
        if (paused && place->state == KAFKA_FLOWING)
            stop(place);
        else if (!paused && place->is_paused && place->state == KAFKA_STOPPED)
            rc = start(r, place, err);
        place->is_paused = paused;
    }
    if (!is_known)
        return err_set(err, ERR_INVALID, "topic %s is not assigned", topic);
    return rc;
}

/* ---- While polling ---- */

/* A topic that was missing has come: it is read on where it was, or from the oldest when it is
 * another. */
static int look_for(struct kafka_reader *r, struct kafka_place *place, struct err *err)
{
    int64_t low, high;
    int n = kafka_count_partitions(r->bus, &r->trouble, r->rk, place->full, err);

    if (n <= place->partition)
        return n < 0 ? n : 0;
    int rc = low_and_high(r, place, &low, &high, err);
    if (rc < 0)
        return rc;
    if (place->next < low && !place->is_fresh) {
        place->state = KAFKA_TRIMMED;
        return 0;
    }
    if (place->is_fresh || place->next > high)
        place->next = low;
    if (place->is_paused) {
        place->state = KAFKA_STOPPED;
        return 0;
    }
    return start(r, place, err);
}

/* The other partitions of a topic that was not there when all of it was wanted are found too. */
static int look_for_missing(struct kafka_reader *r, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < r->n_places && rc >= 0; i++) {
        if (r->places[i].state != KAFKA_MISSING)
            continue;
        rc = look_for(r, &r->places[i], err);
        if (rc < 0 || r->places[i].state == KAFKA_MISSING)
            continue;
        int n = kafka_count_partitions(r->bus, &r->trouble, r->rk, r->places[i].full, err);
        for (int32_t p = 1; p < n && rc >= 0 && r->places[i].is_all; p++)
            if (!kafka_reader_place(r, r->places[i].topic, p))
                rc = assign_one(r, r->places[i].topic, r->places[i].full, p, &BUS_POS_OLDEST, true,
                                err);
    }
    return rc < 0 ? rc : 0;
}

static int say_trimmed(const struct kafka_place *place, struct err *err)
{
    return err_set(err, ERR_TRIMMED, "%s/%" PRId32 ": what follows %" PRId64 " is trimmed",
                   place->topic, place->partition, place->next);
}

int kafka_read_prepare(struct kafka_reader *r, struct err *err)
{
    bool is_missing = false;

    for (size_t i = 0; i < r->n_places; i++) {
        if (r->places[i].state == KAFKA_TRIMMED)
            return say_trimmed(&r->places[i], err);
        is_missing = is_missing || r->places[i].state == KAFKA_MISSING;
    }
    if (!is_missing || clock_mono_ms() < r->look_again_ms)
        return 0;
    r->look_again_ms = clock_mono_ms() + LOOK_AGAIN_MS;
    return look_for_missing(r, err);
}

/* The place's offset is none of the partition's. */
static int out_of_range(struct kafka_reader *r, struct kafka_place *place, struct err *err)
{
    int64_t low, high;

    stop(place);
    int rc = low_and_high(r, place, &low, &high, err);
    if (rc < 0) {
        place->state = KAFKA_MISSING; /* to be looked at again */
        return rc;
    }
    if (place->next < low && !place->is_fresh) {
        place->state = KAFKA_TRIMMED;
        return say_trimmed(place, err);
    }
    place->next = place->next < low ? low : high;
    return start(r, place, err);
}

int kafka_read_trouble(struct kafka_reader *r, struct kafka_place *place,
                       const rd_kafka_message_t *m, struct err *err)
{
    switch (m->err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return place && place->state == KAFKA_FLOWING ? out_of_range(r, place, err) : 0;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        if (place && place->state == KAFKA_FLOWING) {
            stop(place);
            place->state = KAFKA_MISSING;
        }
        return 0;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__FATAL:
        return kafka_fail(r->bus, &r->trouble, m->err, place ? place->full : "reading", err);
    default:
        return 0; /* librdkafka goes on by itself */
    }
}
