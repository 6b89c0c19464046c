/* The registry of a service's metrics. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "telemetry/telemetry.h"

/* All metrics are written by kind, in the order of registration, with their sentences. */
static void test_write(void **state)
{
    struct telemetry *t = telemetry_new();
    struct buf out = BUF_INIT;

    (void)state;
    uint64_t *requests = telemetry_counter(t, "oxbow_requests_total", "Requests read.");
    *telemetry_gauge(t, "oxbow_lag_seconds", "Behind by.") = 1.5;
    *telemetry_counter(t, "oxbow_a_total", "The \"first\".") = UINT64_MAX;
    *telemetry_gauge(t, "oxbow_none", "Not there.") = NAN;
    hist_add(telemetry_hist(t, "oxbow_span_seconds", "How long."), 2048);
    *requests += 3;
    telemetry_write(t, &out);
    assert_string_equal(
        buf_str(&out),
        "{\"counters\":{\"oxbow_requests_total\":3,"
        "\"oxbow_a_total\":18446744073709551615},"
        "\"gauges\":{\"oxbow_lag_seconds\":1.5,\"oxbow_none\":null},"
        "\"histograms\":{\"oxbow_span_seconds\":{\"count\":1,\"sum_ns\":2048,"
        "\"max_ns\":2048,\"buckets\":[[16,1]]}},"
        "\"help\":{\"oxbow_requests_total\":\"Requests read.\","
        "\"oxbow_lag_seconds\":\"Behind by.\",\"oxbow_a_total\":\"The \\\"first\\\".\","
        "\"oxbow_none\":\"Not there.\",\"oxbow_span_seconds\":\"How long.\"}}");
    buf_release(&out);
    telemetry_free(t);
}

/* An empty registry is JSON too, and no registry can be freed. */
static void test_empty(void **state)
{
    struct telemetry *t = telemetry_new();
    struct buf out = BUF_INIT;

    (void)state;
    telemetry_write(t, &out);
    assert_string_equal(buf_str(&out),
                        "{\"counters\":{},\"gauges\":{},\"histograms\":{},\"help\":{}}");
    buf_release(&out);
    telemetry_free(t);
    telemetry_free(NULL);
}

/* The same name is the same metric, and its pointer stays good while a thousand others come. */
static void test_pointers(void **state)
{
    struct telemetry *t = telemetry_new();
    uint64_t *first = telemetry_counter(t, "first", "One.");
    struct hist *hist = telemetry_hist(t, "hist", "Spans.");
    char name[32];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        *telemetry_counter(t, name, "Many.") = (uint64_t)i;
        ++*first;
        hist_add(hist, 1);
    }
    assert_ptr_equal(telemetry_counter(t, "first", "One."), first);
    assert_ptr_equal(telemetry_hist(t, "hist", "Spans."), hist);
    assert_int_equal(*first, 1000);
    assert_int_equal(*telemetry_counter(t, "c999", "Many."), 999);
    telemetry_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_pointers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
