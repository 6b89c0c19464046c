/* The Kafka backend of the bus: its options, positions and table. See kafka_bus.h for what is
 * where. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "bus/kafka_bus.h"

#define POS_LEN 8

/* ---- Lifecycle ---- */

static int check_prefix(const char *prefix, struct err *err)
{
    for (const char *c = prefix; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *c))
            return err_set(err, ERR_INVALID,
                           "'%.60s' cannot stand before names of Kafka topics: letters, digits, "
                           "'.', '_' and '-' only",
                           prefix);
    return 0;
}

static char *copy(const char *s)
{
    return s ? mem_strdup(s) : NULL;
}

static void kafka_close(struct bus *base)
{
    struct kafka_bus *bus = kafka_bus_of(base);

    kafka_publisher_release(bus);
    kafka_asker_release(bus);
    kafka_topics_free(bus);
    for (size_t i = 0; i < bus->n_properties; i++) {
        free(bus->properties[i].name);
        free(bus->properties[i].value);
    }
    free(bus->properties);
    free(bus->brokers);
    free(bus->prefix);
    free(bus->client);
    free(bus->task);
    free(bus->incarnation);
    free(bus->transaction);
    free(bus);
}

static struct bus *kafka_open(const struct bus_options *options, struct err *err)
{
    if (!options->url || !*options->url) {
        err_set(err, ERR_INVALID, "the kafka bus needs its brokers: host:port,host:port");
        return NULL;
    }
    if (options->prefix && check_prefix(options->prefix, err))
        return NULL;

    struct kafka_bus *bus = mem_zalloc(1, sizeof(*bus));
    bus->brokers = mem_strdup(options->url);
    bus->prefix = mem_strdup(options->prefix ? options->prefix : "");
    bus->client = mem_strdup(options->client ? options->client : "oxbow");
    bus->task = mem_strdup(options->task ? options->task : "");
    bus->incarnation = copy(options->incarnation);
    bus->transaction = copy(options->transaction);
    bus->tells = options->delivered != NULL;
    if (kafka_conf_read(bus, options, err)) {
        kafka_close(&bus->base);
        return NULL;
    }
    return &bus->base;
}

static bool kafka_can(const struct bus *base, enum bus_ability ability)
{
    const struct kafka_bus *bus = (const struct kafka_bus *)base;

    switch (ability) {
    case BUS_TRANSACTS:
        return bus->transaction != NULL;
    case BUS_STAMPS:
        return bus->incarnation != NULL;
    case BUS_COUNTS:
    case BUS_NUMBERS:
    case BUS_ORDERS:
        break;
    }
    return false;
}

/* ---- Positions ---- */

struct bus_pos kafka_pos(int64_t offset)
{
    struct bus_pos pos = {.len = POS_LEN};

    for (size_t i = 0; i < POS_LEN; i++)
        pos.bytes[i] = (unsigned char)((uint64_t)offset >> (8 * (POS_LEN - 1 - i)));
    return pos;
}

int kafka_pos_offset(const struct bus_pos *pos, int64_t *ret, struct err *err)
{
    uint64_t offset = 0;

    if (pos->len && pos->len != POS_LEN)
        return err_set(err, ERR_INVALID, "the position is another bus's");
    for (size_t i = 0; i < pos->len; i++)
        offset = offset << 8 | pos->bytes[i];
    *ret = (int64_t)offset;
    return 0;
}

static int pos_compare(const struct bus_pos *a, const struct bus_pos *b)
{
    return memcmp(a->bytes, b->bytes, POS_LEN);
}

static void pos_format(const struct bus_pos *pos, struct buf *out)
{
    int64_t offset = 0;
    struct err ignored;

    if (kafka_pos_offset(pos, &offset, &ignored) == 0)
        buf_printf(out, "%" PRId64, offset);
}

static int pos_parse(const char *text, struct bus_pos *ret, struct err *err)
{
    int64_t offset;

    if (*text < '0' || *text > '9' || num_parse_int(text, strlen(text), &offset))
        return err_set(err, ERR_INVALID,
                       "'%.40s' is no position of this bus: write an offset, \"oldest\" or "
                       "\"newest\"",
                       text);
    *ret = kafka_pos(offset);
    return 0;
}

/* ---- The table ---- */

const struct bus_backend bus_backend_kafka = {
    .name = "kafka",
    .help = "Kafka, Redpanda and what speaks their protocol",
    .properties = NULL, /* librdkafka's, and those of kafka_conf.c */
    .open = kafka_open,
    .close = kafka_close,
    .ping = kafka_ping,
    .topic_ensure = kafka_topic_ensure,
    .topic_delete = kafka_topic_delete,
    .can = kafka_can,
    .partitions = kafka_partitions,
    .partition_of = kafka_partition_of,
    .publish = kafka_publish,
    .poll_deliveries = kafka_poll_deliveries,
    .flush = kafka_flush,
    .tx_begin = kafka_tx_begin,
    .tx_send_positions = kafka_tx_send_positions,
    .tx_commit = kafka_tx_commit,
    .tx_abort = kafka_tx_abort,
    .reader_open = kafka_reader_open,
    .reader_assign = kafka_reader_assign,
    .reader_pause = kafka_reader_pause,
    .group_join = kafka_group_join,
    .reader_close = kafka_reader_close,
    .poll = kafka_poll,
    .commit = kafka_commit,
    .marks = kafka_marks,
    .count_after = kafka_count_after,
    .last = kafka_last,
    .group_floor = kafka_group_floor,
    .trim = kafka_trim,
    .pos_compare = pos_compare,
    .pos_format = pos_format,
    .pos_parse = pos_parse,
};
