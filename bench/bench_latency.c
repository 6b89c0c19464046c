/*
 * End-to-end latency of a running loop: from the moment a request was due to be
 * sent until its prediction is returned by a read of the topic `predictions`.
 *
 *     bench_latency [--config FILE] [--rate R] [--seconds S] [--warm-up S]
 *
 * One thread publishes on a fixed schedule, and never waits for answers: a request
 * that goes out late is still measured from when it was due (no coordinated
 * omission). Its drop-off follows 2,000 requests later, so that the learner is at
 * work too. Another thread reads predictions. Everything after the warm-up counts.
 *
 * Start the loop first, without a simulator: `oxbow up --with-redis --no-simulator`.
 */
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/bus.h"
#include "store/store.h"
#include "task/task.h"

#define OUTCOME_AFTER 2000 /* requests */
#define DRAIN_MS      10000

struct run {
    struct task *task;
    char prefix[256];
    long rate, n, warm_up;
    char tag[32];        /* makes this run's keys its own */
    int64_t start_ns;    /* when request 0 is due */
    int64_t *latency_ns; /* 0: no answer yet */
    int64_t max_late_ns; /* of sending */
    atomic_long answered;
    atomic_bool done;
};

static void die(const char *what, const struct err *err)
{
    fprintf(stderr, "bench_latency: %s: %s\n", what, err->text);
    exit(1);
}

static struct bus *open_bus(const struct run *run)
{
    struct bus_options options = task_bus_options(run->task, run->prefix);
    struct err err = {0};

    options.client = "bench_latency";
    struct bus *bus = bus_open(&options, &err);

    if (!bus || bus_ping(bus, &err) < 0)
        die("bus", &err);
    return bus;
}

static int64_t due_ns(const struct run *run, long i)
{
    return run->start_ns + (int64_t)((double)i * 1e9 / (double)run->rate);
}

static void publish(struct bus *bus, const char *topic, const struct run *run, long i, bool outcome)
{
    char key[64], value[400], at[CLOCK_TEXT_LEN + 1];
    struct err err = {0};
    int key_len = snprintf(key, sizeof(key), "%s-%ld", run->tag, i);
    int value_len;

    clock_format(1451606400000 + i * 1000 + (outcome ? 600000 + i % 300 * 1000 : 0), at);
    if (outcome)
        value_len = snprintf(value, sizeof(value), "{\"drop_off_datetime\":\"%s\"}", at);
    else
        value_len = snprintf(value, sizeof(value),
                             "{\"vendor_id\":2,\"pickup_datetime\":\"%s\",\"passenger_count\":1,"
                             "\"pickup_longitude\":-73.97,\"pickup_latitude\":40.68,"
                             "\"dropoff_longitude\":-73.98%03ld,\"dropoff_latitude\":40.688865661,"
                             "\"store_and_fwd_flag\":\"N\"}",
                             at, i % 1000);
    struct bus_record rec = {.topic = topic,
                             .partition = -1,
                             .key = key,
                             .key_len = (size_t)key_len,
                             .value = value,
                             .value_len = (size_t)value_len};
    if (bus_publish(bus, &rec, &err) < 0)
        die("publish", &err);
}

static void *publisher(void *arg)
{
    struct run *run = arg;
    struct bus *bus = open_bus(run);
    struct err err = {0};

    for (long i = 0; i < run->n; i++) {
        int64_t due = due_ns(run, i), now = clock_mono_ns();
        if (now < due) {
            struct timespec t = {.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        } else if (now - due > run->max_late_ns)
            run->max_late_ns = now - due;
        publish(bus, run->task->topics.requests, run, i, false);
        if (i >= OUTCOME_AFTER)
            publish(bus, run->task->topics.outcomes, run, i - OUTCOME_AFTER, true);
        if (bus_poll_deliveries(bus, 0, &err) < 0)
            die("publish", &err);
    }
    if (bus_flush(bus, DRAIN_MS, &err) < 0)
        die("flush", &err);
    bus_close(bus);
    return NULL;
}

static void *reader(void *arg)
{
    struct run *run = arg;
    struct bus *bus = open_bus(run);
    struct err err = {0};
    struct bus_reader *r = bus_reader_open(bus, &err);
    const struct bus_msg *msgs;
    size_t tag_len = strlen(run->tag);

    if (!r || bus_reader_assign(r, run->task->topics.predictions, -1, &BUS_POS_NEWEST, &err) < 0)
        die("read", &err);
    while (!atomic_load(&run->done)) {
        int n = bus_poll(r, 1000, 100, &msgs, &err);
        int64_t now = clock_mono_ns();
        if (n < 0)
            die("read", &err);
        for (int k = 0; k < n; k++) {
            if (!msgs[k].key || msgs[k].key_len <= tag_len + 1 ||
                memcmp(msgs[k].key, run->tag, tag_len) != 0)
                continue;
            long i = strtol(msgs[k].key + tag_len + 1, NULL, 10);
            if (i < 0 || i >= run->n || run->latency_ns[i])
                continue;
            run->latency_ns[i] = now - due_ns(run, i);
            atomic_fetch_add(&run->answered, 1);
        }
    }
    bus_reader_close(r);
    bus_close(bus);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void report(struct run *run)
{
    long first = run->warm_up * run->rate, n = run->n - first, missing = 0;
    int64_t *sorted = mem_zalloc((size_t)n, sizeof(*sorted));

    for (long i = 0; i < n; i++) {
        sorted[i] = run->latency_ns[first + i];
        if (!sorted[i]) {
            missing++;
            sorted[i] = INT64_MAX / 2; /* no answer is the worst answer */
        }
    }
    qsort(sorted, (size_t)n, sizeof(*sorted), by_value);
    printf("rate %ld/s, %ld requests after %ld s of warm-up, durability %s, cores %ld\n", run->rate,
           n, run->warm_up,
           run->task->durability == TASK_DURABILITY_MACHINE ? "machine" : "process",
           sysconf(_SC_NPROCESSORS_ONLN));
    printf("p50 %.2f ms  p90 %.2f ms  p99 %.2f ms  p99.9 %.2f ms  max %.2f ms  unanswered %ld  "
           "latest send %.2f ms\n",
           (double)sorted[n / 2] / 1e6, (double)sorted[n * 9 / 10] / 1e6,
           (double)sorted[n * 99 / 100] / 1e6, (double)sorted[n * 999 / 1000] / 1e6,
           (double)sorted[n - 1] / 1e6, missing, (double)run->max_late_ns / 1e6);
    free(sorted);
}

int main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"config", required_argument, NULL, 'c'},
                                            {"rate", required_argument, NULL, 'r'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"warm-up", required_argument, NULL, 'w'},
                                            {NULL, 0, NULL, 0}};
    struct run run = {.rate = 1000, .warm_up = 5};
    const char *config = "config/taxi.json";
    char id[UUID_TEXT_LEN + 1];
    struct err err = {0};
    long seconds = 60;
    int c;

    while ((c = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (c == 'c')
            config = optarg;
        else if (c == 'r')
            run.rate = atol(optarg);
        else if (c == 's')
            seconds = atol(optarg);
        else if (c == 'w')
            run.warm_up = atol(optarg);
        else
            return 2;
    }
    if (run.rate < 1 || seconds < 1 || run.warm_up < 0) {
        fprintf(stderr, "bench_latency: rate and seconds must be at least 1\n");
        return 2;
    }
    run.task = task_load(config, &err);
    if (!run.task)
        die("task", &err);
    struct store_options store = {.backend = run.task->store,
                                  .url = run.task->redis_url,
                                  .task = run.task->name,
                                  .client = "bench_latency"};
    struct store *st = store_open(&store, &err);
    if (!st || store_incarnation(st, id, &err) < 0)
        die("the loop is not running", &err);
    store_bind(st, id);
    snprintf(run.prefix, sizeof(run.prefix), "%s", store_prefix(st));
    store_close(st);

    run.n = run.rate * (seconds + run.warm_up);
    run.latency_ns = mem_zalloc((size_t)run.n, sizeof(*run.latency_ns));
    snprintf(run.tag, sizeof(run.tag), "lat%" PRId64, clock_wall_ms());
    run.start_ns = clock_mono_ns() + 1000000000;

    pthread_t threads[2];
    pthread_create(&threads[0], NULL, reader, &run);
    pthread_create(&threads[1], NULL, publisher, &run);
    pthread_join(threads[1], NULL);
    for (int64_t end = clock_mono_ms() + DRAIN_MS;
         atomic_load(&run.answered) < run.n && clock_mono_ms() < end;)
        clock_sleep_ms(20);
    atomic_store(&run.done, true);
    pthread_join(threads[0], NULL);
    report(&run);
    free(run.latency_ns);
    task_free(run.task);
    return 0;
}
