/*
 * The contract of views.h, over the engines that exist, with the taxi task's own
 * SQL. Each test opens a fresh database in a folder of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "views/views.h"

#define SQL_DIR OXBOW_SOURCE_DIR "/sql/taxi/sqlite"

struct fixture {
    char dir[64];
    char path[128];
    struct views_options options;
    struct views *views;
    int64_t now_ms;
};

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

static int setup(void **state)
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

static int teardown(void **state)
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

static void reopen(struct fixture *f)
{
    views_close(f->views);
    open_views(f);
}

/* ---- Feeding ---- */

static void feed(struct fixture *f, enum views_input input, const char *key, const char *value)
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

static void pick_up(struct fixture *f, const char *key)
{
    feed(f, VIEWS_REQUESTS, key,
         "{\"pickup_datetime\":\"2016-01-02T06:00:00.000Z\",\"passenger_count\":2,"
         "\"pickup_longitude\":-73.5,\"pickup_latitude\":40.5,\"dropoff_longitude\":-73.25,"
         "\"dropoff_latitude\":40.75}");
}

static void predict(struct fixture *f, const char *key)
{
    feed(
        f, VIEWS_PREDICTIONS, key,
        "{\"features\":{\"l1_distance\": "
        "0.5},\"predictions\":{\"a\":{\"value\":600,\"version\":\"g-0\"},"
        "\"b\":{\"value\":null,\"version\":\"h-0\"}},\"requested_at\":\"2016-01-02T06:00:00.000Z\","
        "\"predicted_at\":\"2016-01-02T06:00:00.001Z\"}");
}

static void drop_off(struct fixture *f, const char *key, const char *at)
{
    char value[100];

    snprintf(value, sizeof(value), "{\"drop_off_datetime\":\"%s\"}", at);
    feed(f, VIEWS_OUTCOMES, key, value);
}

#define TEN_PAST "2016-01-02T06:10:00.000Z"

/* ---- Taking ---- */

/* Takes one row; its text stays valid until the next call. */
static const struct views_row *take(struct fixture *f)
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

static void assert_row(const struct views_row *row, enum views_output output, uint64_t seq,
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

static struct views_ledger balanced(struct fixture *f)
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

/* ---- Tests ---- */

/* A request gives a row of features, numbered from 1, with the request's time and missing fields as
 * null. */
static void test_features(void **state)
{
    struct fixture *f = *state;

    pick_up(f, "t1");
    assert_row(take(f), VIEWS_FEATURES, 1,
               "{\"seq\":1,\"trip_id\":\"t1\",\"requested_at\":\"1970-01-01T00:16:40.000Z\","
               "\"features\":{\"passenger_count\":2,\"is_weekend\":1,\"l1_distance\":0.5,"
               "\"avg_speed_by_hour\":0,\"hour_cos\":6.123233995736766e-17,\"hour_sin\":1}}");
    feed(f, VIEWS_REQUESTS, "t2", "{\"pickup_datetime\":\"2016-01-04T00:00:00.000Z\"}");
    assert_row(take(f), VIEWS_FEATURES, 2,
               "{\"seq\":2,\"trip_id\":\"t2\",\"requested_at\":\"1970-01-01T00:16:40.000Z\","
               "\"features\":{\"passenger_count\":null,\"is_weekend\":0,\"l1_distance\":null,"
               "\"avg_speed_by_hour\":0,\"hour_cos\":1,\"hour_sin\":0}}");
    assert_null(take(f));
    balanced(f);
}

/* Whatever the order of prediction and outcome, the labelled row comes once, when both are there.
 */
static void test_learning_queue(void **state)
{
    struct fixture *f = *state;
    static const char ROW[] =
        "{\"seq\":%d,\"trip_id\":\"%s\",\"duration\":600,\"features\":{\"l1_distance\": 0.5},"
        "\"predictions\":{\"a\":{\"value\":600,\"version\":\"g-0\"},\"b\":{\"value\":null,"
        "\"version\":\"h-0\"}},"
        "\"requested_at\":\"2016-01-02T06:00:00.000Z\",\"predicted_at\":\"2016-01-02T06:00:00."
        "001Z\","
        "\"outcome_at\":\"1970-01-01T00:16:40.000Z\"}";
    char want[600];

    pick_up(f, "t1");
    predict(f, "t1");
    assert_non_null(take(f));
    assert_null(take(f));
    drop_off(f, "t1", TEN_PAST);
    snprintf(want, sizeof(want), ROW, 1, "t1");
    assert_row(take(f), VIEWS_LEARNING_QUEUE, 1, want);

    pick_up(f, "t2");
    assert_non_null(take(f));
    drop_off(f, "t2", TEN_PAST);
    assert_null(take(f));
    assert_int_equal(balanced(f).outcomes_waiting, 1);
    predict(f, "t2");
    snprintf(want, sizeof(want), ROW, 2, "t2");
    assert_row(take(f), VIEWS_LEARNING_QUEUE, 2, want);
    assert_int_equal(balanced(f).outcomes_emitted, 2);
}

/* An outcome that comes before its request waits for it. */
static void test_early_outcome(void **state)
{
    struct fixture *f = *state;

    drop_off(f, "t1", TEN_PAST);
    assert_null(take(f));
    assert_int_equal(balanced(f).outcomes_waiting, 1);
    reopen(f);
    pick_up(f, "t1");
    assert_int_equal(balanced(f).outcomes_waiting, 1);
    assert_int_equal(take(f)->output, VIEWS_FEATURES);
    predict(f, "t1");
    assert_int_equal(take(f)->output, VIEWS_LEARNING_QUEUE);
    struct views_ledger l = balanced(f);
    assert_int_equal(l.outcomes_waiting, 0);
    assert_int_equal(l.outcomes_emitted, 1);
}

/* The second message with a key is a duplicate on every input, whatever it says. */
static void test_duplicates(void **state)
{
    struct fixture *f = *state;

    drop_off(f, "t2", TEN_PAST);
    drop_off(f, "t2", TEN_PAST);
    for (int i = 0; i < 2; i++) {
        pick_up(f, "t1");
        predict(f, "t1");
        drop_off(f, "t1", TEN_PAST);
    }
    struct views_ledger l = balanced(f);
    assert_int_equal(l.requests_duplicate, 1);
    assert_int_equal(l.predictions_duplicate, 1);
    assert_int_equal(l.outcomes_duplicate, 2);
    assert_int_equal(l.learning_queue_last, 1);
}

/* A label out of range, not after the pick-up, or unreadable is counted and never learned. */
static void test_bad_labels(void **state)
{
    struct fixture *f = *state;
    static const char *const TIMES[] = {"2016-01-02T06:00:29.999Z", "2016-01-02T09:00:00.001Z",
                                        "2016-01-02T05:00:00.000Z", "2016-01-02T06:00:00.000Z",
                                        "yesterday"};
    char key[8];

    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof(key), "t%d", i);
        pick_up(f, key);
        predict(f, key);
        drop_off(f, key, TIMES[i]);
    }
    pick_up(f, "edge");
    predict(f, "edge");
    drop_off(f, "edge", "2016-01-02T06:00:30.000Z");
    struct views_ledger l = balanced(f);
    assert_int_equal(l.outcomes_bad_label, 5);
    assert_int_equal(l.outcomes_emitted, 1);
}

/* Unreadable messages become dead letters with a reason; everything else goes on. */
static void test_dead_letters(void **state)
{
    struct fixture *f = *state;
    char big[3001];

    memset(big, 'x', sizeof(big) - 1);
    big[3000] = '\0';
    feed(f, VIEWS_REQUESTS, NULL, "{}");
    feed(f, VIEWS_REQUESTS, "", "{}");
    feed(f, VIEWS_REQUESTS, "a\xff", "{}");
    feed(f, VIEWS_REQUESTS, "t1", NULL);
    feed(f, VIEWS_REQUESTS, "t1", "not json");
    feed(f, VIEWS_REQUESTS, "t1", "[1]");
    feed(f, VIEWS_REQUESTS, "t1", "{\"a\":NaN}");
    feed(f, VIEWS_REQUESTS, "t1", big);
    feed(f, VIEWS_REQUESTS, big, "{}");
    feed(f, VIEWS_OUTCOMES, "t1", "{\"drop_off_datetime\":");
    feed(f, VIEWS_PREDICTIONS, "t1", "{\"features\":1,\"predictions\":{}}");
    struct views_ledger l = balanced(f);
    assert_int_equal(l.requests_dead, 9);
    assert_int_equal(l.outcomes_dead, 1);
    assert_int_equal(l.predictions_dead, 1);
    assert_int_equal(l.dead_letters, 11);
    for (uint64_t i = 1; i <= 11; i++) {
        const struct views_row *row = take(f);
        struct json_value root, reason;
        struct err err;

        assert_non_null(row);
        assert_int_equal(row->output, VIEWS_DEAD_LETTERS);
        assert_int_equal(row->seq, i);
        assert_int_equal(json_parse(row->value, row->value_len, &root, &err), 0);
        assert_true(json_get(&root, "reason", &reason));
    }
    assert_null(take(f));
    pick_up(f, "t1");
    assert_int_equal(take(f)->output, VIEWS_FEATURES);
}

/* A request that the task's SQL has no row for is refused: dead letter, no features, its outcome
 * closed. */
static void test_refused(void **state)
{
    struct fixture *f = *state;

    drop_off(f, "t1", TEN_PAST);
    feed(f, VIEWS_REQUESTS, "t1", "{\"pickup_datetime\":7}");
    feed(f, VIEWS_REQUESTS, "t2", "{}");
    predict(f, "t2");
    drop_off(f, "t2", TEN_PAST);
    reopen(f);
    struct views_ledger l = balanced(f);
    assert_int_equal(l.requests_refused, 2);
    assert_int_equal(l.outcomes_refused, 2);
    assert_int_equal(l.predictions_orphan, 1);
    assert_int_equal(l.features_last, 0);
    assert_int_equal(l.dead_letters, 2);
}

/* A prediction for an unknown request is an orphan. */
static void test_orphan(void **state)
{
    struct fixture *f = *state;

    predict(f, "nobody");
    assert_int_equal(balanced(f).predictions_orphan, 1);
}

/* avg_speed_by_hour is the mean over completed trips of the hour. */
static void test_average_speed(void **state)
{
    struct fixture *f = *state;

    pick_up(f, "t1");
    drop_off(f, "t1", "2016-01-02T06:10:00.000Z");
    pick_up(f, "t2");
    drop_off(f, "t2", "2016-01-02T06:05:00.000Z");
    pick_up(f, "t3");
    const struct views_row *row = NULL;
    for (int i = 0; i < 3; i++)
        row = take(f);
    char *text = mem_strndup(row->value, row->value_len);
    double speed = atof(strstr(text, "avg_speed_by_hour\":") + sizeof("avg_speed_by_hour\":") - 1);
    free(text);
    assert_true(fabs(speed - (0.5 / 600 + 0.5 / 300) / 2) < 1e-12);
}

/* What was not acknowledged is handed out again after a restart, with the same seq and bytes. */
static void test_restart(void **state)
{
    struct fixture *f = *state;
    struct views_batch batch;
    struct err err = {0};

    pick_up(f, "t1");
    assert_non_null(take(f));
    pick_up(f, "t2"); /* stores that t1 was acknowledged */
    assert_int_equal(views_poll(f->views, 0, &batch, &err), 1);
    assert_int_equal(batch.n, 1);
    char *text = mem_strndup(batch.rows[0].value, batch.rows[0].value_len);
    reopen(f);
    assert_row(take(f), VIEWS_FEATURES, 2, text);
    free(text);
    assert_null(take(f));

    struct buf position = BUF_INIT;
    assert_int_equal(views_position(f->views, VIEWS_REQUESTS, &position, &err), 0);
    assert_string_equal(buf_str(&position), "t2");
    buf_release(&position);
    pick_up(f, "t3");
    assert_int_equal(take(f)->seq, 3);
}

/* Replay gives what the bus lost; what is kept no longer, or was never given, is refused. */
static void test_replay(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char key[16];

    for (int i = 1; i <= 1500; i++) {
        snprintf(key, sizeof(key), "t%d", i);
        pick_up(f, key);
    }
    for (uint64_t i = 1; i <= 1500; i++)
        assert_int_equal(take(f)->seq, i);
    assert_int_equal(views_replay(f->views, VIEWS_FEATURES, 200, &err), 0);
    for (uint64_t i = 201; i <= 1500; i++)
        assert_int_equal(take(f)->seq, i);
    assert_null(take(f));
    assert_int_equal(views_replay(f->views, VIEWS_FEATURES, 1501, &err), ERR_REFUSED);

    /* Later than reconcile_ms after they were acknowledged, rows are dropped; the newest one stays.
     */
    for (int i = 0; i < 20; i++) {
        f->now_ms += 600;
        assert_int_equal(views_ingest(f->views, NULL, 0, NULL, 0, f->now_ms, &err), 0);
    }
    assert_int_equal(views_replay(f->views, VIEWS_FEATURES, 1, &err), ERR_HISTORY_EXPIRED);
    assert_non_null(strstr(err.text, "kept no longer"));
    reopen(f);
    pick_up(f, "new");
    assert_int_equal(take(f)->seq, 1501);
    balanced(f);
}

/* Rows beyond the retention go in the order they came; what was still open is counted as expired.
 */
static void test_retention_rows(void **state)
{
    struct fixture *f = *state;
    char key[16];

    f->options.retention_rows = 100;
    reopen(f);
    for (int i = 1; i <= 2000; i++) {
        snprintf(key, sizeof(key), "t%d", i);
        pick_up(f, key);
        if (i % 2)
            predict(f, key);
        else
            drop_off(f, key, TEN_PAST);
    }
    struct views_ledger l = balanced(f);
    assert_true(l.requests_pending < 500);
    assert_true(l.requests_expired > 700);
    assert_true(l.outcomes_expired == l.requests_expired);
    reopen(f);
    balanced(f);
}

/* Age is measured on the bus's clock; outcomes that never found a request expire too. */
static void test_retention_age(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    pick_up(f, "t1");
    drop_off(f, "lost", TEN_PAST);
    f->now_ms += 86400 * 1000 + 1;
    assert_int_equal(views_ingest(f->views, NULL, 0, NULL, 0, f->now_ms, &err), 0);
    struct views_ledger l = balanced(f);
    assert_int_equal(l.requests_expired, 1);
    assert_int_equal(l.outcomes_expired, 1);
    pick_up(f, "t1"); /* forgotten, so new again */
    assert_int_equal(balanced(f).requests_new, 2);
}

/* Two writers on one database: the second is refused and told what to do; a reader is not. */
static void test_two_writers(void **state)
{
    struct fixture *f = *state;
    struct views_options read_only = f->options;
    struct views_ledger l;
    struct err err = {0};

    assert_null(views_open(&f->options, &err));
    assert_int_equal(err.code, ERR_REFUSED);
    assert_non_null(strstr(err.text, "another oxbow-views"));

    pick_up(f, "t1");
    read_only.read_only = true;
    struct views *reader = views_open(&read_only, &err);
    assert_non_null(reader);
    assert_int_equal(views_ledger(reader, &l, &err), 0);
    assert_int_equal(l.requests_pending, 1);
    views_close(reader);
}

/* The incarnation is given once; another is a conflict. */
static void test_incarnation(void **state)
{
    struct fixture *f = *state;
    char id[UUID_TEXT_LEN + 1], got[UUID_TEXT_LEN + 1];
    struct err err = {0};
    bool announced = true;

    assert_int_equal(views_incarnation(f->views, got, &announced, &err), 0);
    assert_string_equal(got, "");
    assert_false(announced);
    uuid_new(id);
    assert_int_equal(views_incarnation_set(f->views, id, &err), 0);
    assert_int_equal(views_announce(f->views, &err), 0);
    reopen(f);
    assert_int_equal(views_incarnation(f->views, got, &announced, &err), 0);
    assert_string_equal(got, id);
    assert_true(announced);
    uuid_new(id);
    assert_int_equal(views_incarnation_set(f->views, id, &err), ERR_CONFLICT);
}

/* A view without a column that the task needs is refused with the names of both. */
static void test_missing_column(void **state)
{
    struct fixture *f = *state;
    static const char *const MORE[] = {"passenger_count", "wind"};
    struct err err = {0};

    views_close(f->views);
    f->options.features = MORE;
    f->options.n_features = 2;
    f->options.sql_hash = 2;
    f->views = views_open(&f->options, &err);
    assert_non_null(f->views);
    assert_int_equal(views_apply(f->views, NULL, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "\"wind\""));
    assert_non_null(strstr(err.text, "passenger_count"));
}

/* Changed SQL is run again, and the task's own tables keep their rows. */
static void test_apply_again(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    bool changed = true;

    pick_up(f, "t1");
    drop_off(f, "t1", TEN_PAST);
    assert_int_equal(views_apply(f->views, &changed, &err), 0);
    assert_false(changed);
    f->options.sql_hash = 99;
    views_close(f->views);
    f->views = views_open(&f->options, &err);
    assert_int_equal(views_apply(f->views, &changed, &err), 0);
    assert_true(changed);
    pick_up(f, "t2");
    const struct views_row *row = take(f);
    while (row && row->seq != 2)
        row = take(f);
    char *text = mem_strndup(row->value, row->value_len);
    assert_null(strstr(text, "\"avg_speed_by_hour\":0,"));
    free(text);
}

static int collect(void *ctx, size_t n, const char *const *names, const char *const *values)
{
    struct buf *out = ctx;

    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s=%s ", names[i], values[i] ? values[i] : "NULL");
    return 0;
}

/* The views for people: one row a model, scores over completed trips. */
static void test_query(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT;
    struct err err = {0};

    pick_up(f, "t1");
    predict(f, "t1");
    drop_off(f, "t1", "2016-01-02T06:15:00.000Z");
    assert_int_equal(views_query(f->views,
                                 "SELECT trip_id, model, prediction, version FROM predictions",
                                 collect, &out, &err),
                     0);
    assert_string_equal(buf_str(&out), "trip_id=t1 model=a prediction=600.0 version=g-0 "
                                       "trip_id=t1 model=b prediction=NULL version=h-0 ");
    buf_clear(&out);
    assert_int_equal(
        views_query(f->views, "SELECT model, n, mae FROM model_perf", collect, &out, &err), 0);
    assert_string_equal(buf_str(&out), "model=a n=1 mae=300.0 ");
    buf_clear(&out);
    assert_int_equal(views_query(f->views, "SELECT trips_started, trips_in_progress FROM ops_perf",
                                 collect, &out, &err),
                     0);
    assert_string_equal(buf_str(&out), "trips_started=1 trips_in_progress=0 ");
    assert_int_equal(views_query(f->views, "SELECT nonsense", collect, &out, &err), ERR_IO);

    /* Views alone: no tables, neither the engine's nor the task's. */
    buf_clear(&out);
    assert_int_equal(views_names(f->views, &out, &err), 0);
    assert_non_null(strstr(out.data, "\nmodel_perf\n"));
    assert_non_null(strstr(out.data, "\npick_ups\n"));
    assert_null(strstr(out.data, "\nrequests\n"));
    assert_null(strstr(out.data, "\nhourly_speed\n"));
    buf_release(&out);
}

/* A rewound message is taken off what counts as read, durably. */
static void test_rewound(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    pick_up(f, "t1");
    assert_int_equal(views_rewound(f->views, VIEWS_REQUESTS, 1, &err), 0);
    reopen(f);
    assert_int_equal(balanced(f).rewound[VIEWS_REQUESTS], 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_features),       TEST(test_learning_queue), TEST(test_early_outcome),
        TEST(test_duplicates),     TEST(test_bad_labels),     TEST(test_dead_letters),
        TEST(test_refused),        TEST(test_orphan),         TEST(test_average_speed),
        TEST(test_restart),        TEST(test_replay),         TEST(test_retention_rows),
        TEST(test_retention_age),  TEST(test_two_writers),    TEST(test_incarnation),
        TEST(test_missing_column), TEST(test_apply_again),    TEST(test_query),
        TEST(test_rewound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
