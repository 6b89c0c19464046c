/* Scores by name against River's (tests/golden/record_metrics.py), and their edges. */
#include "support.h"

#include "base/json.h"
#include "learn/metric_set.h"
#include "learn/metrics_binary.h"

static struct buf read_golden(void)
{
    struct buf text = BUF_INIT;
    FILE *file = fopen(OXBOW_SOURCE_DIR "/tests/golden/metrics.json", "rb");

    assert_non_null(file);
    for (size_t n = 1; n > 0; text.len += n)
        n = fread(buf_reserve(&text, 65536), 1, 65536, file);
    fclose(file);
    return text;
}

static void check_step(const char *stream, const struct metric_set *set,
                       const struct json_value *step, uint64_t n)
{
    struct json_value v;
    double river;
    size_t compared = 0;

    for (size_t i = 0; i < metric_set_size(set); i++) {
        const char *name = metric_set_info(set, i)->name;

        if (!json_get(step, name, &v)) {
            assert_string_equal(metric_set_info(set, i)->river, ""); /* River has none */
            continue;
        }
        if (v.type == JSON_NULL) /* River raised an error, or has no number */
            continue;
        assert_true(json_number(&v, &river));
        if (!(fabs(metric_set_get(set, i) - river) <= 1e-9 * fmax(1, fabs(river))))
            fail_msg("%s: %s after %d samples: %.17g, River has %.17g", stream, name, (int)n,
                     metric_set_get(set, i), river);
        compared++;
    }
    assert_true(compared >= 2);
}

static void check_stream(const char *stream, const struct json_value *part, enum model_kind kind)
{
    struct buf names = BUF_INIT;
    struct json_value samples, steps, sample, v;
    struct json_iter it, pair;
    struct err err = {0};
    uint64_t n = 0;
    size_t compared = 0;

    for (size_t i = 0; metric_known(kind, i); i++)
        buf_printf(&names, "%s%s", i ? "," : "", metric_known(kind, i)->name);
    struct metric_set *set = metric_set_new(kind, buf_str(&names), &err);
    assert_non_null(set);
    assert_true(isnan(metric_set_get(set, 0)));

    assert_true(json_get(part, "samples", &samples) && json_get(part, "steps", &steps));
    json_iter_init(&it, &samples);
    while (json_next_element(&it, &sample)) {
        double value[2];
        char step[32];

        json_iter_init(&pair, &sample);
        for (size_t i = 0; i < 2; i++)
            assert_true(json_next_element(&pair, &v) && json_number(&v, &value[i]));
        metric_set_update(set, value[0], value[1]);
        snprintf(step, sizeof(step), "%d", (int)++n);
        if (json_get(&steps, step, &v)) {
            check_step(stream, set, &v, n);
            compared++;
        }
    }
    assert_true(compared >= 2);
    assert_int_equal(metric_set_scored(set), n);
    metric_set_free(set);
    buf_release(&names);
}

/* All streams of a kind: there are at least so many. */
static void check_kind(const char *kind_name, enum model_kind kind, size_t at_least)
{
    struct buf text = read_golden();
    struct json_value root, name, part, v;
    struct json_iter it;
    size_t n = 0;

    assert_int_equal(json_parse(text.data, text.len, &root, NULL), 0);
    json_iter_init(&it, &root);
    while (json_next_member(&it, &name, &part)) {
        struct buf stream = BUF_INIT;

        assert_true(json_string(&name, &stream) && json_get(&part, "kind", &v));
        if (json_is(&v, kind_name, strlen(kind_name))) {
            check_stream(buf_str(&stream), &part, kind);
            n++;
        }
        buf_release(&stream);
    }
    assert_true(n >= at_least);
    buf_release(&text);
}

/*
 * Every regression metric of River's, at places of a stream with zeros in it, and of streams that
 * are constant, right, huge, tiny or of any sign.
 */
static void test_regression_like_river(void **state)
{
    (void)state;
    check_kind("regression", MODEL_REGRESSOR, 12);
}

/*
 * Every binary one; the windows have been left behind by the last place of the first stream. The
 * others have one label only, are certain, undecided, or on roc_auc's thresholds.
 */
static void test_binary_like_river(void **state)
{
    (void)state;
    check_kind("binary", MODEL_CLASSIFIER, 14);
}

/* The argmax and the threshold are two questions; which is asked, the name says. */
static void test_threshold(void **state)
{
    struct err err = {0};
    struct metric_set *set =
        metric_set_new(MODEL_CLASSIFIER, "recall,recall_at_threshold,precision_at_threshold", &err);

    (void)state;
    metric_set_threshold(set, 0.2);
    metric_set_update(set, 1, 0.3);
    metric_set_update(set, 1, 0.7);
    metric_set_update(set, 0, 0.25);
    metric_set_update(set, 0, 0.2);
    assert_true(metric_set_get(set, 0) == 0.5);
    assert_true(metric_set_get(set, 1) == 1);
    assert_true(metric_set_get(set, 2) == 2.0 / 3);
    metric_set_free(set);
}

/* What is no number is counted and left out. */
static void test_unscored(void **state)
{
    struct err err = {0};
    struct metric_set *set = metric_set_new(MODEL_CLASSIFIER, "log_loss", &err);

    (void)state;
    metric_set_update(set, 1, (double)NAN);
    assert_true(isnan(metric_set_get(set, 0)) && isnan(metric_set_loss(set)));
    metric_set_update(set, 1, 0);
    assert_true(fabs(metric_set_get(set, 0) - 34.538776394910684) < 1e-12); /* River's epsilon */
    assert_int_equal(metric_set_scored(set), 1);
    assert_int_equal(metric_set_unscored(set), 1);
    metric_set_free(set);
}

/* Where River raises, rmsle says so by being no number; the others go on. */
static void test_rmsle_out_of_range(void **state)
{
    struct err err = {0};
    struct metric_set *set = metric_set_new(MODEL_REGRESSOR, "rmsle,mae", &err);

    (void)state;
    metric_set_update(set, 3, 2);
    assert_true(isfinite(metric_set_get(set, 0)) != 0);
    metric_set_update(set, 3, -1);
    metric_set_update(set, 3, 2);
    assert_true(isnan(metric_set_get(set, 0)));
    assert_true(metric_set_get(set, 1) == 2);
    metric_set_free(set);
}

/* Equal probabilities count half, whatever their order. */
static void test_ties(void **state)
{
    static const struct {
        bool y;
        double p;
    } samples[] = {{true, 0.5}, {false, 0.5}, {true, 0.5}, {false, 0.1}};
    struct metrics_ranked ranked;

    (void)state;
    metrics_ranked_init(&ranked, 4);
    assert_true(metrics_ranked_roc_auc(&ranked) == 0 && metrics_ranked_pr_auc(&ranked) == 0);
    for (size_t turn = 0; turn < 4; turn++) {
        for (size_t i = 0; i < 4; i++)
            metrics_ranked_update(&ranked, samples[(i + turn) % 4].y, samples[(i + turn) % 4].p);
        assert_true(metrics_ranked_roc_auc(&ranked) == 0.75);
    }
    metrics_ranked_release(&ranked);
}

/* Against answering with the label before: 1 when all is right, 0 when that does as well. */
static void test_kappa_t(void **state)
{
    static const bool labels[] = {true, true, false, false, false, true};
    struct metrics_labels right = {0};
    struct metrics_labels repeating = {0};
    bool before = false; /* the first answer is wrong */

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        metrics_labels_update(&right, labels[i], labels[i]);
        metrics_labels_update(&repeating, labels[i], before);
        before = labels[i];
    }
    assert_true(metrics_kappa_t(&right) == 1);
    assert_true(metrics_kappa_t(&repeating) == 0);
}

/* A wrong name is answered with the nearest one, or with all of the kind. */
static void test_unknown(void **state)
{
    struct err err = {0};

    (void)state;
    assert_null(metric_set_new(MODEL_REGRESSOR, "mae,rsme", &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, "did you mean \"rmse\""));
    assert_null(metric_set_new(MODEL_REGRESSOR, "accuracy", &err));
    assert_non_null(strstr(err.text, "mae, mse, rmse"));
    assert_null(metric_set_new(MODEL_REGRESSOR, "", &err));
    struct metric_set *set = metric_set_new(MODEL_REGRESSOR, "mae,mae", &err);
    assert_int_equal(metric_set_size(set), 1);
    metric_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regression_like_river),
        cmocka_unit_test(test_binary_like_river),
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_unscored),
        cmocka_unit_test(test_rmsle_out_of_range),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_kappa_t),
        cmocka_unit_test(test_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
