/* Heartbeats as the live view reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those before it. */
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "inspect/status.h"

static void parse(const char *text, struct status *s, struct status_lag *lag)
{
    struct err err = {0};

    assert_int_equal(status_parse(text, strlen(text), s, lag, &err), 0);
}

/* Ledger, models and states are found in the services' heartbeats. */
static void test_members(void **state)
{
    struct status *s = calloc(1, sizeof(*s));
    struct status_lag *lag = calloc(1, sizeof(*lag));

    (void)state;
    parse("{\"views-1\":{\"service\":\"views\",\"state\":\"running\",\"time_ms\":5000,"
          "\"status\":{\"ledger\":{\"requests_new\":12,\"outcomes_emitted\":7,\"unknown\":1}}},"
          "\"learner-1\":{\"service\":\"learner\",\"state\":\"draining\",\"time_ms\":5001,"
          "\"status\":{\"models\":{\"tree\":{\"version\":\"g-7\",\"class\":\"c\",\"position\":7,"
          "\"learned\":6,\"drift\":{\"detector\":\"adwin\",\"alarms\":2,\"newest\":{\"at\":\"T\"}},"
          "\"serving\":true,\"caught_up\":true,\"mae\":1.5,\"mae_window\":null},"
          "\"baseline\":{\"mae\":3,\"drift\":null}}}}}",
          s, lag);
    assert_int_equal(s->n_services, 2);
    assert_string_equal(s->service[1].state, "draining");
    assert_int_equal(s->ledger_ms, 5000);
    assert_int_equal(s->ledger.requests_new, 12);
    assert_int_equal(s->ledger.outcomes_emitted, 7);
    assert_int_equal(s->n_models, 2);
    assert_string_equal(s->model[0].name, "tree");
    assert_int_equal(s->model[0].position, 7);
    assert_true(s->model[0].serving && s->model[0].caught_up);
    assert_true(s->model[0].mae == 1.5);
    assert_true(isnan(s->model[0].mae_window) && isnan(s->model[0].mae_served));
    assert_string_equal(s->model[0].detector, "adwin");
    assert_int_equal(s->model[0].alarms, 2);
    assert_string_equal(s->model[0].alarm_at, "T");
    assert_string_equal(s->model[1].detector, "");
    assert_true(status_baseline(s) == &s->model[1]);
    free(s);
    free(lag);
}

/* Which versions answer stands in inference's heartbeat; the oldest of several counts. */
static void test_served(void **state)
{
    struct status *s = calloc(1, sizeof(*s));
    struct status_lag *lag = calloc(1, sizeof(*lag));

    (void)state;
    parse("{\"inference-1\":{\"service\":\"inference\",\"status\":{\"models\":{"
          "\"tree\":{\"version\":\"g-5\",\"age_ms\":900},\"other\":{\"version\":\"g-1\"}}}},"
          "\"inference-2\":{\"service\":\"inference\",\"status\":{\"models\":{"
          "\"tree\":{\"version\":\"g-3\",\"age_ms\":9000}}}},"
          "\"learner-1\":{\"service\":\"learner\",\"time_ms\":4,\"status\":{\"models\":{"
          "\"tree\":{\"version\":\"g-7\",\"mae\":2},\"baseline\":{\"mae\":8}}}}}",
          s, lag);
    assert_int_equal(s->n_models, 2);
    assert_string_equal(s->model[0].served_version, "g-3");
    assert_int_equal(s->model[0].served_age_ms, 9000);
    assert_string_equal(s->model[1].served_version, "");
    assert_true(status_skill(s, &s->model[0], STATUS_ALL) == 0.75);
    assert_true(status_skill(s, &s->model[1], STATUS_ALL) == 0);
    assert_true(status_best(s) == &s->model[0]);
    assert_true(isnan(status_skill(s, &s->model[1], STATUS_WINDOW)));
    free(s);
    free(lag);
}

/* Models of two classes are judged by their log loss, whatever their mae. */
static void test_two_classes(void **state)
{
    struct status *s = calloc(1, sizeof(*s));
    struct status_lag *lag = calloc(1, sizeof(*lag));

    (void)state;
    parse("{\"learner-1\":{\"service\":\"learner\",\"time_ms\":4,\"status\":{\"models\":{"
          "\"nb\":{\"mae\":0.1,\"log_loss\":0.75,\"log_loss_window\":null,\"log_loss_served\":1},"
          "\"logistic\":{\"mae\":0.2,\"log_loss\":0.25,\"log_loss_window\":0.125},"
          "\"baseline\":{\"mae\":0.3,\"log_loss\":0.5,\"log_loss_window\":0.5}}}}}",
          s, lag);
    assert_true(s->model[0].is_binary && s->model[2].is_binary);
    assert_true(status_best(s) == &s->model[1]);
    assert_true(status_skill(s, &s->model[0], STATUS_ALL) == -0.5);
    assert_true(status_skill(s, &s->model[1], STATUS_WINDOW) == 0.75);
    assert_true(isnan(status_loss(&s->model[0], STATUS_WINDOW)));
    assert_true(status_loss(&s->model[0], STATUS_SERVED) == 1);
    free(s);
    free(lag);
}

/* What is no heartbeat at all is an error; what is one without a status is none. */
static void test_odd_input(void **state)
{
    struct status *s = calloc(1, sizeof(*s));
    struct status_lag *lag = calloc(1, sizeof(*lag));
    struct err err = {0};

    (void)state;
    assert_int_equal(status_parse("[1]", 3, s, lag, &err), ERR_INVALID);
    assert_int_equal(status_parse("{", 1, s, lag, &err), ERR_INVALID);
    parse("{\"a\":1,\"b\":{},\"c\":{\"service\":\"views\",\"status\":7}}", s, lag);
    assert_int_equal(s->n_services, 2);
    assert_int_equal(s->ledger_ms, 0);
    assert_null(status_baseline(s));
    free(s);
    free(lag);
}

static void beat(struct status_lag *lag, int64_t started_ms, int64_t time_ms, const struct hist *h)
{
    struct status *s = calloc(1, sizeof(*s));
    struct buf text = BUF_INIT;

    buf_printf(&text,
               "{\"inference-1\":{\"service\":\"inference\",\"started_ms\":%lld,\"time_ms\":%lld,"
               "\"telemetry\":{\"histograms\":{\"oxbow_prediction_lag_seconds\":",
               (long long)started_ms, (long long)time_ms);
    hist_write(h, &text);
    buf_text(&text, "}}}}");
    parse(buf_str(&text), s, lag);
    buf_release(&text);
    free(s);
}

/* The lag is that of the last seconds: what a process counted before is left out, once it is known.
 */
static void test_lag(void **state)
{
    struct status_lag *lag = calloc(1, sizeof(*lag));
    struct hist h = {0};
    int64_t now = clock_wall_ms();

    (void)state;
    for (int i = 0; i < 1000; i++)
        hist_add(&h, 50000000);
    beat(lag, 1, now - 2000, &h);
    assert_true(isnan(status_lag_ms(lag, 50)));
    for (int i = 0; i < 10; i++)
        hist_add(&h, 2000000);
    beat(lag, 1, now - 1000, &h);
    beat(lag, 1, now - 1000, &h); /* the same heartbeat once more adds nothing */
    assert_true(fabs(status_lag_ms(lag, 50) - 2) < 0.2);

    /* Started anew, it counts from nothing. */
    struct hist fresh = {0};
    for (int i = 0; i < 90; i++)
        hist_add(&fresh, 8000000);
    beat(lag, 2, now, &fresh);
    assert_true(fabs(status_lag_ms(lag, 50) - 8) < 0.8);
    free(lag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),     cmocka_unit_test(test_served),
        cmocka_unit_test(test_two_classes), cmocka_unit_test(test_odd_input),
        cmocka_unit_test(test_lag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
