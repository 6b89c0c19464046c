/* Heartbeats, judged: who is up, what was counted, how fast it grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those before it. */
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "inspect/overview.h"

static void take(struct overview *o, int64_t now_ms, const char *text)
{
    struct err err = {0};

    assert_int_equal(overview_take(o, text, strlen(text), now_ms, &err), 0);
}

static const struct overview_service *service(const struct overview *o, const char *instance)
{
    for (size_t i = 0; i < o->n_services; i++)
        if (strcmp(o->service[i].beat.instance, instance) == 0)
            return &o->service[i];
    fail_msg("no service %s", instance);
    return NULL;
}

/* What the matter is with it; "" for nothing. */
static const char *trouble(const struct overview *o, const char *instance)
{
    static char text[200];
    struct buf out = BUF_INIT;

    bool is_wrong = overview_trouble(o, service(o, instance), &out);
    snprintf(text, sizeof(text), "%s", buf_str(&out));
    assert_int_equal(is_wrong, text[0] != '\0');
    buf_release(&out);
    return text;
}

#define BEAT(instance, service, state, time)                                                       \
    "\"" instance "\":{\"service\":\"" service "\",\"state\":\"" state                             \
    "\",\"started_ms\":1000,\"time_ms\":" #time "}"

/* What a loop needs and nobody has seen is down; what it does not need is not missed. */
static void test_nobody(void **state)
{
    struct overview *o = overview_new();

    (void)state;
    take(o, 10000, "{}");
    assert_int_equal(o->n_services, 3);
    assert_string_equal(o->service[0].beat.instance, "views");
    assert_string_equal(o->service[1].beat.instance, "inference");
    assert_string_equal(o->service[2].beat.instance, "learner");
    assert_false(overview_healthy(o));
    assert_string_equal(trouble(o, "views"), "views is not running");
    overview_free(o);
}

/* Up, silent, down: by the age of the last heartbeat, and its absence. */
static void test_states(void **state)
{
    struct overview *o = overview_new();

    (void)state;
    take(o, 10000,
         "{" BEAT("learner-1", "learner", "running",
                  9500) "," BEAT("views-1", "views", "running",
                                 9900) "," BEAT("inference-1", "inference", "running", 9000) "}");
    assert_true(overview_healthy(o));
    /* In the order of the loop. */
    assert_string_equal(o->service[0].beat.instance, "views-1");
    assert_string_equal(o->service[2].beat.instance, "learner-1");

    take(o, 13000,
         "{" BEAT("learner-1", "learner", "running", 12500) "," BEAT("views-1", "views", "running",
                                                                     9900) "}");
    assert_int_equal(service(o, "views-1")->state, OVERVIEW_SILENT);
    assert_string_equal(trouble(o, "views-1"), "views-1 has been silent for 3 s");
    assert_int_equal(service(o, "inference-1")->state, OVERVIEW_DOWN);
    assert_string_equal(trouble(o, "inference-1"), "inference-1 is down, last seen 4 s ago");
    assert_int_equal(service(o, "learner-1")->state, OVERVIEW_UP);
    assert_int_equal(o->n_services, 3); /* one that has gone is of its kind, still */
    assert_false(overview_healthy(o));

    /* It comes back, under the same name. */
    take(o, 14000,
         "{" BEAT("learner-1", "learner", "running", 13900) "," BEAT(
             "views-1", "views", "running", 13900) "," BEAT("inference-1", "inference", "running",
                                                            13900) "}");
    assert_true(overview_healthy(o));
    overview_free(o);
}

/* A finished stream is as it should be; a learner that has left is not. */
static void test_good_byes(void **state)
{
    struct overview *o = overview_new();

    (void)state;
    take(o, 10000,
         "{" BEAT("simulator-1", "simulator", "done", 9000) "," BEAT("learner-1", "learner", "done",
                                                                     9900) "}");
    assert_int_equal(service(o, "simulator-1")->state, OVERVIEW_DONE);
    assert_string_equal(trouble(o, "simulator-1"), "");
    assert_int_equal(service(o, "learner-1")->state, OVERVIEW_DOWN);
    assert_string_equal(trouble(o, "learner-1"), "learner-1 has stopped");

    /* One that drains is up until it has gone, and then has ended. */
    take(o, 20000, "{" BEAT("simulator-2", "simulator", "draining", 19900) "}");
    assert_int_equal(service(o, "simulator-2")->state, OVERVIEW_UP);
    take(o, 21000, "{}");
    assert_int_equal(service(o, "simulator-2")->state, OVERVIEW_DONE);
    /* What ended an hour ago is forgotten. */
    take(o, 21000 + OVERVIEW_REMEMBER_MS, "{}");
    assert_int_equal(o->n_services, 3);
    overview_free(o);
}

/* Waiting for a server is trouble; waiting for a slower stage is not. */
static void test_waiting(void **state)
{
    struct overview *o = overview_new();

    (void)state;
    take(
        o, 10000,
        "{" BEAT("inference-1", "inference", "waiting",
                 9900) ",\"views-1\":{\"service\":\"views\",\"state\":\"waiting\",\"time_ms\":9900,"
                       "\"status\":{\"paused\":true}}}");
    assert_string_equal(trouble(o, "inference-1"),
                        "inference-1 is waiting for a server that is away");
    assert_string_equal(trouble(o, "views-1"), "");
    overview_free(o);
}

static void take_counts(struct overview *o, int64_t now_ms, int requests, int labelled,
                        const char *dead)
{
    struct buf text = BUF_INIT;

    buf_printf(&text,
               "{\"views-1\":{\"service\":\"views\",\"state\":\"running\",\"time_ms\":%lld,"
               "\"status\":{\"ledger\":{\"requests_new\":%d,\"requests_predicted\":%d,"
               "\"outcomes_emitted\":%d,\"outcomes_bad_label\":3,\"outcomes_refused\":0,"
               "\"dead_letters\":%s}}},",
               (long long)now_ms, requests, requests - 1, labelled, dead);
    buf_printf(&text,
               "\"inference-1\":{\"service\":\"inference\",\"state\":\"running\",\"time_ms\":%lld,"
               "\"telemetry\":{\"counters\":{\"oxbow_dead_letters_total\":2}}},"
               "\"learner-1\":{\"service\":\"learner\",\"state\":\"running\",\"time_ms\":%lld,"
               "\"status\":{\"models\":{\"tree\":{\"learned\":%d,\"position\":%d},"
               "\"baseline\":{\"learned\":%d}}}}}",
               (long long)now_ms, (long long)now_ms, labelled, labelled - 5, labelled);
    take(o, now_ms, buf_str(&text));
    buf_release(&text);
}

/* Counts come from views' ledger; what its engine hides is not known. */
static void test_counts(void **state)
{
    struct overview *o = overview_new();
    uint64_t value = 77;

    (void)state;
    take(o, 1000, "{}");
    assert_false(overview_count(o, "requests", &value));
    take_counts(o, 10000, 100, 60, "5");
    assert_true(overview_count(o, "requests", &value) && value == 100);
    assert_true(overview_count(o, "in_progress", &value) && value == 37);
    assert_true(overview_count(o, "dead_letters", &value) && value == 7);
    assert_false(overview_count(o, "expired", &value)); /* not among what views has said */
    assert_int_equal(overview_unlearned(o, &o->status.model[0]), 5);
    take_counts(o, 11000, 100, 60, "null");
    assert_false(overview_count(o, "dead_letters", &value));
    overview_free(o);
}

/* Rates are what the counts have gained by the heartbeats' own clock. */
static void test_rates(void **state)
{
    struct overview *o = overview_new();

    (void)state;
    take_counts(o, 10000, 100, 60, "0");
    assert_true(isnan(overview_rates(o).requests) && isnan(overview_rates(o).learned));
    take_counts(o, 10000, 100, 60, "0"); /* the same heartbeat */
    assert_true(isnan(overview_rates(o).requests));
    take_counts(o, 12000, 500, 80, "0");
    assert_true(overview_rates(o).requests == 200 && overview_rates(o).predictions == 200);
    assert_true(overview_rates(o).labels == 10 && overview_rates(o).learned == 10);
    assert_true(isnan(overview_rates(o).outcomes));
    /* A counter that goes back has begun anew. */
    take_counts(o, 13000, 50, 10, "0");
    assert_true(isnan(overview_rates(o).requests));
    take_counts(o, 14000, 80, 10, "0");
    assert_true(overview_rates(o).requests == 30 && overview_rates(o).learned == 0);
    overview_free(o);
}

/* What cannot be read leaves everything as it was. */
static void test_odd_input(void **state)
{
    struct overview *o = overview_new();
    struct err err = {0};
    uint64_t value;

    (void)state;
    take_counts(o, 10000, 100, 60, "0");
    assert_int_equal(overview_take(o, "[", 1, 11000, &err), ERR_INVALID);
    assert_true(overview_count(o, "requests", &value) && value == 100);
    assert_int_equal(o->time_ms, 10000);
    overview_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody),    cmocka_unit_test(test_states),
        cmocka_unit_test(test_good_byes), cmocka_unit_test(test_waiting),
        cmocka_unit_test(test_counts),    cmocka_unit_test(test_rates),
        cmocka_unit_test(test_odd_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
