/* Drift and explanations in the monitor's state: from messages to the tick, marks, metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "learn/rng.h"
#include "monitor/drift_metrics.h"
#include "monitor/monitor.h"
#include "unit/monitor/task_file.h"

#define OPTIONS ",\"monitor\":{\"drift\":{\"reference_rows\":1000,\"window_rows\":1000}}"

static void bring(struct monitor *m, const char *topic, const char *key, const char *value)
{
    struct bus_msg msg = {
        .topic = topic,
        .key = key,
        .key_len = strlen(key),
        .value = value,
        .value_len = strlen(value),
        .time_ms = 1,
    };

    monitor_messages(m, &msg, 1, 1);
}

/* The prediction and the row of request number `seq`, with feature a. */
static void bring_request(struct monitor *m, const struct task *task, size_t seq, double a)
{
    char key[32];
    char parts[200];
    char text[400];

    snprintf(key, sizeof(key), "trip-%zu", seq);
    snprintf(parts, sizeof(parts),
             "\"trip_id\":\"%s\",\"features\":{\"a\":%.17g,\"b\":1,\"c\":null},\"predictions\":"
             "{\"one\":{\"value\":12.5,\"version\":\"0123456789abcdef-7\"}}",
             key, a);
    snprintf(text, sizeof(text), "{%s}", parts);
    bring(m, task->topics.predictions, key, text);
    snprintf(text, sizeof(text), "{\"seq\":%zu,\"duration\":100,%s}", seq, parts);
    bring(m, task->topics.learning_queue, key, text);
}

static void bring_many(struct monitor *m, const struct task *task, size_t from, size_t n,
                       double shift)
{
    struct rng rng;

    rng_seed(&rng, from);
    for (size_t i = 0; i < n; i++)
        bring_request(m, task, from + i, rng_random(&rng) + shift);
}

static size_t count(const struct buf *text, const char *word)
{
    size_t n = 0;

    for (const char *at = buf_str(text); (at = strstr(at, word)); at += strlen(word))
        n++;
    return n;
}

/* A shift in the messages becomes a state, one mark and gauges; a reset takes the state back. */
static void test_shift(void **state)
{
    struct task *task = load_task_file(OPTIONS);
    struct err err = {0};
    struct monitor *m = monitor_new(task, 0, &err);
    struct telemetry *tm = telemetry_new();
    struct drift_metrics *dm = drift_metrics_new(tm, task);
    struct buf text = BUF_INIT;
    uint64_t id;

    (void)state;
    assert_non_null(m);
    bring_many(m, task, 1, 3000, 0);
    monitor_write_snapshot(m, &text, &id);
    assert_int_equal(count(&text, "\"drift\":{\"state\":\"ok\",\"reference\":1000"), 1);
    assert_int_equal(count(&text, "\"skew\":{\"compared\":9000,\"differing\":0}"), 1);
    assert_int_equal(count(&text, "\"kind\":\"feature-drift\""), 0);

    bring_many(m, task, 3001, 2000, 1);
    buf_clear(&text);
    monitor_write_snapshot(m, &text, &id);
    assert_int_equal(count(&text, "\"drift\":{\"state\":\"drifting\""), 1);
    assert_int_equal(count(&text, "\"kind\":\"feature-drift\""), 1);
    buf_clear(&text);
    drift_metrics_update(dm, m);
    prometheus_write(tm, NULL, 0, &text);
    assert_int_equal(count(&text, "ml_feature_drifting{feature=\"a\"} 1\n"), 1);
    assert_int_equal(count(&text, "ml_feature_drifting{feature=\"b\"} 0\n"), 1);
    assert_int_equal(count(&text, "ml_feature_ks{feature=\"a\"} 1\n"), 1);
    assert_int_equal(count(&text, "ml_feature_ks{feature=\"c\"}"), 0); /* it is never there */
    assert_int_equal(count(&text, "ml_skew_compared_total 15000\n"), 1);
    assert_int_equal(count(&text, "ml_skew_differing_total 0\n"), 1);

    monitor_reset_drift(m);
    buf_clear(&text);
    monitor_write_drift(m, &text);
    assert_int_equal(count(&text, "{\"state\":\"learning\""), 1);
    assert_int_equal(count(&text, "\"errors\":[]"), 1);
    buf_release(&text);
    drift_metrics_free(dm);
    telemetry_free(tm);
    monitor_free(m);
    task_free(task);
}

/* What was answered to a request is found by key and model, and what is not there is said. */
static void test_ask(void **state)
{
    struct task *task = load_task_file(OPTIONS);
    struct err err = {0};
    struct monitor *m = monitor_new(task, 0, &err);
    struct monitor_asked asked = {.served = 0};

    (void)state;
    assert_non_null(m);
    bring_request(m, task, 1, 0.25);
    assert_int_equal(monitor_ask(m, "trip-1", 6, "one", &asked, &err), 0);
    assert_string_equal(asked.version.data, "0123456789abcdef-7");
    assert_string_equal(asked.features.data, "{\"a\":0.25,\"b\":1,\"c\":null}");
    assert_true(asked.served == 12.5);
    monitor_asked_release(&asked);
    assert_int_equal(monitor_ask(m, "trip-2", 6, "one", &asked, &err), ERR_NOT_FOUND);
    assert_int_equal(monitor_ask(m, "trip-1", 6, "two", &asked, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "no answer of two"));
    assert_int_equal(monitor_ask(m, "trip-1", 6, "three", &asked, &err), ERR_NOT_FOUND);
    monitor_asked_release(&asked);
    monitor_free(m);
    task_free(task);
}

/* Another life of the task has another reference; a restart goes on with the one that was kept. */
static void test_lives(void **state)
{
    struct task *task = load_task_file(OPTIONS);
    struct err err = {0};
    struct monitor *m = monitor_new(task, 0, &err);
    struct monitor *again = monitor_new(task, 0, &err);
    struct buf kept = BUF_INIT;
    struct buf text = BUF_INIT;

    (void)state;
    assert_true(m && again);
    monitor_begin(m, "first", 1);
    bring_many(m, task, 1, 2000, 0);
    assert_true(monitor_save_drift(m, &kept));
    assert_int_equal(monitor_restore_drift(again, kept.data, kept.len, &err), 0);
    monitor_write_drift(again, &text);
    assert_int_equal(count(&text, "{\"state\":\"ok\",\"reference\":{\"rows\":1000"), 1);

    monitor_begin(m, "second", 2);
    buf_clear(&text);
    monitor_write_drift(m, &text);
    assert_int_equal(count(&text, "\"reference\":{\"rows\":0"), 1);
    buf_release(&kept);
    buf_release(&text);
    monitor_free(m);
    monitor_free(again);
    task_free(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shift),
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_lives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
