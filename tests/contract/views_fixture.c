#include "views_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define SQL_DIR OXBOW_SOURCE_DIR "/sql/taxi/sqlite"

static const char *const FEATURES[] = {"passenger_count",   "is_weekend", "l1_distance",
                                       "avg_speed_by_hour", "hour_cos",   "hour_sin"};

static void open_views(struct fixture *f)
{
    struct err err = {0};

    f->views = views_open(&f->options, &err);
    if (!f->views)
        fail_msg("views_open: %s", err.text);
    if (views_apply(f->views, NULL, &err) < 0)
        fail_msg("views_apply: %s", err.text);
}

int views_fixture_setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof(*f));

    snprintf(f->dir, sizeof(f->dir), "/tmp/oxbow-views-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/taxi.db", f->dir);
    f->now_ms = 1000000;
    f->options = (struct views_options){
        .engine = "sqlite",
        .url = f->path,
        .sql_dir = SQL_DIR,
        .sql_hash = 1,
        .key = "trip_id",
        .label = "duration",
        .features = FEATURES,
        .n_features = sizeof(FEATURES) / sizeof(FEATURES[0]),
        .topic_names = {"pick-ups", "drop-offs", "predictions"},
        .label_min = 30,
        .label_max = 10800,
        .max_event_bytes = 2000,
        .retention_seconds = 86400,
        .retention_rows = 1000000,
        .reconcile_ms = 1000,
    };
    open_views(f);
    *state = f;
    return 0;
}

int views_fixture_teardown(void **state)
{
    struct fixture *f = *state;
    char path[400];
    DIR *dir = opendir(f->dir);
    const struct dirent *entry;

    views_close(f->views);
    while (dir && (entry = readdir(dir))) {
        snprintf(path, sizeof(path), "%s/%s", f->dir, entry->d_name);
        unlink(path);
    }
    closedir(dir);
    rmdir(f->dir);
    free(f);
    return 0;
}

void reopen(struct fixture *f)
{
    views_close(f->views);
    open_views(f);
}

/* ---- Feeding ---- */

void feed(struct fixture *f, enum views_input input, const char *key, const char *value)
{
    struct views_position position = {.input = input, .position = key ? key : "null"};
    struct views_event ev = {
        .input = input,
        .time_ms = f->now_ms,
        .key = key,
        .key_len = key ? strlen(key) : 0,
        .value = value,
        .value_len = value ? strlen(value) : 0,
    };
    struct err err = {0};

    if (views_ingest(f->views, &ev, 1, &position, 1, f->now_ms, &err) < 0)
        fail_msg("views_ingest: %s", err.text);
}

void pick_up(struct fixture *f, const char *key)
{
    feed(f, VIEWS_REQUESTS, key,
         "{\"pickup_datetime\":\"2016-01-02T06:00:00.000Z\",\"passenger_count\":2,"
         "\"pickup_longitude\":-73.5,\"pickup_latitude\":40.5,\"dropoff_longitude\":-73.25,"
         "\"dropoff_latitude\":40.75}");
}

void predict(struct fixture *f, const char *key)
{
    feed(
        f, VIEWS_PREDICTIONS, key,
        "{\"features\":{\"l1_distance\": "
        "0.5},\"predictions\":{\"a\":{\"value\":600,\"version\":\"g-0\"},"
        "\"b\":{\"value\":null,\"version\":\"h-0\"}},\"requested_at\":\"2016-01-02T06:00:00.000Z\","
        "\"predicted_at\":\"2016-01-02T06:00:00.001Z\"}");
}

void drop_off(struct fixture *f, const char *key, const char *at)
{
    char value[100];

    snprintf(value, sizeof(value), "{\"drop_off_datetime\":\"%s\"}", at);
    feed(f, VIEWS_OUTCOMES, key, value);
}

/* ---- Taking ---- */

const struct views_row *take(struct fixture *f)
{
    static struct views_batch batch;
    static size_t at;
    struct err err = {0};

    if (at >= batch.n) {
        at = 0;
        batch.n = 0;
        if (views_poll(f->views, 0, &batch, &err) != 1)
            return NULL;
        assert_int_equal(views_ack(f->views, batch.token, &err), 0);
    }
    return &batch.rows[at++];
}

void assert_row(const struct views_row *row, enum views_output output, uint64_t seq,
                const char *value)
{
    assert_non_null(row);
    assert_int_equal(row->output, output);
    assert_int_equal(row->seq, seq);
    assert_int_equal(row->diff, 1);
    char *text = mem_strndup(row->value, row->value_len);
    assert_string_equal(text, value);
    free(text);
}

struct views_ledger balanced(struct fixture *f)
{
    struct views_ledger l, kept;
    struct err err = {0};

    assert_int_equal(views_ledger(f->views, &l, &err), 0);
    assert_int_equal(l.requests_read, l.requests_new + l.requests_duplicate + l.requests_dead);
    assert_int_equal(l.requests_new, l.requests_predicted + l.requests_pending +
                                         l.requests_expired + l.requests_refused);
    assert_int_equal(l.predictions_read, l.predictions_first + l.predictions_duplicate +
                                             l.predictions_orphan + l.predictions_dead);
    assert_int_equal(l.predictions_first, l.requests_predicted);
    assert_int_equal(l.outcomes_read, l.outcomes_new + l.outcomes_duplicate + l.outcomes_dead);
    assert_int_equal(l.outcomes_new, l.outcomes_emitted + l.outcomes_waiting + l.outcomes_expired +
                                         l.outcomes_bad_label + l.outcomes_refused);
    assert_int_equal(l.outcomes_emitted, l.learning_queue_last);
    assert_int_equal(l.requests_new - l.requests_refused, l.features_last);

    /* What is kept in memory for heartbeats is what counting finds. */
    assert_int_equal(views_counters(f->views, &kept, &err), 0);
    assert_memory_equal(&kept, &l, sizeof(l));
    return l;
}
