/* The adaptive tree: what its drifts do. That it is River's is in test_golden.c. */
#include "support.h"

#include "learn/metrics.h"

/* The error over samples whose label turns round after `n` of 2n; the first half is not scored. */
static double error_after_turn(const char *pipeline, size_t n, double *ret_alternates)
{
    struct schema *schema = support_schema(FEATURES);
    struct model *m = support_model(pipeline, schema);
    struct metrics metrics = {0};
    struct rng rng;

    rng_seed(&rng, 4);
    for (size_t i = 0; i < 2 * n; i++) {
        double x[FEATURES];
        double y = support_sample(&rng, x);

        if (i >= n) {
            y = 200 - 4 * y;
            metrics_update(&metrics, y, model_predict_one(m, x));
        }
        model_learn_one(m, x, y, 1);
    }
    if (ret_alternates)
        *ret_alternates = support_number(m, "alternate_trees");
    model_free(m);
    schema_free(schema);
    return metrics_mae(&metrics);
}

/* When the world turns round, the adaptive tree begins anew where the plain one drags on. */
static void test_adapts(void **state)
{
    double alternates = 0;
    double plain = error_after_turn("[{\"hoeffding_tree_regressor\": {\"grace_period\": 50, "
                                    "\"leaf_prediction\": \"mean\"}}]",
                                    5000, NULL);
    double adaptive =
        error_after_turn("[{\"hoeffding_adaptive_tree_regressor\": {\"grace_period\": 50, "
                         "\"leaf_prediction\": \"mean\", \"seed\": 1}}]",
                         5000, &alternates);

    (void)state;
    print_message("  MAE after the turn: plain %.2f, adaptive %.2f\n", plain, adaptive);
    assert_true(alternates > 0);
    assert_true(adaptive < 0.8 * plain);
}

/* Another seed gives another tree, the same seed the same one, and none is 0. */
static void test_seed(void **state)
{
    static const char *const seeds[] = {"1", "1", "2", "0", "null"};
    uint64_t sums[5];

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct schema *schema = support_schema(FEATURES);
        char pipeline[100];
        struct model *m;
        struct rng rng;
        double p = 0;

        snprintf(pipeline, sizeof(pipeline),
                 "[{\"hoeffding_adaptive_tree_regressor\": {\"seed\": %s}}]", seeds[i]);
        m = support_model(pipeline, schema);
        rng_seed(&rng, 3);
        for (size_t row = 0; row < 700; row++) {
            double x[FEATURES];
            double y = support_sample(&rng, x);

            p += model_predict_one(m, x);
            model_learn_one(m, x, y, 1);
        }
        memcpy(&sums[i], &p, sizeof(p));
        model_free(m);
        schema_free(schema);
    }
    assert_true(sums[0] == sums[1]);
    assert_true(sums[0] != sums[2]);
    assert_true(sums[3] == sums[4]);
}

/* Drifts without end and leaves that see ever new values stay within the bound, in memory and
 * saved. */
static void check_bounded(const char *pipeline)
{
    struct schema *schema = support_schema(FEATURES);
    struct model *m = support_model(pipeline, schema);
    struct buf blob = BUF_INIT;
    struct rng rng;

    rng_seed(&rng, 11);
    model_set_max_bytes(m, MODEL_MIN_BYTES);
    for (size_t i = 0; i < 60000; i++) {
        double x[FEATURES];
        double y = support_sample(&rng, x) * (double)(1 + i / 3000 % 5);

        if (model_kind(m) == MODEL_CLASSIFIER)
            y = (y > 10) ^ (rng_random(&rng) < 0.3);
        model_learn_one(m, x, y, 1);
        assert_true(model_bytes(m) <= MODEL_MIN_BYTES);
    }
    assert_true(support_number(m, "deactivated_leaves") > 0);
    assert_true(support_number(m, "leaves") > 1);
    assert_true(support_number(m, "alternate_trees") > 0); /* a full tree begins no more of them */
    model_save(m, &blob);
    assert_true(blob.len <= MODEL_MIN_BYTES);
    buf_release(&blob);
    model_free(m);
    schema_free(schema);
}

static void test_bounded(void **state)
{
    (void)state;
    check_bounded("[{\"hoeffding_adaptive_tree_regressor\": {\"grace_period\": 20, \"tau\": 0.5, "
                  "\"drift_detector\": {\"adwin\": {\"delta\": 0.5, \"clock\": 1}}, "
                  "\"splitter\": {\"tebst_splitter\": {\"digits\": 9}}}}]");
    check_bounded("[{\"hoeffding_adaptive_tree_classifier\": {\"grace_period\": 60, \"tau\": 0.9, "
                  "\"drift_detector\": {\"adwin\": {\"delta\": 0.5, \"clock\": 1}}}}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapts),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
