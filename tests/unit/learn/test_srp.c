/* Streaming random patches against River's, and what they do at the edges. */
#include "golden.h"
#include "support.h"

/* Every prediction is River's within 1e-9, and so are the warnings and drifts. */
static void test_traces(void **state)
{
    (void)state;
    golden_family_of("srp", "regressors", 8);
    golden_family_of("srp", "classifiers", 7);
    golden_family_of("srp", "categories", 2);
    golden_family_of("srp-wide", "wide", 3);
    golden_family_of("srp-changes", "changes", 2);
}

static double number_in(const struct model *m, const char *name)
{
    struct buf text = BUF_INIT;
    struct json_value root;
    double v;

    model_inspect(m, &text);
    assert_int_equal(json_parse(text.data, text.len, &root, NULL), 0);
    v = golden_number(&root, name);
    buf_release(&text);
    return v;
}

#define EAGER                                                                                      \
    "\"drift_detector\": {\"adwin\": {\"delta\": 0.5, \"clock\": 1}}, "                            \
    "\"warning_detector\": {\"adwin\": {\"delta\": 0.9, \"clock\": 1}}"

/* Ten trees and their successors stay within the bound while what they learn changes. */
static void check_bound(const char *pipeline, size_t max, size_t rows)
{
    struct schema *schema = support_schema(FEATURES);
    struct model *m = support_model(pipeline, schema);
    struct rng rng;

    rng_seed(&rng, 3);
    model_set_max_bytes(m, max);
    for (size_t i = 0; i < rows; i++) {
        double x[FEATURES];
        double y = support_sample(&rng, x);

        model_learn_one(m, x, i / 700 % 2 ? -y : y, 1);
        assert_true(model_bytes(m) <= max);
        if (i % 100 == 0)
            assert_true(isfinite(model_predict_one(m, x)));
    }
    print_message("  %zu bytes: %g drifts, %g dropped\n", max, number_in(m, "drifts"),
                  number_in(m, "dropped"));
    assert_true(number_in(m, "drifts") > 0);
    model_free(m);
    schema_free(schema);
}

static void test_bounded(void **state)
{
    (void)state;
    check_bound(
        "[{\"srp_regressor\": {\"model\": {\"hoeffding_tree_regressor\": {\"grace_period\": "
        "50, \"tau\": 0.5, \"splitter\": {\"tebst_splitter\": {\"digits\": 6}}}}, " EAGER "}}]",
        400000, 3000);
    check_bound("[{\"srp_regressor\": {\"lam\": 1, " EAGER "}}]", MODEL_MIN_BYTES, 3000);
    check_bound("[{\"srp_regressor\": {\"lam\": 1, \"n_models\": 30, " EAGER "}}]", MODEL_MIN_BYTES,
                1000);
}

/* Saved at any sample and loaded it goes on bit for bit, while the bound bites, too. */
static void test_saved_when_bounded(void **state)
{
    struct schema *schema = support_schema(FEATURES);
    struct model *m =
        support_model("[{\"srp_regressor\": {\"lam\": 1, \"n_models\": 30, " EAGER "}}]", schema);
    struct rng rng;

    (void)state;
    rng_seed(&rng, 4);
    model_set_max_bytes(m, MODEL_MIN_BYTES);
    for (size_t i = 0; i < 400; i++) {
        double x[FEATURES];
        double y = support_sample(&rng, x);
        struct buf blob = BUF_INIT;
        struct buf ours = BUF_INIT;
        struct buf theirs = BUF_INIT;
        struct model *again;

        model_save(m, &blob);
        again = model_load(blob.data, blob.len, schema, MODEL_MIN_BYTES, NULL);
        assert_non_null(again);
        model_learn_one(m, x, y, 1);
        model_learn_one(again, x, y, 1);
        model_save(m, &ours);
        model_save(again, &theirs);
        assert_int_equal(ours.len, theirs.len);
        assert_memory_equal(ours.data, theirs.data, ours.len);
        assert_true(model_bytes(m) == model_bytes(again));
        model_free(again);
        buf_release(&blob);
        buf_release(&ours);
        buf_release(&theirs);
    }
    assert_true(number_in(m, "dropped") > 0);
    model_free(m);
    schema_free(schema);
}

/* Rows without any feature: members that begin on one draw among all, and learn again later. */
static void test_empty_rows(void **state)
{
    struct schema *schema = support_schema(FEATURES);
    struct model *m = support_model("[{\"srp_regressor\": {\"n_models\": 3, " EAGER "}}]", schema);
    struct rng rng;
    double drifts;

    (void)state;
    rng_seed(&rng, 5);
    for (size_t i = 0; i < 2000; i++) {
        const double x[FEATURES] = {(double)NAN, (double)NAN, (double)NAN, (double)NAN};

        model_learn_one(m, x, (double)(i / 300 % 2 * 100), 1);
    }
    drifts = number_in(m, "drifts");
    assert_true(drifts > 3);
    for (size_t i = 0; i < 1000; i++) {
        double x[FEATURES];
        double y = support_sample(&rng, x);

        model_learn_one(m, x, y, 1);
        assert_true(isfinite(model_predict_one(m, x)));
    }
    model_free(m);
    schema_free(schema);
}

/* The label after one row of each; all members are as undecided. */
static bool label_of_tie(const char *member, double first)
{
    struct schema *schema = support_schema(3);
    struct buf pipeline = BUF_INIT;
    const double x[3] = {0, 0, 0};
    double p;

    buf_printf(&pipeline,
               "[{\"srp_classifier\": {\"model\": %s, \"training_method\": \"subspaces\", "
               "\"disable_weighted_vote\": true}}]",
               member);
    struct model *m = support_model(buf_str(&pipeline), schema);

    model_learn_one(m, x, first, 1);
    assert_true(model_predict_one(m, x) == first);
    model_learn_one(m, x, 1 - first, 1);
    p = model_predict_one(m, x);
    assert_true(fabs(p - 0.5) < 1e-15);
    model_free(m);
    schema_free(schema);
    buf_release(&pipeline);
    return model_label(p);
}

/* A tie goes to the label that River's members name first: the first seen, or with trees 0. */
static void test_ties(void **state)
{
    (void)state;
    assert_true(label_of_tie("\"prior\"", 1));
    assert_false(label_of_tie("\"prior\"", 0));
    assert_false(label_of_tie("{\"hoeffding_tree_classifier\": {\"leaf_prediction\": \"mc\"}}", 1));
    assert_false(label_of_tie("{\"hoeffding_tree_classifier\": {\"leaf_prediction\": \"mc\"}}", 0));
}

/* How many features a member has, of `n` that there are. */
static size_t features_of(const char *params, size_t n)
{
    struct schema *schema = support_schema(n);
    struct buf pipeline = BUF_INIT;
    struct buf text = BUF_INIT;
    struct json_value root;
    struct json_value value;
    struct json_value item;
    struct json_iter it;
    size_t count = 0;

    buf_printf(&pipeline, "[{\"srp_classifier\": {\"model\": \"gaussian_nb\", %s}}]", params);
    struct model *m = support_model(buf_str(&pipeline), schema);

    model_inspect(m, &text);
    assert_int_equal(json_parse(text.data, text.len, &root, NULL), 0);
    assert_true(json_get(&root, "member_features", &value));
    json_iter_init(&it, &value);
    assert_true(json_next_element(&it, &value));
    for (json_iter_init(&it, &value); json_next_element(&it, &item);)
        count++;
    buf_release(&pipeline);
    buf_release(&text);
    model_free(m);
    schema_free(schema);
    return count;
}

/* River's sizes of a subspace; where it comes to all features, nobody is without one. */
static void test_subspaces(void **state)
{
    (void)state;
    assert_int_equal(features_of("\"subspace_size\": 0.6", 10), 6);
    assert_int_equal(features_of("\"subspace_size\": 0.05", 10), 2); /* 1, and one alone is few */
    assert_int_equal(features_of("\"subspace_size\": 0.25", 10), 2); /* Python rounds 2.5 to 2 */
    assert_int_equal(features_of("\"subspace_size\": 1", 10), 10);
    assert_int_equal(features_of("\"subspace_size\": 2", 10), 2);
    assert_int_equal(features_of("\"subspace_size\": 50", 10), 10);
    assert_int_equal(features_of("\"subspace_size\": \"sqrt\"", 30), 6);
    assert_int_equal(features_of("\"subspace_size\": \"rmsqrt\"", 30), 26);
    assert_int_equal(features_of("\"training_method\": \"resampling\"", 10), 10);
    assert_int_equal(features_of("\"n_models\": 300", 1), 1);
    assert_int_equal(features_of("\"subspace_size\": 0.1, \"n_models\": 300", 2), 1);
    assert_int_equal(features_of("\"subspace_size\": 0.5, \"n_models\": 300", 5), 2);
}

/* What is refused says where it is and what to write. */
static void test_refused(void **state)
{
    static const struct {
        const char *pipeline;
        const char *says;
    } cases[] = {
        {"[{\"srp_classifier\": {\"subspace_size\": 0}}]",
         "[0].srp_classifier.subspace_size: write a share above 0 and at most 1, a whole number "
         "from 2 to 1024, or one of \"sqrt\", \"rmsqrt\""},
        {"[{\"srp_classifier\": {\"subspace_size\": 2.5}}]", "write a share"},
        {"[{\"srp_classifier\": {\"subspace_size\": \"half\"}}]", "write a share"},
        {"[{\"srp_classifier\": {\"model\": \"linear_regression\"}}]", "unknown class"},
        {"[{\"srp_regressor\": {\"metric\": \"accuracy\"}}]", "\"mae\", \"mse\", \"rmse\", \"r2\""},
        {"[{\"srp_regressor\": {\"n_models\": 100, \"model\": {\"srp_regressor\": {\"n_models\": "
         "11}}}}]",
         "makes 1100 learners"},
    };
    struct schema *schema = support_schema(2);
    struct schema *categories = golden_schema_categorical(3);
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_null(model_new(cases[i].pipeline, schema, &err));
        if (!strstr(err.text, cases[i].says))
            fail_msg("%s: %s", cases[i].pipeline, err.text);
    }
    assert_null(
        model_new("[{\"srp_regressor\": {\"model\": \"linear_regression\"}}]", categories, &err));
    assert_non_null(strstr(err.text, "linear_regression does not take categories"));
    schema_free(schema);
    schema_free(categories);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_saved_when_bounded),
        cmocka_unit_test(test_empty_rows),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_subspaces),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
