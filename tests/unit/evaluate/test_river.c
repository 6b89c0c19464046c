/*
 * Progressive validation against River's, on the stream of tests/golden/record_evaluate.py: at
 * once, after a fixed delay and at a time of the label's own, in seconds and in dates, with ties.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "evaluate/evaluation.h"
#include "evaluate/table.h"

#define GOLDEN OXBOW_SOURCE_DIR "/tests/golden/"

struct expected {
    struct json_value steps;
    size_t compared;
    bool is_timed; /* there is a window of time */
};

static struct buf read_file(const char *path)
{
    struct buf text = BUF_INIT;
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    for (size_t n = 1; n > 0; text.len += n)
        n = fread(buf_reserve(&text, 65536), 1, 65536, file);
    fclose(file);
    return text;
}

/* The text of a member, "" when it is null. */
static const char *text_of(const struct json_value *object, const char *name, struct buf *out)
{
    struct json_value v;

    buf_clear(out);
    assert_true(json_get(object, name, &v));
    json_string(&v, out);
    return buf_str(out);
}

/* 0 when it is null. */
static double number_of(const struct json_value *object, const char *name)
{
    struct json_value v;
    double number = 0;

    assert_true(json_get(object, name, &v) && (v.type != JSON_NUMBER || json_number(&v, &number)));
    return number;
}

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static void compare_span(const struct json_value *step, const struct metric_set *set,
                         const char *suffix, const char *answered)
{
    struct json_value v;
    double river;

    for (size_t i = 0; i < metric_set_size(set); i++) {
        char name[64];

        snprintf(name, sizeof(name), "%s%s", metric_set_info(set, i)->name, suffix);
        assert_true(json_get(step, name, &v) && json_number(&v, &river));
        if (fabs(metric_set_get(set, i) - river) > 1e-9 * fmax(1, fabs(river)))
            fail_msg("%s after %s answers: %.17g, River has %.17g", name, answered,
                     metric_set_get(set, i), river);
    }
}

static void compare(void *ctx, struct evaluation *ev)
{
    static const char *const suffix[SCORECARD_SPANS] = {"", "_window", "_time_window"};
    struct expected *expected = ctx;
    struct evaluation_result r;
    struct json_value step;
    char answered[32];

    snprintf(answered, sizeof(answered), "%d", (int)evaluation_answered(ev));
    assert_true(json_get(&expected->steps, answered, &step));
    evaluation_result(ev, 1, &r);
    for (size_t span = 0; span < SCORECARD_SPANS; span++) {
        assert_true((r.metrics[span] != NULL) ==
                    (span != SCORECARD_TIME_WINDOW || expected->is_timed));
        if (r.metrics[span])
            compare_span(&step, r.metrics[span], suffix[span], answered);
    }
    expected->compared++;
}

static void run_case(const struct json_value *c)
{
    struct buf kind = BUF_INIT, moment = BUF_INIT, label = BUF_INIT, target = BUF_INIT;
    struct expected expected = {0};
    struct err err = {0};
    struct json_value v;
    bool is_binary = strcmp(text_of(c, "kind", &kind), "binary") == 0;
    struct table_options options = {
        .target = text_of(c, "target", &target),
        .features = "a,b,c",
        .kind = is_binary ? MODEL_CLASSIFIER : MODEL_REGRESSOR,
        .moment = or_null(text_of(c, "moment", &moment)),
        .label_time = or_null(text_of(c, "label_time", &label)),
        .label_delay = (double)NAN,
    };

    assert_true(json_get(c, "steps", &expected.steps));
    assert_true(json_get(c, "label_delay", &v));
    if (v.type == JSON_NUMBER)
        assert_true(json_number(&v, &options.label_delay));

    expected.is_timed = options.moment != NULL;

    struct csv *csv = csv_open(GOLDEN "evaluate.csv", &err);
    assert_non_null(csv);
    struct table *table = table_open(csv, &options, &err);
    assert_non_null(table);
    struct evaluation_options o = {.kind = options.kind,
                                   .schema = table_schema(table),
                                   .metrics = is_binary ? "log_loss,accuracy" : "mae,rmse",
                                   .every = 50,
                                   .window = (uint64_t)number_of(c, "window"),
                                   .window_seconds = number_of(c, "window_seconds"),
                                   .on_every = compare,
                                   .ctx = &expected};
    struct evaluation *ev = evaluation_new(&o, &err);
    assert_non_null(ev);
    assert_int_equal(evaluation_add(ev, "linear",
                                    is_binary ? "[\"standard_scaler\",\"logistic_regression\"]"
                                              : "[\"standard_scaler\",{\"linear_regression\":"
                                                "{\"optimizer\":{\"sgd\":{\"lr\":0.05}}}}]",
                                    &err),
                     0);

    struct evaluation_sample sample;
    size_t waited = 0;
    int rc;
    while ((rc = table_next(table, &sample, &err)) == 1) {
        assert_int_equal(evaluation_sample(ev, &sample, &err), 0);
        waited += evaluation_waiting(ev) > 0;
    }
    assert_int_equal(rc, 0);
    evaluation_finish(ev);
    assert_int_equal(evaluation_waiting(ev), 0);
    assert_int_equal(evaluation_answered(ev), 430);
    compare(&expected, ev);
    assert_int_equal(expected.compared, 9);
    assert_true((waited > 0) == (options.moment != NULL));

    evaluation_free(ev);
    table_close(table);
    buf_release(&kind);
    buf_release(&moment);
    buf_release(&label);
    buf_release(&target);
}

/* Every case, at nine places of the stream, for a regressor and a classifier. */
static void test_like_river(void **state)
{
    struct buf text = read_file(GOLDEN "evaluate.json");
    struct json_value root, c;
    struct json_iter it;
    struct err err = {0};
    size_t n = 0;

    (void)state;
    assert_int_equal(json_parse(text.data, text.len, &root, &err), 0);
    json_iter_init(&it, &root);
    for (; json_next_element(&it, &c); n++)
        run_case(&c);
    assert_int_equal(n, 14);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_like_river)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
