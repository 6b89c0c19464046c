/* Parameters, preprocessors and baselines that record_parameters.py has, against River's. */
#include "golden.h"

/* Votes by softmax; a window so short that a label is at times not in it. */
static void test_neighbours(void **state)
{
    (void)state;
    golden_family_of("parameters", "neighbours", 2);
}

/* What running statistics of the labels answer, and the last label. */
static void test_baselines(void **state)
{
    (void)state;
    golden_family_of("parameters", "baselines", 14);
}

/* Missing values by statistics of each feature, and missing categories. */
static void test_imputers(void **state)
{
    (void)state;
    golden_family_of("parameters", "imputers", 8);
    golden_family_of("parameters", "categories: imputers", 4);
}

/* Features by their hash, categories among them. */
static void test_hasher(void **state)
{
    (void)state;
    golden_family_of("parameters", "categories: hasher", 3);
}

/* Scalers by their last values only. */
static void test_windows(void **state)
{
    (void)state;
    golden_family_of("parameters", "windows", 12);
    golden_family_of("parameters", "windowed trees", 1);
}

/* Weights that do not begin at 0, and momentum that looks ahead. */
static void test_linear(void **state)
{
    (void)state;
    golden_family_of("parameters", "linear", 8);
}

/* Categories that are said beforehand, by their texts. */
static void test_one_hot(void **state)
{
    (void)state;
    golden_family_of("parameters", "categories: texts", 3);
}

/* The same over a stream with categories that are new half-way, and features that come and go. */
static void test_coming(void **state)
{
    (void)state;
    golden_family_of("parameters_coming", "coming", 9);
    golden_family_of("parameters_coming", "categories: imputers", 4);
    golden_family_of("parameters_coming", "categories: hasher", 3);
    golden_family_of("parameters_coming", "categories: texts", 3);
}

/* Labels whose differences overflow, and equal ones, leave a baseline with a number. */
static void test_monstrous_labels(void **state)
{
    static const char *const statistics[] = {"\"ew_mean\"", "\"min\"",      "\"max\"",
                                             "\"mode\"",    "\"quantile\"", "\"shift\""};
    static const double labels[] = {1e308, -1e308, 0, 1.7e308, -1.7e308, 5e-324, 3, 3};
    struct schema *schema = golden_schema(1);

    (void)state;
    for (size_t i = 0; i < sizeof(statistics) / sizeof(statistics[0]); i++) {
        char pipeline[128];

        snprintf(pipeline, sizeof(pipeline), "[{\"statistic_regressor\": {\"statistic\": %s}}]",
                 statistics[i]);
        struct model *m = model_new(pipeline, schema, NULL);

        assert_non_null(m);
        for (size_t k = 0; k < 3000; k++) {
            size_t at = k * 5 + k / 7;

            at = k < 1000 ? 3 + (k % 3 > 0) : k < 2000 ? at % 8 : 6;
            model_learn_one(m, &(double){1}, labels[at], 1);
            assert_true(isfinite(model_predict_one(m, &(double){1})));
        }
        model_free(m);
    }
    schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours),       cmocka_unit_test(test_baselines),
        cmocka_unit_test(test_imputers),         cmocka_unit_test(test_hasher),
        cmocka_unit_test(test_windows),          cmocka_unit_test(test_linear),
        cmocka_unit_test(test_one_hot),          cmocka_unit_test(test_coming),
        cmocka_unit_test(test_monstrous_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
