/*
 * The contract of views.h on SQLite: what is kept, for how long and against whom, over
 * restarts and changes of the SQL; and what people may ask.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "views_fixture.h"

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

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, views_fixture_setup, views_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_restart),        TEST(test_replay),      TEST(test_retention_rows),
        TEST(test_retention_age),  TEST(test_two_writers), TEST(test_incarnation),
        TEST(test_missing_column), TEST(test_apply_again), TEST(test_query),
        TEST(test_rewound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
