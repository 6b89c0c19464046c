/*
 * librdkafka's properties. In this order, later ones win: what suits this
 * project, what the user sets, what the promises of bus.h rest on. The last are
 * refused when the user sets them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bus/kafka_bus.h"

#define MAX_MESSAGE_BYTES                                                                          \
    1000000                 /* below the usual limit of brokers, 1,048,588 with all overhead */
#define ENVELOPE_BYTES 4096 /* room for what Kafka puts around a message */
#define TIMEOUT_MS     10000
#define SECRET_MAX     65536 /* bytes of a file that holds a value */

struct setting {
    const char *name;
    const char *value;
};

/* Ours alone; the rest of the names are librdkafka's. */
static const char *const own[] = {"max_message_bytes", "timeout_ms", "partitions", "replication"};

static const struct {
    const char *name;
    const char *why;
} held[] = {
    {"bootstrap.servers", "write it as the brokers"},
    {"metadata.broker.list", "write it as the brokers"},
    {"group.id", "it follows from the task's name"},
    {"group.instance.id", "it follows from the instance's name"},
    {"transactional.id", "it follows from the task's name"},
    {"enable.auto.commit", "positions are committed after the effect"},
    {"enable.auto.offset.store", "positions are committed after the effect"},
    {"enable.partition.eof", "readers rely on it"},
    {"auto.offset.reset", "a lost position is an error, never passed over"},
    {"isolation.level", "only what was committed is read"},
    {"enable.gapless.guarantee", "failures are dealt with one by one"},
    {"delivery.report.only.error", "it follows from who listens"},
    {"message.max.bytes", "set max_message_bytes"},
};

static const struct setting producer_defaults[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"linger.ms", "2"},
    {"compression.type", "lz4"},
    {"partitioner", "murmur2_random"}, /* as Java's clients place their keys */
    {"batch.num.messages", "10000"},
    {"queue.buffering.max.messages", "200000"},
    {"queue.buffering.max.kbytes", "262144"},
    {NULL, NULL},
};
static const struct setting consumer_defaults[] = {
    {"fetch.wait.max.ms", "100"},
    {"fetch.error.backoff.ms", "100"},
    {"queued.min.messages", "20000"},
    {NULL, NULL},
};
static const struct setting common_defaults[] = {
    {"socket.keepalive.enable", "true"},
    {"socket.nagle.disable", "true"},
    {"log.connection.close", "false"},
    {"reconnect.backoff.ms", "50"},
    {"reconnect.backoff.max.ms", "1000"},
    {"topic.metadata.refresh.interval.ms", "30000"},
    {NULL, NULL},
};
static const struct setting member_defaults[] = {
    {"partition.assignment.strategy", "cooperative-sticky"},
    {"session.timeout.ms", "10000"},
    /* A full queue is looked at again only once a second: it must hold what is worked off in one.
     */
    {"queued.min.messages", "400000"},
    {"queued.max.messages.kbytes", "262144"},
    {NULL, NULL},
};
static const struct setting consumer_held[] = {
    {"enable.auto.commit", "false"},       {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},        {"isolation.level", "read_committed"},
    {"allow.auto.create.topics", "false"}, {NULL, NULL},
};

void kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[200];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "librdkafka refuses %s=%s: %s\n", name, value, text);
        abort();
    }
}

static void set_all(rd_kafka_conf_t *conf, const struct setting *settings)
{
    for (; settings->name; settings++)
        kafka_conf_set(conf, settings->name, settings->value);
}

/* ---- Reading ---- */

/* `@/path` is the content of that file, without the line's end: how secrets are given. */
static char *read_value(const char *name, const char *value, struct err *err)
{
    if (value[0] != '@' || value[1] != '/')
        return mem_strdup(value);

    char *text = NULL;
    FILE *f = fopen(value + 1, "re");
    if (!f) {
        err_set(err, ERR_INVALID, "kafka property %s: %s: %s", name, value + 1, strerror(errno));
        return NULL;
    }
    text = mem_zalloc(1, SECRET_MAX + 1);
    size_t n = fread(text, 1, SECRET_MAX, f);
    bool is_bad = ferror(f) || !feof(f);
    fclose(f);
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        text[--n] = '\0';
    if (!is_bad && n && strlen(text) == n)
        return text;
    err_set(err, ERR_INVALID, "kafka property %s: %s holds no text of at most %d bytes", name,
            value + 1, SECRET_MAX);
    free(text);
    return NULL;
}

static int check_held(const char *name, struct err *err)
{
    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++)
        if (strcmp(held[i].name, name) == 0)
            return err_set(err, ERR_INVALID, "the kafka property %s cannot be set: %s", name,
                           held[i].why);
    return 0;
}

static bool is_own(const char *name)
{
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (strcmp(own[i], name) == 0)
            return true;
    return false;
}

/* Tries a property on a configuration that is thrown away. */
static int read_property(struct kafka_bus *bus, rd_kafka_conf_t *scratch, const char *name,
                         const char *value, struct err *err)
{
    char text[256];
    int rc = check_held(name, err);

    if (rc)
        return rc;
    char *real = read_value(name, value, err);
    if (!real)
        return err->code;
    rd_kafka_conf_res_t res = rd_kafka_conf_set(scratch, name, real, text, sizeof(text));
    if (res == RD_KAFKA_CONF_OK) {
        bus->properties =
            mem_realloc(bus->properties, bus->n_properties + 1, sizeof(*bus->properties));
        bus->properties[bus->n_properties++] = (struct kafka_property){mem_strdup(name), real};
        return 0;
    }
    free(real);
    if (res == RD_KAFKA_CONF_UNKNOWN)
        return err_set(err, ERR_INVALID,
                       "the kafka bus has no property '%.60s'; it knows max_message_bytes, "
                       "timeout_ms and those of librdkafka's CONFIGURATION.md",
                       name);
    /* librdkafka's text shows the value, which may be a secret read from a file. */
    return err_set(err, ERR_INVALID, "the kafka property %s: %s", name,
                   value[0] == '@' ? "librdkafka refuses the file's content" : text);
}

static int read_numbers(struct kafka_bus *bus, const struct bus_options *options, struct err *err)
{
    int64_t max_message = MAX_MESSAGE_BYTES, timeout_ms = TIMEOUT_MS;
    int64_t partitions = 3, replication = 1;

    if (bus_option_int(options, "max_message_bytes", 1, 500 << 20, &max_message, err) ||
        bus_option_int(options, "timeout_ms", 100, 600000, &timeout_ms, err) ||
        bus_option_int(options, "partitions", 1, 10000, &partitions, err) ||
        bus_option_int(options, "replication", 1, 100, &replication, err))
        return err->code;
    bus->max_message = (size_t)max_message;
    bus->timeout_ms = (int)timeout_ms;
    bus->n_partitions = (int)partitions;
    bus->replication = (int)replication;
    return 0;
}

int kafka_conf_read(struct kafka_bus *bus, const struct bus_options *options, struct err *err)
{
    int rc = read_numbers(bus, options, err);
    rd_kafka_conf_t *scratch = rd_kafka_conf_new();

    for (size_t i = 0; i < options->n_properties && rc == 0; i++)
        if (!is_own(options->properties[i].name))
            rc = read_property(bus, scratch, options->properties[i].name,
                               options->properties[i].value, err);
    rd_kafka_conf_destroy(scratch);
    return rc;
}

/* ---- Handles ---- */

/* Libraries do not log; what matters comes as errors. Called from librdkafka's threads. */
static void forget_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)text;
}

rd_kafka_conf_t *kafka_conf_new(const struct kafka_bus *bus, enum kafka_role role)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];
    char size[24];

    set_all(conf, common_defaults);
    set_all(conf, role == KAFKA_PRODUCER ? producer_defaults : consumer_defaults);
    if (role == KAFKA_MEMBER)
        set_all(conf, member_defaults);
    kafka_conf_set(conf, "client.id", bus->client);
    snprintf(size, sizeof(size), "%zu", bus->max_message + ENVELOPE_BYTES);
    kafka_conf_set(conf, "message.max.bytes", size);
    for (size_t i = 0; i < bus->n_properties; i++)
        rd_kafka_conf_set(conf, bus->properties[i].name, bus->properties[i].value, text,
                          sizeof(text));
    kafka_conf_set(conf, "bootstrap.servers", bus->brokers);
    if (role == KAFKA_PRODUCER) {
        kafka_conf_set(conf, "delivery.report.only.error", bus->tells ? "false" : "true");
        if (bus->transaction)
            kafka_conf_set(conf, "transactional.id", bus->transaction);
    } else {
        set_all(conf, consumer_held);
        kafka_conf_set(conf, "enable.partition.eof", role == KAFKA_ASKER ? "true" : "false");
    }
    /* Looking at one message should not wait for more to come. */
    if (role == KAFKA_ASKER)
        kafka_conf_set(conf, "fetch.wait.max.ms", "10");
    rd_kafka_conf_set_log_cb(conf, forget_log);
    return conf;
}

rd_kafka_t *kafka_handle_new(const struct kafka_bus *bus, enum kafka_role role,
                             rd_kafka_conf_t *conf, void *opaque, struct err *err)
{
    char text[300];

    rd_kafka_conf_set_opaque(conf, opaque);
    rd_kafka_t *rk = rd_kafka_new(role == KAFKA_PRODUCER ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER,
                                  conf, text, sizeof(text));
    if (rk)
        return rk; /* conf is now owned by rk */
    rd_kafka_conf_destroy(conf);
    err_set(err, ERR_INVALID, "kafka at %s: %s", bus->brokers, text);
    return NULL;
}
