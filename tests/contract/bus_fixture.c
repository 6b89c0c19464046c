#include "contract/bus_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

const char *fixture_backend;
struct redis_server fixture_server;
const char *fixture_timeout_ms;
bool fixture_is_mock;
const struct bus_property *fixture_properties;
size_t fixture_n_properties;
void (*fixture_make_topics)(const char *prefix);

static int prefixes; /* how many were given out */

/* ---- Setting up ---- */

void fixture_use_memory(void)
{
    fixture_backend = "memory";
}

void fixture_use_redis(void)
{
    fixture_backend = "redis";
    redis_server_start(&fixture_server, "appendfsync always");
}

void fixture_stop_redis(void)
{
    redis_server_stop(&fixture_server);
}

void fixture_use_kafka(const char *brokers, bool is_mock)
{
    /* Short times, so that what waits for them does not wait long. The mock cluster's first
     * rebalance takes three seconds, and a member must live as long. */
    static struct bus_property properties[] = {
        {"partitions", "1"},
        {"max_message_bytes", "16000000"},
        {"heartbeat.interval.ms", "200"},
        {"session.timeout.ms", "2000"},
        {"max.poll.interval.ms", "2500"},
    };

    if (is_mock) {
        properties[3].value = "6000";
        properties[4].value = "30000";
    } else {
        properties[3].value = "2000";
        properties[4].value = "2500";
    }
    fixture_backend = "kafka";
    fixture_is_mock = is_mock;
    fixture_properties = properties;
    fixture_n_properties = sizeof(properties) / sizeof(properties[0]);
    snprintf(fixture_server.url, sizeof(fixture_server.url), "%s", brokers);
}

bool fixture_is(const char *backend)
{
    return strcmp(fixture_backend, backend) == 0;
}

static void delivered(void *ctx, void *opaque, int result, const struct bus_pos *pos,
                      const struct err *err)
{
    struct deliveries *told = ctx;

    told->last_result = result;
    told->last_opaque = opaque;
    if (pos)
        told->last_pos = *pos;
    if (result < 0) {
        told->failed++;
        told->last_retriable = err->retriable;
        snprintf(told->last_text, sizeof(told->last_text), "%s", err->text);
    } else if (result == BUS_DUPLICATE) {
        told->duplicates++;
    } else {
        told->ok++;
    }
}

struct bus *bus_fixture_open(const struct bus_fixture *f, struct deliveries *told)
{
    struct err err = {0};
    struct bus_property timeout = {"timeout_ms", fixture_timeout_ms};
    struct bus_options options = {
        .backend = fixture_backend,
        .url = fixture_server.url,
        .prefix = f->prefix,
        .client = "contract test",
        .properties = fixture_timeout_ms ? &timeout : fixture_properties,
        .n_properties = fixture_timeout_ms ? 1 : fixture_n_properties,
        .delivered = told ? delivered : NULL,
        .delivered_ctx = told,
    };
    struct bus *bus = bus_open(&options, &err);

    if (!bus)
        fail_msg("bus_open: %s", err.text);
    return bus;
}

int bus_fixture_setup(void **state)
{
    struct bus_fixture *f = calloc(1, sizeof(*f));

    snprintf(f->prefix, sizeof(f->prefix),
             fixture_is("kafka") ? "test%d-" : "oxbow:{test%d}:", prefixes++);
    if (fixture_make_topics)
        fixture_make_topics(f->prefix);
    f->bus = bus_fixture_open(f, &f->told);
    *state = f;
    return 0;
}

int bus_fixture_teardown(void **state)
{
    struct bus_fixture *f = *state;

    bus_close(f->bus);
    free(f);
    return 0;
}

/* ---- Publishing and reading ---- */

static void queue(struct bus_fixture *f, const char *topic, const char *key, const char *value,
                  uint64_t seq)
{
    struct bus_record rec = {
        .topic = topic,
        .partition = -1,
        .key = key,
        .key_len = key ? strlen(key) : 0,
        .value = value,
        .value_len = value ? strlen(value) : 0,
        .seq = seq,
    };

    assert_ok(f, bus_publish(f->bus, &rec, &f->err));
}

void put(struct bus_fixture *f, const char *topic, const char *key, const char *value, uint64_t seq)
{
    queue(f, topic, key, value, seq);
    assert_ok(f, bus_flush(f->bus, WAIT_MS, &f->err));
}

void put_many(struct bus_fixture *f, const char *topic, size_t first, size_t n, bool numbered)
{
    for (size_t i = first; i < first + n; i++) {
        char text[24];
        snprintf(text, sizeof(text), "%zu", i);
        queue(f, topic, text, text, numbered ? i : 0);
    }
    assert_ok(f, bus_flush(f->bus, WAIT_MS, &f->err));
}

struct bus_reader *reader_at(struct bus_fixture *f, const char *topic, struct bus_pos after)
{
    struct bus_reader *r = bus_reader_open(f->bus, &f->err);

    assert_non_null(r);
    assert_ok(f, bus_reader_assign(r, topic, 0, &after, &f->err));
    return r;
}

struct bus_pos pos_behind(struct bus_fixture *f, size_t n)
{
    struct bus_pos pos;
    char text[24];

    snprintf(text, sizeof(text), fixture_is("kafka") ? "%zu" : "%zu-0", n);
    assert_ok(f, bus_pos_parse(f->bus, text, &pos, &f->err));
    return pos;
}

int poll_some(struct bus_fixture *f, struct bus_reader *r, size_t max, const struct bus_msg **ret)
{
    int64_t deadline = clock_mono_ms() + WAIT_MS;

    for (;;) {
        int n = bus_poll(r, max, 1000, ret, &f->err);
        if (n < 0)
            fail_msg("bus_poll: %s", f->err.text);
        if (n > 0)
            return n;
        if (clock_mono_ms() > deadline)
            fail_msg("no message came");
    }
}

void expect_values(struct bus_fixture *f, struct bus_reader *r, size_t first, size_t n)
{
    const struct bus_msg *msgs;
    size_t got = 0;

    while (got < n) {
        int k = poll_some(f, r, n - got, &msgs);
        for (int i = 0; i < k; i++) {
            char text[24];
            snprintf(text, sizeof(text), "%zu", first + got++);
            assert_value(&msgs[i], text);
        }
    }
    assert_int_equal(got, n);
}

/* ---- Talking to Redis directly ---- */

static redisReply *cli(const char *format, va_list ap)
{
    redisContext *c = redisConnectUnix(fixture_server.url + strlen("unix://"));

    if (!c || c->err)
        fail_msg("redis_cli: cannot connect");
    redisReply *reply = redisvCommand(c, format, ap);
    redisFree(c);
    if (!reply)
        fail_msg("redis_cli: no reply");
    return reply;
}

redisReply *redis_cli(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    redisReply *reply = cli(format, ap);
    va_end(ap);
    return reply;
}

void redis_do(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    redisReply *reply = cli(format, ap);
    va_end(ap);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("redis: %s", reply->str);
    freeReplyObject(reply);
}
