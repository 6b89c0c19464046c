/*
 * What the bus on Redis costs: publishes and reads back messages over a
 * private redis-server, and prints rates and CPU time a message, of the
 * client and of the server apart.
 *
 *     bench_bus [messages] [bytes of each value]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/bus.h"
#include "support/redis_server.h"

#define BATCH 1000

struct meter {
    int64_t wall_ns;
    int64_t cpu_ns;
    long long server_us;
};

static int64_t cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static struct meter meter_start(const struct redis_server *server)
{
    return (struct meter){clock_mono_ns(), cpu_ns(), redis_server_cpu_us(server)};
}

static void meter_print(const struct meter *m, const struct redis_server *server, const char *what,
                        size_t n)
{
    double wall = (double)(clock_mono_ns() - m->wall_ns);
    double cpu = (double)(cpu_ns() - m->cpu_ns);
    double server_us = (double)(redis_server_cpu_us(server) - m->server_us);

    printf("%-22s %9.0f msg/s   client %6.3f us/msg   server %6.3f us/msg\n", what,
           (double)n * 1e9 / wall, cpu / 1e3 / (double)n, server_us / (double)n);
}

static void must(int rc, const struct err *err, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "bench_bus: %s: %s\n", what, err->text);
    exit(1);
}

static void publish(struct bus *bus, const char *topic, size_t n, bool numbered, const char *value,
                    size_t len)
{
    struct err err;

    for (size_t i = 0; i < n; i++) {
        char key[24];
        int key_len = snprintf(key, sizeof(key), "id%07zu", i);
        struct bus_record rec = {
            .topic = topic,
            .partition = -1,
            .key = key,
            .key_len = (size_t)key_len,
            .value = value,
            .value_len = len,
            .seq = numbered ? i + 1 : 0,
        };
        must(bus_publish(bus, &rec, &err), &err, "publishing");
    }
    must(bus_flush(bus, 60000, &err), &err, "flushing");
}

static void read_all(struct bus *bus, const char *topic, size_t n)
{
    struct err err;
    const struct bus_msg *msgs;
    struct bus_reader *r = bus_reader_open(bus, &err);

    must(r ? bus_reader_assign(r, topic, 0, &BUS_POS_OLDEST, &err) : -1, &err, "assigning");
    for (size_t got = 0; got < n;) {
        int rc = bus_poll(r, BATCH, 1000, &msgs, &err);
        must(rc, &err, "reading");
        got += (size_t)rc;
    }
    bus_reader_close(r);
}

static void read_group(struct bus *bus, const char *topic, size_t n)
{
    struct err err;
    const struct bus_msg *msgs;
    struct bus_reader *r = bus_group_join(bus, "bench", "one", &topic, 1, 0, NULL, NULL, &err);

    must(r ? 0 : -1, &err, "joining");
    for (size_t got = 0; got < n;) {
        int rc = bus_poll(r, BATCH, 1000, &msgs, &err);
        must(rc, &err, "reading");
        got += (size_t)rc;
        must(bus_commit(r, &err), &err, "committing");
    }
    bus_reader_close(r);
}

/* One message at a time from publisher to reader: the time from bus_publish() to its hand-out. */
static void latency(struct bus *bus, size_t n)
{
    struct err err;
    const struct bus_msg *msgs;
    struct bus_reader *r = bus_reader_open(bus, &err);
    int64_t total = 0, worst = 0;

    must(r ? bus_reader_assign(r, "ping", 0, &BUS_POS_NEWEST, &err) : -1, &err, "assigning");
    for (size_t i = 0; i < n; i++) {
        struct bus_record rec = {.topic = "ping", .value = "x", .value_len = 1};
        must(bus_poll(r, 1, 0, &msgs, &err), &err, "polling");
        clock_sleep_ms(1);
        int64_t start = clock_mono_ns();
        must(bus_publish(bus, &rec, &err), &err, "publishing");
        must(bus_poll_deliveries(bus, 0, &err), &err, "sending");
        while (bus_poll(r, 1, 1000, &msgs, &err) == 0)
            continue;
        int64_t took = clock_mono_ns() - start;
        total += took;
        worst = took > worst ? took : worst;
    }
    printf("%-22s mean %.0f us, worst %.0f us\n", "one at a time", (double)total / (double)n / 1e3,
           (double)worst / 1e3);
    must(bus_flush(bus, 1000, &err), &err, "flushing");
    bus_reader_close(r);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 300000;
    size_t len = argc > 2 ? strtoul(argv[2], NULL, 10) : 300;
    struct redis_server server;
    struct err err;

    if (!redis_server_available())
        return 77;
    char *value = mem_alloc(len + 1);
    memset(value, 'x', len);
    redis_server_start(&server, "appendfsync everysec");
    printf("%zu messages of %zu bytes\n", n, len);

    struct bus_options options = {
        .backend = "redis", .url = server.url, .prefix = "oxbow:{bench}:"};
    struct bus *bus = bus_open(&options, &err);
    must(bus ? 0 : -1, &err, "opening");

    struct meter m = meter_start(&server);
    publish(bus, "plain", n, false, value, len);
    meter_print(&m, &server, "publish", n);
    m = meter_start(&server);
    publish(bus, "numbered", n, true, value, len);
    meter_print(&m, &server, "publish numbered", n);
    m = meter_start(&server);
    read_all(bus, "plain", n);
    meter_print(&m, &server, "read positioned", n);
    m = meter_start(&server);
    read_group(bus, "plain", n);
    meter_print(&m, &server, "read in a group", n);
    latency(bus, 1000);

    bus_close(bus);
    free(value);
    redis_server_stop(&server);
    return 0;
}
