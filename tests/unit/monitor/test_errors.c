/* Windowed errors and the verdict: against sums made anew, and word for word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "learn/rng.h"
#include "monitor/errors.h"
#include "monitor/text.h"
#include "monitor/verdict.h"

#define WINDOW 70
#define ROWS   1000

static void assert_close(double a, double b)
{
    if (!(fabs(a - b) <= 1e-9 * fmax(1, fabs(b))))
        fail_msg("%.17g is not %.17g", a, b);
}

/* The same from the errors themselves, the straightforward way. */
static void score_again(const double *error, size_t n, struct errors_score *ret)
{
    double sum = 0, squares = 0, bias = 0, spread = 0;
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        if (isnan(error[i]))
            continue;
        count++;
        sum += fabs(error[i]);
        squares += error[i] * error[i];
        bias += error[i];
    }
    double mean = sum / (double)count;
    for (size_t i = 0; i < n; i++)
        if (!isnan(error[i]))
            spread += (fabs(error[i]) - mean) * (fabs(error[i]) - mean);
    double half = 1.959963984540054 * sqrt(spread / (double)(count - 1) / (double)count);
    *ret = (struct errors_score){.n = count,
                                 .mae = mean,
                                 .low = fmax(mean - half, 0),
                                 .high = mean + half,
                                 .rmse = sqrt(squares / (double)count),
                                 .bias = bias / (double)count};
}

/* Scores are those of the newest rows, whatever went before; a row without a prediction counts for
 * nothing. */
static void test_window(void **state)
{
    struct errors *e = errors_new(2, WINDOW);
    double all[2][ROWS];
    struct errors_score got, wanted;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 5);
    for (size_t i = 0; i < ROWS; i++) {
        struct errors_row row = {.label = (double)i};
        double error[2] = {1000 * (rng_random(&rng) - 0.3),
                           rng_random(&rng) < 0.2 ? (double)NAN : rng_random(&rng)};

        all[0][i] = error[0];
        all[1][i] = error[1];
        errors_add(e, &row, error);
        if (i < 20)
            continue;
        size_t first = i + 1 > WINDOW ? i + 1 - WINDOW : 0;
        for (size_t k = 0; k < 2; k++) {
            errors_score(e, k, &got);
            score_again(&all[k][first], i + 1 - first, &wanted);
            assert_int_equal(got.n, wanted.n);
            assert_close(got.mae, wanted.mae);
            assert_close(got.low, wanted.low);
            assert_close(got.high, wanted.high);
            assert_close(got.rmse, wanted.rmse);
            assert_close(got.bias, wanted.bias);
        }
    }
    assert_int_equal(errors_kept(e), ROWS);
    assert_true(errors_row(e, 7)->label == 7 && errors_at(e, 7, 0) == all[0][7]);
    errors_clear(e);
    errors_score(e, 0, &got);
    assert_true(got.n == 0 && isnan(got.mae) && errors_kept(e) == 0);
    errors_free(e);
}

/* One huge error leaves no trace in the sums once it has left the window. */
static void test_no_residue(void **state)
{
    struct errors *e = errors_new(1, 10);
    struct errors_row row = {.label = 1};
    struct errors_score got;

    (void)state;
    for (size_t i = 0; i < 40; i++) {
        double error = i == 3 ? 1e17 : 0.25;
        errors_add(e, &row, &error);
    }
    errors_score(e, 0, &got);
    assert_true(got.mae == 0.25 && got.low == 0.25 && got.high == 0.25);
    errors_free(e);
}

/* Saved rows give the same scores; those of other models are refused. */
static void test_keep(void **state)
{
    struct errors *e = errors_new(2, WINDOW), *again = errors_new(2, WINDOW);
    struct errors *other = errors_new(3, WINDOW);
    struct errors_score a, b;
    struct buf out = BUF_INIT;

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct errors_row row = {.label = i, .event_ms = i};
        double error[2] = {i, i % 3 ? -i : (double)NAN};

        errors_add(e, &row, error);
    }
    errors_save(e, 101, &out);
    assert_true(errors_load(again, out.data, out.len) && errors_kept(again) == 101);
    assert_true(errors_row(again, 100)->label == 199);
    for (size_t k = 0; k < 2; k++) {
        errors_score(e, k, &a);
        errors_score(again, k, &b);
        assert_true(a.n == b.n && a.mae == b.mae && a.bias == b.bias);
    }
    assert_false(errors_load(other, out.data, out.len));
    assert_int_equal(errors_kept(other), 0);
    buf_release(&out);
    errors_free(e);
    errors_free(again);
    errors_free(other);
}

/* A window that would take gigabytes is cut. */
static void test_bound(void **state)
{
    struct errors *e = errors_new(65, 1000000);

    (void)state;
    assert_int_equal(errors_window_size(e), ERRORS_CELLS_MAX / 65);
    errors_free(e);
}

/* Means of any rows, with their interval. */
static void test_mean(void **state)
{
    struct errors_mean m = {.n = 0};
    double error[300];
    struct errors_score wanted;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 6);
    assert_true(isnan(errors_mean_value(&m)) && isnan(errors_mean_half(&m)));
    for (size_t i = 0; i < 300; i++) {
        error[i] = 1e6 + rng_random(&rng);
        errors_mean_add(&m, error[i]);
    }
    score_again(error, 300, &wanted);
    assert_close(errors_mean_value(&m), wanted.mae);
    assert_close(errors_mean_half(&m), wanted.high - wanted.mae);
}

/* ---- The verdict ---- */

static struct verdict_model model(const char *name, size_t n, double mae, double half)
{
    return (struct verdict_model){
        .name = name,
        .is_baseline = strcmp(name, "baseline") == 0,
        .score = {.n = n, .mae = mae, .low = mae - half, .high = mae + half}};
}

static void assert_verdict(const struct verdict_model *models, enum verdict_kind kind,
                           const char *wanted)
{
    struct verdict_words words = {"trip", "s"};
    struct buf text = BUF_INIT;
    struct verdict v = verdict_make(models, 3, &words, &text);

    assert_string_equal(buf_str(&text), wanted);
    assert_int_equal(v.kind, kind);
    buf_release(&text);
}

static void test_verdict(void **state)
{
    (void)state;
    assert_verdict((struct verdict_model[]){model("tree", 1000, 214.4, 10),
                                            model("line", 1000, 260, 20),
                                            model("baseline", 1000, 456, 30)},
                   VERDICT_BEST,
                   "tree is best: 214 s off on average, 53 % better than guessing the mean (last "
                   "1000 trips)");
    assert_verdict((struct verdict_model[]){model("tree", 1000, 24.44, 10),
                                            model("line", 1000, 30, 9),
                                            model("baseline", 1000, 456, 30)},
                   VERDICT_NONE,
                   "no clear winner: tree (24.4 s off on average) and line (30 s) are too close to "
                   "call (last 1000 trips)");
    assert_verdict(
        (struct verdict_model[]){model("tree", 1000, 440, 10), model("line", 1000, 600, 20),
                                 model("baseline", 1000, 456, 30)},
        VERDICT_NONE,
        "no clear winner: tree (440 s off on average) is hardly better than guessing the "
        "mean (last 1000 trips)");
    assert_verdict((struct verdict_model[]){model("tree", 1000, 540, 1),
                                            model("line", 1000, 600, 1),
                                            model("baseline", 1000, 456, 1)},
                   VERDICT_NONE,
                   "no clear winner: no model is better than guessing the mean, which is 456 s off "
                   "on average (last 1000 trips)");
    assert_verdict((struct verdict_model[]){model("tree", 99, 1, 0), model("line", 99, 60, 0),
                                            model("baseline", 99, 456, 0)},
                   VERDICT_FEW, "99 trips with a label so far: too few to name a winner");
    assert_verdict((struct verdict_model[]){model("tree", 1, 1, 0), model("line", 0, 0, 0),
                                            model("baseline", 1, 456, 0)},
                   VERDICT_FEW, "1 trip with a label so far: too few to name a winner");
    assert_verdict((struct verdict_model[]){model("tree", 0, 0, 0), model("line", 0, 0, 0),
                                            model("baseline", 0, 0, 0)},
                   VERDICT_FEW, "no trip has a label yet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window), cmocka_unit_test(test_no_residue),
        cmocka_unit_test(test_keep),   cmocka_unit_test(test_bound),
        cmocka_unit_test(test_mean),   cmocka_unit_test(test_verdict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
