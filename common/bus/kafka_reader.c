/* What both kinds of reader share: places, and polling. */
#include "bus/kafka_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define DOWN_WAIT_MS 1000

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_reader *r = opaque;

    kafka_note_trouble(&r->trouble, rk, (rd_kafka_resp_err_t)code, reason);
}

struct kafka_reader *kafka_reader_new(struct bus *base, enum kafka_role role, rd_kafka_conf_t *conf,
                                      struct err *err)
{
    struct kafka_reader *r = mem_zalloc(1, sizeof(*r));

    r->bus = kafka_bus_of(base);
    rd_kafka_conf_set_error_cb(conf, on_error);
    r->rk = kafka_handle_new(r->bus, role, conf, r, err);
    if (r->rk)
        return r;
    free(r);
    return NULL;
}

void kafka_reader_drop(struct kafka_reader *r)
{
    for (size_t i = 0; i < r->n_held; i++)
        rd_kafka_message_destroy(r->held[i]);
    r->n_held = 0;
}

struct kafka_place *kafka_reader_place(const struct kafka_reader *r, const char *topic,
                                       int32_t partition)
{
    for (size_t i = 0; i < r->n_places; i++)
        if (r->places[i].partition == partition && strcmp(r->places[i].topic, topic) == 0)
            return &r->places[i];
    return NULL;
}

struct kafka_place *kafka_reader_add(struct kafka_reader *r, const char *topic, const char *full,
                                     int32_t partition)
{
    r->places = mem_realloc(r->places, r->n_places + 1, sizeof(*r->places));
    struct kafka_place *place = &r->places[r->n_places++];

    *place = (struct kafka_place){.topic = mem_strdup(topic),
                                  .full = mem_strdup(full),
                                  .partition = partition,
                                  .state = KAFKA_STOPPED};
    return place;
}

void kafka_reader_remove(struct kafka_reader *r, struct kafka_place *place)
{
    free(place->topic);
    free(place->full);
    if (place->rkt)
        rd_kafka_topic_destroy(place->rkt);
    r->n_places--;
    *place = r->places[r->n_places];
    r->near = 0;
}

void kafka_reader_close(struct bus_reader *base)
{
    struct kafka_reader *r = kafka_reader_of(base);

    kafka_reader_drop(r);
    if (r->topics) {
        /* Leaving may hand places back, which has nothing left to tell. */
        r->event = NULL;
        if (!kafka_group_settle(r))
            return; /* its threads go on with what is here */
        rd_kafka_consumer_close(r->rk);
    }
    for (size_t i = 0; i < r->n_places; i++)
        if (r->places[i].rkt && r->places[i].state == KAFKA_FLOWING)
            rd_kafka_consume_stop(r->places[i].rkt, r->places[i].partition);
    while (r->n_places)
        kafka_reader_remove(r, &r->places[r->n_places - 1]);
    rd_kafka_queue_destroy(r->queue);
    rd_kafka_destroy(r->rk);
    for (size_t i = 0; i < r->cap; i++)
        free(r->headers[i]);
    for (char **t = r->topics; t && *t; t++)
        free(*t);
    free(r->topics);
    free(r->places);
    free(r->held);
    free(r->msgs);
    free(r->headers);
    free(r);
}

/* ---- Polling ---- */

static void make_room(struct kafka_reader *r, size_t max)
{
    if (max <= r->cap)
        return;
    r->held = mem_realloc(r->held, max, sizeof(rd_kafka_message_t *));
    r->msgs = mem_realloc(r->msgs, max, sizeof(*r->msgs));
    r->headers = mem_realloc(r->headers, max, sizeof(struct bus_header *));
    memset(r->headers + r->cap, 0, (max - r->cap) * sizeof(struct bus_header *));
    r->cap = max;
}

/* The place that a message is of; NULL when it is none of ours any more. */
static struct kafka_place *place_of(struct kafka_reader *r, const rd_kafka_message_t *m)
{
    const char *full;

    if (!m->rkt)
        return NULL;
    full = rd_kafka_topic_name(m->rkt);
    for (size_t k = 0; k < r->n_places; k++) {
        size_t i = r->near + k < r->n_places ? r->near + k : r->near + k - r->n_places;
        struct kafka_place *place = &r->places[i];
        if (place->partition == m->partition && strcmp(place->full, full) == 0) {
            r->near = i;
            return place;
        }
    }
    return NULL;
}

/* Takes up to `max` from the queue, waiting for the first alone: librdkafka would wait for all. */
static size_t take(struct kafka_reader *r, size_t max, int timeout_ms)
{
    ssize_t n = rd_kafka_consume_batch_queue(r->queue, 0, r->held, max);

    if (n == 0 && timeout_ms > 0) {
        r->held[0] = rd_kafka_consume_queue(r->queue, timeout_ms);
        if (r->held[0])
            n = 1 + (max > 1 ? rd_kafka_consume_batch_queue(r->queue, 0, r->held + 1, max - 1) : 0);
    }
    if (!r->topics)
        rd_kafka_poll(r->rk, 0); /* a member's callbacks come through its queue */
    return n > 0 ? (size_t)n : 0;
}

/* Keeps what is to be handed out of the `n` that were taken. Returns how many, or <0. */
static int sift(struct kafka_reader *r, size_t n, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        rd_kafka_message_t *m = r->held[i];
        struct kafka_place *place = place_of(r, m);

        if (rc == 0 && m->err)
            rc = r->topics ? kafka_group_trouble(r, place, m, err)
                           : kafka_read_trouble(r, place, m, err);
        /* What comes behind a failure is still ours, and its place is moved on as well. */
        if (m->err || !place || place->state != KAFKA_FLOWING || m->offset < place->next) {
            rd_kafka_message_destroy(m);
            continue;
        }
        place->next = m->offset + 1;
        place->is_fresh = false;
        r->held[r->n_held] = m;
        r->msgs[r->n_held] = kafka_msg(m, place->topic, &r->headers[r->n_held]);
        r->n_held++;
    }
    return rc;
}

int kafka_poll(struct bus_reader *base, size_t max, int timeout_ms, const struct bus_msg **ret,
               struct err *err)
{
    struct kafka_reader *r = kafka_reader_of(base);
    int64_t deadline = clock_mono_ms() + timeout_ms;
    int rc = 0;

    kafka_reader_drop(r);
    make_room(r, max);
    for (;;) {
        int64_t left = deadline - clock_mono_ms();
        int wait = left < 0 ? 0 : left > KAFKA_BLOCK_MS ? KAFKA_BLOCK_MS : (int)left;

        rc = kafka_check_up(r->bus, &r->trouble, r->rk, DOWN_WAIT_MS, err);
        if (rc == 0 && !r->topics)
            rc = kafka_read_prepare(r, err);
        if (rc == 0)
            rc = sift(r, take(r, max, wait), err);
        if (rc < 0 || r->n_held || left <= 0)
            break;
    }
    /* A failure among messages waits: it comes again, or the places say it. */
    *ret = r->msgs;
    return r->n_held ? (int)r->n_held : rc;
}
