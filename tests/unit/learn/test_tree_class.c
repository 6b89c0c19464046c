/* The Hoeffding tree as a classifier. That it is River's is in test_golden.c. */
#include "support.h"

/* Nothing is known before the first label; after it, only its class. */
static void test_first_label(void **state)
{
    struct schema *schema = support_schema(1);

    (void)state;
    for (int y = 0; y < 2; y++) {
        struct model *m = support_model("[\"hoeffding_tree_classifier\"]", schema);

        assert_true(isnan(model_predict_one(m, &(double){1})));
        model_learn_one(m, &(double){1}, y, 1);
        assert_true(model_predict_one(m, &(double){1}) == y);
        model_free(m);
    }
    schema_free(schema);
}

/* A feature that nearly decides is split on, and then it is known. */
static void test_splits(void **state)
{
    static const char *const criteria[] = {"info_gain", "gini", "hellinger"};
    struct schema *schema = support_schema(2);

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        char pipeline[200];
        struct model *m;
        struct rng rng;

        snprintf(pipeline, sizeof(pipeline),
                 "[{\"hoeffding_tree_classifier\": {\"grace_period\": 50, \"delta\": 0.1, "
                 "\"leaf_prediction\": \"mc\", \"split_criterion\": \"%s\"}}]",
                 criteria[k]);
        m = support_model(pipeline, schema);
        rng_seed(&rng, k);
        for (int i = 0; i < 3000; i++) {
            double x[2] = {rng_gauss(&rng, 0, 1), rng_random(&rng) < 0.5 ? -1 : 1};

            model_learn_one(m, x, (x[1] > 0) ^ (rng_random(&rng) < 0.1), 1);
        }
        assert_true(support_number(m, "leaves") >= 2);
        assert_true(model_predict_one(m, (double[]){0, 1}) > 0.8);
        assert_true(model_predict_one(m, (double[]){0, -1}) < 0.2);
        model_free(m);
    }
    schema_free(schema);
}

/* Leaves are stopped, and counted, where memory ends. */
static void test_bounded(void **state)
{
    struct schema *schema = support_schema(FEATURES);
    struct model *m = support_model(
        "[{\"hoeffding_tree_classifier\": {\"grace_period\": 10, \"tau\": 0.9}}]", schema);
    struct buf blob = BUF_INIT;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 11);
    model_set_max_bytes(m, MODEL_MIN_BYTES);
    for (size_t i = 0; i < 30000; i++) {
        double x[FEATURES];

        support_sample(&rng, x);
        model_learn_one(m, x, rng_random(&rng) < 0.5, 1);
        assert_true(model_bytes(m) <= MODEL_MIN_BYTES);
    }
    assert_true(support_number(m, "deactivated_leaves") > 0);
    model_save(m, &blob);
    assert_true(blob.len <= MODEL_MIN_BYTES);
    buf_release(&blob);
    model_free(m);
    schema_free(schema);
}

/* Splitters are for one kind of tree each. */
static void test_splitters(void **state)
{
    static const char *const cases[][2] = {
        {"[{\"hoeffding_tree_classifier\": {\"splitter\": \"tebst_splitter\"}}]",
         "splitter: is for regressors; write gaussian_splitter"},
        {"[{\"hoeffding_tree_regressor\": {\"splitter\": \"gaussian_splitter\"}}]",
         "splitter: is for classifiers; write tebst_splitter"},
        {"[{\"hoeffding_adaptive_tree_regressor\": {\"splitter\": \"gaussian_splitter\"}}]",
         "splitter: is for classifiers; write tebst_splitter"},
    };
    struct schema *schema = support_schema(1);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct err err = {0};

        assert_null(model_new(cases[i][0], schema, &err));
        assert_int_equal(err.code, ERR_INVALID);
        if (!strstr(err.text, cases[i][1]))
            fail_msg("%s", err.text);
    }
    schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_label),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_splitters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
