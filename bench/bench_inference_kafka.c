/*
 * Rows of features for oxbow-inference on Kafka, and its latency; inference_kafka.py runs it.
 *
 *     bench_inference_kafka fill CONFIG ROWS            publishes rows as fast as it can
 *     bench_inference_kafka pace CONFIG RATE SECONDS    publishes on a fixed schedule, and measures
 *     bench_inference_kafka topic CONFIG NAME           makes one more topic
 *
 * `pace` takes the time from the moment a row was due to be sent (not from when it was: no
 * coordinated omission) until its prediction is returned by a read of topic `predictions`. The
 * first fifth is a warm-up. Only inference and the broker need to run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "bus/bus.h"
#include "task/task.h"

#define DRAIN_MS 20000
#define POLL_MAX 2000
#define EPOCH_MS INT64_C(1451606400000)

static void die(const char *what, const struct err *err)
{
    fprintf(stderr, "bench_inference_kafka: %s: %s\n", what, err->text);
    exit(1);
}

static struct bus *open_bus(const struct task *task)
{
    struct bus_options options = task_bus_options(task, "");
    struct err err = {0};

    options.client = "bench";
    struct bus *bus = bus_open(&options, &err);
    if (!bus || task_ensure_topics(task, bus, &err) < 0)
        die("bus", &err);
    return bus;
}

/* One row as oxbow-views writes it, with features like those of a taxi. */
static void publish(struct bus *bus, const struct task *task, const char *tag, int64_t i)
{
    char key[48], value[400], at[CLOCK_TEXT_LEN + 1];
    struct err err = {0};
    uint64_t mix = (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15);
    double distance = (double)(mix >> 44) / 1e7;
    double speed = 1e-6 + (double)(mix >> 20 & 0xffff) / 1e10;

    int key_len = snprintf(key, sizeof(key), "%s-%" PRId64, tag, i);
    clock_format(EPOCH_MS + i, at);
    int len = snprintf(value, sizeof(value),
                       "{\"seq\":%" PRId64 ",\"%s\":\"%s\",\"requested_at\":\"%s\",\"features\":{"
                       "\"passenger_count\":%d,\"is_weekend\":%d,\"l1_distance\":%.7f,"
                       "\"avg_speed_by_hour\":%.10f,\"hour_cos\":0.7071067811865476,"
                       "\"hour_sin\":-0.7071067811865475}}",
                       i + 1, task->key, key, at, (int)(mix >> 60) % 6 + 1, (int)(mix >> 59 & 1),
                       distance, speed);
    struct bus_record rec = {.topic = task->topics.features,
                             .partition = -1,
                             .key = key,
                             .key_len = (size_t)key_len,
                             .value = value,
                             .value_len = (size_t)len};
    int rc;
    while ((rc = bus_publish(bus, &rec, &err)) < 0 && err.retriable)
        continue;
    if (rc < 0)
        die("publish", &err);
}

static int fill(const struct task *task, int64_t rows)
{
    struct bus *bus = open_bus(task);
    int64_t start = clock_mono_ns();
    struct err err = {0};

    for (int64_t i = 0; i < rows; i++)
        publish(bus, task, "fill", i);
    if (bus_flush(bus, 120000, &err) < 0)
        die("flush", &err);
    double seconds = (double)(clock_mono_ns() - start) / 1e9;
    printf("{\"rows\": %" PRId64 ", \"seconds\": %.1f, \"rows_a_second\": %.0f}\n", rows, seconds,
           (double)rows / seconds);
    bus_close(bus);
    return 0;
}

/* ---- Latency ---- */

struct pace {
    const struct task *task;
    struct bus *bus;
    struct bus_reader *reader;
    char tag[32];
    int64_t rate, n;
    int64_t start_ns;
    int64_t *latency_ns; /* by row; 0: no answer yet */
    int64_t sent, answered;
};

static int64_t due_ns(const struct pace *p, int64_t i)
{
    return p->start_ns + i * INT64_C(1000000000) / p->rate;
}

static void take_answers(struct pace *p, int timeout_ms)
{
    const struct bus_msg *msgs;
    struct err err = {0};
    size_t tag_len = strlen(p->tag);
    int n = bus_poll(p->reader, POLL_MAX, timeout_ms, &msgs, &err);
    int64_t now = clock_mono_ns();

    if (n < 0)
        die("poll", &err);
    for (int k = 0; k < n; k++) {
        int64_t i;
        if (msgs[k].key_len <= tag_len + 1 || memcmp(msgs[k].key, p->tag, tag_len) != 0 ||
            num_parse_int(msgs[k].key + tag_len + 1, msgs[k].key_len - tag_len - 1, &i) != 0 ||
            i < 0 || i >= p->n || p->latency_ns[i])
            continue;
        p->latency_ns[i] = now - due_ns(p, i);
        p->answered++;
    }
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static void report(struct pace *p)
{
    static const double percentiles[] = {50, 90, 99, 99.9};
    int64_t warm_up = p->n / 5, n = 0;

    for (int64_t i = warm_up; i < p->n; i++)
        if (p->latency_ns[i])
            p->latency_ns[n++] = p->latency_ns[i];
    qsort(p->latency_ns, (size_t)n, sizeof(*p->latency_ns), compare);
    printf("{\"rate\": %" PRId64 ", \"sent\": %" PRId64 ", \"answered\": %" PRId64, p->rate,
           p->sent, p->answered);
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]) && n; i++) {
        int64_t at = (int64_t)((double)n * percentiles[i] / 100);
        printf(", \"p%g_ms\": %.2f", percentiles[i],
               (double)p->latency_ns[at < n ? at : n - 1] / 1e6);
    }
    printf("}\n");
}

static int pace(const struct task *task, int64_t rate, int64_t seconds)
{
    struct pace p = {.task = task, .bus = open_bus(task), .rate = rate, .n = rate * seconds};
    struct err err = {0};

    snprintf(p.tag, sizeof(p.tag), "pace%" PRId64, clock_wall_ms());
    p.latency_ns = mem_zalloc((size_t)p.n, sizeof(*p.latency_ns));
    p.reader = bus_reader_open(p.bus, &err);
    if (!p.reader ||
        bus_reader_assign(p.reader, task->topics.predictions, -1, &BUS_POS_NEWEST, &err) < 0)
        die("reading predictions", &err);
    p.start_ns = clock_mono_ns() + 100000000;
    while (p.sent < p.n) {
        int64_t now = clock_mono_ns();
        for (; p.sent < p.n && due_ns(&p, p.sent) <= now; p.sent++)
            publish(p.bus, task, p.tag, p.sent);
        if (bus_poll_deliveries(p.bus, 0, &err) < 0)
            die("publish", &err);
        take_answers(&p, 1);
    }
    int64_t deadline = clock_mono_ms() + DRAIN_MS;
    while (p.answered < p.n && clock_mono_ms() < deadline)
        take_answers(&p, 10);
    report(&p);
    bus_reader_close(p.reader);
    bus_close(p.bus);
    free(p.latency_ns);
    return 0;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    bool is_fill = argc == 4 && strcmp(argv[1], "fill") == 0;
    bool is_pace = argc == 5 && strcmp(argv[1], "pace") == 0;
    bool is_topic = argc == 4 && strcmp(argv[1], "topic") == 0;

    if (!is_fill && !is_pace && !is_topic) {
        fprintf(stderr, "usage: bench_inference_kafka fill CONFIG ROWS | pace CONFIG RATE S | "
                        "topic CONFIG NAME\n");
        return 2;
    }
    struct task *task = task_load(argv[2], &err);
    if (!task)
        die("task", &err);
    if (is_topic) {
        struct bus *bus = open_bus(task);
        if (bus_topic_ensure(bus, argv[3], 0, 0, &err) < 0)
            die("topic", &err);
        bus_close(bus);
        task_free(task);
        return 0;
    }
    int rc = is_fill ? fill(task, atoll(argv[3])) : pace(task, atoll(argv[3]), atoll(argv[4]));
    task_free(task);
    return rc;
}
