/* The Redis Streams backend of the bus: its options and its table. See redis_bus.h for what is
 * where. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bus/redis_bus.h"
#include "redis/redis_url.h"

#define MAX_MESSAGE_BYTES (64 << 20)
#define TIMEOUT_MS        10000

struct redis_conn *redis_bus_conn(const struct redis_bus *bus)
{
    struct redis_conn_options options = {
        .url = bus->url,
        .client = bus->client,
        .timeout_ms = bus->timeout_ms,
    };
    struct redis_conn *c = redis_conn_new(&options, NULL);

    if (!c)
        abort();
    return c;
}

void redis_bus_arg_key(const struct redis_bus *bus, struct redis_conn *c, const char *topic)
{
    redis_arg_pair(c, bus->prefix, bus->prefix_len, topic, strlen(topic));
}

static void redis_close(struct bus *base)
{
    struct redis_bus *bus = (struct redis_bus *)base;

    redis_publisher_free(bus->publisher);
    redis_conn_free(bus->ask);
    free(bus->url);
    free(bus->prefix);
    free(bus->client);
    free(bus->trimmed_key);
    free(bus);
}

static struct bus *redis_open(const struct bus_options *options, struct err *err)
{
    int64_t max_message = MAX_MESSAGE_BYTES;
    int64_t timeout_ms = TIMEOUT_MS;
    struct redis_url url;

    if (!options->url) {
        err_set(err, ERR_INVALID, "the redis bus needs a URL: redis://host:port");
        return NULL;
    }
    if (redis_url_parse(options->url, &url, err))
        return NULL;
    redis_url_release(&url);
    if (bus_option_int(options, "max_message_bytes", 1, 500 << 20, &max_message, err) ||
        bus_option_int(options, "timeout_ms", 100, 600000, &timeout_ms, err))
        return NULL;

    struct redis_bus *bus = mem_zalloc(1, sizeof(*bus));
    bus->url = mem_strdup(options->url);
    bus->prefix = mem_strdup(options->prefix ? options->prefix : "");
    bus->prefix_len = strlen(bus->prefix);
    bus->client = options->client ? mem_strdup(options->client) : NULL;
    bus->max_message = (size_t)max_message;
    bus->timeout_ms = (int)timeout_ms;

    struct buf key = BUF_INIT;
    buf_printf(&key, "%sbus:trimmed", bus->prefix);
    bus->trimmed_key = buf_detach(&key);

    bus->publisher = redis_publisher_new(bus);
    bus->ask = redis_bus_conn(bus);
    return &bus->base;
}

static bool redis_can(const struct bus *base, enum bus_ability ability)
{
    (void)base;
    return ability == BUS_COUNTS || ability == BUS_NUMBERS || ability == BUS_ORDERS;
}

static const char *const redis_properties[] = {"max_message_bytes", "timeout_ms", NULL};

const struct bus_backend bus_backend_redis = {
    .name = "redis",
    .help = "Redis Streams, Redis 7.0 or newer",
    .properties = redis_properties,
    .open = redis_open,
    .close = redis_close,
    .ping = redis_ask_ping,
    .topic_ensure = redis_ask_topic_ensure,
    .topic_delete = redis_ask_topic_delete,
    .can = redis_can,
    .publish = redis_bus_publish,
    .poll_deliveries = redis_bus_poll_deliveries,
    .flush = redis_bus_flush,
    .tx_begin = NULL,
    .tx_send_positions = NULL,
    .tx_commit = NULL,
    .tx_abort = NULL,
    .reader_open = redis_read_open,
    .reader_assign = redis_read_assign,
    .reader_pause = redis_read_pause,
    .group_join = redis_group_join,
    .reader_close = redis_bus_reader_close,
    .poll = redis_bus_poll,
    .commit = redis_group_commit,
    .marks = redis_ask_marks,
    .count_after = redis_ask_count_after,
    .last = redis_ask_last,
    .group_floor = redis_ask_group_floor,
    .trim = redis_ask_trim,
    .pos_compare = bus_id_pos_compare,
    .pos_format = bus_id_pos_format,
    .pos_parse = bus_id_pos_parse,
};
