/*
 * The sums of errors that the SQLite engine keeps (sqlite_scores.c): the same as a query over the
 * rows gives, at once and for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "views/views.h"

#define SQL_DIR OXBOW_SOURCE_DIR "/sql/taxi/sqlite"
#define START   INT64_C(1451606400000)

struct fixture {
    char dir[64];
    char path[128];
    struct views_options options;
    struct views *views;
};

static const char *const FEATURES[] = {"is_weekend", "l1_distance"};

static void open_views(struct fixture *f)
{
    struct err err = {0};

    f->views = views_open(&f->options, &err);
    if (!f->views || views_apply(f->views, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof(*f));

    snprintf(f->dir, sizeof(f->dir), "/tmp/oxbow-scores-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/taxi.db", f->dir);
    f->options = (struct views_options){
        .engine = "sqlite",
        .url = f->path,
        .sql_dir = SQL_DIR,
        .sql_hash = 1,
        .key = "trip_id",
        .label = "duration",
        .features = FEATURES,
        .n_features = 2,
        .topic_names = {"pick-ups", "drop-offs", "predictions"},
        .label_min = 30,
        .label_max = 10800,
        .max_event_bytes = 100000,
        .retention_seconds = 86400000,
        .retention_rows = 1000000,
        .reconcile_ms = 1000,
    };
    open_views(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    char path[200];

    views_close(f->views);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s%s", f->path, ends[i]);
        unlink(path);
    }
    rmdir(f->dir);
    free(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    views_close(f->views);
    open_views(f);
}

static void feed(struct fixture *f, enum views_input input, uint64_t i, int64_t time_ms,
                 const char *value)
{
    struct views_position position = {.input = input, .position = "1-1"};
    char key[32];
    struct err err = {0};

    snprintf(key, sizeof(key), "t%llu", (unsigned long long)i);
    struct views_event ev = {input, time_ms, key, strlen(key), value, strlen(value), NULL};
    if (views_ingest(f->views, &ev, 1, &position, 1, time_ms, &err) < 0)
        fail_msg("%s", err.text);
}

/* What a model answered for trip `i`: a number, true, nothing, text, or one that is out of bounds.
 */
static const char *answer(uint64_t i, size_t model)
{
    static const char *const odd[] = {"null", "true", "\"x\"", "1e300", "-2e15", "{}", "0"};
    static char number[2][32];

    if ((i + model) % 6 == 0)
        return odd[(i / 6 + model) % 7];
    snprintf(number[model], sizeof(number[model]), "%llu.25", (unsigned long long)(i * 37 % 1500));
    return number[model];
}

static void predict(struct fixture *f, uint64_t i, int64_t time_ms)
{
    char value[500];

    snprintf(value, sizeof(value),
             "{\"features\":{},\"predictions\":{\"%s\":{\"value\":%s,\"version\":\"v\"},"
             "\"b\\u0061d\":{\"value\":%s},\"odd\":5}}",
             i % 5 ? "a" : "other", answer(i, 0), answer(i, 1));
    feed(f, VIEWS_PREDICTIONS, i, time_ms, value);
}

/* A trip of which the label may be bad, and the prediction late. */
static void feed_trip(struct fixture *f, uint64_t i)
{
    int64_t at_ms = START + (int64_t)i * 977000;
    int64_t bus_ms = START + (int64_t)i * 7001;
    int64_t seconds = i % 9 == 0 ? 5 : (int64_t)(60 + i * 53 % 2000);
    char time[CLOCK_TEXT_LEN + 1];
    char value[200];

    clock_format(at_ms, time);
    snprintf(value, sizeof(value), "{\"pickup_datetime\":\"%s\"}", time);
    feed(f, VIEWS_REQUESTS, i, bus_ms, value);
    if (i % 4)
        predict(f, i, bus_ms + 3);
    clock_format(at_ms + seconds * 1000, time);
    snprintf(value, sizeof(value), "{\"drop_off_datetime\":\"%s\"}", time);
    feed(f, VIEWS_OUTCOMES, i, bus_ms + 20000, value);
    if (i % 8 == 4)
        predict(f, i, bus_ms + 60000);
}

static int collect(void *ctx, size_t n, const char *const *names, const char *const *values)
{
    (void)names;
    for (size_t i = 0; i < n; i++)
        buf_printf(ctx, "%s%s", values[i] ? values[i] : "NULL", i + 1 < n ? " " : "\n");
    return 0;
}

static char *ask(struct fixture *f, const char *sql)
{
    struct buf out = BUF_INIT;
    struct err err = {0};

    if (views_query(f->views, sql, collect, &out, &err) < 0)
        fail_msg("%s: %s", sql, err.text);
    return buf_detach(&out);
}

/* Both queries give the same text, and some. */
static void assert_same(struct fixture *f, const char *ours, const char *theirs)
{
    char *a = ask(f, ours);
    char *b = ask(f, theirs);

    assert_true(strlen(b) > 3);
    assert_string_equal(a, b);
    free(a);
    free(b);
}

#define SUMS "model, sum(n), round(sum(n * mae), 3), round(sum(n * bias), 3)"

static const char BY_MODEL[] = "SELECT model, count(*), round(sum(abs(error)), 3),"
                               " round(sum(error), 3) FROM scored s WHERE abs(error) < 1e15"
                               " GROUP BY model";

static void check_all(struct fixture *f)
{
    assert_same(f, "SELECT " SUMS " FROM model_perf GROUP BY model", BY_MODEL);
    assert_same(f, "SELECT " SUMS " FROM model_perf_by_hour GROUP BY model", BY_MODEL);
    assert_same(f, "SELECT " SUMS " FROM model_perf_by_feature GROUP BY model", BY_MODEL);
    assert_same(f,
                "SELECT sum(predicted), sum(labelled) FROM (SELECT DISTINCT predicted_from_ms,"
                " predicted, labelled FROM cohorts)",
                "SELECT (SELECT count(*) FROM stored_predictions), count(*) FROM learning_queue"
                " WHERE duration BETWEEN 30 AND 10800");
}

/* Hour, feature, cohort and all add up to what the rows say, whatever a message holds. */
static void test_sums(void **state)
{
    struct fixture *f = *state;

    for (uint64_t i = 1; i <= 300; i++)
        feed_trip(f, i);
    check_all(f);
    assert_same(f, "SELECT DISTINCT model FROM model_perf ORDER BY 1",
                "SELECT * FROM (VALUES ('a'), ('bad'), ('other'))");
    assert_same(f, "SELECT round(rmse, 6) FROM model_perf WHERE model = 'a'",
                "SELECT round(sqrt(avg(error * error)), 6) FROM scored WHERE model = 'a'"
                " AND abs(error) < 1e15");
    reopen(f);
    check_all(f);
    for (uint64_t i = 301; i <= 400; i++)
        feed_trip(f, i);
    check_all(f);
}

/* The columns that it is summed by stay here. */
static void test_columns_stay(void **state)
{
    struct fixture *f = *state;
    struct views_batch batch;
    struct err err = {0};
    size_t n = 0;

    for (uint64_t i = 1; i <= 20; i++)
        feed_trip(f, i);
    while (views_poll(f->views, 0, &batch, &err) == 1) {
        for (size_t i = 0; i < batch.n; i++) {
            char *text = mem_strndup(batch.rows[i].value, batch.rows[i].value_len);
            assert_null(strstr(text, "perf_"));
            n += batch.rows[i].output == VIEWS_LEARNING_QUEUE;
            free(text);
        }
        assert_int_equal(views_ack(f->views, batch.token, &err), 0);
    }
    assert_true(n > 10);
}

/* What retention forgets stays in the sums; when the SQL changes, the kept rows are summed anew. */
static void test_forgotten(void **state)
{
    struct fixture *f = *state;

    f->options.retention_rows = 100;
    reopen(f);
    for (uint64_t i = 1; i <= 1500; i++)
        feed_trip(f, i);
    char *n = ask(f, "SELECT n FROM model_perf WHERE model = 'bad'");
    char *kept = ask(f, "SELECT count(*) FROM scored WHERE model = 'bad'");
    assert_true(atoi(n) > 2 * atoi(kept) && atoi(kept) > 0);
    free(n);
    free(kept);

    f->options.sql_hash = 2;
    reopen(f);
    check_all(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sums, setup, teardown),
        cmocka_unit_test_setup_teardown(test_columns_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forgotten, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
