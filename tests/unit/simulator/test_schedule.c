/* The merge of requests and outcomes: its order, its end, and going on in its middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "simulator/pace.h"
#include "simulator/rng.h"
#include "simulator/schedule.h"
#include "trips_fixture.h"

#define N_TRIPS 400

/* Trips with many equal times, and some that end when or before they begin. */
static void make_trips(uint64_t seed, struct trip *trips)
{
    struct rng rng = rng_stream(seed, 0, 0);
    int64_t t = 1000;

    for (uint64_t i = 0; i < N_TRIPS; i++) {
        t += (int64_t)(rng_next(&rng) % 4);
        int64_t length = (int64_t)(rng_next(&rng) % 60) - 4;
        if (rng_next(&rng) % 50 == 0)
            length *= 100;
        trips[i] = (struct trip){i + 1, t, t + length};
    }
}

static int by_place(const void *a, const void *b)
{
    return cursor_compare(a, b);
}

/* All events of the trips, sorted. */
static void sort_events(const struct trip *trips, size_t n, struct cursor *ret)
{
    for (size_t i = 0; i < n; i++) {
        const struct trip *t = &trips[i];
        int64_t out = t->dropoff_ms > t->pickup_ms ? t->dropoff_ms : t->pickup_ms + 1;
        ret[2 * i] =
            (struct cursor){.time_ms = t->pickup_ms, .kind = EVENT_REQUEST, .number = t->number};
        ret[2 * i + 1] =
            (struct cursor){.time_ms = out, .kind = EVENT_OUTCOME, .number = t->number};
    }
    qsort(ret, 2 * n, sizeof(*ret), by_place);
}

/* The merged order is the sorted order, whatever the trips; each event comes once. */
static void test_merge_is_sort(void **state)
{
    struct trip trips[N_TRIPS];
    struct cursor sorted[2 * N_TRIPS];

    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        make_trips(seed, trips);
        sort_events(trips, N_TRIPS, sorted);
        struct fixture_source f = fixture_source(trips, N_TRIPS);
        struct schedule *s = schedule_new(&f.base, 0);
        for (size_t i = 0; i < 2 * N_TRIPS; i++) {
            const struct event *e = schedule_peek(s);
            assert_non_null(e);
            struct cursor place = schedule_place(s, e);
            assert_int_equal(cursor_compare(&place, &sorted[i]), 0);
            schedule_pop(s);
            assert_int_equal(schedule_at(s)->requests + schedule_at(s)->outcomes, i + 1);
        }
        assert_null(schedule_peek(s));
        assert_int_equal(schedule_at(s)->requests, N_TRIPS);
        schedule_free(s);
    }
}

/* Going on after any event gives exactly the events that are left, with the same counts. */
static void test_seek_anywhere(void **state)
{
    struct trip trips[N_TRIPS];
    struct cursor place[2 * N_TRIPS];

    (void)state;
    make_trips(7, trips);
    struct fixture_source f = fixture_source(trips, N_TRIPS);
    struct schedule *s = schedule_new(&f.base, 0);
    for (size_t i = 0; schedule_peek(s); i++) {
        schedule_pop(s);
        place[i] = *schedule_at(s);
    }
    for (size_t i = 0; i < 2 * N_TRIPS; i++) {
        assert_int_equal(schedule_seek(s, &place[i], NULL), 0);
        for (size_t j = i + 1; j < 2 * N_TRIPS; j++) {
            struct cursor next = schedule_place(s, schedule_peek(s));
            assert_true(same_place(&next, &place[j]));
            schedule_pop(s);
        }
        assert_null(schedule_peek(s));
    }
    schedule_free(s);
}

/* A limit ends the requests, not the outcomes of those before it; a lower one later ends at once.
 */
static void test_limit(void **state)
{
    struct trip trips[N_TRIPS];
    struct err err = {0};

    (void)state;
    make_trips(3, trips);
    struct fixture_source f = fixture_source(trips, N_TRIPS);
    struct schedule *s = schedule_new(&f.base, 10);
    assert_int_equal(schedule_total(s), 10);
    while (schedule_peek(s))
        schedule_pop(s);
    assert_int_equal(schedule_at(s)->requests, 10);
    assert_int_equal(schedule_at(s)->outcomes, 10);
    struct cursor end = *schedule_at(s);
    schedule_free(s);

    s = schedule_new(&f.base, 5);
    assert_int_equal(schedule_seek(s, &end, &err), 0);
    assert_null(schedule_peek(s));
    schedule_free(s);
}

/* A place that the trips do not have is refused. */
static void test_foreign_place(void **state)
{
    struct trip trips[N_TRIPS];
    struct err err = {0};
    struct cursor place = {1010, EVENT_REQUEST, 300, 300, 2, 1010};

    (void)state;
    make_trips(3, trips);
    struct fixture_source f = fixture_source(trips, N_TRIPS);
    struct schedule *s = schedule_new(&f.base, 0);
    assert_int_equal(schedule_seek(s, &place, &err), ERR_REFUSED);
    schedule_free(s);
}

/* By speed, an event is due its event time after the anchor, divided by the speed. */
static void test_pace_by_speed(void **state)
{
    static const struct trip trips[] = {{1, 1000, 5000}, {2, 2000, 3000}};
    struct fixture_source f = fixture_source(trips, 2);
    struct schedule *s = schedule_new(&f.base, 0);
    struct pace pace = {.speed = 10};

    (void)state;
    pace_anchor(&pace, s, 7);
    static const int64_t due_ms[] = {0, 100, 200, 400};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pace_due(&pace, s), due_ms[i] * 1000000 + 7);
        schedule_pop(s);
    }
    assert_true(pace_due(&pace, s) == INT64_MAX);
    schedule_free(s);
}

/*
 * By rate, request k is due k/R after the anchor; outcomes are due with the request after them, and
 * take the place of requests when there are none any more.
 */
static void test_pace_by_rate(void **state)
{
    static const struct trip trips[] = {{1, 0, 15}, {2, 10, 17}, {3, 20, 900}, {4, 30, 800}};
    static const int64_t due_ms[] = {0, 1, 2, 2, 2, 3, 4, 5};
    struct fixture_source f = fixture_source(trips, 4);
    struct schedule *s = schedule_new(&f.base, 0);
    struct pace pace = {.rate = 1000};

    (void)state;
    pace_anchor(&pace, s, 0);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(pace_due(&pace, s), due_ms[i] * 1000000);
        schedule_pop(s);
    }
    /* Back to the first request: it was due when it was due. */
    struct cursor start = {0};
    assert_int_equal(schedule_seek(s, &start, NULL), 0);
    assert_int_equal(pace_due(&pace, s), 0);
    schedule_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge_is_sort), cmocka_unit_test(test_seek_anywhere),
        cmocka_unit_test(test_limit),         cmocka_unit_test(test_foreign_place),
        cmocka_unit_test(test_pace_by_speed), cmocka_unit_test(test_pace_by_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
