/* Histograms: bounded error, exact merging, and reading what others wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "telemetry/telemetry.h"

#define N 20000

static uint64_t random_bits(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A span from 1.1 us to an hour, as likely in each octave. */
static int64_t random_span(uint64_t *state)
{
    uint64_t octave = random_bits(state) % 31;

    return (int64_t)(UINT64_C(1100) << octave) +
           (int64_t)(random_bits(state) % (UINT64_C(1100) << octave));
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static struct hist *hist_new(void)
{
    struct hist *h = calloc(1, sizeof(*h));

    assert_non_null(h);
    return h;
}

/* Each percentile is within 1/32 of the span that has that rank. */
static void test_percentile(void **state)
{
    static const double percents[] = {0, 0.1, 1, 10, 25, 50, 75, 90, 99, 99.9, 99.99, 100};
    static int64_t spans[N];
    struct hist *h = hist_new();
    uint64_t seed = 42;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        spans[i] = random_span(&seed);
        hist_add(h, spans[i]);
    }
    qsort(spans, N, sizeof(spans[0]), compare);
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        double rank = percents[i] / 100 * N;
        size_t index = (size_t)rank;
        if (index > 0 && (double)index == rank)
            index--;
        double exact = (double)spans[index];
        double got = (double)hist_percentile(h, percents[i]);
        if (got < exact * (1 - 1.0 / 32) || got > exact * (1 + 1.0 / 32))
            fail_msg("percentile %g is %g, not %g", percents[i], got, exact);
    }
    assert_true(hist_percentile(h, 100) == spans[N - 1]);
    free(h);
}

/* Each bucket begins where the one before ends, and 16 of them double the span. */
static void test_bounds(void **state)
{
    struct hist *h = hist_new();

    (void)state;
    assert_true(hist_bound(0) == 1024 + 64);
    for (size_t i = 0; i + 1 < HIST_BUCKETS; i++) {
        hist_add(h, hist_bound(i) - 1);
        assert_int_equal(h->bucket[i], 1);
        hist_add(h, hist_bound(i));
        assert_int_equal(h->bucket[i + 1], 1);
        h->bucket[i + 1] = 0;
        if (i + 16 < HIST_BUCKETS)
            assert_true(hist_bound(i + 16) == 2 * hist_bound(i));
    }
    assert_true(hist_bound(HIST_BUCKETS - 1) > INT64_C(3600) * 1000000000);
    free(h);
}

/* Spans beyond the ends, and negative ones, are counted at the ends. */
static void test_ends(void **state)
{
    struct hist *h = hist_new();

    (void)state;
    assert_true(hist_percentile(h, 50) == 0);
    hist_add(h, -5);
    hist_add(h, 0);
    hist_add(h, 1);
    assert_int_equal(h->bucket[0], 3);
    assert_true(hist_percentile(h, 50) == 1);
    hist_add(h, INT64_MAX);
    assert_int_equal(h->bucket[HIST_BUCKETS - 1], 1);
    assert_int_equal(h->count, 4);
    assert_true(hist_percentile(h, 100) == INT64_MAX);
    free(h);
}

/* Two histograms added are the histogram of all their spans. */
static void test_merge(void **state)
{
    struct hist *parts[2] = {hist_new(), hist_new()};
    struct hist *all = hist_new();
    uint64_t seed = 7;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        int64_t span = random_span(&seed);
        hist_add(parts[i % 3 == 0], span);
        hist_add(all, span);
    }
    hist_merge(parts[0], parts[1]);
    assert_memory_equal(parts[0], all, sizeof(*all));
    free(parts[0]);
    free(parts[1]);
    free(all);
}

/* What was written reads back the same, empty or not. */
static void test_round_trip(void **state)
{
    struct hist *h = hist_new();
    struct hist *again = hist_new();
    uint64_t seed = 3;

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct buf text = BUF_INIT;
        struct json_value v;
        struct err err;
        hist_write(h, &text);
        assert_int_equal(json_parse(text.data, text.len, &v, &err), 0);
        assert_int_equal(hist_read(&v, again, &err), 0);
        assert_memory_equal(h, again, sizeof(*h));
        buf_release(&text);
        for (int j = 0; j < 50; j++)
            hist_add(h, random_span(&seed));
    }
    free(h);
    free(again);
}

/* What is no histogram is refused with a text, and the result is untouched. */
static void test_refused(void **state)
{
    static const char *const bad[] = {
        "1",
        "{}",
        "{\"count\":1,\"sum_ns\":1,\"max_ns\":1}",
        "{\"count\":1,\"sum_ns\":1,\"max_ns\":1,\"buckets\":{}}",
        "{\"count\":-1,\"sum_ns\":1,\"max_ns\":1,\"buckets\":[]}",
        "{\"count\":1.5,\"sum_ns\":1,\"max_ns\":1,\"buckets\":[]}",
        "{\"count\":1,\"sum_ns\":1,\"max_ns\":1,\"buckets\":[]}",
        "{\"count\":1,\"sum_ns\":1,\"max_ns\":1,\"buckets\":[1]}",
        "{\"count\":1,\"sum_ns\":1,\"max_ns\":1,\"buckets\":[[0]]}",
        "{\"count\":1,\"sum_ns\":1,\"max_ns\":1,\"buckets\":[[0,1,2]]}",
        "{\"count\":1,\"sum_ns\":1,\"max_ns\":1,\"buckets\":[[544,1]]}",
        "{\"count\":1,\"sum_ns\":1,\"max_ns\":1,\"buckets\":[[-1,1]]}",
        "{\"count\":2,\"sum_ns\":1,\"max_ns\":1,\"buckets\":[[3,1],[3,1]]}",
        "{\"count\":0,\"sum_ns\":1,\"max_ns\":1,\"buckets\":[[3,1],[4,-1]]}",
    };
    struct hist *h = hist_new();
    struct hist *before = hist_new();

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct json_value v;
        struct err err = {0};
        assert_int_equal(json_parse(bad[i], strlen(bad[i]), &v, &err), 0);
        assert_int_equal(hist_read(&v, h, &err), ERR_INVALID);
        assert_true(err.text[0] != '\0');
        assert_memory_equal(h, before, sizeof(*h));
    }
    free(h);
    free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentile), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_ends),       cmocka_unit_test(test_merge),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
