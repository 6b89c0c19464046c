/*
 * The producer. librdkafka queues, batches, sends and retries on its own
 * threads; the fates of messages come back when it is polled.
 *
 * Where every delivery is told we count what is in flight by ourselves; else
 * librdkafka tells failures only, and knows how much it still has.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bus/kafka_bus.h"

#define TELL_MESSAGES 256 /* a publisher that never polls hears of its messages in such lots */
#define FULL_WAIT_MS  20

/* ---- Fates ---- */

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct kafka_bus *bus = opaque;
    struct bus_pos pos = kafka_pos(m->offset + 1);
    struct err err = {0};

    (void)rk;
    if (bus->in_flight)
        bus->in_flight--;
    if (!m->err) {
        bus_tell_delivered(&bus->base, m->_private, 0, &pos, NULL);
        return;
    }
    int code = kafka_fail(bus, &bus->producer_trouble, m->err, rd_kafka_topic_name(m->rkt), &err);
    if (!bus->failure.code)
        bus->failure = err;
    bus_tell_delivered(&bus->base, m->_private, code, NULL, &err);
}

static void on_producer_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_bus *bus = opaque;

    kafka_note_trouble(&bus->producer_trouble, rk, (rd_kafka_resp_err_t)code, reason);
}

static rd_kafka_t *producer(struct kafka_bus *bus, struct err *err)
{
    if (bus->producer)
        return bus->producer;
    rd_kafka_conf_t *conf = kafka_conf_new(bus, KAFKA_PRODUCER);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_producer_error);
    bus->producer = kafka_handle_new(bus, KAFKA_PRODUCER, conf, bus, err);
    return bus->producer;
}

/* Without waiting for anything: what is not delivered yet may be lost. */
void kafka_publisher_release(struct kafka_bus *bus)
{
    if (!bus->producer)
        return;
    rd_kafka_purge(bus->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                      RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_poll(bus->producer, 0);
    for (struct kafka_topic *t = bus->topics; t; t = t->next) {
        if (t->rkt)
            rd_kafka_topic_destroy(t->rkt);
        t->rkt = NULL;
    }
    rd_kafka_destroy(bus->producer);
    bus->producer = NULL;
}

static int in_flight(const struct kafka_bus *bus)
{
    if (!bus->producer)
        return 0;
    return bus->tells ? (int)bus->in_flight : rd_kafka_outq_len(bus->producer);
}

/* Trouble that lasts is said once, before anything more is sent; a fatal error for ever. */
static int check_producer(struct kafka_bus *bus, struct err *err)
{
    char text[200];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(bus->producer, text, sizeof(text));

    if (fatal)
        return err_set(err, ERR_FATAL, "kafka at %.80s: %.300s", bus->brokers, text);
    if (!bus->producer_trouble.is_down)
        return 0;
    int rc = kafka_check_up(bus, &bus->producer_trouble, bus->producer, 1000, err);
    bus->producer_trouble.is_down = false;
    return rc;
}

/* ---- Publishing ---- */

static int check_size(const struct kafka_bus *bus, const struct bus_record *rec, struct err *err)
{
    size_t bytes = rec->key_len + rec->value_len;

    for (size_t i = 0; i < rec->n_headers; i++)
        bytes += strlen(rec->headers[i].name) + rec->headers[i].len;
    if (bytes <= bus->max_message)
        return 0;
    return err_set(err, ERR_TOO_LARGE, "%s: a message of %zu bytes is over max_message_bytes (%zu)",
                   rec->topic, bytes, bus->max_message);
}

/* NULL when there are none. */
static rd_kafka_headers_t *make_headers(const struct kafka_bus *bus, const struct bus_record *rec)
{
    if (!rec->n_headers && !bus->incarnation)
        return NULL;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(rec->n_headers + 1);
    for (size_t i = 0; i < rec->n_headers; i++) {
        const struct bus_header *h = &rec->headers[i];
        rd_kafka_header_add(headers, h->name, -1, h->value, (ssize_t)h->len);
    }
    if (bus->incarnation)
        rd_kafka_header_add(headers, BUS_INCARNATION, -1, bus->incarnation, -1);
    return headers;
}

/* One message into librdkafka's queue, which takes the headers over when it takes the message. */
static rd_kafka_resp_err_t produce(struct kafka_bus *bus, const struct kafka_topic *t,
                                   const struct bus_record *rec, rd_kafka_headers_t *headers)
{
    /* Its interface is not const; with F_COPY nothing is written to. */
    void *value = (void *)(uintptr_t)rec->value;
    int32_t partition = rec->partition < 0 ? RD_KAFKA_PARTITION_UA : rec->partition;

    if (headers)
        return rd_kafka_producev(
            bus->producer, RD_KAFKA_V_RKT(t->rkt), RD_KAFKA_V_PARTITION(partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(value, rec->value_len),
            RD_KAFKA_V_KEY((void *)(uintptr_t)rec->key, rec->key_len), RD_KAFKA_V_HEADERS(headers),
            RD_KAFKA_V_OPAQUE(rec->opaque), RD_KAFKA_V_END);
    if (rd_kafka_produce(t->rkt, partition, RD_KAFKA_MSG_F_COPY, value, rec->value_len, rec->key,
                         rec->key_len, rec->opaque) == 0)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    return rd_kafka_last_error();
}

/* Waits for room where the queue is full. */
static int produce_waiting(struct kafka_bus *bus, const struct kafka_topic *t,
                           const struct bus_record *rec, struct err *err)
{
    int64_t deadline = 0;
    rd_kafka_headers_t *headers = make_headers(bus, rec);
    rd_kafka_resp_err_t code;

    while ((code = produce(bus, t, rec, headers)) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        int64_t now = clock_mono_ms();
        if (!deadline)
            deadline = now + bus->timeout_ms;
        if (now > deadline)
            break;
        rd_kafka_poll(bus->producer, FULL_WAIT_MS);
    }
    if (!code)
        return 0;
    if (headers)
        rd_kafka_headers_destroy(headers);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return err_set_retriable(err, ERR_TIMEOUT,
                                 "kafka at %s: the queue stays full, the brokers do not keep up",
                                 bus->brokers);
    if (code == RD_KAFKA_RESP_ERR__STATE)
        return err_set(err, ERR_CONFLICT, "%s: no transaction is open", rec->topic);
    return kafka_fail(bus, &bus->producer_trouble, code, rec->topic, err);
}

int kafka_publish(struct bus *base, const struct bus_record *rec, struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    int rc = check_size(bus, rec, err);

    if (rc == 0 && !producer(bus, err))
        rc = err->code;
    if (rc == 0)
        rc = check_producer(bus, err);
    if (rc < 0)
        return rc;
    struct kafka_topic *t = kafka_topic_get(bus, rec->topic);
    if (!t->rkt) {
        if (!kafka_topic_look(bus, rec->topic, true, err))
            return err->code;
        t->rkt = rd_kafka_topic_new(bus->producer, t->full, NULL);
    }
    rc = produce_waiting(bus, t, rec, err);
    if (rc < 0)
        return rc;
    bus->in_flight += bus->tells;
    if (++bus->untold >= TELL_MESSAGES) {
        bus->untold = 0;
        rd_kafka_poll(bus->producer, 0);
    }
    return 0;
}

int kafka_poll_deliveries(struct bus *base, int timeout_ms, struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    int64_t deadline = clock_mono_ms() + timeout_ms;

    if (!bus->producer)
        return 0;
    int told = rd_kafka_poll(bus->producer, 0);
    while (!told && in_flight(bus) && clock_mono_ms() < deadline) {
        int64_t left = deadline - clock_mono_ms();
        told = rd_kafka_poll(bus->producer, bus->tells || left < 1 ? (int)left : 1);
    }
    int rc = check_producer(bus, err);
    return rc < 0 ? rc : in_flight(bus);
}

static int take_failure(struct kafka_bus *bus, struct err *err)
{
    int code = bus->failure.code;

    if (code && err)
        *err = bus->failure;
    bus->failure = (struct err){0};
    return code;
}

int kafka_flush(struct bus *base, int timeout_ms, struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);

    if (!bus->producer)
        return 0;
    rd_kafka_resp_err_t code = rd_kafka_flush(bus->producer, timeout_ms);
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT)
        return err_set_retriable(
            err, ERR_TIMEOUT, "kafka at %s: %d messages are still in flight%s%s", bus->brokers,
            in_flight(bus), bus->producer_trouble.text[0] ? "; " : "", bus->producer_trouble.text);
    if (code)
        return kafka_fail(bus, &bus->producer_trouble, code, "flushing", err);
    bus->producer_trouble = (struct kafka_trouble){.is_down = false};
    return take_failure(bus, err);
}

/* ---- Transactions ---- */

/* Consumes `error`; 0 when it is NULL. */
static int tx_fail(struct kafka_bus *bus, rd_kafka_error_t *error, const char *what,
                   struct err *err)
{
    if (!error)
        return 0;
    int code = kafka_fail(bus, &bus->producer_trouble, rd_kafka_error_code(error), what, err);
    if (rd_kafka_error_is_fatal(error) && code != ERR_REFUSED)
        code = ERR_FATAL;
    else if (rd_kafka_error_txn_requires_abort(error))
        code = ERR_CONFLICT;
    else if (rd_kafka_error_is_retriable(error))
        code = code == ERR_TIMEOUT ? code : ERR_DISCONNECTED;
    err_set(err, code, "kafka at %.80s: %.80s: %.240s", bus->brokers, what,
            rd_kafka_error_string(error));
    if (err)
        err->retriable = code == ERR_DISCONNECTED || code == ERR_TIMEOUT;
    rd_kafka_error_destroy(error);
    return code;
}

static int tx_ready(struct kafka_bus *bus, struct err *err)
{
    if (!bus->transaction)
        return err_set(err, ERR_UNSUPPORTED,
                       "this kafka bus was opened without a name for transactions");
    if (!producer(bus, err))
        return err->code;
    rd_kafka_poll(bus->producer, 0);
    if (bus->is_tx_ready)
        return 0;
    int rc = tx_fail(bus, rd_kafka_init_transactions(bus->producer, bus->timeout_ms),
                     "taking up transactions", err);
    bus->is_tx_ready = rc == 0;
    return rc;
}

int kafka_tx_begin(struct bus *base, struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    int rc = tx_ready(bus, err);

    if (rc == 0)
        rc =
            tx_fail(bus, rd_kafka_begin_transaction(bus->producer), "beginning a transaction", err);
    if (rc == 0)
        bus->is_tx_open = true;
    return rc;
}

int kafka_tx_send_positions(struct bus *base, struct bus_reader *member, struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    int rc = tx_ready(bus, err);

    if (rc < 0)
        return rc;
    rd_kafka_topic_partition_list_t *offsets = kafka_member_offsets(member);
    if (!offsets)
        return 0;
    rd_kafka_consumer_group_metadata_t *group =
        rd_kafka_consumer_group_metadata(kafka_member_handle(member));
    rc = tx_fail(
        bus, rd_kafka_send_offsets_to_transaction(bus->producer, offsets, group, bus->timeout_ms),
        "adding positions to a transaction", err);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
    if (rc == 0)
        kafka_member_committed(member);
    return rc;
}

int kafka_tx_commit(struct bus *base, int timeout_ms, struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    int rc = tx_ready(bus, err);

    if (rc == 0)
        rc = tx_fail(bus, rd_kafka_commit_transaction(bus->producer, timeout_ms),
                     "committing a transaction", err);
    bus->is_tx_ending = rc < 0 && err->retriable;
    if (rc == 0) {
        bus->is_tx_open = false;
        bus->failure = (struct err){0};
    }
    return rc;
}

/*
 * Gives up what is open. Where broker and library differ over how a commit ended that was not
 * answered in time, librdkafka's producer is of no more use; a new one of the same name settles it.
 */
static int abort_open(struct kafka_bus *bus, struct err *err)
{
    rd_kafka_error_t *error = rd_kafka_abort_transaction(bus->producer, bus->timeout_ms);

    if (!error || rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR_INVALID_TXN_STATE)
        return tx_fail(bus, error, "giving up a transaction", err);
    rd_kafka_error_destroy(error);
    kafka_publisher_release(bus);
    bus->is_tx_ready = false;
    return tx_ready(bus, err);
}

int kafka_tx_abort(struct bus *base, struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    int rc = tx_ready(bus, err);

    /* A commit that was begun can only be brought to its end: done, or to be given up. */
    if (rc == 0 && bus->is_tx_ending) {
        rc = kafka_tx_commit(base, bus->timeout_ms, err);
        if (rc == ERR_CONFLICT)
            rc = 0;
    }
    if (rc == 0 && bus->is_tx_open)
        rc = abort_open(bus, err);
    if (rc == 0) {
        bus->is_tx_open = false;
        bus->failure = (struct err){0};
    }
    return rc;
}
