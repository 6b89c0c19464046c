/* Questions to the server: marks, counts, the newest message, floors of groups. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/kafka_bus.h"

/* ---- The handles ---- */

static void on_asker_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_bus *bus = opaque;

    kafka_note_trouble(&bus->asker_trouble, rk, (rd_kafka_resp_err_t)code, reason);
}

rd_kafka_t *kafka_asker(struct kafka_bus *bus, struct err *err)
{
    if (!bus->asker) {
        rd_kafka_conf_t *conf = kafka_conf_new(bus, KAFKA_ASKER);
        rd_kafka_conf_set_error_cb(conf, on_asker_error);
        bus->asker = kafka_handle_new(bus, KAFKA_ASKER, conf, bus, err);
        if (!bus->asker)
            return NULL;
    }
    /* Lets it say what is wrong with the connection. */
    rd_kafka_poll(bus->asker, 0);
    return bus->asker;
}

static void on_floor_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_bus *bus = opaque;

    kafka_note_trouble(&bus->floor_trouble, rk, (rd_kafka_resp_err_t)code, reason);
}

static void forget_last(struct kafka_bus *bus)
{
    if (bus->last)
        rd_kafka_message_destroy(bus->last);
    bus->last = NULL;
}

static void forget_floor(struct kafka_bus *bus)
{
    if (bus->floor)
        rd_kafka_destroy(bus->floor);
    free(bus->floor_group);
    bus->floor = NULL;
    bus->floor_group = NULL;
}

void kafka_asker_release(struct kafka_bus *bus)
{
    forget_last(bus);
    free(bus->last_headers);
    forget_floor(bus);
    if (bus->asker)
        rd_kafka_destroy(bus->asker);
    bus->asker = NULL;
}

int kafka_ping(struct bus *base, struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    const struct rd_kafka_metadata *metadata;

    if (!kafka_asker(bus, err))
        return err->code;
    rd_kafka_resp_err_t code = rd_kafka_metadata(bus->asker, 0, NULL, &metadata, bus->timeout_ms);
    rd_kafka_poll(bus->asker, 0);
    if (code)
        return kafka_fail(bus, &bus->asker_trouble, code, "no broker answers", err);
    rd_kafka_metadata_destroy(metadata);
    bus->asker_trouble = (struct kafka_trouble){.is_down = false};
    return 0;
}

/* ---- Offsets ---- */

/*
 * The offset of one end, RD_KAFKA_OFFSET_BEGINNING or _END. Asked for one by one:
 * rd_kafka_query_watermark_offsets() takes a failure of one of its two questions for an empty
 * partition.
 */
static int one_offset(const struct kafka_bus *bus, const struct kafka_trouble *trouble,
                      rd_kafka_t *rk, const char *full, int32_t partition, int64_t end,
                      int64_t *ret, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, full, partition)->offset = end;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(rk, list, bus->timeout_ms);
    if (!code)
        code = list->elems[0].err;
    *ret = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    if (!code && *ret < 0)
        code = RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE;
    return code ? kafka_fail(bus, trouble, code, full, err) : 0;
}

int kafka_offsets(const struct kafka_bus *bus, const struct kafka_trouble *trouble, rd_kafka_t *rk,
                  const char *full, int32_t partition, int64_t *ret_low, int64_t *ret_high,
                  struct err *err)
{
    int rc = one_offset(bus, trouble, rk, full, partition, RD_KAFKA_OFFSET_BEGINNING, ret_low, err);

    if (rc == 0)
        rc = one_offset(bus, trouble, rk, full, partition, RD_KAFKA_OFFSET_END, ret_high, err);
    if (rc < 0)
        return rc;
    /* The end of what is committed may lie before what was trimmed. */
    if (*ret_high < *ret_low)
        *ret_high = *ret_low;
    return 0;
}

/* The topic when it has the partition; NULL and *rc 0 when there is no such topic. */
static const struct kafka_topic *look(struct kafka_bus *bus, const char *topic, int32_t partition,
                                      int *rc, struct err *err)
{
    const struct kafka_topic *t = kafka_topic_look(bus, topic, false, err);

    *rc = t ? 0 : err->code;
    if (!t || !t->n_partitions)
        return NULL;
    if (partition < -1 || partition >= t->n_partitions) {
        *rc = err_set(err, ERR_INVALID, "topic %s has no partition %" PRId32, topic, partition);
        return NULL;
    }
    return t;
}

int kafka_marks(struct bus *base, const char *topic, int32_t partition, struct bus_marks *ret,
                struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    int rc;
    const struct kafka_topic *t = look(bus, topic, partition, &rc, err);
    int32_t first = partition < 0 ? 0 : partition;

    *ret = (struct bus_marks){.kept = 0};
    for (int32_t p = first; t && rc == 0 && p < (partition < 0 ? t->n_partitions : first + 1);
         p++) {
        int64_t low, high;
        rc = kafka_offsets(bus, &bus->asker_trouble, bus->asker, t->full, p, &low, &high, err);
        if (rc < 0)
            break;
        ret->low = kafka_pos(low);
        ret->high = kafka_pos(high);
        ret->kept += (uint64_t)(high - low);
    }
    return rc;
}

int kafka_count_after(struct bus *base, const char *topic, int32_t partition,
                      const struct bus_pos *pos, uint64_t *ret, struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    int64_t low, high, offset;
    int rc;
    const struct kafka_topic *t = look(bus, topic, partition < 0 ? 0 : partition, &rc, err);

    *ret = 0;
    if (rc == 0)
        rc = kafka_pos_offset(pos, &offset, err);
    if (rc == 0 && t)
        rc = kafka_offsets(bus, &bus->asker_trouble, bus->asker, t->full,
                           partition < 0 ? 0 : partition, &low, &high, err);
    if (rc < 0 || !t)
        return rc;
    if (offset < low)
        offset = low;
    *ret = high > offset ? (uint64_t)(high - offset) : 0;
    return 0;
}

/* ---- The newest message ---- */

/* Reads from `from` to the end; the last message is kept. ERR_NOT_FOUND when there is none. */
static int read_tail(struct kafka_bus *bus, rd_kafka_topic_t *rkt, int32_t partition, int64_t from,
                     int64_t end, struct err *err)
{
    int64_t deadline = clock_mono_ms() + bus->timeout_ms;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(bus->asker);
    bool is_over = false;
    int rc = 0;

    forget_last(bus);
    if (rd_kafka_consume_start_queue(rkt, partition, from, queue) < 0) {
        rd_kafka_queue_destroy(queue);
        return kafka_fail(bus, &bus->asker_trouble, rd_kafka_last_error(), "reading back", err);
    }
    while (rc == 0 && !is_over) {
        rd_kafka_message_t *m = rd_kafka_consume_queue(queue, KAFKA_BLOCK_MS);
        rd_kafka_resp_err_t code = m ? m->err : RD_KAFKA_RESP_ERR_NO_ERROR;
        int64_t offset = m ? m->offset : 0;

        rd_kafka_poll(bus->asker, 0);
        if (m && !code) {
            forget_last(bus);
            bus->last = m;
            is_over = offset >= end - 1;
            continue;
        }
        if (m)
            rd_kafka_message_destroy(m);
        /* An end before the one that was asked for is a broker's that has not caught up. */
        is_over = code == RD_KAFKA_RESP_ERR__PARTITION_EOF && offset >= end;
        if (!is_over && clock_mono_ms() > deadline)
            rc = kafka_fail(bus, &bus->asker_trouble, code ? code : RD_KAFKA_RESP_ERR__TIMED_OUT,
                            rd_kafka_topic_name(rkt), err);
    }
    rd_kafka_consume_stop(rkt, partition);
    rd_kafka_queue_destroy(queue);
    return rc ? rc : bus->last ? 0 : ERR_NOT_FOUND;
}

int kafka_last(struct bus *base, const char *topic, int32_t partition, struct bus_msg *ret,
               struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    int64_t low = 0, high = 0;
    int32_t p = partition < 0 ? 0 : partition;
    int rc;
    const struct kafka_topic *t = look(bus, topic, p, &rc, err);

    if (rc == 0 && t)
        rc = kafka_offsets(bus, &bus->asker_trouble, bus->asker, t->full, p, &low, &high, err);
    if (rc < 0)
        return rc;
    forget_last(bus);
    rd_kafka_topic_t *rkt = t && high > low ? rd_kafka_topic_new(bus->asker, t->full, NULL) : NULL;
    /* The end may be marks of transactions, and messages of some that were given up. */
    rc = ERR_NOT_FOUND;
    for (int64_t back = 1; rkt && rc == ERR_NOT_FOUND; back *= 8) {
        int64_t from = high - back > low ? high - back : low;
        rc = read_tail(bus, rkt, p, from, high, err);
        if (from == low)
            break;
    }
    if (rkt)
        rd_kafka_topic_destroy(rkt);
    if (rc == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND, "topic %s has no message", topic);
    if (rc == 0)
        *ret = kafka_msg(bus->last, t->name, &bus->last_headers);
    return rc;
}

/* ---- Groups ---- */

char *kafka_group_name(const struct kafka_bus *bus, const char *group)
{
    struct buf name = BUF_INIT;

    buf_printf(&name, "%soxbow-%s%s%s", bus->prefix, bus->task, *bus->task ? "-" : "", group);
    return buf_detach(&name);
}

static int open_floor(struct kafka_bus *bus, const char *group, struct err *err)
{
    char *name = kafka_group_name(bus, group);

    if (bus->floor && strcmp(bus->floor_group, name) == 0) {
        free(name);
        rd_kafka_poll(bus->floor, 0);
        return 0;
    }
    forget_floor(bus);
    rd_kafka_conf_t *conf = kafka_conf_new(bus, KAFKA_ASKER);
    kafka_conf_set(conf, "group.id", name);
    rd_kafka_conf_set_error_cb(conf, on_floor_error);
    bus->floor_group = name;
    bus->floor = kafka_handle_new(bus, KAFKA_ASKER, conf, bus, err);
    return bus->floor ? 0 : err->code;
}

int kafka_group_floor(struct bus *base, const char *group, const char *topic, int32_t partition,
                      struct bus_pos *ret, struct err *err)
{
    struct kafka_bus *bus = kafka_bus_of(base);
    int rc;
    const struct kafka_topic *t = look(bus, topic, partition, &rc, err);

    if (rc == 0 && !t)
        rc = err_set(err, ERR_NOT_FOUND, "there is no topic %s", topic);
    if (rc == 0)
        rc = open_floor(bus, group, err);
    if (rc < 0)
        return rc;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, t->full, partition < 0 ? 0 : partition);
    rd_kafka_resp_err_t code = rd_kafka_committed(bus->floor, list, bus->timeout_ms);
    int64_t offset = list->elems[0].offset;
    if (!code)
        code = list->elems[0].err;
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return kafka_fail(bus, &bus->floor_trouble, code, bus->floor_group, err);
    if (offset < 0)
        return err_set(err, ERR_NOT_FOUND, "group %s has committed nothing of topic %s", group,
                       topic);
    *ret = kafka_pos(offset);
    return 0;
}

/* ---- Messages ---- */

struct bus_msg kafka_msg(const rd_kafka_message_t *m, const char *topic,
                         struct bus_header **headers)
{
    rd_kafka_timestamp_type_t kind;
    rd_kafka_headers_t *list;
    int64_t time_ms = rd_kafka_message_timestamp(m, &kind);
    struct bus_msg msg = {
        .topic = topic,
        .partition = m->partition,
        .pos = kafka_pos(m->offset + 1),
        .time_ms = time_ms > 0 ? time_ms : 0,
        .key = m->key,
        .key_len = m->key_len,
        .value = m->payload,
        .value_len = m->len,
    };

    if (rd_kafka_message_headers(m, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return msg;
    size_t n = rd_kafka_header_cnt(list);
    *headers = mem_realloc(*headers, n + 1, sizeof(**headers));
    for (size_t i = 0; i < n; i++) {
        struct bus_header *h = &(*headers)[i];
        if (rd_kafka_header_get_all(list, i, &h->name, &h->value, &h->len))
            break;
        msg.n_headers = i + 1;
    }
    msg.headers = *headers;
    return msg;
}
