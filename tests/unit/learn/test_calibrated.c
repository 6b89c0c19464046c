/* Calibrated classifiers: the sigmoid that is fitted, when, and what it does to the log loss. */
#include "golden.h"

#include "learn/metrics_binary.h"
#include "learn/platt.h"
#include "learn/rng.h"

/* A window of n scores from a normal distribution; P(1) is the sigmoid of a score. */
static struct platt_window window_of(struct rng *rng, size_t n, double slope, double intercept)
{
    struct platt_window w = {.size = n};
    const struct platt truth = {slope, intercept};

    for (size_t i = 0; i < n; i++) {
        double score = rng_gauss(rng, 0, 3);

        platt_window_push(&w, score, rng_random(rng) < platt_probability(&truth, score));
    }
    return w;
}

/* The derivatives of the log loss by slope and intercept, with Platt's smoothed labels. */
static void gradient(const struct platt *fit, const struct platt_window *w, double *ret)
{
    double positive = (double)w->n_positive;
    double negative = (double)(w->n - w->n_positive);

    ret[0] = ret[1] = 0;
    for (size_t i = 0; i < w->n; i++) {
        const struct platt_sample *s = &w->at[(w->first + i) % w->capacity];
        double target = s->positive ? (positive + 1) / (positive + 2) : 1 / (negative + 2);
        double p = 1 / (1 + exp(-(fit->slope * s->score + fit->intercept)));

        ret[0] += (p - target) * s->score;
        ret[1] += p - target;
    }
}

/* The loss is convex: where its gradient is 0, it is least. From any start a few fits get there. */
static void test_fit(void **state)
{
    static const struct platt truths[] = {{1, 0}, {0.2, -1}, {3, 0.5}, {-0.5, 2}, {0, -3}, {8, 8}};
    static const struct platt starts[] = {{1, 0}, {0, 0}, {-4, 6}, {50, -50}};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 1);
    for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++) {
        struct platt_window w = window_of(&rng, 400, truths[i].slope, truths[i].intercept);

        for (size_t k = 0; k < sizeof(starts) / sizeof(starts[0]); k++) {
            struct platt fit = starts[k];
            double by[2];

            for (int n = 0; n < 5; n++)
                platt_fit(&fit, &w);
            gradient(&fit, &w, by);
            if (!(fabs(by[0]) < 1e-2 && fabs(by[1]) < 1e-2))
                fail_msg("truth %zu, start %zu: slope %g, intercept %g, gradient %g, %g", i, k,
                         fit.slope, fit.intercept, by[0], by[1]);
        }
        platt_window_release(&w);
    }
}

/* Of many samples the fit is the sigmoid that they come from. */
static void test_finds_the_truth(void **state)
{
    struct platt fit = {1, 0};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 2);
    struct platt_window w = window_of(&rng, 20000, 0.4, -1);
    platt_fit(&fit, &w);
    assert_true(fabs(fit.slope - 0.4) < 0.03 && fabs(fit.intercept + 1) < 0.06);
    platt_window_release(&w);
}

/* Labels that the scores tell apart, labels of one kind, scores that are all the same: a number. */
static void test_degenerate(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct platt_window w = {.size = 100};
        struct platt fit = {1, 0};

        for (int i = 0; i < 100; i++) {
            double score = kind == 2 ? 13.8 : kind == 3 ? 0 : i - 49.5;

            platt_window_push(&w, score, kind == 1 || (kind == 0 ? score > 0 : i % 3 == 0));
        }
        for (int n = 0; n < 20; n++)
            platt_fit(&fit, &w);
        assert_true(isfinite(fit.slope) && isfinite(fit.intercept));
        if (kind == 0)
            assert_true(fit.slope > 0.1 && platt_probability(&fit, 49.5) < 1);
        if (kind == 1)
            assert_true(platt_probability(&fit, 0) > 0.9);
        if (kind >= 2)
            assert_true(fabs(platt_probability(&fit, kind == 2 ? 13.8 : 0) - 0.34) < 0.02);
        platt_window_release(&w);
    }
}

/* The window is a ring: the last samples, whatever was there before and however it was resized. */
static void test_window(void **state)
{
    struct platt_window w = {.size = 70};

    (void)state;
    for (int i = 0; i < 500; i++)
        platt_window_push(&w, i, i % 5 == 0);
    assert_true(w.n == 70 && w.n_positive == 14);
    platt_window_resize(&w, 21);
    assert_true(w.n == 21 && w.n_positive == 4 && w.at[w.first].score == 479);
    platt_window_resize(&w, 40);
    for (int i = 0; i < 30; i++)
        platt_window_push(&w, -1, true);
    assert_true(w.n == 40 && w.n_positive == 32 && w.at[w.first].score == 490);
    platt_window_release(&w);
}

static struct model *model_of(const char *pipeline, const struct schema *schema)
{
    struct err err = {0};
    struct model *m = model_new(pipeline, schema, &err);

    if (!m)
        fail_msg("%s: %s", pipeline, err.text);
    return m;
}

/*
 * Until the window has min_labels of each kind the answer is the classifier's own, to the bit; then
 * it is another one, and it stays the same sigmoid until refit_every labels later.
 */
static void test_schedule(void **state)
{
    struct schema *schema = golden_schema(1);
    struct model *plain = model_of("[\"gaussian_nb\"]", schema);
    struct model *m = model_of("[{\"calibrated_classifier\": {\"window_size\": 40, \"min_labels\": "
                               "5, \"refit_every\": 20}}]",
                               schema);
    struct buf before = BUF_INIT;
    struct buf after = BUF_INIT;
    struct rng rng;
    size_t positive = 0;
    size_t changes = 0;

    (void)state;
    rng_seed(&rng, 4);
    for (size_t i = 0; i < 200; i++) {
        bool label = i % 4 == 3;
        double x = rng_gauss(&rng, label, 0.5);
        double p = model_predict_one(m, &x);
        double q = model_predict_one(plain, &x);

        /* The first positive label is the fourth sample; the window begins behind it. */
        if (positive <= 5)
            assert_true(p == q || (isnan(p) && isnan(q)));
        else
            assert_true(p > 0 && p < 1 && p != q);
        buf_clear(&before);
        model_inspect(m, &before);
        model_learn_one(m, &x, label, 1);
        model_learn_one(plain, &x, label, 1);
        buf_clear(&after);
        model_inspect(m, &after);
        positive += label;
        const char *slope_before = strstr(buf_str(&before), "\"slope\":");
        const char *slope_after = strstr(buf_str(&after), "\"slope\":");
        bool changed = strncmp(slope_before, slope_after, 16) != 0;

        /* Sample 23 has the sixth positive label, the fifth in the window. */
        assert_true(changed == (i >= 23 && (i - 23) % 20 == 0));
        changes += changed;
    }
    assert_int_equal(changes, 9);
    buf_release(&before);
    buf_release(&after);
    model_free(plain);
    model_free(m);
    schema_free(schema);
}

static double log_loss(const struct golden_rows *rows, const char *pipeline)
{
    struct schema *schema = golden_schema(rows->width);
    struct model *m = model_of(pipeline, schema);
    double sum = 0;
    double n = 0;

    for (size_t i = 0; i < rows->n; i++) {
        const double *row = golden_row(rows, i);
        double y = row[rows->width];
        double p = model_predict_one(m, row);

        if (!isnan(p)) {
            sum += metrics_log_loss_of(y == 1, p);
            n += 1;
        }
        model_learn_one(m, row, y, 1);
    }
    model_free(m);
    schema_free(schema);
    return sum / n;
}

#define CALIBRATED(class) "{\"calibrated_classifier\": {\"classifier\": \"" class "\"}}]"

/* On River's own streams: what is too certain has a lower log loss, by a twentieth and more. */
static void test_lowers_log_loss(void **state)
{
    static const struct {
        const char *set;
        const char *plain;
        const char *calibrated;
    } cases[] = {
        {"phishing", "[\"gaussian_nb\"]", "[" CALIBRATED("gaussian_nb")},
        {"phishing", "[\"hoeffding_tree_classifier\"]",
         "[" CALIBRATED("hoeffding_tree_classifier")},
        {"phishing", "[\"standard_scaler\", \"knn_classifier\"]",
         "[\"standard_scaler\", " CALIBRATED("knn_classifier")},
        {"bananas", "[\"standard_scaler\", \"knn_classifier\"]",
         "[\"standard_scaler\", " CALIBRATED("knn_classifier")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct golden_rows rows;

        golden_open_data(&rows, cases[i].set);
        double plain = log_loss(&rows, cases[i].plain);
        double calibrated = log_loss(&rows, cases[i].calibrated);

        print_message("  %s, %s: log loss %.5f, calibrated %.5f\n", cases[i].set, cases[i].plain,
                      plain, calibrated);
        assert_true(calibrated < 0.95 * plain);
        buf_release(&rows.bytes);
    }
}

/* Positive rows that weigh ten times as much: the answers are those of the labels all the same. */
static void test_weights(void **state)
{
    static const char *const pipelines[] = {
        "[\"logistic_regression\"]",
        "[{\"calibrated_classifier\": {\"classifier\": \"logistic_regression\"}}]"};
    double mean[2] = {0, 0};

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct schema *schema = golden_schema(1);
        struct model *m = model_of(pipelines[k], schema);
        struct rng rng;

        rng_seed(&rng, 5);
        for (size_t i = 0; i < 6000; i++) {
            bool label = rng_random(&rng) < 0.2;
            double x = rng_gauss(&rng, label, 1);

            if (i >= 5000)
                mean[k] += model_predict_one(m, &x) / 1000;
            model_learn_one(m, &x, label, label ? 10 : 1);
        }
        model_free(m);
        schema_free(schema);
    }
    print_message("  a fifth of the labels: answered %.3f, calibrated %.3f\n", mean[0], mean[1]);
    assert_true(mean[0] > 0.5 && fabs(mean[1] - 0.2) < 0.03);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_finds_the_truth),
        cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_lowers_log_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
