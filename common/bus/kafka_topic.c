/* Topics: what is known of them, making and deleting them, forgetting their old messages. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/kafka_bus.h"

#define LOOK_AGAIN_MS 30000 /* partitions may be added to a topic */
#define MADE_WAIT_MS  50

/* ---- What is known ---- */

struct kafka_topic *kafka_topic_get(struct kafka_bus *bus, const char *name)
{
    struct buf full = BUF_INIT;

    for (struct kafka_topic *t = bus->topics; t; t = t->next)
        if (strcmp(t->name, name) == 0)
            return t;
    struct kafka_topic *t = mem_zalloc(1, sizeof(*t));
    buf_printf(&full, "%s%s", bus->prefix, name);
    t->name = mem_strdup(name);
    t->full = buf_detach(&full);
    t->next = bus->topics;
    bus->topics = t;
    return t;
}

void kafka_topics_free(struct kafka_bus *bus)
{
    while (bus->topics) {
        struct kafka_topic *next = bus->topics->next;
        free(bus->topics->name);
        free(bus->topics->full);
        free(bus->topics->trimmed);
        free(bus->topics);
        bus->topics = next;
    }
}

int kafka_count_partitions(const struct kafka_bus *bus, const struct kafka_trouble *trouble,
                           rd_kafka_t *rk, const char *full, struct err *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, full, NULL);

    if (!rkt)
        return kafka_fail(bus, trouble, rd_kafka_last_error(), full, err);
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, rkt, &metadata, bus->timeout_ms);
    rd_kafka_topic_destroy(rkt);
    if (code) {
        rd_kafka_poll(rk, 0); /* what is wrong with the connection comes as an event */
        return kafka_fail(bus, trouble, code, full, err);
    }
    int n = 0;
    if (metadata->topic_cnt == 1) {
        n = metadata->topics[0].partition_cnt;
        code = metadata->topics[0].err;
    }
    rd_kafka_metadata_destroy(metadata);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return 0;
    if (code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
        code = RD_KAFKA_RESP_ERR_NO_ERROR; /* it was made a moment ago */
    return code ? kafka_fail(bus, trouble, code, full, err) : n;
}

static int create(struct kafka_bus *bus, rd_kafka_t *rk, const char *full, int partitions,
                  int replication, struct err *err);

struct kafka_topic *kafka_topic_look(struct kafka_bus *bus, const char *name, bool make,
                                     struct err *err)
{
    struct kafka_topic *t = kafka_topic_get(bus, name);
    int64_t now = clock_mono_ms();

    if (t->n_partitions && now < t->look_again_ms)
        return t;
    rd_kafka_t *rk = kafka_asker(bus, err);
    if (!rk)
        return NULL;
    int n = kafka_count_partitions(bus, &bus->asker_trouble, rk, t->full, err);
    if (n < 0)
        return NULL;
    if (!n && make) {
        n = create(bus, rk, t->full, bus->n_partitions, bus->replication, err);
        if (n < 0)
            return NULL;
    }
    /* Partitions are never taken away: a broker that has just started may not know of them yet. */
    if (n < t->n_partitions)
        n = t->n_partitions;
    if (n != t->n_partitions) {
        free(t->trimmed);
        t->trimmed = NULL;
    }
    t->n_partitions = n;
    t->look_again_ms = now + LOOK_AGAIN_MS;
    return t;
}

int kafka_partitions(struct bus *base, const char *topic, struct err *err)
{
    const struct kafka_topic *t = kafka_topic_look(kafka_bus_of(base), topic, false, err);

    return t ? t->n_partitions : err->code;
}

/* The partitioners that place a key by itself, by the names of librdkafka's property. */
static int32_t place_key(struct kafka_bus *bus, const struct kafka_topic *t, const char *key,
                         size_t key_len)
{
    const char *name = "murmur2_random";

    for (size_t i = 0; i < bus->n_properties; i++)
        if (strcmp(bus->properties[i].name, "partitioner") == 0)
            name = bus->properties[i].value;
    if (strncmp(name, "consistent", 10) == 0)
        return rd_kafka_msg_partitioner_consistent(NULL, key, key_len, t->n_partitions, NULL, NULL);
    if (strncmp(name, "fnv1a", 5) == 0)
        return rd_kafka_msg_partitioner_fnv1a(NULL, key, key_len, t->n_partitions, NULL, NULL);
    return rd_kafka_msg_partitioner_murmur2(NULL, key, key_len, t->n_partitions, NULL, NULL);
}

int kafka_partition_of(struct bus *base, const char *topic, const char *key, size_t key_len,
                       struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    const struct kafka_topic *t = kafka_topic_look(bus, topic, true, err);

    if (!t)
        return err->code;
    return key ? place_key(bus, t, key, key_len) : 0;
}

/* ---- Administration: one request at a time, waited for ---- */

/* The answer's event, or NULL and the error. `options` and `queue` are destroyed. */
static rd_kafka_event_t *wait_for(struct kafka_bus *bus, rd_kafka_AdminOptions_t *options,
                                  rd_kafka_queue_t *queue, const char *what, struct err *err)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, bus->timeout_ms + 1000);
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;

    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    if (!code)
        return event;
    kafka_fail(bus, &bus->asker_trouble, code, what, err);
    if (event)
        rd_kafka_event_destroy(event);
    return NULL;
}

static rd_kafka_AdminOptions_t *admin_options(struct kafka_bus *bus, rd_kafka_t *rk)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_ANY);
    char text[200];

    rd_kafka_AdminOptions_set_request_timeout(options, bus->timeout_ms, text, sizeof(text));
    return options;
}

/* The one result of a request about one topic, as an error code. */
static rd_kafka_resp_err_t topic_result(const rd_kafka_topic_result_t **results, size_t n,
                                        char *text, size_t size)
{
    if (n != 1)
        return RD_KAFKA_RESP_ERR__BAD_MSG;
    const char *said = rd_kafka_topic_result_error_string(results[0]);
    snprintf(text, size, "%s", said ? said : "");
    return rd_kafka_topic_result_error(results[0]);
}

/* Time is the server's own, and what is kept is for oxbow-views to say. */
static void configure(rd_kafka_NewTopic_t *topic)
{
    rd_kafka_NewTopic_set_config(topic, "message.timestamp.type", "LogAppendTime");
    rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "delete");
    rd_kafka_NewTopic_set_config(topic, "retention.ms", "-1");
    rd_kafka_NewTopic_set_config(topic, "retention.bytes", "-1");
}

static int ask_to_create(struct kafka_bus *bus, rd_kafka_t *rk, const char *full, int partitions,
                         int replication, struct err *err)
{
    char text[200] = "";
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(full, partitions, replication, text, sizeof(text));

    if (!topic)
        return err_set(err, ERR_INVALID, "topic %s: %s", full, text);
    configure(topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options = admin_options(bus, rk);
    rd_kafka_CreateTopics(rk, &topic, 1, options, queue);
    rd_kafka_event_t *event = wait_for(bus, options, queue, full, err);
    rd_kafka_NewTopic_destroy(topic);
    if (!event)
        return err->code;

    size_t n;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    rd_kafka_resp_err_t code = topic_result(results, n, text, sizeof(text));
    rd_kafka_event_destroy(event);
    if (!code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return 0;
    kafka_fail(bus, NULL, code, full, err);
    return *text ? err_prefix(err, "making topic %s (%.120s)", full, text) : err->code;
}

/* Makes the topic and waits until the server shows it. Returns its partitions. */
static int create(struct kafka_bus *bus, rd_kafka_t *rk, const char *full, int partitions,
                  int replication, struct err *err)
{
    int64_t deadline = clock_mono_ms() + bus->timeout_ms;
    int rc = ask_to_create(bus, rk, full, partitions, replication, err);

    if (rc < 0)
        return rc;
    while ((rc = kafka_count_partitions(bus, &bus->asker_trouble, rk, full, err)) == 0) {
        if (clock_mono_ms() > deadline)
            return err_set_retriable(err, ERR_DISCONNECTED,
                                     "kafka at %s: topic %s was made, but does not appear",
                                     bus->brokers, full);
        clock_sleep_ms(MADE_WAIT_MS);
    }
    return rc;
}

int kafka_topic_ensure(struct bus *base, const char *topic, int partitions, int replication,
                       struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    struct kafka_topic *t = kafka_topic_look(bus, topic, false, err);

    if (!t)
        return err->code;
    if (t->n_partitions)
        return 0;
    int n = create(bus, bus->asker, t->full, partitions > 0 ? partitions : bus->n_partitions,
                   replication > 0 ? replication : bus->replication, err);
    if (n < 0)
        return n;
    t->n_partitions = n;
    return 0;
}

static int ask_to_delete(struct kafka_bus *bus, rd_kafka_t *rk, const char *full, struct err *err)
{
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(full);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options = admin_options(bus, rk);
    char text[200];

    rd_kafka_DeleteTopics(rk, &topic, 1, options, queue);
    rd_kafka_event_t *event = wait_for(bus, options, queue, full, err);
    rd_kafka_DeleteTopic_destroy(topic);
    if (!event)
        return err->code;

    size_t n;
    const rd_kafka_topic_result_t **results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);
    rd_kafka_resp_err_t code = topic_result(results, n, text, sizeof(text));
    rd_kafka_event_destroy(event);
    if (!code || code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return 0;
    return kafka_fail(bus, NULL, code, full, err);
}

/* The committed positions of groups go with the topic. */
int kafka_topic_delete(struct bus *base, const char *topic, struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    struct kafka_topic *t = kafka_topic_get(bus, topic);
    int64_t deadline = clock_mono_ms() + bus->timeout_ms;
    rd_kafka_t *rk = kafka_asker(bus, err);
    int rc = rk ? ask_to_delete(bus, rk, t->full, err) : err->code;

    while (rc == 0 && (rc = kafka_count_partitions(bus, NULL, rk, t->full, err)) > 0) {
        if (clock_mono_ms() > deadline)
            return err_set_retriable(err, ERR_TIMEOUT,
                                     "kafka at %s: topic %s is to be deleted, but stays",
                                     bus->brokers, t->full);
        clock_sleep_ms(MADE_WAIT_MS);
        rc = 0;
    }
    t->n_partitions = 0;
    t->look_again_ms = 0;
    free(t->trimmed);
    t->trimmed = NULL;
    return rc;
}

/* ---- Trimming ---- */

static int delete_before(struct kafka_bus *bus, const char *full, int32_t partition, int64_t offset,
                         struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(bus->asker);
    rd_kafka_AdminOptions_t *options = admin_options(bus, bus->asker);

    rd_kafka_topic_partition_list_add(list, full, partition)->offset = offset;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_DeleteRecords(bus->asker, &request, 1, options, queue);
    rd_kafka_event_t *event = wait_for(bus, options, queue, full, err);
    rd_kafka_DeleteRecords_destroy(request);
    if (!event)
        return err->code;

    const rd_kafka_topic_partition_list_t *done =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    rd_kafka_resp_err_t code = done->cnt == 1 ? done->elems[0].err : RD_KAFKA_RESP_ERR__BAD_MSG;
    rd_kafka_event_destroy(event);
    return code ? kafka_fail(bus, &bus->asker_trouble, code, full, err) : 0;
}

/* The offset to trim to: the newest message stays. */
static int trim_offset(struct kafka_bus *bus, const char *topic, int32_t partition,
                       const struct bus_pos *upto, int64_t *ret, struct err *err)
{
    struct bus_msg last;
    int64_t wanted = INT64_MAX, newest;
    int rc = 0;

    if (upto->len != BUS_POS_NEWEST_LEN)
        rc = kafka_pos_offset(upto, &wanted, err);
    if (rc == 0)
        rc = kafka_last(&bus->base, topic, partition, &last, err);
    if (rc == 0)
        rc = kafka_pos_offset(&last.pos, &newest, err);
    if (rc == 0)
        *ret = wanted < newest - 1 ? wanted : newest - 1;
    return rc;
}

/* Servers that refuse to forget keep what they like: their retention is as good. */
static bool may_refuse(int code)
{
    return code == ERR_UNSUPPORTED || code == ERR_REFUSED || code == ERR_IO;
}

int kafka_trim(struct bus *base, const char *topic, int32_t partition, const struct bus_pos *upto,
               struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    struct kafka_topic *t = kafka_topic_look(bus, topic, false, err);
    int64_t offset = 0;

    if (!t)
        return err->code;
    if (partition < 0 || partition >= t->n_partitions)
        return t->n_partitions ? err_set(err, ERR_INVALID, "topic %s has no partition %" PRId32,
                                         topic, partition)
                               : 0;
    if (!t->trimmed)
        t->trimmed = mem_zalloc((size_t)t->n_partitions, sizeof(*t->trimmed));
    /* Asked for again and again with the same place: only a newer one is worth a request. */
    if (upto->len == 0)
        return 0;
    if (upto->len != BUS_POS_NEWEST_LEN &&
        (kafka_pos_offset(upto, &offset, err) < 0 || offset <= t->trimmed[partition]))
        return offset <= t->trimmed[partition] ? 0 : err->code;
    int rc = trim_offset(bus, topic, partition, upto, &offset, err);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0 || offset <= t->trimmed[partition])
        return rc;
    rc = delete_before(bus, t->full, partition, offset, err);
    if (rc < 0 && !may_refuse(rc))
        return rc;
    t->trimmed[partition] = offset;
    return 0;
}
