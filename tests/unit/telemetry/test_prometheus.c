/* Metrics as text, and the histograms that are made for it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "telemetry/telemetry.h"

static const struct telemetry_label task[] = {{"task", "taxi"}};

/* Families with their series, labels and help escaped, unknown gauges left out. */
static void test_text(void **state)
{
    static const struct telemetry_label a[] = {{"model", "a"}};
    static const struct telemetry_label odd[] = {{"model", "b\\\"\n"}};
    static const double bounds[] = {0.5, 100};
    struct telemetry *t = telemetry_new();
    struct buf out = BUF_INIT;

    (void)state;
    *telemetry_counter_of(t, "ml_predictions_total", "Answers.", a, 1) = 3;
    *telemetry_gauge(t, "oxbow_lag_rows", "Rows \\ of\nlag.") = -1.5;
    *telemetry_counter_of(t, "ml_predictions_total", "Answers.", odd, 1) = UINT64_MAX;
    *telemetry_gauge_of(t, "ml_mae", "Error.", a, 1) = NAN;
    *telemetry_gauge_of(t, "ml_mae", "Error.", odd, 1) = INFINITY;
    struct value_hist *h = telemetry_values_of(t, "ml_score", "Values.", a, 1, bounds, 2);
    static const double values[] = {-7, 0.5, 0.6, 100, 101, NAN};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        value_hist_add(h, values[i]);
    prometheus_write(t, task, 1, &out);
    assert_string_equal(buf_str(&out), "# HELP ml_predictions_total Answers.\n"
                                       "# TYPE ml_predictions_total counter\n"
                                       "ml_predictions_total{task=\"taxi\",model=\"a\"} 3\n"
                                       "ml_predictions_total{task=\"taxi\",model=\"b\\\\\\\"\\n\"} "
                                       "18446744073709551615\n"
                                       "# HELP oxbow_lag_rows Rows \\\\ of\\nlag.\n"
                                       "# TYPE oxbow_lag_rows gauge\n"
                                       "oxbow_lag_rows{task=\"taxi\"} -1.5\n"
                                       "# HELP ml_mae Error.\n"
                                       "# TYPE ml_mae gauge\n"
                                       "ml_mae{task=\"taxi\",model=\"b\\\\\\\"\\n\"} +Inf\n"
                                       "# HELP ml_score Values.\n"
                                       "# TYPE ml_score histogram\n"
                                       "ml_score_bucket{task=\"taxi\",model=\"a\",le=\"0.5\"} 2\n"
                                       "ml_score_bucket{task=\"taxi\",model=\"a\",le=\"100\"} 4\n"
                                       "ml_score_bucket{task=\"taxi\",model=\"a\",le=\"+Inf\"} 5\n"
                                       "ml_score_sum{task=\"taxi\",model=\"a\"} 195.1\n"
                                       "ml_score_count{task=\"taxi\",model=\"a\"} 5\n");
    buf_release(&out);
    telemetry_free(t);
}

/* What has labels is not in the heartbeat. */
static void test_heartbeat(void **state)
{
    struct telemetry *t = telemetry_new();
    struct buf out = BUF_INIT;

    (void)state;
    *telemetry_counter_of(t, "a_total", "A.", task, 1) = 3;
    *telemetry_counter(t, "b_total", "B.") = 4;
    telemetry_write(t, &out);
    assert_string_equal(buf_str(&out), "{\"counters\":{\"b_total\":4},\"gauges\":{},"
                                       "\"histograms\":{},\"help\":{\"b_total\":\"B.\"}}");
    buf_release(&out);
    telemetry_free(t);
}

/* The value of the first line that begins with `start`; -1 without one. */
static double value_of(const struct buf *out, const char *start)
{
    const char *at = strstr(buf_str(out), start);

    return at ? strtod(at + strlen(start), NULL) : -1;
}

/* Every bound counts exactly what lies below it; the bounds rise, the counts do not fall. */
static void test_hist(void **state)
{
    struct telemetry *t = telemetry_new();
    struct hist *h = telemetry_hist(t, "x_seconds", "X.");
    struct buf out = BUF_INIT;
    uint64_t seed = 7;
    int64_t span[5000];
    size_t n_bounds = 0;
    double before = -1;
    double count_before = -1;

    (void)state;
    for (size_t i = 0; i < 5000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        span[i] = (int64_t)((seed >> 24) >> (seed >> 58));
        hist_add(h, span[i]);
    }
    hist_add_many(h, 5000000, 10);
    prometheus_write(t, NULL, 0, &out);
    for (const char *at = out.data; (at = strstr(at, "le=\"")); at++) {
        double le = strtod(at + 4, NULL);
        double count = strtod(strchr(at + 4, '}') + 1, NULL);
        uint64_t expected = le >= 0.005 ? 10 : 0;
        for (size_t i = 0; i < 5000; i++)
            expected += (double)span[i] / 1e9 < le;
        assert_true(le > before && count >= count_before);
        assert_true(count == (double)expected);
        before = le;
        count_before = count;
        n_bounds++;
    }
    assert_true(n_bounds <= 17); /* 16, and +Inf */
    assert_true(isinf(before));
    assert_true(value_of(&out, "x_seconds_count ") == 5010);
    assert_true(fabs(value_of(&out, "x_seconds_sum ") - (double)h->sum_ns / 1e9) < 1e-9);
    buf_release(&out);
    telemetry_free(t);
}

/* Bounds rise, span the range, and those of fewer are among those of more. */
static void test_bounds(void **state)
{
    double b[VALUE_HIST_BOUNDS];
    double more[VALUE_HIST_BOUNDS];

    (void)state;
    value_hist_bounds(30, 10800, 12, b);
    static const double taxi[] = {30, 51, 87, 150, 260, 440, 740, 1300, 2200, 3700, 6300, 10800};
    for (size_t i = 0; i < 12; i++)
        assert_true(b[i] == taxi[i]);
    value_hist_bounds(0, 1, 5, b);
    static const double even[] = {0, 0.25, 0.5, 0.75, 1};
    for (size_t i = 0; i < 5; i++)
        assert_true(b[i] == even[i]);
    value_hist_bounds(-INFINITY, 7, 3, b);
    assert_true(b[0] == 0.001 && b[1] == 0.01 && b[2] == 0.1);
    for (size_t n = 2; n <= VALUE_HIST_BOUNDS; n++) {
        value_hist_bounds(1000, 1000.5, n, b); /* too near for two digits */
        for (size_t i = 1; i < n; i++)
            assert_true(b[i] > b[i - 1]);
    }
    telemetry_latency_bounds(12, more);
    for (size_t n_models = 1; n_models <= 100; n_models++) {
        size_t n = telemetry_bounds_for(n_models);
        telemetry_latency_bounds(n, b);
        for (size_t i = 0, k = 0; i < n; i++, k++) {
            while (k < 12 && more[k] != b[i])
                k++;
            assert_true(k < 12);
        }
    }
}

/* The process' own figures are there, and are those of this process. */
static void test_process(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    prometheus_write_process(task, 1, &out);
    assert_true(value_of(&out, "process_cpu_seconds_total{task=\"taxi\"} ") >= 0);
    assert_true(value_of(&out, "process_resident_memory_bytes{task=\"taxi\"} ") > 100000);
    assert_true(value_of(&out, "process_open_fds{task=\"taxi\"} ") >= 3);
    assert_true(value_of(&out, "process_max_fds{task=\"taxi\"} ") > 10);
    double start = value_of(&out, "process_start_time_seconds{task=\"taxi\"} ");
    assert_true(start > 1e9);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),    cmocka_unit_test(test_heartbeat),
        cmocka_unit_test(test_hist),    cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
