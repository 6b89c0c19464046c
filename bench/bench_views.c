/*
 * What the SQLite engine costs a trip, alone: requests, predictions and outcomes
 * are fed from memory, rows are taken and acknowledged, nothing is published.
 *
 *     bench_views [TRIPS [BATCH [FILE]]]     (default 300000 1000 :memory:)
 *
 * Run from the project's root. Prints microseconds of CPU a trip, over all and over the last half.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "views/views.h"

#define IN_FLIGHT 20000 /* trips under way: an outcome comes so many requests later */

static double cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const struct err *err)
{
    fprintf(stderr, "bench_views: %s\n", err->text);
    exit(1);
}

struct feed {
    struct views *views;
    struct views_event *events;
    char (*texts)[768];
    size_t n, batch;
    int64_t now_ms;
};

static void flush(struct feed *f)
{
    struct views_position position = {VIEWS_REQUESTS, "1-1"};
    struct views_batch out;
    struct err err = {0};

    if (views_ingest(f->views, f->events, f->n, &position, 1, f->now_ms, &err) < 0)
        die(&err);
    f->n = 0;
    while (views_poll(f->views, 0, &out, &err) == 1)
        if (views_ack(f->views, out.token, &err) < 0)
            die(&err);
}

static void feed(struct feed *f, enum views_input input, long trip)
{
    char at[CLOCK_TEXT_LEN + 1], *text = f->texts[f->n];
    int64_t pick_up_ms = 1451606400000 + trip * 100;

    clock_format(input == VIEWS_OUTCOMES ? pick_up_ms + 700000 : pick_up_ms, at);
    int key = snprintf(text, 32, "t%09ld", trip);
    char *value = text + 32;
    int len = 0;
    if (input == VIEWS_REQUESTS)
        len =
            snprintf(value, 700,
                     "{\"vendor_id\":2,\"pickup_datetime\":\"%s\",\"passenger_count\":1,"
                     "\"pickup_longitude\":-73.9768600463867,\"pickup_latitude\":40.6833763122558,"
                     "\"dropoff_longitude\":-73.98364257812%03ld,\"dropoff_latitude\":40.688865661,"
                     "\"store_and_fwd_flag\":\"N\"}",
                     at, trip % 1000);
    else if (input == VIEWS_PREDICTIONS)
        len = snprintf(
            value, 700,
            "{\"trip_id\":\"t%09ld\",\"features\":{\"passenger_count\":1,\"is_weekend\":0,"
            "\"l1_distance\":0.0123456789,\"avg_speed_by_hour\":0.0000345,\"hour_cos\":1,"
            "\"hour_sin\":0},\"predictions\":{\"linear-regression\":{\"value\":812.4123,"
            "\"version\":\"0123456789abcdef-12345\"},\"decision-tree\":{\"value\":812.4123,"
            "\"version\":\"0123456789abcdef-12345\"},\"baseline\":{\"value\":812.4123,"
            "\"version\":\"0123456789abcdef-12345\"}},\"requested_at\":\"%s\","
            "\"predicted_at\":\"%s\"}",
            trip, at, at);
    else
        len = snprintf(value, 700, "{\"drop_off_datetime\":\"%s\"}", at);
    f->events[f->n++] = (struct views_event){.input = input,
                                             .time_ms = f->now_ms,
                                             .key = text,
                                             .key_len = (size_t)key,
                                             .value = value,
                                             .value_len = (size_t)len};
    if (f->n == f->batch)
        flush(f);
}

int main(int argc, char **argv)
{
    static const char *const FEATURES[] = {"passenger_count",   "is_weekend", "l1_distance",
                                           "avg_speed_by_hour", "hour_cos",   "hour_sin"};
    long trips = argc > 1 ? atol(argv[1]) : 300000;
    struct feed f = {.batch = argc > 2 ? (size_t)atol(argv[2]) : 1000, .now_ms = clock_wall_ms()};
    struct views_options options = {
        .engine = "sqlite",
        .url = argc > 3 ? argv[3] : ":memory:",
        .sql_dir = "sql/taxi/sqlite",
        .sql_hash = 1,
        .key = "trip_id",
        .label = "duration",
        .features = FEATURES,
        .n_features = 6,
        .topic_names = {"pick-ups", "drop-offs", "predictions"},
        .label_min = 30,
        .label_max = 10800,
        .max_event_bytes = 1 << 20,
        .retention_seconds = 1 << 30,
        .retention_rows = 100000,
        .reconcile_ms = 1000,
    };
    struct err err = {0};

    if (f.batch == 0 || trips < 2 * IN_FLIGHT) {
        fprintf(stderr, "usage: bench_views [TRIPS (at least %d) [BATCH [FILE]]]\n", 2 * IN_FLIGHT);
        return 2;
    }
    f.views = views_open(&options, &err);
    if (!f.views || views_apply(f.views, NULL, &err) < 0)
        die(&err);
    f.events = mem_zalloc(f.batch, sizeof(*f.events));
    f.texts = mem_zalloc(f.batch, sizeof(*f.texts));

    double start = cpu_us(), half = 0;
    for (long trip = 0; trip < trips; trip++) {
        if (trip == trips / 2)
            half = cpu_us();
        f.now_ms = clock_wall_ms();
        feed(&f, VIEWS_REQUESTS, trip);
        if (trip >= 100)
            feed(&f, VIEWS_PREDICTIONS, trip - 100);
        if (trip >= IN_FLIGHT)
            feed(&f, VIEWS_OUTCOMES, trip - IN_FLIGHT);
    }
    if (f.n)
        flush(&f);
    double end = cpu_us();

    struct views_ledger ledger;
    if (views_ledger(f.views, &ledger, &err) < 0)
        die(&err);
    printf("trips %ld, batch %zu, emitted %llu: %.1f us CPU a trip (second half %.1f)\n", trips,
           f.batch, (unsigned long long)ledger.outcomes_emitted, (end - start) / (double)trips,
           (end - half) / (double)(trips - trips / 2));
    views_close(f.views);
    free(f.events);
    free(f.texts);
    return 0;
}
