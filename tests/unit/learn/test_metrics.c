/* Scores against River's, and the windowed one against a sum. */
#include "support.h"

#include "learn/metrics.h"

/* After each sample MAE, RMSE and R2 are River's (recorded with 0.26.1). */
static void test_like_river(void **state)
{
    static const struct {
        double y_true;
        double y_pred;
        double mae;
        double rmse;
        double r2;
    } steps[] = {
        {3, 2.5, 0.5, 0.5, 0.0},
        {-0.5, 0.0, 0.5, 0.5, 0.9183673469387755},
        {2, 2, 0.33333333333333337, 0.408248290463863, 0.9230769230769231},
        {7, 8, 0.5, 0.6123724356957945, 0.9486081370449679},
        {4.25, -3.5, 1.9500000000000002, 3.5089172121045497, -1.0052931596091206},
        {1e6, 9e5, 16668.291666666668, 40824.829172050224, 0.9879999243262094},
    };
    struct metrics m = {0};

    (void)state;
    assert_true(metrics_mae(&m) == 0 && metrics_rmse(&m) == 0 && metrics_r2(&m) == 0);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        metrics_update(&m, steps[i].y_true, steps[i].y_pred);
        assert_true(fabs(metrics_mae(&m) - steps[i].mae) <= 1e-9 * fmax(1, steps[i].mae));
        assert_true(fabs(metrics_rmse(&m) - steps[i].rmse) <= 1e-9 * fmax(1, steps[i].rmse));
        assert_true(fabs(metrics_r2(&m) - steps[i].r2) <= 1e-9);
    }
}

/* With labels that are all equal R2 is 0, as in River. */
static void test_constant_labels(void **state)
{
    struct metrics m = {0};

    (void)state;
    metrics_update(&m, 5, 1);
    metrics_update(&m, 5, 2);
    assert_true(metrics_r2(&m) == 0);
}

/* The window holds the last errors only, and drifts by nothing in a million of them. */
static void test_window(void **state)
{
    struct metrics_window w;

    (void)state;
    metrics_window_init(&w, 3);
    assert_true(metrics_window_mae(&w) == 0);
    metrics_window_update(&w, 10, 4);
    assert_true(metrics_window_mae(&w) == 6);
    for (int i = 0; i < 1000000; i++)
        metrics_window_update(&w, 0.1, 1e9 * (i % 7));
    metrics_window_update(&w, 1, 2);
    metrics_window_update(&w, 1, 4);
    metrics_window_update(&w, 9, 4);
    assert_true(metrics_window_mae(&w) == 3);
    assert_true(metrics_window_error(&w, 0) == 1);
    assert_true(metrics_window_error(&w, 2) == 5);
    metrics_window_release(&w);
}

/* A window that is restored from its errors, oldest first, goes on alike. */
static void test_window_restored(void **state)
{
    struct metrics_window w;
    struct metrics_window again;

    (void)state;
    metrics_window_init(&w, 4);
    metrics_window_init(&again, 4);
    for (int i = 0; i < 6; i++)
        metrics_window_update(&w, i, 2 * i);
    for (size_t i = 0; i < w.count; i++)
        metrics_window_push(&again, metrics_window_error(&w, i));
    for (int i = 0; i < 9; i++) {
        assert_true(metrics_window_mae(&w) == metrics_window_mae(&again));
        metrics_window_update(&w, i, 0.5);
        metrics_window_update(&again, i, 0.5);
    }
    metrics_window_release(&w);
    metrics_window_release(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_river),
        cmocka_unit_test(test_constant_labels),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_window_restored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
