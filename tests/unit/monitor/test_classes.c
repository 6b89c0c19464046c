/* A task of two classes in the monitor's state: from its messages to ticks, bars and exports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/monitor/fixture.h"

#define MODELS "\"one\":[\"standard_scaler\",\"logistic_regression\"],\"two\":[\"pa_classifier\"]"
#define STEP   0.125 /* models one, two and the baseline say p, p + STEP, p + 2 * STEP */
#define ROWS   200

static void open_classes(struct fixture *f, const char *more)
{
    char options[1000];

    snprintf(options, sizeof(options), "%s%s", more, MAP);
    open_task(f, load_task_kind("binary_classification", MODELS, options), STEP);
}

/* Every fourth row is positive, and said to be with 0.625; the others get 0.125. */
static void bring_rows(struct fixture *f)
{
    for (int i = 0; i < ROWS; i++) {
        bool is_positive = i % 4 == 0;
        char key[32];

        snprintf(key, sizeof(key), "k%d", i);
        request(f, key, INT64_C(86400000) * 4 + i * INT64_C(3600000)); /* from a Monday on */
        prediction(f, key, is_positive ? 0.625 : 0.125);
        labelled(f, key, (uint64_t)i + 1, is_positive ? 0.625 : 0.125, is_positive);
    }
}

static void assert_near(const struct buf *text, const char *path, double wanted)
{
    char *found = find(text, path);

    if (!(fabs(atof(found) - wanted) <= 1e-6 * fmax(1, fabs(wanted))))
        fail_msg("%s is %s, not %.9g", path, found, wanted);
    free(found);
}

static void assert_absent(const struct buf *text, const char *member)
{
    char name[64];

    snprintf(name, sizeof(name), "\"%s\":", member);
    if (strstr(text->data, name))
        fail_msg("%s is in %s", name, text->data);
}

/* Mean log loss of model `i`. */
static double loss_of(int i)
{
    return -0.25 * log(0.625 + STEP * i) - 0.75 * log(1 - 0.125 - STEP * i);
}

/* The snapshot says how predictions are judged. */
static void test_task(void **state)
{
    struct fixture f;

    (void)state;
    open_classes(&f, ",\"positive\":\"yes\",\"threshold\":0.7");
    struct buf out = snapshot(&f);
    assert_at(&out, "task.kind", "\"binary_classification\"");
    assert_at(&out, "task.metric", "\"log_loss\"");
    assert_at(&out, "task.positive", "\"yes\"");
    assert_at(&out, "task.threshold", "0.7");
    assert_at(&out, "task.unit", "\"\"");
    assert_at(&out, "task.map.moves", "false"); /* a probability is no time */
    assert_at(&out, "tick.models.0.window.log_loss", "null");
    assert_at(&out, "tick.models.0.window.pr_auc", "null");
    assert_at(&out, "tick.models.0.log_loss", "null");
    buf_release(&out);
    close_all(&f);

    open_classes(&f, ",\"positive\":3");
    out = snapshot(&f);
    assert_at(&out, "task.positive", "\"3\"");
    buf_release(&out);
    close_all(&f);

    open_classes(&f, "");
    out = snapshot(&f);
    assert_at(&out, "task.positive", "\"true\"");
    buf_release(&out);
    close_all(&f);

    open_with(&f, NULL);
    out = snapshot(&f);
    assert_at(&out, "task.metric", "\"mae\"");
    assert_absent(&out, "positive");
    assert_absent(&out, "threshold");
    assert_absent(&out, "log_loss");
    buf_release(&out);
    close_all(&f);
}

/* Scores of the window, the learner's own, and the verdict. */
static void test_tick(void **state)
{
    struct fixture f;

    (void)state;
    open_classes(&f, ",\"threshold\":0.7");
    bring_rows(&f);
    second_with(&f, "{\"learner-1\":{\"service\":\"learner\",\"instance\":\"learner-1\","
                    "\"started_ms\":1,\"time_ms\":1000,\"state\":\"running\",\"status\":{"
                    "\"models\":{\"one\":{\"version\":\"g-9\",\"mae\":0.5,\"log_loss\":0.25,"
                    "\"log_loss_served\":0.375}}}}}");
    assert_at(&f.tick, "models.0.log_loss", "0.25");
    assert_at(&f.tick, "models.0.log_loss_served", "0.375");
    assert_at(&f.tick, "models.1.log_loss", "null");
    assert_at(&f.tick, "models.1.window.n", "200");
    for (int i = 0; i < 3; i++) {
        char path[64];

        snprintf(path, sizeof(path), "models.%d.window.log_loss", i);
        assert_near(&f.tick, path, loss_of(i));
        snprintf(path, sizeof(path), "models.%d.skill", i);
        assert_near(&f.tick, path, 1 - loss_of(i) / loss_of(2));
    }
    assert_at(&f.tick, "models.0.window.base_rate", "0.25");
    assert_at(&f.tick, "models.0.window.pr_auc", "1");
    assert_at(&f.tick, "models.0.window.alerts", "0"); /* 0.625 is below the threshold */
    assert_at(&f.tick, "models.0.window.precision", "null");
    assert_at(&f.tick, "models.0.window.recall", "0");
    assert_at(&f.tick, "models.0.window.accuracy", "0.75");
    assert_at(&f.tick, "models.1.window.alerts", "50");
    assert_at(&f.tick, "models.1.window.precision", "1");
    assert_at(&f.tick, "models.1.window.f1", "1");
    assert_at(&f.tick, "verdict.kind", "\"best\"");
    assert_at(&f.tick, "verdict.model", "\"one\"");
    assert_at(&f.tick, "verdict.text",
              "\"one is best: log loss 0.218, 44 % better than always saying how often it happens "
              "(last 200 trips)\"");
    assert_at(&f.tick, "ended.0.label", "0");
    assert_at(&f.tick, "ended.0.error", "0.125");
    assert_at(&f.tick, "latest.3.label", "1");
    assert_at(&f.tick, "latest.3.values.two", "0.75");
    assert_absent(&f.tick, "mae");
    assert_absent(&f.tick, "rmse");
    assert_absent(&f.tick, "bias");

    struct buf out = BUF_INIT;
    struct err err;
    assert_int_equal(monitor_write_export(f.m, "models", "csv", &out, &err), 0);
    assert_non_null(strstr(out.data, ",log_loss,log_loss_served,window,window_log_loss,low,high,"
                                     "pr_auc,base_rate,accuracy,precision,recall,f1,alerts\r\n"));
    assert_non_null(strstr(out.data, ",1,0.25,1,1,1,1,50\r\n"));
    buf_release(&out);
    close_all(&f);
}

static void keep(void *ctx, const struct curves_point *point)
{
    (void)ctx;
    (void)point;
}

/* Curves are named by what they are of. */
static void test_series(void **state)
{
    struct fixture f;
    bool found[3] = {false}, has_mae = false;

    (void)state;
    open_classes(&f, "");
    bring_rows(&f);
    monitor_second(f.m, NULL, 0, 1000, keep, NULL, &f.id, &f.tick);
    for (size_t i = 0; monitor_series_name(f.m, i); i++) {
        const char *name = monitor_series_name(f.m, i);

        found[0] = found[0] || strcmp(name, "log_loss.baseline") == 0;
        found[1] = found[1] || strcmp(name, "skill.two") == 0;
        found[2] = found[2] || strcmp(name, "pr_auc.one") == 0;
        has_mae = has_mae || strncmp(name, "mae.", 4) == 0;
    }
    assert_true(found[0] && found[1] && found[2] && !has_mae);
    close_all(&f);
}

/* Probabilities in bins; bars with recall and alerts; nothing that is of numbers. */
static void test_breakdown(void **state)
{
    struct fixture f;
    struct buf out = BUF_INIT;

    (void)state;
    open_classes(&f, ",\"threshold\":0.7");
    bring_rows(&f);
    monitor_write_breakdown(f.m, &out);
    assert_at(&out, "rows", "200");
    assert_at(&out, "scores.bounds", "[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9]");
    assert_at(&out, "scores.models.one.positive", "[0,0,0,0,0,0,50,0,0,0]");
    assert_at(&out, "scores.models.one.negative", "[0,150,0,0,0,0,0,0,0,0]");
    assert_at(&out, "scores.models.baseline.negative", "[0,0,0,150,0,0,0,0,0,0]");
    assert_at(&out, "reliability.one.6.n", "50");
    assert_at(&out, "reliability.one.6.mean", "0.625");
    assert_at(&out, "reliability.one.6.rate", "1");
    assert_at(&out, "reliability.one.1.rate", "0");
    assert_at(&out, "reliability.one.0.mean", "null");
    assert_at(&out, "hour.models.two.4.n", "9"); /* of each day the row of that hour is positive */
    assert_at(&out, "hour.models.two.4.alerts", "9");
    assert_at(&out, "hour.models.two.4.recall", "1");
    assert_at(&out, "hour.models.one.4.recall", "0");
    assert_at(&out, "hour.models.two.5.recall", "null");
    assert_near(&out, "hour.models.two.4.log_loss", -log(0.75));
    assert_at(&out, "features.b.models.two.0.alerts", "50");
    assert_absent(&out, "errors");
    assert_absent(&out, "error_bounds");
    assert_absent(&out, "label");
    assert_absent(&out, "mae");
    buf_release(&out);
    close_all(&f);
}

/* The two ends of the bins, and a row that one model said nothing of. */
static void test_edges(void **state)
{
    static const double said[] = {0, 1, 0.1, 0.3, 0.9};
    struct fixture f;
    struct buf out = BUF_INIT;

    (void)state;
    open_classes(&f, "");
    for (size_t i = 0; i < 5; i++) {
        char key[8], text[400];

        snprintf(key, sizeof(key), "k%zu", i);
        snprintf(text, sizeof(text),
                 "{\"seq\":%zu,\"duration\":%s,\"features\":{\"a\":1,\"b\":0,\"c\":3},"
                 "\"trip_id\":\"%s\",\"predictions\":{\"one\":{\"value\":%.17g,\"version\":\"v\"},"
                 "\"two\":{\"value\":null,\"version\":\"v\"}}}",
                 i + 1, i ? "true" : "false", key, said[i]);
        message(&f, "learning-queue", key, text);
    }
    monitor_write_breakdown(f.m, &out);
    assert_at(&out, "scores.models.one.positive", "[0,1,0,1,0,0,0,0,0,2]");
    assert_at(&out, "scores.models.one.negative", "[1,0,0,0,0,0,0,0,0,0]");
    assert_at(&out, "scores.models.two.positive", "[0,0,0,0,0,0,0,0,0,0]");
    second_with(&f, NULL);
    assert_at(&f.tick, "models.0.window.n", "5");
    assert_at(&f.tick, "models.1.window.n", "0");
    assert_at(&f.tick, "models.1.window.log_loss", "null");
    assert_at(&f.tick, "models.1.skill", "null");
    buf_release(&out);
    close_all(&f);
}

/* Kept rows are of one meaning of "positive": another one's are left out. */
static void test_keep(void **state)
{
    struct fixture f, same, other;
    struct buf kept = BUF_INIT;

    (void)state;
    open_classes(&f, ",\"positive\":1");
    open_classes(&same, ",\"positive\":1");
    open_classes(&other, ",\"positive\":0");
    bring_rows(&f);
    monitor_save_errors(f.m, &kept);
    monitor_restore_errors(same.m, kept.data, kept.len);
    monitor_restore_errors(other.m, kept.data, kept.len);
    second_with(&same, NULL);
    second_with(&other, NULL);
    assert_near(&same.tick, "models.0.window.log_loss", loss_of(0));
    assert_at(&same.tick, "models.0.window.pr_auc", "1");
    assert_at(&other.tick, "models.0.window.n", "0");
    buf_release(&kept);
    close_all(&f);
    close_all(&same);
    close_all(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_task),   cmocka_unit_test(test_tick),
        cmocka_unit_test(test_series), cmocka_unit_test(test_breakdown),
        cmocka_unit_test(test_edges),  cmocka_unit_test(test_keep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
