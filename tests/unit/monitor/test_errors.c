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
                                 .loss = mean,
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
            assert_close(got.loss, wanted.loss);
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
    assert_true(got.n == 0 && isnan(got.loss) && errors_kept(e) == 0);
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
    assert_true(got.loss == 0.25 && got.low == 0.25 && got.high == 0.25);
    errors_free(e);
}

/* Of classes: log loss with its interval, and what was found at the threshold, each from the rows
 * of the window alone. */
static void classes_again(const double *said, const double *label, size_t n, double threshold,
                          struct errors_score *ret)
{
    double loss[ROWS], tp = 0, fp = 0, tn = 0, fn = 0;
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        if (isnan(said[i]))
            continue;
        double p = fmin(fmax(said[i], 1e-15), 1 - 1e-15);
        loss[count++] = label[i] == 1 ? -log(p) : -log(1 - p);
        tp += label[i] == 1 && said[i] > threshold;
        fn += label[i] == 1 && said[i] <= threshold;
        fp += label[i] == 0 && said[i] > threshold;
        tn += label[i] == 0 && said[i] <= threshold;
    }
    score_again(loss, count, ret); /* a log loss is its own size */
    ret->alerts = (size_t)(tp + fp);
    ret->base_rate = (tp + fn) / (double)count;
    ret->accuracy = (tp + tn) / (double)count;
    ret->precision = tp / (tp + fp);
    ret->recall = tp / (tp + fn);
    ret->f1 = 2 * ret->precision * ret->recall / (ret->precision + ret->recall);
}

static void test_classes(void **state)
{
    struct errors *e = errors_new_classes(1, WINDOW, 0.7);
    double said[ROWS], label[ROWS];
    struct errors_score got, wanted;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 9);
    for (size_t i = 0; i < ROWS; i++) {
        label[i] = rng_random(&rng) < 0.4;
        double p = (rng_random(&rng) + label[i]) / 2;
        /* Certain ones too, one of them wrong, some on the threshold, and some not there. */
        said[i] = i % 50 == 7 ? label[i] : i == 300 ? 1 - label[i] : i % 11 == 3 ? 0.7 : p;
        if (i % 13 == 5)
            said[i] = (double)NAN;
        errors_add(e, &(struct errors_row){.label = label[i]}, &said[i]);
        if (i < 40)
            continue;
        size_t first = i + 1 > WINDOW ? i + 1 - WINDOW : 0;
        errors_score(e, 0, &got);
        classes_again(&said[first], &label[first], i + 1 - first, 0.7, &wanted);
        assert_int_equal(got.n, wanted.n);
        assert_int_equal(got.alerts, wanted.alerts);
        assert_close(got.loss, wanted.loss);
        assert_close(got.low, wanted.low);
        assert_close(got.high, wanted.high);
        assert_close(got.base_rate, wanted.base_rate);
        assert_close(got.accuracy, wanted.accuracy);
        assert_close(got.precision, wanted.precision);
        assert_close(got.recall, wanted.recall);
        assert_close(got.f1, wanted.f1);
        assert_true(isnan(got.rmse) && isnan(got.bias));
    }
    assert_true(errors_at(e, 300, 0) == said[300]);
    assert_true(errors_loss_at(e, 300, 0) > 34.5 && errors_loss_at(e, 300, 0) < 34.6);
    errors_free(e);
}

/* The area under precision over recall, by hand, and of the window alone. */
static void test_pr_auc(void **state)
{
    struct errors *e = errors_new_classes(2, 4, 0.5), *numbers = errors_new(1, 4);
    const double label[] = {0, 0, 1, 0, 1, 0};
    const double said[] = {1, 1, 0.9, 0.8, 0.7, 0.1};
    struct errors_score got;

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        double p[2] = {said[i], (double)NAN};

        errors_add(e, &(struct errors_row){.label = label[i]}, p);
        errors_add(numbers, &(struct errors_row){.label = label[i]}, p);
        if (i < 2)
            assert_true(isnan(errors_pr_auc(e, 0))); /* no positive yet */
    }
    /* Of the last four by rank: + - + -. Precision is 1 up to recall 0.5, and 2/3 behind it. */
    assert_close(errors_pr_auc(e, 0), 0.5 * 1 + 0.5 * 2 / 3);
    assert_true(isnan(errors_pr_auc(e, 1)) && isnan(errors_pr_auc(numbers, 0)));

    /* Nothing found and nothing to find: not known, rather than 0. */
    for (size_t i = 0; i < 4; i++)
        errors_add(e, &(struct errors_row){.label = 0}, (double[]){0.2, 0.2});
    errors_score(e, 1, &got);
    assert_true(got.n == 4 && got.alerts == 0 && got.accuracy == 1 && got.base_rate == 0);
    assert_true(isnan(got.precision) && isnan(got.recall) && isnan(got.f1));
    errors_free(e);
    errors_free(numbers);
}

/* Of the rows of the window that came with an interval: which part held the label. */
static void test_coverage(void **state)
{
    struct errors *e = errors_new(2, WINDOW), *again = errors_new(2, WINDOW);
    enum errors_cover kept[1000];
    struct errors_score got;
    struct buf out = BUF_INIT;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 5);
    for (int i = 0; i < 1000; i++) {
        enum errors_cover cover[2] = {(enum errors_cover)(rng_random(&rng) * 3),
                                      ERRORS_NO_INTERVAL};
        double inside = 0, n = 0;

        kept[i] = cover[0];
        errors_add(e, &(struct errors_row){.label = i}, (double[]){1, 2});
        if (i % 7)
            errors_cover(e, cover);
        else
            kept[i] = ERRORS_NO_INTERVAL; /* nobody said */
        for (int k = i < WINDOW ? 0 : i - WINDOW + 1; k <= i; k++) {
            n += kept[k] != ERRORS_NO_INTERVAL;
            inside += kept[k] == ERRORS_INSIDE;
        }
        errors_score(e, 0, &got);
        assert_true(n > 0 ? got.coverage == inside / n : isnan(got.coverage));
        errors_score(e, 1, &got);
        assert_true(isnan(got.coverage));
    }
    errors_save(e, 2 * WINDOW, &out);
    assert_true(errors_load(again, out.data, out.len));
    for (size_t k = 0; k < 2; k++) {
        struct errors_score same;

        errors_score(e, k, &got);
        errors_score(again, k, &same);
        assert_true(got.coverage == same.coverage || (isnan(got.coverage) && isnan(same.coverage)));
    }
    buf_release(&out);
    errors_free(e);
    errors_free(again);
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
        assert_true(a.n == b.n && a.loss == b.loss && a.bias == b.bias);
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
    assert_close(errors_mean_value(&m), wanted.loss);
    assert_close(errors_mean_half(&m), wanted.high - wanted.loss);
}

/* ---- The verdict ---- */

static struct verdict_model model(const char *name, size_t n, double mae, double half)
{
    return (struct verdict_model){
        .name = name,
        .is_baseline = strcmp(name, "baseline") == 0,
        .score = {.n = n, .loss = mae, .low = mae - half, .high = mae + half}};
}

static void assert_verdict_of(const struct verdict_words *words, const struct verdict_model *models,
                              enum verdict_kind kind, const char *wanted)
{
    struct buf text = BUF_INIT;
    struct verdict v = verdict_make(models, 3, words, &text);

    assert_string_equal(buf_str(&text), wanted);
    assert_int_equal(v.kind, kind);
    buf_release(&text);
}

static void assert_verdict(const struct verdict_model *models, enum verdict_kind kind,
                           const char *wanted)
{
    struct verdict_words words = {.noun = "trip", .unit = "s"};

    assert_verdict_of(&words, models, kind, wanted);
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

/* The same of classes, in the words of log loss. */
static void test_verdict_of_classes(void **state)
{
    struct verdict_words words = {.noun = "payment", .is_classes = true};

    (void)state;
    assert_verdict_of(&words,
                      (struct verdict_model[]){model("logistic", 1000, 0.0312, 0.001),
                                               model("tree", 1000, 0.05, 0.001),
                                               model("baseline", 1000, 0.0538, 0.001)},
                      VERDICT_BEST,
                      "logistic is best: log loss 0.0312, 42 % better than always saying how often "
                      "it happens (last 1000 payments)");
    assert_verdict_of(&words,
                      (struct verdict_model[]){model("logistic", 1000, 0.031, 0.01),
                                               model("tree", 1000, 0.032, 0.01),
                                               model("baseline", 1000, 0.9, 0.001)},
                      VERDICT_NONE,
                      "no clear winner: logistic (log loss 0.031) and tree (0.032) are too close "
                      "to call (last 1000 payments)");
    assert_verdict_of(&words,
                      (struct verdict_model[]){model("logistic", 1000, 0.031, 0.01),
                                               model("tree", 1000, 0.9, 0.01),
                                               model("baseline", 1000, 0.032, 0.01)},
                      VERDICT_NONE,
                      "no clear winner: logistic (log loss 0.031) is hardly better than always "
                      "saying how often it happens (last 1000 payments)");
    assert_verdict_of(&words,
                      (struct verdict_model[]){model("logistic", 1000, 0.5, 0.01),
                                               model("tree", 1000, 0.9, 0.01),
                                               model("baseline", 1000, 0.25, 0.01)},
                      VERDICT_NONE,
                      "no clear winner: no model is better than always saying how often it "
                      "happens, which has log loss 0.25 (last 1000 payments)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),   cmocka_unit_test(test_no_residue),
        cmocka_unit_test(test_coverage), cmocka_unit_test(test_keep),
        cmocka_unit_test(test_bound),    cmocka_unit_test(test_mean),
        cmocka_unit_test(test_verdict),  cmocka_unit_test(test_classes),
        cmocka_unit_test(test_pr_auc),   cmocka_unit_test(test_verdict_of_classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
