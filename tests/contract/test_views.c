/*
 * The contract of views.h on SQLite, with the taxi task's own SQL: what each event
 * gives, or why it gives nothing.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "views_fixture.h"

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

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, views_fixture_setup, views_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_features),   TEST(test_learning_queue), TEST(test_early_outcome),
        TEST(test_duplicates), TEST(test_bad_labels),     TEST(test_dead_letters),
        TEST(test_refused),    TEST(test_orphan),         TEST(test_average_speed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
