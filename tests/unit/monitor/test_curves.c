/* Curves: tiers, gaps, at most 600 points, and the same after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "monitor/curves.h"
#include "monitor/text.h"

#define START INT64_C(1700000040000) /* a whole minute */
#define SPEED 60

/* Seconds from..to of two series: a ramp, and one that begins late. */
static void add(struct curves *c, int64_t from, int64_t to, curves_keep_fn keep, void *ctx)
{
    int a = curves_series(c, "a");
    int b = curves_series(c, "b");

    for (int64_t s = from; s < to; s++) {
        float value[2];

        value[a] = (float)s;
        value[b] = s < 100 ? NAN : 7;
        curves_add(c, START + s * 1000, s * 1000 * SPEED, value, 2, keep, ctx);
    }
}

struct answer {
    struct buf text;
    struct json_value root;
    size_t n; /* points */
    double step;
};

static struct answer ask(const struct curves *c, int64_t range_ms, int64_t now_s, bool by_event,
                         const char *names)
{
    struct curves_query q = {range_ms, START + now_s * 1000, by_event, names};
    struct answer a = {.text = BUF_INIT};
    struct json_value v, element;
    struct json_iter it;
    struct err err;

    buf_byte(&a.text, '{');
    curves_write(c, &q, &a.text);
    buf_byte(&a.text, '}');
    if (json_parse(a.text.data, a.text.len, &a.root, &err) != 0)
        fail_msg("%s: %s", err.text, a.text.data);
    assert_true(json_get(&a.root, "time_ms", &v));
    json_iter_init(&it, &v);
    while (json_next_element(&it, &element))
        a.n++;
    assert_true(json_get(&a.root, "step_s", &v) && json_number(&v, &a.step));
    assert_true(a.n <= CURVES_MAX_POINTS);
    return a;
}

/* Element `i` of an array of the answer, NaN for null; of a series where `series` says so. */
static double at(const struct answer *a, const char *name, size_t i, bool series)
{
    struct json_value of = a->root, v, element;
    struct json_iter it;
    double n = 0;

    if (series)
        assert_true(json_get(&a->root, "series", &of));
    assert_true(json_get(&of, name, &v));
    json_iter_init(&it, &v);
    for (size_t k = 0; k <= i; k++)
        assert_true(json_next_element(&it, &element));
    return json_number(&element, &n) ? n : (double)NAN;
}

/* Seconds for five minutes, coarser points for longer, each the mean of the seconds in it. */
static void test_tiers(void **state)
{
    struct curves *c = curves_new();

    (void)state;
    add(c, 0, 7200, NULL, NULL);

    struct answer a = ask(c, 300000, 7199, false, NULL);
    assert_true(a.n == 301 && a.step == 1);
    assert_true(at(&a, "a", 300, true) == 7199 && at(&a, "b", 0, true) == 7);
    assert_true(at(&a, "time_ms", 300, false) == (double)(START + 7199000));
    assert_true(at(&a, "event_ms", 300, false) == 7199000.0 * SPEED);
    buf_release(&a.text);

    a = ask(c, 3600000, 7199, false, "a");
    assert_true(a.n > 400 && a.step == 7);
    assert_true(fabs(at(&a, "a", 100, true) - (3599 + 700)) < 14);
    struct json_value series, b;
    assert_true(json_get(&a.root, "series", &series) && !json_get(&series, "b", &b));
    buf_release(&a.text);

    /* Whole points of ten seconds, the first the mean of 0..9. */
    a = ask(c, 12 * 3600000, 7199, false, NULL);
    assert_true(a.n > 60 && a.n < 100);
    assert_true(at(&a, "time_ms", 0, false) == (double)START);
    buf_release(&a.text);
    a = ask(c, 168 * INT64_C(3600000), 7199, false, NULL);
    assert_true(a.n >= 5 && at(&a, "a", 0, true) < 1200);
    buf_release(&a.text);
    curves_free(c);
}

/* A series that does not say anything is null; one that comes later begins with nulls. */
static void test_unknown(void **state)
{
    struct curves *c = curves_new();

    (void)state;
    add(c, 0, 50, NULL, NULL);
    int late = curves_series(c, "late");
    float value[3] = {50, NAN, 5};
    assert_int_equal(late, 2);
    curves_add(c, START + 50000, TIME_UNKNOWN, value, 3, NULL, NULL);

    struct answer a = ask(c, 300000, 50, false, NULL);
    assert_true(isnan(at(&a, "late", 0, true)) && at(&a, "late", 50, true) == 5);
    assert_true(isnan(at(&a, "b", 50, true)) && isnan(at(&a, "event_ms", 50, false)));
    buf_release(&a.text);
    curves_free(c);
}

/* Time without a point is a gap, with a point of nulls in its middle. */
static void test_gap(void **state)
{
    struct curves *c = curves_new();
    char wanted[100];

    (void)state;
    add(c, 0, 60, NULL, NULL);
    add(c, 62, 70, NULL, NULL); /* two seconds late: no gap */
    add(c, 160, 200, NULL, NULL);

    struct answer a = ask(c, 300000, 199, false, NULL);
    assert_int_equal(a.n, 60 + 8 + 1 + 40);
    assert_true(at(&a, "a", 67, true) == 69 && isnan(at(&a, "a", 68, true)));
    assert_true(at(&a, "time_ms", 68, false) == (double)(START + 114500));
    assert_true(at(&a, "a", 69, true) == 160);
    snprintf(wanted, sizeof(wanted), "\"gaps\":[[%lld,%lld]]", (long long)START + 69000,
             (long long)START + 160000);
    assert_non_null(strstr(a.text.data, wanted));
    buf_release(&a.text);
    curves_free(c);
}

/* However many gaps there are, no answer has more than 600 points. */
static void test_many_gaps(void **state)
{
    struct curves *c = curves_new();

    (void)state;
    for (int64_t s = 0; s < 3600; s += 4)
        add(c, s, s + 1, NULL, NULL);
    struct answer a = ask(c, 3600000, 3599, false, NULL);
    assert_true(a.n <= CURVES_MAX_POINTS);
    buf_release(&a.text);
    curves_free(c);
}

/* By event time: points are spaced by it, and a stream that began anew is shown alone. */
static void test_event_time(void **state)
{
    struct curves *c = curves_new();

    (void)state;
    add(c, 0, 3000, NULL, NULL);
    struct answer a = ask(c, 3600000, 2999, true, NULL);
    assert_true(a.n > 500 && a.step > 300);
    buf_release(&a.text);

    for (int64_t s = 3000; s < 3100; s++) {
        float value[2] = {1, 2};
        curves_add(c, START + s * 1000, (s - 3000) * 500, value, 2, NULL, NULL);
    }
    a = ask(c, 3600000, 3099, true, NULL);
    assert_true(a.n == 100 && at(&a, "event_ms", 0, false) == 0);
    buf_release(&a.text);
    curves_free(c);
}

/* ---- Keeping ---- */

struct kept {
    struct curves_point point[4000];
    size_t n;
};

static void keep(void *ctx, const struct curves_point *point)
{
    struct kept *kept = ctx;
    float *value = mem_alloc((point->n + 1) * sizeof(*value));

    memcpy(value, point->value, point->n * sizeof(*value));
    kept->point[kept->n] = *point;
    kept->point[kept->n++].value = value;
}

/* Curves that are put back go on as if they had never stopped, also in the coarse point that was
 * being made. */
static void test_restore(void **state)
{
    struct curves *whole = curves_new();
    struct curves *again = curves_new();
    struct kept *kept = mem_zalloc(1, sizeof(*kept));

    (void)state;
    add(whole, 0, 1234, keep, kept);
    curves_series(again, "a");
    curves_series(again, "b");
    for (int tier = CURVES_TIERS - 1; tier >= 0; tier--)
        for (size_t i = 0; i < kept->n; i++)
            if (kept->point[i].tier == tier)
                curves_restore(again, &kept->point[i]);
    assert_true(curves_newest(again, 0) == START + 1233000);
    add(whole, 1234, 2000, NULL, NULL);
    add(again, 1234, 2000, NULL, NULL);

    const int64_t ranges[] = {300000, 3600000, 12 * 3600000, 168 * INT64_C(3600000)};
    for (size_t i = 0; i < 4; i++) {
        struct answer a = ask(whole, ranges[i], 1999, false, NULL);
        struct answer b = ask(again, ranges[i], 1999, false, NULL);

        assert_string_equal(a.text.data, b.text.data);
        buf_release(&a.text);
        buf_release(&b.text);
    }
    for (size_t i = 0; i < kept->n; i++)
        free((void *)(uintptr_t)kept->point[i].value);
    free(kept);
    curves_free(whole);
    curves_free(again);
}

/* Old points make room; a clock that goes back adds nothing. */
static void test_bounds(void **state)
{
    struct curves *c = curves_new();
    int64_t ms;
    char name[32];

    (void)state;
    add(c, 0, 5000, NULL, NULL);
    add(c, 4000, 4500, NULL, NULL);
    struct answer a = ask(c, 3600000, 4999, false, NULL);
    assert_true(at(&a, "a", a.n - 1, true) > 4980);
    buf_release(&a.text);
    for (int i = 0; i < CURVES_MAX_SERIES + 10; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        assert_int_equal(curves_series(c, name), i + 2 < CURVES_MAX_SERIES ? i + 2 : -1);
    }
    assert_true(curves_range("12h", &ms) && ms == 43200000);
    assert_false(curves_range("3h", &ms));
    curves_free(c);
}

/* The same points as a table. */
static void test_csv(void **state)
{
    struct curves *c = curves_new();
    struct curves_query q = {300000, START + 2000, false, "a,b"};
    struct buf out = BUF_INIT;

    (void)state;
    add(c, 0, 3, NULL, NULL);
    curves_write_csv(c, &q, &out);
    assert_string_equal(buf_str(&out), "time,event_time,\"a\",\"b\"\r\n"
                                       "2023-11-14T22:14:00.000Z,1970-01-01T00:00:00.000Z,0,\r\n"
                                       "2023-11-14T22:14:01.000Z,1970-01-01T00:01:00.000Z,1,\r\n"
                                       "2023-11-14T22:14:02.000Z,1970-01-01T00:02:00.000Z,2,\r\n");
    buf_release(&out);
    curves_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiers),      cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_gap),        cmocka_unit_test(test_many_gaps),
        cmocka_unit_test(test_event_time), cmocka_unit_test(test_restore),
        cmocka_unit_test(test_bounds),     cmocka_unit_test(test_csv),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
