/* The monitor's state: what messages and heartbeats make of it, and ticks within their limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "monitor/monitor.h"
#include "unit/monitor/fixture.h"

/* ---- Tests ---- */

/* Before there is anything: a snapshot all the same, with what is waited for. */
static void test_nothing_yet(void **state)
{
    struct fixture f;

    (void)state;
    open_with(&f, NULL);
    monitor_check(f.m, MONITOR_CHECK_STORE, false, "connection refused");
    struct buf out = snapshot(&f);
    assert_at(&out, "tick.state", "\"starting\"");
    assert_at(&out, "incarnation", "null");
    assert_at(&out, "checks.0.name", "\"Redis\"");
    assert_at(&out, "checks.0.detail", "\"connection refused\"");
    assert_at(&out, "checks.5.ok", "false");
    assert_at(&out, "tick.counts.requests", "null");
    assert_at(&out, "tick.audit.state", "\"never\"");
    assert_at(&out, "map.box", "null");
    buf_release(&out);
    second_with(&f, NULL);
    assert_at(&f.tick, "state", "\"starting\"");
    close_all(&f);
}

/* One request from beginning to end: on the map, in the list, with its timeline and errors. */
static void test_one_request(void **state)
{
    struct fixture f;
    struct buf out = BUF_INIT;
    struct err err;

    (void)state;
    open_with(&f, NULL);
    request(&f, "k1", 1000);
    request(&f, "k1", 999999); /* a repetition says nothing new */
    prediction(&f, "k1", 700);
    second_with(&f, NULL);
    assert_at(&f.tick, "event_ms", "1000");
    assert_at(&f.tick, "started_of", "1");
    assert_at(&f.tick, "started.0.from", "[1.5,2.5]");
    assert_at(&f.tick, "started.0.predicted", "700");
    struct buf snap = snapshot(&f);
    assert_at(&snap, "map.moving.0.key", "\"k1\"");
    assert_at(&snap, "map.moving_of", "1");
    buf_release(&snap);

    message(&f, "drop-offs", "k1", "{\"end\":1}");
    labelled(&f, "k1", 1, 700, 650);
    labelled(&f, "k1", 1, 700, 650);
    second_with(&f, NULL);
    assert_at(&f.tick, "ended.0.at", "[3.5,4.5]");
    assert_at(&f.tick, "ended.0.error", "50");
    assert_at(&f.tick, "ended_of", "1");
    assert_at(&f.tick, "latest.0.key", "\"k1\"");
    assert_at(&f.tick, "latest.0.size", "1");
    assert_at(&f.tick, "latest.0.values.two", "710");
    assert_at(&f.tick, "models.0.window.n", "1");
    assert_at(&f.tick, "models.1.window.mae", "60");
    assert_at(&f.tick, "models.2.is_baseline", "true");
    second_with(&f, NULL);
    assert_at(&f.tick, "latest", "[]"); /* told once */
    snap = snapshot(&f);
    assert_at(&snap, "map.moving", "[]");
    assert_at(&snap, "latest.0.label", "650");
    buf_release(&snap);

    assert_int_equal(monitor_write_request(f.m, "k1", 2, &out, &err), 0);
    assert_at(&out, "request.x2", "3.5");
    assert_at(&out, "outcome.end", "1");
    assert_at(&out, "features.c", "3");
    assert_at(&out, "predictions.two.error", "60");
    assert_at(&out, "predictions.two.version", "\"v1\"");
    assert_at(&out, "timeline.requested_ms", "0");
    assert_at(&out, "timeline.learned_ms", "null");
    assert_int_equal(monitor_write_request(f.m, "k2", 2, &out, &err), ERR_NOT_FOUND);
    buf_release(&out);
    close_all(&f);
}

/* Whatever comes in, nothing breaks: it is for views and the learner to make dead letters of it. */
static void test_odd_messages(void **state)
{
    static const char *const values[] = {
        NULL,      "", "{", "[]", "{}", "{\"features\":7}", "{\"seq\":-1}", "{\"predictions\":[1]}",
        "\xff\xfe"};
    struct fixture f;

    (void)state;
    open_with(&f, NULL);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        for (int topic = 0; topic < MONITOR_N_TOPICS; topic++) {
            message(&f, monitor_topic(f.task, (enum monitor_topic)topic), NULL, values[i]);
            message(&f, monitor_topic(f.task, (enum monitor_topic)topic), "", values[i]);
            message(&f, monitor_topic(f.task, (enum monitor_topic)topic), "odd", values[i]);
        }
    }
    second_with(&f, "{\"views-1\":7,\"a\":{},\"b\":{\"service\":\"learner\",\"status\":[]}}");
    second_with(&f, "not json");
    assert_at(&f.tick, "models.0.window.n", "0");
    struct buf out = snapshot(&f);
    struct err err;
    assert_int_equal(monitor_write_request(f.m, "odd", 3, &out, &err), 0);
    buf_release(&out);
    close_all(&f);
}

#define BEAT(service, started, time, state, status)                                                \
    "\"" service "-1\":{\"service\":\"" service "\",\"instance\":\"" service                       \
    "-1\",\"started_ms\":" #started ",\"time_ms\":" #time ",\"rss_bytes\":5,\"state\":\"" state    \
    "\",\"status\":{" status "}}"
#define LEDGER(requests, emitted)                                                                  \
    "\"ledger\":{\"requests_new\":" #requests ",\"outcomes_new\":" #emitted                        \
    ",\"outcomes_emitted\":" #emitted ",\"requests_refused\":0,\"outcomes_bad_label\":1,"          \
    "\"dead_letters\":3,\"outcomes_waiting\":2,\"requests_predicted\":" #requests "}"
#define MODEL(generation, position)                                                                \
    "\"models\":{\"one\":{\"version\":\"" generation "-9\",\"generation\":\"" generation           \
    "\",\"class\":\"linear_regression\",\"position\":" #position ",\"learned\":" #position         \
    ",\"serving\":true,\"caught_up\":true,\"mae\":12.5}}"

static const char *const BEATS = "{" BEAT("views", 1, 1000, "running", LEDGER(10, 4)) "," //
    BEAT("inference", 1, 1000, "running",
         "\"models\":{\"one\":{\"version\":\"g-7\"}},\"predicted\":10") "," //
    BEAT("learner", 1, 1000, "running", MODEL("g", 4)) "}";

/* Heartbeats: counts, rates, health, versions, and marks of what has changed. */
static void test_heartbeats(void **state)
{
    struct fixture f;

    (void)state;
    open_with(&f, NULL);
    for (int i = 0; i < MONITOR_CHECK_REQUEST; i++)
        monitor_check(f.m, (enum monitor_check)i, true, "good");
    second_with(&f, BEATS);
    assert_at(&f.tick, "state", "\"few\"");
    assert_at(&f.tick, "counts.requests", "10");
    assert_at(&f.tick, "counts.in_progress", "5");
    assert_at(&f.tick, "counts.waiting", "2");
    assert_at(&f.tick, "counts.expired", "null");
    assert_at(&f.tick, "models.0.mae", "12.5");
    assert_at(&f.tick, "models.0.served_version", "\"g-7\"");
    assert_at(&f.tick, "models.1.class", "null");
    assert_at(&f.tick, "services.0.state", "\"up\"");
    assert_at(&f.tick, "checks.3.ok", "true");
    assert_at(&f.tick, "rates.requests", "null");
    assert_true(monitor_wants_versions(f.m, 0) && !monitor_wants_versions(f.m, 1));

    struct store_version version = {.model = (char[]){"one"},
                                    .version = (char[]){"g-9"},
                                    .generation = (char[]){"g"},
                                    .class_name = (char[]){"linear_regression"},
                                    .parent = (char[]){""},
                                    .scores = (char[]){"{\"mae\":12.5,\"mae_window\":null}"},
                                    .learned = 9,
                                    .position = 9,
                                    .blob_len = 432,
                                    .time_ms = 77};
    monitor_versions(f.m, 0, &version, 1);
    assert_false(monitor_wants_versions(f.m, 0));

    /* Two seconds later: 30 more requests; the learner was restarted with another model. */
    second_with(&f, NULL);
    second_with(&f, "{" BEAT("views", 1, 3000, "running", LEDGER(40, 4)) "," //
                BEAT("learner", 2500, 3000, "starting", MODEL("h", 0)) "}");
    assert_at(&f.tick, "rates.requests", "15");
    assert_at(&f.tick, "marks.0.kind", "\"restart\"");
    assert_at(&f.tick, "marks.1.kind", "\"generation\"");
    assert_at(&f.tick, "marks.1.model", "\"one\"");
    assert_at(&f.tick, "services.2.state", "\"restarted\"");
    second_with(&f, NULL);
    assert_at(&f.tick, "marks", "[]");

    struct buf out = BUF_INIT;
    struct err err;
    assert_int_equal(monitor_write_model(f.m, "one", "{\"a\":1}", &out, &err), 0);
    assert_at(&out, "versions.0.version", "\"g-9\"");
    assert_at(&out, "versions.0.bytes", "432");
    assert_at(&out, "versions.0.mae", "12.5");
    assert_at(&out, "versions.0.serving", "false");
    assert_at(&out, "state.a", "1");
    assert_at(&out, "pipeline.0", "\"standard_scaler\"");
    assert_int_equal(monitor_write_model(f.m, "three", "null", &out, &err), ERR_NOT_FOUND);
    buf_release(&out);
    close_all(&f);
}

/* From "empty" over "few" to "running", and back when the task begins anew. */
static void test_states(void **state)
{
    struct fixture f;
    char key[32];

    (void)state;
    open_with(&f, NULL);
    for (int i = 0; i < MONITOR_CHECK_REQUEST; i++)
        monitor_check(f.m, (enum monitor_check)i, true, "good");
    monitor_begin(f.m, "11111111-1111-4111-8111-111111111111", NOW);
    second_with(&f, "{" BEAT("views", 1, 1000, "running", LEDGER(10, 0)) "," BEAT(
                        "inference", 1, 1000, "running", "\"predicted\":1") "," //
                BEAT("learner", 1, 1000, "running", MODEL("g", 0)) "}");
    assert_at(&f.tick, "state", "\"empty\"");
    for (int i = 0; i < 150; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        labelled(&f, key, (uint64_t)i + 1, 100, i % 2 ? 100 : 101);
        if (i == 50) {
            second_with(&f, NULL);
            assert_at(&f.tick, "state", "\"few\"");
            assert_at(&f.tick, "verdict.kind", "\"few\"");
        }
    }
    second_with(&f, NULL);
    assert_at(&f.tick, "state", "\"running\"");
    assert_at(&f.tick, "verdict.kind", "\"best\"");
    assert_at(&f.tick, "verdict.model", "\"one\"");

    monitor_begin(f.m, "22222222-2222-4222-8222-222222222222", f.now_ms);
    second_with(&f, NULL);
    assert_at(&f.tick, "state", "\"starting\"");
    assert_at(&f.tick, "marks.0.kind", "\"config\"");
    assert_at(&f.tick, "models.0.window.n", "0");
    close_all(&f);
}

/* 64 models, 80 services with long names, hundreds of requests and marks a second, keys as long as
 * they may be: 20 KB, and whatever did not fit comes later. */
static void test_tick_limit(void **state)
{
    struct fixture f;
    struct buf models = BUF_INIT, beats = BUF_INIT;
    char key[1024];
    bool told[65] = {false};
    size_t n_told = 0, n_marks = 0;

    (void)state;
    for (int i = 0; i < 64; i++)
        buf_printf(&models,
                   "%s\"a-model-with-a-long-name-for-this-test-number-%d\":["
                   "\"standard_scaler\",\"linear_regression\"]",
                   i ? "," : "", i);
    open_with(&f, models.data);
    assert_int_equal(f.task->n_models, 65);
    buf_byte(&beats, '{');
    for (int i = 0; i < 80; i++)
        buf_printf(
            &beats,
            "%s\"i%d\":{\"service\":\"inference\",\"instance\":\"an-instance-of-inference-"
            "in-a-large-cluster-%d\",\"started_ms\":1,\"time_ms\":1000,\"state\":\"running\"}",
            i ? "," : "", i, i);
    buf_byte(&beats, '}');
    memset(key, 'k', sizeof(key));
    for (int second = 0; second < 30; second++) {
        for (unsigned i = 0; i < 300; i++) {
            snprintf(key + 1000, 24, "%d-%u", second, i);
            request(&f, key, f.now_ms);
            prediction(&f, key, 123.456789 + i);
            labelled(&f, key, (uint64_t)second * 300 + i + 1, 123.456789 + i, 500.987654);
        }
        for (int i = 0; second < 3 && i < 60; i++) {
            struct mark mark = {.kind = (char[]){"error-drift"},
                                .model = f.task->models[i].name,
                                .text = (char[]){"the error of this model went from here to there"},
                                .time_ms = f.now_ms,
                                .event_ms = f.now_ms,
                                .until_ms = INT64_MIN};
            assert_true(monitor_mark(f.m, &mark));
        }
        second_with(&f, beats.data);
        assert_true(f.tick.len <= MONITOR_TICK_BYTES);
        assert_at(&f.tick, "models_of", "65");
        assert_at(&f.tick, "services_of", "80");
        for (size_t i = 0; i < f.task->n_models; i++) {
            char name[100];
            snprintf(name, sizeof(name), "{\"name\":\"%s\"", f.task->models[i].name);
            if (!told[i] && strstr(f.tick.data, name)) {
                told[i] = true;
                n_told++;
            }
        }
        for (const char *at = f.tick.data; (at = strstr(at, "\"kind\":\"error-drift\"")); at++)
            n_marks++;
    }
    assert_int_equal(n_told, 65);
    assert_int_equal(n_marks, 180);

    /* The snapshot has all of them at once. */
    struct buf out = snapshot(&f);
    assert_at(&out, "tick.models.64.name", "\"baseline\"");
    buf_release(&out);
    buf_release(&models);
    buf_release(&beats);
    close_all(&f);
}

/* Tables and exports, and names that would be formulas in a spreadsheet. */
static void test_export(void **state)
{
    struct fixture f;
    struct buf out = BUF_INIT;
    struct err err;

    (void)state;
    open_with(&f, NULL);
    request(&f, "=1+\"1\"", 5000);
    labelled(&f, "=1+\"1\"", 1, 100, 90);
    assert_int_equal(monitor_write_export(f.m, "latest", "csv", &out, &err), 0);
    assert_string_equal(buf_str(&out),
                        "key,time,event_time,label,size,\"one\",\"two\",\"baseline\"\r\n"
                        "\"'=1+\"\"1\"\"\",1970-01-01T00:00:00.000Z,1970-01-01T00:00:05.000Z,90,1,"
                        "100,110,120\r\n");
    buf_clear(&out);
    assert_int_equal(monitor_write_export(f.m, "models", "csv", &out, &err), 0);
    assert_non_null(strstr(out.data, "\"baseline\",\"\",\"\",,,,1,30,,,30,30\r\n"));
    assert_int_equal(monitor_write_export(f.m, "models", "xml", &out, &err), ERR_INVALID);
    assert_int_equal(monitor_write_export(f.m, "all", "csv", &out, &err), ERR_INVALID);
    assert_int_equal(monitor_write_history(f.m, "1y", "wall", NULL, NULL, &out, &err), ERR_INVALID);
    assert_int_equal(monitor_write_history(f.m, "5m", "up", NULL, NULL, &out, &err), ERR_INVALID);
    buf_release(&out);
    close_all(&f);
}

/* Bars: every row is in one of each kind, and the bins of the errors hold all of them. */
static void test_breakdown(void **state)
{
    struct fixture f;
    struct buf out = BUF_INIT;
    char key[32];

    (void)state;
    open_with(&f, NULL);
    for (int i = 0; i < 240; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        request(&f, key, INT64_C(86400000) * 4 + i * INT64_C(3600000)); /* from a Monday on */
        prediction(&f, key, 100);
        labelled(&f, key, (uint64_t)i + 1, 100, 50 + i);
    }
    monitor_write_breakdown(f.m, &out);
    assert_at(&out, "rows", "240");
    assert_at(&out, "hour.labels.23", "\"23\"");
    assert_at(&out, "hour.models.one.7.n", "10");
    assert_at(&out, "weekday.labels.0", "\"Mon\"");
    assert_at(&out, "weekday.models.one.0.n", "48");
    assert_at(&out, "weekday.models.one.6.n", "24");
    assert_at(&out, "label.labels.0", "\"50–73\"");
    assert_at(&out, "label.models.two.0.n", "24");
    assert_at(&out, "label.models.one.9.mae", "177.5");
    assert_at(&out, "features.b.labels", "[\"0\"]");
    assert_at(&out, "features.b.models.baseline.0.n", "240");
    assert_at(&out, "error_bounds.14", "-10");
    assert_at(&out, "error_bounds.15", "10");
    struct json_value root, errors, of, bin;
    struct json_iter it;
    int64_t sum = 0, n;
    assert_int_equal(json_parse(out.data, out.len, &root, NULL), 0);
    assert_true(json_get(&root, "errors", &errors) && json_get(&errors, "one", &of));
    json_iter_init(&it, &of);
    while (json_next_element(&it, &bin) && json_int(&bin, &n))
        sum += n;
    assert_int_equal(sum, 240);
    buf_release(&out);
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_yet),  cmocka_unit_test(test_one_request),
        cmocka_unit_test(test_odd_messages), cmocka_unit_test(test_heartbeats),
        cmocka_unit_test(test_states),       cmocka_unit_test(test_tick_limit),
        cmocka_unit_test(test_export),       cmocka_unit_test(test_breakdown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
