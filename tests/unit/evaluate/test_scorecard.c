/* Scores over all and over windows: against a recount, and their edges. River's are in
 * test_river.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "evaluate/scorecard.h"
#include "learn/rng.h"

#define ANSWERS 3000

static double get(struct scorecard *s, enum scorecard_span span, size_t i)
{
    return metric_set_get(scorecard_of(s, span), i);
}

/* Windows that wrap around and grow say what a new set says of the same samples, at any time. */
static void test_recount(void **state)
{
    struct err err = {0};
    const struct scorecard_options o = {.kind = MODEL_CLASSIFIER,
                                        .metrics = "log_loss,f1,roc_auc_exact,pr_auc,kappa_t",
                                        .window = 700,
                                        .window_seconds = 100};
    struct scorecard *s = scorecard_new(&o, &err);
    struct rng rng;
    double y[ANSWERS], p[ANSWERS], at[ANSWERS];
    double now = 0;

    (void)state;
    assert_non_null(s);
    rng_seed(&rng, 3);
    for (size_t n = 0; n < ANSWERS; n++) {
        now += rng_random(&rng) < 0.01 ? 150 : floor(2 * rng_random(&rng));
        at[n] = now;
        y[n] = rng_random(&rng) < 0.3;
        p[n] = rng_random(&rng);
        scorecard_update(s, y[n], p[n], 1000 * now, 1000);
        if (n % 397 != 0)
            continue;
        for (size_t span = SCORECARD_ALL; span < SCORECARD_SPANS; span++) {
            struct metric_set *set = metric_set_new(o.kind, o.metrics, &err);
            const struct metric_set *found = scorecard_of(s, (enum scorecard_span)span);

            if (span != SCORECARD_ALL)
                metric_set_ranked(set, ANSWERS);
            for (size_t i = 0; i <= n; i++)
                if (span == SCORECARD_ALL || (span == SCORECARD_WINDOW && i + 700 > n) ||
                    (span == SCORECARD_TIME_WINDOW && at[i] > now - 100))
                    metric_set_update(set, y[i], p[i]);
            assert_int_equal(metric_set_scored(set), metric_set_scored(found));
            for (size_t k = 0; k < metric_set_size(set); k++)
                assert_true(metric_set_get(set, k) == metric_set_get(found, k));
            metric_set_free(set);
        }
    }
    scorecard_free(s);
}

/* The edge of a window of time is out of it, as in River's TimeRolling; what is unscored moves it.
 */
static void test_time(void **state)
{
    struct err err = {0};
    const struct scorecard_options o = {
        .kind = MODEL_REGRESSOR, .metrics = "mae", .window_seconds = 10};
    struct scorecard *s = scorecard_new(&o, &err);

    (void)state;
    assert_non_null(s);
    assert_null(scorecard_of(s, SCORECARD_WINDOW));
    assert_true(isnan(get(s, SCORECARD_TIME_WINDOW, 0)));
    scorecard_update(s, 1, 0, 100, 1);
    scorecard_update(s, 3, 0, 109.5, 1);
    assert_true(get(s, SCORECARD_TIME_WINDOW, 0) == 2);
    scorecard_update(s, 5, 0, 110, 1);
    assert_true(get(s, SCORECARD_TIME_WINDOW, 0) == 4);
    scorecard_update(s, 9, 0, 50, 1); /* late: counts as if it came at 110 */
    assert_int_equal(metric_set_scored(scorecard_of(s, SCORECARD_TIME_WINDOW)), 3);
    scorecard_update(s, 7, (double)NAN, 119.75, 1);
    assert_true(get(s, SCORECARD_TIME_WINDOW, 0) == 7);
    scorecard_update(s, 7, (double)NAN, 1000, 1);
    assert_true(isnan(get(s, SCORECARD_TIME_WINDOW, 0)));
    assert_true(get(s, SCORECARD_ALL, 0) == 4.5);
    scorecard_free(s);
}

/* The last so many that were scored, as with River's Rolling; skill is of the same window. */
static void test_samples(void **state)
{
    struct err err = {0};
    const struct scorecard_options o = {.kind = MODEL_REGRESSOR, .metrics = "mae", .window = 2};
    struct scorecard *s = scorecard_new(&o, &err);
    struct scorecard *baseline = scorecard_new(&o, &err);
    const struct metric_set *set[SCORECARD_SPANS];
    double skill[SCORECARD_SPANS];

    (void)state;
    assert_true(s && baseline);
    for (int i = 1; i <= 3; i++) {
        scorecard_update(s, i, 0, 0, 1);
        scorecard_update(baseline, i, -i, 0, 1);
        scorecard_update(s, 100, (double)INFINITY, 0, 1);
    }
    scorecard_compare(s, baseline, set, skill);
    assert_true(metric_set_get(set[SCORECARD_ALL], 0) == 2);
    assert_true(metric_set_get(set[SCORECARD_WINDOW], 0) == 2.5);
    assert_null(set[SCORECARD_TIME_WINDOW]);
    assert_true(skill[SCORECARD_ALL] == 0.5 && skill[SCORECARD_WINDOW] == 0.5);
    assert_true(isnan(skill[SCORECARD_TIME_WINDOW]));
    scorecard_free(s);
    scorecard_free(baseline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recount),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_samples),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
