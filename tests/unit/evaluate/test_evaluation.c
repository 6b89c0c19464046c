/* The fold of an evaluation: order, refusals, and that blocks of samples change nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "evaluate/evaluation.h"

static struct schema *one_feature(void)
{
    struct schema *schema = schema_new();

    assert_int_equal(schema_add(schema, "x", FEATURE_NUMERIC, NULL), 0);
    return schema;
}

static void ask(struct evaluation *ev, double y, double moment, double due)
{
    struct err err = {0};
    double x = y;
    struct evaluation_sample sample = {&x, y, moment, due, true, 0};

    assert_int_equal(evaluation_sample(ev, &sample, &err), 0);
}

/* The mean of the labels that had come tells what had been learned at each question. */
static void test_order(void **state)
{
    struct schema *schema = one_feature();
    struct evaluation_options o = {.kind = MODEL_REGRESSOR, .schema = schema, .metrics = "mae"};
    struct err err = {0};
    struct evaluation *ev = evaluation_new(&o, &err);
    struct evaluation_result r;

    (void)state;
    ask(ev, 10, 0, 5); /* predicted 0 */
    ask(ev, 20, 5, 5); /* due at the moment of the question: the first is known, 10 */
    ask(ev, 40, 5, 6); /* and now the second too: 15 */
    ask(ev, 99, 5, 9); /* nothing new: 15 */
    ask(ev, 50, 6, 6); /* 10, 20, 40: 70 / 3 */
    evaluation_finish(ev);
    evaluation_result(ev, 0, &r);
    assert_int_equal(metric_set_scored(r.metrics[SCORECARD_ALL]), 5);
    assert_true(fabs(metric_set_get(r.metrics[SCORECARD_ALL], 0) -
                     (10 + 10 + 25 + 84 + (50 - 70.0 / 3)) / 5) < 1e-12);
    evaluation_free(ev);
    schema_free(schema);
}

/* A question before the last one is refused, and changes nothing. */
static void test_unsorted(void **state)
{
    struct schema *schema = one_feature();
    struct evaluation_options o = {.kind = MODEL_REGRESSOR, .schema = schema};
    struct err err = {0};
    struct evaluation *ev = evaluation_new(&o, &err);
    double x = 1;
    struct evaluation_sample sample = {&x, 1, 6.5, 9, true, 0};

    (void)state;
    ask(ev, 1, 7, 8);
    assert_int_equal(evaluation_sample(ev, &sample, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "sort"));
    assert_int_equal(evaluation_waiting(ev), 1);
    evaluation_finish(ev);
    assert_int_equal(evaluation_answered(ev), 1);
    evaluation_free(ev);
    schema_free(schema);
}

/* Wrong models are named, and leave the others alone. */
static void test_refused(void **state)
{
    struct schema *schema = one_feature();
    struct evaluation_options o = {.kind = MODEL_CLASSIFIER, .schema = schema};
    struct err err = {0};
    struct evaluation *ev = evaluation_new(&o, &err);

    (void)state;
    assert_int_equal(evaluation_add(ev, "m", "[\"linear_regression\"]", &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "model \"m\""));
    assert_int_equal(evaluation_add(ev, "m", "[\"logistic_regression\"]", &err), 0);
    assert_int_equal(evaluation_add(ev, "m", "[\"prior\"]", &err), ERR_INVALID);
    assert_int_equal(evaluation_add(ev, "baseline", "[\"prior\"]", &err), ERR_INVALID);
    assert_int_equal(evaluation_models(ev), 2);
    evaluation_free(ev);
    o.metrics = "mae";
    assert_null(evaluation_new(&o, &err));
    schema_free(schema);
}

static void nothing(void *ctx, struct evaluation *ev)
{
    (void)ev;
    ++*(size_t *)ctx;
}

/* However often it stops to look, and however much waits, the result is the same to the bit. */
static void test_blocks(void **state)
{
    double mae[3];
    size_t calls = 0;

    (void)state;
    for (size_t run = 0; run < 3; run++) {
        struct schema *schema = one_feature();
        struct evaluation_options o = {.kind = MODEL_REGRESSOR,
                                       .schema = schema,
                                       .every = run,
                                       .on_every = nothing,
                                       .ctx = &calls};
        struct err err = {0};
        struct evaluation *ev = evaluation_new(&o, &err);
        struct evaluation_result r;

        assert_int_equal(
            evaluation_add(ev, "l", "[\"standard_scaler\",\"linear_regression\"]", &err), 0);
        for (int i = 0; i < 5000; i++)
            ask(ev, sin(i) * i, i, i + (i * 7919) % 3001);
        evaluation_finish(ev);
        assert_int_equal(evaluation_answered(ev), 5000);
        evaluation_result(ev, 1, &r);
        mae[run] = metric_set_get(r.metrics[SCORECARD_ALL], 0);
        assert_true(r.samples_per_second > 0 && isfinite(r.skill[SCORECARD_ALL]) != 0);
        evaluation_free(ev);
        schema_free(schema);
    }
    assert_int_equal(calls, 5000 + 2500);
    assert_true(mae[0] == mae[1] && mae[1] == mae[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_unsorted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
