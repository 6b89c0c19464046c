/* The bus in memory: opening, publishing, asking, and its table. See memory_bus.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bus/memory_bus.h"

#define MAX_MESSAGE_BYTES (64 << 20)
#define TELL_MESSAGES     128 /* a publisher that never polls hears of its messages in such lots */

/* The fate of a message that the publisher has not been told yet. */
struct memory_done {
    void *opaque;
    int result;
    struct bus_pos pos;
};

static struct bus *memory_open(const struct bus_options *options, struct err *err)
{
    int64_t max_message = MAX_MESSAGE_BYTES;

    if (bus_option_int(options, "max_message_bytes", 1, 500 << 20, &max_message, err))
        return NULL;
    struct memory_bus *bus = mem_zalloc(1, sizeof(*bus));
    bus->server = memory_server_get(options->prefix ? options->prefix : "");
    bus->max_message = (size_t)max_message;
    if (options->transaction)
        memory_tx_own(bus, options->transaction);
    return &bus->base;
}

static void memory_close(struct bus *base)
{
    struct memory_bus *bus = (struct memory_bus *)base;

    pthread_mutex_lock(&bus->server->mutex);
    memory_entry_unref(bus->last);
    pthread_mutex_unlock(&bus->server->mutex);
    memory_tx_release(bus);
    free(bus->done);
    free(bus);
}

static int memory_ping(struct bus *base, struct err *err)
{
    (void)base;
    (void)err;
    return 0;
}

static int memory_topic_ensure(struct bus *base, const char *topic, int partitions, int replication,
                               struct err *err)
{
    struct memory_bus *bus = (struct memory_bus *)base;

    if (partitions > 1 || replication > 1)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s: a topic of the bus in memory has one partition and one copy", topic);
    pthread_mutex_lock(&bus->server->mutex);
    memory_topic_get(bus->server, topic);
    pthread_mutex_unlock(&bus->server->mutex);
    return 0;
}

static int memory_delete(struct bus *base, const char *topic, struct err *err)
{
    struct memory_bus *bus = (struct memory_bus *)base;

    (void)err;
    pthread_mutex_lock(&bus->server->mutex);
    memory_topic_delete(bus->server, topic);
    pthread_mutex_unlock(&bus->server->mutex);
    return 0;
}

/* ---- Publishing ---- */

static void tell_done(struct memory_bus *bus)
{
    struct err aborted;

    err_set(&aborted, ERR_CONFLICT, "the transaction was aborted");
    for (size_t i = 0; i < bus->n_done; i++)
        bus_tell_delivered(&bus->base, bus->done[i].opaque, bus->done[i].result, &bus->done[i].pos,
                           bus->done[i].result < 0 ? &aborted : NULL);
    bus->n_done = 0;
}

void memory_done_add(struct memory_bus *bus, void *opaque, int result, struct bus_id id)
{
    bus->done = mem_realloc(bus->done, bus->n_done + 1, sizeof(*bus->done));
    bus->done[bus->n_done++] = (struct memory_done){opaque, result, bus_id_to_pos(id)};
}

static int memory_publish(struct bus *base, const struct bus_record *rec, struct err *err)
{
    struct memory_bus *bus = (struct memory_bus *)base;
    size_t bytes = rec->key_len + rec->value_len;
    struct bus_id id;

    for (size_t i = 0; i < rec->n_headers; i++)
        bytes += strlen(rec->headers[i].name) + rec->headers[i].len;
    if (bytes > bus->max_message)
        return err_set(err, ERR_TOO_LARGE,
                       "%s: a message of %zu bytes is over max_message_bytes (%zu)", rec->topic,
                       bytes, bus->max_message);
    if (rec->seq >= BUS_ID_TIME_MIN)
        return err_set(err, ERR_INVALID, "%s: sequence number %llu is not below 1e11", rec->topic,
                       (unsigned long long)rec->seq);
    int rc = bus_partition_check(rec->partition, err);
    if (rc)
        return rc;
    if (bus->in_tx) {
        memory_tx_hold(bus, rec);
        return 0;
    }

    pthread_mutex_lock(&bus->server->mutex);
    int result = memory_topic_append(memory_topic_get(bus->server, rec->topic), rec, &id);
    pthread_cond_broadcast(&bus->server->changed);
    pthread_mutex_unlock(&bus->server->mutex);

    memory_done_add(bus, rec->opaque, result, id);
    if (bus->n_done >= TELL_MESSAGES)
        tell_done(bus);
    return 0;
}

static int memory_poll_deliveries(struct bus *base, int timeout_ms, struct err *err)
{
    (void)timeout_ms;
    (void)err;
    tell_done((struct memory_bus *)base);
    return 0;
}

static int memory_flush(struct bus *base, int timeout_ms, struct err *err)
{
    return memory_poll_deliveries(base, timeout_ms, err);
}

/* ---- Asking ---- */

static int memory_marks(struct bus *base, const char *topic, int32_t partition,
                        struct bus_marks *ret, struct err *err)
{
    struct memory_bus *bus = (struct memory_bus *)base;
    int rc = bus_partition_check(partition, err);

    if (rc)
        return rc;
    *ret = (struct bus_marks){0};
    pthread_mutex_lock(&bus->server->mutex);
    const struct memory_topic *t = memory_topic_find(bus->server, topic);
    if (t)
        *ret = (struct bus_marks){
            .low = bus_id_to_pos(t->n ? bus_id_before(t->entries[0]->id) : t->last),
            .high = bus_id_to_pos(t->last),
            .kept = t->n,
            .added = t->added,
        };
    pthread_mutex_unlock(&bus->server->mutex);
    return 0;
}

static int memory_count_after(struct bus *base, const char *topic, int32_t partition,
                              const struct bus_pos *pos, uint64_t *ret, struct err *err)
{
    struct memory_bus *bus = (struct memory_bus *)base;
    struct bus_id id;
    int rc = bus_partition_check(partition, err);

    if (!rc)
        rc = bus_id_from_pos(pos, &id, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&bus->server->mutex);
    const struct memory_topic *t = memory_topic_find(bus->server, topic);
    *ret = t ? t->n - memory_topic_after(t, id) : 0;
    pthread_mutex_unlock(&bus->server->mutex);
    return 0;
}

static int memory_last(struct bus *base, const char *topic, int32_t partition, struct bus_msg *ret,
                       struct err *err)
{
    struct memory_bus *bus = (struct memory_bus *)base;
    int rc = bus_partition_check(partition, err);

    if (rc)
        return rc;
    pthread_mutex_lock(&bus->server->mutex);
    const struct memory_topic *t = memory_topic_find(bus->server, topic);
    memory_entry_unref(bus->last);
    bus->last = NULL;
    if (t && t->n) {
        bus->last = t->entries[t->n - 1];
        bus->last->refs++;
        *ret = memory_entry_msg(bus->last, t->name);
    }
    pthread_mutex_unlock(&bus->server->mutex);
    return bus->last ? 0 : err_set(err, ERR_NOT_FOUND, "topic %s has no message", topic);
}

static int memory_group_floor(struct bus *base, const char *group, const char *topic,
                              int32_t partition, struct bus_pos *ret, struct err *err)
{
    struct memory_bus *bus = (struct memory_bus *)base;
    struct bus_id floor = {0, 0};
    int rc = bus_partition_check(partition, err);

    if (rc)
        return rc;
    pthread_mutex_lock(&bus->server->mutex);
    const struct memory_topic *t = memory_topic_find(bus->server, topic);
    const struct memory_group *g = t ? memory_group_find(t, group) : NULL;
    if (g)
        floor = g->n_pending ? bus_id_before(g->pending[0].id) : g->last;
    pthread_mutex_unlock(&bus->server->mutex);
    if (!g)
        return err_set(err, ERR_NOT_FOUND, "topic %s has no group %s", topic, group);
    *ret = bus_id_to_pos(floor);
    return 0;
}

static int memory_trim(struct bus *base, const char *topic, int32_t partition,
                       const struct bus_pos *upto, struct err *err)
{
    struct memory_bus *bus = (struct memory_bus *)base;
    struct bus_id id = {UINT64_MAX, UINT64_MAX};
    int rc = bus_partition_check(partition, err);

    if (!rc && upto->len != BUS_POS_NEWEST_LEN)
        rc = bus_id_from_pos(upto, &id, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&bus->server->mutex);
    struct memory_topic *t = memory_topic_find(bus->server, topic);
    if (t)
        memory_topic_trim(t, id);
    pthread_mutex_unlock(&bus->server->mutex);
    return 0;
}

static bool memory_can(const struct bus *base, enum bus_ability ability)
{
    (void)base;
    return ability == BUS_COUNTS || ability == BUS_NUMBERS || ability == BUS_ORDERS;
}

static const char *const memory_properties[] = {"max_message_bytes", NULL};

const struct bus_backend bus_backend_memory = {
    .name = "memory",
    .help = "within one process, for tests",
    .properties = memory_properties,
    .open = memory_open,
    .close = memory_close,
    .ping = memory_ping,
    .topic_ensure = memory_topic_ensure,
    .topic_delete = memory_delete,
    .can = memory_can,
    .publish = memory_publish,
    .poll_deliveries = memory_poll_deliveries,
    .flush = memory_flush,
    .tx_begin = memory_tx_begin,
    .tx_send_positions = memory_tx_send_positions,
    .tx_commit = memory_tx_commit,
    .tx_abort = memory_tx_abort,
    .reader_open = memory_reader_open,
    .reader_assign = memory_reader_assign,
    .reader_pause = memory_reader_pause,
    .group_join = memory_group_join,
    .reader_close = memory_reader_close,
    .poll = memory_poll,
    .commit = memory_commit,
    .marks = memory_marks,
    .count_after = memory_count_after,
    .last = memory_last,
    .group_floor = memory_group_floor,
    .trim = memory_trim,
    .pos_compare = bus_id_pos_compare,
    .pos_format = bus_id_pos_format,
    .pos_parse = bus_id_pos_parse,
};
