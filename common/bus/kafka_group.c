/*
 * Members of groups: librdkafka's balanced consumer. Partitions come and go
 * only while it is polled, in steps (cooperative), so that a member keeps
 * working on what it keeps.
 *
 * The member's name is its static identity: one that is killed and comes back
 * in time has its partitions again at once, without a rebalance.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/kafka_reader.h"

#define SESSION_MIN_MS 6000 /* what brokers allow unless they are told otherwise */
#define RETRY_MS       20

/*
 * librdkafka before 2.3.0 aborts the process when a member is destroyed between joining its group
 * and its first assignment (its issue 4312).
 */
#define SETTLED_SINCE 0x020300ff
#define SETTLE_MS     5000 /* of brokers that answer */

/* ---- Partitions come and go ---- */

static const char *name_of(const struct kafka_reader *r, const char *full)
{
    return full + strlen(r->bus->prefix);
}

static void tell(struct kafka_reader *r, enum bus_group_event event,
                 const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt && r->event; i++)
        r->event(r->ctx, event, name_of(r, list->elems[i].topic), list->elems[i].partition);
}

/* Where each is to be read on: as committed, or from the oldest. */
static void find_starts(struct kafka_reader *r, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t code;
    int64_t deadline = clock_mono_ms() + r->bus->timeout_ms;

    do {
        code = rd_kafka_committed(r->rk, list, r->bus->timeout_ms);
    } while (code && clock_mono_ms() < deadline);
    for (int i = 0; i < list->cnt; i++) {
        rd_kafka_topic_partition_t *p = &list->elems[i];
        /* Without an answer the group's own position is taken, when there is one. */
        if (code || p->err)
            p->offset = RD_KAFKA_OFFSET_STORED;
        else if (p->offset < 0)
            p->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
}

static void take_over(struct kafka_reader *r, rd_kafka_topic_partition_list_t *list)
{
    find_starts(r, list);
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &list->elems[i];
        const char *topic = name_of(r, p->topic);
        struct kafka_place *place = kafka_reader_place(r, topic, p->partition);

        if (!place)
            place = kafka_reader_add(r, topic, p->topic, p->partition);
        place->next = p->offset < 0 ? 0 : p->offset;
        place->committed = place->next;
        place->state = KAFKA_FLOWING;
    }
}

static void give_back(struct kafka_reader *r, const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_place *place =
            kafka_reader_place(r, name_of(r, list->elems[i].topic), list->elems[i].partition);
        if (!place)
            continue;
        r->has_lost = r->has_lost || place->next > place->committed;
        kafka_reader_remove(r, place);
    }
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct kafka_reader *r = opaque;
    bool in_steps = strcmp(rd_kafka_rebalance_protocol(rk), "COOPERATIVE") == 0;
    rd_kafka_error_t *error = NULL;

    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        r->is_settled = true;
        take_over(r, list);
        if (in_steps)
            error = rd_kafka_incremental_assign(rk, list);
        else
            rd_kafka_assign(rk, list);
        tell(r, BUS_ASSIGNED, list);
    } else {
        tell(r, rd_kafka_assignment_lost(rk) ? BUS_LOST : BUS_REVOKED, list);
        give_back(r, list);
        if (in_steps)
            error = rd_kafka_incremental_unassign(rk, list);
        else
            rd_kafka_assign(rk, NULL);
    }
    if (error)
        rd_kafka_error_destroy(error); /* it is closing, or fatal: polling will say so */
}

/* ---- Leaving ---- */

/* Serves the callbacks of a member that is read no more. */
static void serve(struct kafka_reader *r)
{
    rd_kafka_message_t *m = rd_kafka_consumer_poll(r->rk, RETRY_MS);
    struct err err = {0};

    if (m && m->err)
        kafka_group_trouble(r, NULL, m, &err);
    if (m)
        rd_kafka_message_destroy(m);
}

/* The group has answered that it is a member. */
static bool has_joined(const struct kafka_reader *r)
{
    char *id = rd_kafka_memberid(r->rk);
    bool is_member = id && id[0];

    rd_kafka_mem_free(r->rk, id);
    return is_member;
}

static bool has_partitions(const struct kafka_reader *r)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    bool has_some = !rd_kafka_assignment(r->rk, &list) && list->cnt > 0;

    if (list)
        rd_kafka_topic_partition_list_destroy(list);
    return has_some;
}

/*
 * One step after the other, as librdkafka 2.0 trips over a member that is closed in the middle of
 * a rebalance: the first assignment is awaited, what it has is handed back, then it may go.
 */
bool kafka_group_settle(struct kafka_reader *r)
{
    int64_t deadline = clock_mono_ms() + SETTLE_MS;

    while (!r->is_settled && has_joined(r) && !r->is_refused && !r->trouble.is_down &&
           clock_mono_ms() < deadline)
        serve(r);
    rd_kafka_unsubscribe(r->rk);
    do {
        serve(r);
    } while (has_partitions(r) && clock_mono_ms() < deadline);
    return r->is_settled || !has_joined(r) || rd_kafka_version() >= SETTLED_SINCE;
}

/* ---- Joining ---- */

static bool is_set(const struct kafka_bus *bus, const char *name)
{
    for (size_t i = 0; i < bus->n_properties; i++)
        if (strcmp(bus->properties[i].name, name) == 0)
            return true;
    return false;
}

static rd_kafka_conf_t *member_conf(const struct kafka_bus *bus, const char *group,
                                    const char *member, int claim_idle_ms)
{
    rd_kafka_conf_t *conf = kafka_conf_new(bus, KAFKA_MEMBER);
    char *name = kafka_group_name(bus, group);
    char text[24];

    kafka_conf_set(conf, "group.id", name);
    kafka_conf_set(conf, "group.instance.id", member);
    if (claim_idle_ms && !is_set(bus, "session.timeout.ms")) {
        snprintf(text, sizeof(text), "%d",
                 claim_idle_ms < SESSION_MIN_MS ? SESSION_MIN_MS : claim_idle_ms);
        kafka_conf_set(conf, "session.timeout.ms", text);
    }
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    free(name);
    return conf;
}

static int subscribe(struct kafka_reader *r, size_t n, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);

    for (size_t i = 0; i < n; i++) {
        struct buf full = BUF_INIT;
        buf_printf(&full, "%s%s", r->bus->prefix, r->topics[i]);
        rd_kafka_topic_partition_list_add(list, full.data, RD_KAFKA_PARTITION_UA);
        buf_release(&full);
    }
    rd_kafka_resp_err_t code = rd_kafka_subscribe(r->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? kafka_fail(r->bus, &r->trouble, code, "joining a group", err) : 0;
}

struct bus_reader *kafka_group_join(struct bus *base, const char *group, const char *member,
                                    const char *const *topics, size_t n_topics, int claim_idle_ms,
                                    bus_group_fn event, void *ctx, struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);

    /* A topic that is missing at first would be found only minutes later. */
    for (size_t i = 0; i < n_topics; i++)
        if (!kafka_topic_look(bus, topics[i], true, err))
            return NULL;
    struct kafka_reader *r =
        kafka_reader_new(base, KAFKA_MEMBER, member_conf(bus, group, member, claim_idle_ms), err);
    if (!r)
        return NULL;
    rd_kafka_poll_set_consumer(r->rk);
    r->queue = rd_kafka_queue_get_consumer(r->rk);
    r->topics = mem_zalloc(n_topics + 1, sizeof(*r->topics));
    for (size_t i = 0; i < n_topics; i++)
        r->topics[i] = mem_strdup(topics[i]);
    r->event = event;
    r->ctx = ctx;
    if (subscribe(r, n_topics, err) == 0)
        return &r->base;
    r->is_settled = true; /* it is not even joining */
    kafka_reader_close(&r->base);
    return NULL;
}

/* ---- While polling ---- */

/* What was committed is gone, by the topic's own retention: said once, then the oldest is next. */
static int out_of_range(struct kafka_reader *r, struct kafka_place *place, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    /* Its flow has stopped, so it is begun anew rather than moved. */
    rd_kafka_topic_partition_list_add(list, place->full, place->partition)->offset =
        RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_error_t *error = rd_kafka_incremental_unassign(r->rk, list);
    if (!error)
        error = rd_kafka_incremental_assign(r->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (error) {
        kafka_fail(r->bus, &r->trouble, rd_kafka_error_code(error), place->full, err);
        rd_kafka_error_destroy(error);
        return err->code;
    }
    int64_t was = place->next;
    place->next = place->committed = 0;
    return err_set(err, ERR_TRIMMED,
                   "%s/%" PRId32 ": %" PRId64 " is kept no longer: the oldest kept message is next",
                   place->topic, place->partition, was);
}

int kafka_group_trouble(struct kafka_reader *r, struct kafka_place *place,
                        const rd_kafka_message_t *m, struct err *err)
{
    char text[200];

    switch (m->err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return place ? out_of_range(r, place, err) : 0;
    case RD_KAFKA_RESP_ERR__FATAL:
        rd_kafka_fatal_error(r->rk, text, sizeof(text));
        return err_set(err, ERR_FATAL, "kafka at %.80s: %.300s", r->bus->brokers, text);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
        r->is_refused = true;
        return kafka_fail(r->bus, &r->trouble, m->err, "as member of a group", err);
    default:
        return 0; /* librdkafka goes on by itself */
    }
}

/* ---- Committing ---- */

rd_kafka_topic_partition_list_t *kafka_member_offsets(struct bus_reader *base)
{
    struct kafka_reader *r = kafka_reader_of(base);
    rd_kafka_topic_partition_list_t *list = NULL;

    for (size_t i = 0; i < r->n_places; i++) {
        const struct kafka_place *place = &r->places[i];
        if (place->next <= place->committed)
            continue;
        if (!list)
            list = rd_kafka_topic_partition_list_new((int)r->n_places);
        rd_kafka_topic_partition_list_add(list, place->full, place->partition)->offset =
            place->next;
    }
    return list;
}

rd_kafka_t *kafka_member_handle(struct bus_reader *base)
{
    return kafka_reader_of(base)->rk;
}

void kafka_member_committed(struct bus_reader *base)
{
    struct kafka_reader *r = kafka_reader_of(base);

    for (size_t i = 0; i < r->n_places; i++)
        r->places[i].committed = r->places[i].next;
}

/* The group is being shared out anew: the answer comes when the members have agreed. */
static bool is_passing(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS || code == RD_KAFKA_RESP_ERR__WAIT_COORD;
}

static rd_kafka_resp_err_t commit_once(struct kafka_reader *r)
{
    rd_kafka_topic_partition_list_t *list = kafka_member_offsets(&r->base);

    if (!list)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_commit(r->rk, list, 0);
    for (int i = 0; !code && i < list->cnt; i++)
        code = list->elems[i].err;
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

int kafka_commit(struct bus_reader *base, struct err *err)
{
    struct kafka_reader *r = kafka_reader_of(base);
    int64_t deadline = clock_mono_ms() + r->bus->timeout_ms;
    bool has_lost = r->has_lost;
    rd_kafka_resp_err_t code;

    while (is_passing(code = commit_once(r)) && clock_mono_ms() < deadline)
        clock_sleep_ms(RETRY_MS);
    int rc = code ? kafka_fail(r->bus, &r->trouble, code, "committing", err) : 0;
    if (rc < 0 && rc != ERR_CONFLICT)
        return rc;
    /* What was taken away is another's to commit. */
    kafka_member_committed(base);
    r->has_lost = false;
    if (rc == 0 && has_lost)
        rc = err_set(err, ERR_CONFLICT,
                     "partitions were taken away before what came of them was committed");
    return rc;
}
