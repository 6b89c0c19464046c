/*
 * The Materialize engine against a stand-in server that polls a real PostgreSQL: what
 * needs the task's SQL. Nothing here has met Materialize itself.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "mz_fixture.h"

static const char *const TAXI_FEATURES[] = {"passenger_count",   "is_weekend", "l1_distance",
                                            "avg_speed_by_hour", "hour_cos",   "hour_sin"};

static bool with_postgres(struct fixture *f)
{
    f->options.features = TAXI_FEATURES;
    f->options.n_features = sizeof(TAXI_FEATURES) / sizeof(TAXI_FEATURES[0]);
    if (mz_standin_postgres(&f->server) < 0)
        return false;
    open_views(f);
    return true;
}

static void apply(struct fixture *f, bool *ret_changed)
{
    struct err err = {0};

    buf_clear(&f->notes);
    if (views_apply(f->views, ret_changed, &err) < 0)
        fail_msg("views_apply: %s", err.text);
}

static void run_sql(struct fixture *f, const char *sql)
{
    struct err err = {0};

    if (views_query(f->views, sql, ignore_row, NULL, &err) < 0)
        fail_msg("%s: %s", sql, err.text);
}

static void put(struct fixture *f, const char *source, const char *key, const char *value)
{
    struct buf sql = BUF_INIT;

    buf_printf(&sql,
               "INSERT INTO %s VALUES ('%s', '%s', NULL, date_trunc('milliseconds',"
               " clock_timestamp() AT TIME ZONE 'UTC'))"
               " ON CONFLICT (msg_key) DO UPDATE SET data = excluded.data, ts = excluded.ts",
               source, key, value);
    run_sql(f, buf_str(&sql));
    buf_release(&sql);
}

#define PICK_UP                                                                                    \
    "{\"pickup_datetime\":\"2016-01-02T06:00:00.000Z\",\"passenger_count\":2,"                     \
    "\"pickup_longitude\":-73.5,\"pickup_latitude\":40.5,\"dropoff_longitude\":-73.25,"            \
    "\"dropoff_latitude\":40.75}"
#define PREDICTION                                                                                 \
    "{\"features\":{\"l1_distance\":0.5},\"predictions\":{\"a\":{\"value\":600,\"version\":"       \
    "\"g-0\"}},\"requested_at\":\"2016-01-02T06:00:00.000Z\",\"predicted_at\":"                    \
    "\"2016-01-02T06:00:00.001Z\"}"
#define DROP_OFF "{\"drop_off_datetime\":\"2016-01-02T06:10:00.000Z\"}"

/* The SQL is applied once; a second time nothing changes. */
static void test_apply(void **state)
{
    struct fixture *f = *state;
    bool changed;

    if (!with_postgres(f))
        skip();
    apply(f, &changed);
    assert_true(changed);
    assert_non_null(strstr(buf_str(&f->notes), "making learning_queue\n"));
    assert_null(strstr(buf_str(&f->notes), "dropping"));
    apply(f, &changed);
    assert_false(changed);
    assert_string_equal(buf_str(&f->notes), "");
}

static void edit(const struct fixture *f, const char *file, const char *from, const char *to)
{
    char path[200], text[20000];

    snprintf(path, sizeof(path), "%s/%s", f->dir, file);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    size_t n = fread(text, 1, sizeof(text) - 1, in);
    text[n] = '\0';
    fclose(in);
    const char *at = strstr(text, from);
    assert_non_null(at);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    fclose(out);
}

static void copy_sql(struct fixture *f)
{
    char command[300];

    snprintf(f->dir, sizeof(f->dir), "/tmp/oxbow-mz-sql-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(command, sizeof(command), "cp %s/*.sql %s/", SQL_DIR, f->dir);
    assert_int_equal(system(command), 0);
    f->options.sql_dir = f->dir;
}

/*
 * A view whose text has changed is made again, with what depends on it and nothing else; one that
 * is in no file any longer is dropped.
 */
static void test_apply_changes(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    bool changed;

    copy_sql(f);
    if (!with_postgres(f))
        skip();
    apply(f, NULL);
    edit(f, "50_performance.sql", "count(d.trip_id) ", "count(d.received_ms) ");
    apply(f, &changed);
    assert_true(changed);
    assert_string_equal(buf_str(&f->notes),
                        "dropping trip_counts: its SQL has changed; what depends on it is made "
                        "again too\nmaking trip_counts\nmaking ops_perf\nmaking "
                        "trip_counts_all\n");
    edit(f, "90_indexes.sql", "CREATE INDEX trip_counts_all ON trip_counts (trips_started);", "");
    apply(f, &changed);
    assert_string_equal(buf_str(&f->notes),
                        "dropping trip_counts_all: it is in no file any longer\n");
    /* A comment is no change. */
    edit(f, "50_performance.sql", "-- The newest labelled trips.", "-- Newest labelled trips.");
    apply(f, &changed);
    assert_false(changed);

    /* What another hand has dropped is made again. */
    run_sql(f, "DROP VIEW IF EXISTS ops_perf CASCADE");
    apply(f, &changed);
    assert_string_equal(buf_str(&f->notes), "making ops_perf\n");

    edit(f, "50_performance.sql", "count(d.received_ms)", "count(d.nonsense)");
    assert_int_equal(views_apply(f->views, NULL, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "50_performance.sql"));
    assert_non_null(strstr(err.text, "nonsense"));
    edit(f, "50_performance.sql", "count(d.nonsense)", "${nonsense}");
    assert_int_equal(views_apply(f->views, NULL, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "${brokers}"));
    edit(f, "50_performance.sql", "CREATE VIEW labelled_trips",
         "SELECT 1; CREATE VIEW labelled_trips");
    assert_int_equal(views_apply(f->views, NULL, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "write CREATE"));
}

/* A feature that view prediction_queue does not have is refused with the names of both. */
static void test_missing_column(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    if (!with_postgres(f))
        skip();
    views_close(f->views);
    f->options.features = TWO_FEATURES;
    f->options.n_features = 2;
    open_views(f);
    assert_int_equal(views_apply(f->views, NULL, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "\"speed\""));
    assert_non_null(strstr(err.text, "passenger_count"));
}

/* The next row that is there, whatever batch it is in. */
static const struct views_row *next_row(struct fixture *f, enum views_output output)
{
    struct views_batch batch;
    struct err err = {0};

    for (;;) {
        if (poll_rows(f, &batch, &err) != 1)
            fail_msg("views_poll: %s", err.text);
        for (size_t i = 0; i < batch.n; i++)
            if (batch.rows[i].output == output && batch.rows[i].diff > 0)
                return &batch.rows[i];
    }
}

/* A trip's way: features when it begins, and the labelled row when prediction and end are there. */
static void test_trip(void **state)
{
    struct fixture *f = *state;
    struct views_ledger ledger;
    struct err err = {0};

    if (!with_postgres(f))
        skip();
    apply(f, NULL);
    put(f, "pick_ups_src", "t1", PICK_UP);
    const struct views_row *row = next_row(f, VIEWS_FEATURES);
    char *text = mem_strndup(row->value, row->value_len);
    assert_non_null(strstr(text, "{\"trip_id\":\"t1\",\"requested_at\":\"20"));
    assert_non_null(strstr(text, "Z\",\"features\":{\"passenger_count\":2,\"is_weekend\":1,"
                                 "\"l1_distance\":0.5,\"avg_speed_by_hour\":0,"
                                 "\"hour_cos\":6.123233995736766e-17,\"hour_sin\":1}}"));
    free(text);
    put(f, "predictions_src", "t1", PREDICTION);
    put(f, "drop_offs_src", "t1", DROP_OFF);
    row = next_row(f, VIEWS_LEARNING_QUEUE);
    text = mem_strndup(row->value, row->value_len);
    assert_non_null(strstr(text, "{\"trip_id\":\"t1\",\"duration\":600,\"features\":{\""));
    assert_non_null(
        strstr(text, "\"predicted_at\":\"2016-01-02T06:00:00.001Z\",\"outcome_at\":\"2"));
    free(text);

    put(f, "pick_ups_src", "t2", PICK_UP);
    put(f, "pick_ups_src", "t3", "{}");
    put(f, "drop_offs_src", "early", DROP_OFF);
    put(f, "predictions_src", "orphan", PREDICTION);
    assert_int_equal(views_pin(f->views, &err), 0);
    assert_int_equal(views_ledger(f->views, &ledger, &err), 0);
    assert_int_equal(views_unpin(f->views, &err), 0);
    assert_int_equal(ledger.requests_new, 3);
    assert_int_equal(ledger.requests_predicted, 1);
    assert_int_equal(ledger.requests_pending, 1);
    assert_int_equal(ledger.requests_refused, 1);
    assert_int_equal(ledger.predictions_orphan, 1);
    assert_int_equal(ledger.outcomes_new, 2);
    assert_int_equal(ledger.outcomes_waiting, 1);
    assert_true(views_ledger_hidden(&ledger, "requests_read"));
    assert_true(views_ledger_hidden(&ledger, "outcomes_emitted"));
    assert_false(views_ledger_hidden(&ledger, "requests_new"));
}

/* When the views are made again under a subscription, it is told so, and begins anew. */
static void test_dropped_under_way(void **state)
{
    struct fixture *f = *state;
    struct views_batch batch;
    struct err err = {0};
    int rc;

    if (!with_postgres(f))
        skip();
    apply(f, NULL);
    put(f, "pick_ups_src", "t1", PICK_UP);
    next_row(f, VIEWS_FEATURES);
    run_sql(f, "DROP VIEW IF EXISTS pick_ups CASCADE");
    do
        rc = poll_rows(f, &batch, &err);
    while (rc == 1);
    assert_int_equal(rc, ERR_DEPENDENCY_DROPPED);
    apply(f, NULL);
    for (;;) {
        rc = poll_rows(f, &batch, &err);
        if (rc == ERR_DEPENDENCY_DROPPED)
            continue; /* the other subscription hears of it too */
        assert_int_equal(rc, 1);
        break;
    }
    assert_keys(&batch, "t1:1");
}

/* The incarnation is given once; another is a conflict. */
static void test_incarnation(void **state)
{
    struct fixture *f = *state;
    char id[UUID_TEXT_LEN + 1], got[UUID_TEXT_LEN + 1];
    struct err err = {0};
    bool announced = true;

    if (!with_postgres(f))
        skip();
    assert_int_equal(views_incarnation(f->views, got, &announced, &err), 0);
    assert_string_equal(got, "");
    assert_false(announced);
    apply(f, NULL);
    uuid_new(id);
    assert_int_equal(views_incarnation_set(f->views, id, &err), 0);
    assert_int_equal(views_announce(f->views, &err), 0);
    views_close(f->views);
    open_views(f);
    assert_int_equal(views_incarnation(f->views, got, &announced, &err), 0);
    assert_string_equal(got, id);
    assert_true(announced);
    uuid_new(id);
    assert_int_equal(views_incarnation_set(f->views, id, &err), ERR_CONFLICT);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, mz_fixture_setup, mz_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_apply), TEST(test_apply_changes),     TEST(test_missing_column),
        TEST(test_trip),  TEST(test_dropped_under_way), TEST(test_incarnation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
