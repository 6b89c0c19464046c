/* Models and what they refuse, and the bounds that they promise: see test_properties.c, too. */
#include "support.h"

static void assert_blob_fits(const struct model *m, size_t max)
{
    struct buf blob = BUF_INIT;

    model_save(m, &blob);
    assert_true(model_bytes(m) <= max);
    assert_true(blob.len <= max);
    buf_release(&blob);
}

/* What cannot be learned is counted, and changes nothing. */
static void test_skipped(void **state)
{
    struct schema *schema = support_schema(2);
    struct model *m = support_model("[\"standard_scaler\", \"linear_regression\"]", schema);
    const double x[2] = {1, 2};
    double before;

    (void)state;
    for (int i = 0; i < 100; i++)
        model_learn_one(m, (const double[]){i, i % 3}, i, 1);
    before = model_predict_one(m, x);
    model_learn_one(m, x, (double)NAN, 1);
    model_learn_one(m, x, (double)INFINITY, 1);
    model_learn_one(m, x, 1, 0);
    model_learn_one(m, x, 1, -1);
    model_learn_one(m, x, 1, (double)NAN);
    model_learn_one(m, (const double[]){1, -(double)INFINITY}, 1, 1);
    assert_true(model_predict_one(m, x) == before);
    assert_int_equal(model_learned(m), 100);
    assert_int_equal(model_skipped(m), 6);
    model_free(m);
    schema_free(schema);
}

/* A classifier learns 0 and 1; another label is counted and changes nothing. */
static void test_classifier_labels(void **state)
{
    struct schema *schema = support_schema(1);
    struct model *m = support_model("[\"prior\"]", schema);

    (void)state;
    assert_int_equal(model_kind(m), MODEL_CLASSIFIER);
    assert_true(isnan(model_predict_one(m, &(double){1})));
    for (int i = 0; i < 4; i++)
        model_learn_one(m, &(double){i}, i == 0, 1);
    model_learn_one(m, &(double){1}, 0.5, 1);
    model_learn_one(m, &(double){1}, -1, 1);
    model_learn_one(m, &(double){1}, 2, 1);
    assert_true(model_predict_one(m, &(double){1}) == 0.25);
    assert_int_equal(model_learned(m), 4);
    assert_int_equal(model_skipped(m), 3);
    assert_true(model_label(0.75) && !model_label(0.5) && !model_label((double)NAN));
    model_free(m);
    schema_free(schema);
}

/* A learner of the other kind is refused, with what to write. */
static void test_kinds(void **state)
{
    static const char linear[] = "[\"standard_scaler\", \"linear_regression\"]";
    struct schema *schema = support_schema(1);
    struct err err = {0};
    struct model *m;

    (void)state;
    assert_null(model_new_of(MODEL_CLASSIFIER, linear, schema, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, "[1].linear_regression: is a regressor, and the task needs a "
                                     "classifier; write one of prior"));
    assert_null(model_new_of(MODEL_REGRESSOR, "[\"prior\"]", schema, &err));
    assert_non_null(strstr(err.text, "[0].prior: is a classifier"));
    assert_null(model_new_of(MODEL_REGRESSOR, "[\"pryor\"]", schema, &err));
    m = model_new_of(MODEL_CLASSIFIER, "[\"prior\"]", schema, &err);
    assert_non_null(m);
    model_free(m);
    m = model_new_of(MODEL_REGRESSOR, linear, schema, &err);
    assert_int_equal(model_kind(m), MODEL_REGRESSOR);
    model_free(m);
    schema_free(schema);
}

/* A tree whose leaves see ever new values stops the deepest of them, counts them, and predicts. */
static void test_tree_is_bounded(void **state)
{
    struct schema *schema = support_schema(FEATURES);
    struct model *m = support_model("[{\"hoeffding_tree_regressor\": {\"grace_period\": 50, "
                                    "\"splitter\": {\"tebst_splitter\": {\"digits\": 9}}}}]",
                                    schema);
    struct rng rng;
    size_t largest = 0;

    (void)state;
    rng_seed(&rng, 11);
    model_set_max_bytes(m, 200000);
    for (size_t i = 0; i < 60000; i++) {
        double x[FEATURES];
        double y = support_sample(&rng, x);

        model_learn_one(m, x, y, 1);
        largest = model_bytes(m) > largest ? model_bytes(m) : largest;
        assert_true(model_bytes(m) <= 200000);
    }
    assert_true(largest > 150000);
    assert_true(support_number(m, "deactivated_leaves") > 0);
    assert_true(support_number(m, "leaves") > 1);
    assert_blob_fits(m, 200000);
    for (size_t i = 0; i < 100; i++) {
        double x[FEATURES];

        support_sample(&rng, x);
        assert_true(isfinite(model_predict_one(m, x)));
    }
    model_free(m);
    schema_free(schema);
}

/* A window that may not be as large as it was asked to be keeps the newest rows. */
static void test_window_is_bounded(void **state)
{
    struct schema *schema = support_schema(1);
    struct model *m = support_model(
        "[{\"knn_regressor\": {\"window_size\": 1000000, \"n_neighbors\": 1}}]", schema);
    size_t rows;

    (void)state;
    for (int i = 0; i < 20000; i++)
        model_learn_one(m, &(double){i}, i, 1);
    model_set_max_bytes(m, MODEL_MIN_BYTES);
    rows = (size_t)support_number(m, "rows");
    assert_true(rows > 3000 && rows < 5000);
    assert_true(model_predict_one(m, &(double){19999}) == 19999);
    assert_true(model_predict_one(m, &(double){0}) == 20000 - (double)rows);
    for (int i = 0; i < 20000; i++)
        model_learn_one(m, &(double){-i}, i, 1);
    assert_true((size_t)support_number(m, "rows") == rows);
    assert_blob_fits(m, MODEL_MIN_BYTES);

    /* And grows again when it may, without losing a row. */
    model_set_max_bytes(m, MODEL_DEFAULT_MAX_BYTES);
    assert_true((size_t)support_number(m, "rows") == rows);
    model_learn_one(m, &(double){5}, 123, 1);
    assert_true((size_t)support_number(m, "rows") == rows + 1);
    assert_true(model_predict_one(m, &(double){5}) == 123);
    model_free(m);
    schema_free(schema);
}

/* A missing feature at a branch takes the side that more samples took. */
static void test_tree_missing(void **state)
{
    struct schema *schema = support_schema(1);
    struct model *m = support_model("[{\"hoeffding_tree_regressor\": {\"grace_period\": 20, "
                                    "\"leaf_prediction\": \"mean\"}}]",
                                    schema);

    (void)state;
    for (int i = 0; i < 400; i++)
        model_learn_one(m, &(double){i % 4 == 0 ? 1 : 0}, i % 4 == 0 ? 100 : 10, 1);
    assert_true(support_number(m, "leaves") == 2);
    assert_true(model_predict_one(m, &(double){0}) == 10);
    assert_true(model_predict_one(m, &(double){1}) == 100);
    assert_true(model_predict_one(m, &(double){(double)NAN}) == 10);
    for (int i = 0; i < 1000; i++)
        model_learn_one(m, &(double){1}, 100, 1);
    assert_true(fabs(model_predict_one(m, &(double){(double)NAN}) - 100) < 1e-9);
    model_free(m);
    schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_skipped),
        cmocka_unit_test(test_classifier_labels),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_tree_is_bounded),
        cmocka_unit_test(test_window_is_bounded),
        cmocka_unit_test(test_tree_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
