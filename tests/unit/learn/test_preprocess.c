/* The preprocessors, and what scales labels, against River's. */
#include "golden.h"

/* Behind a linear model, k-NN or a tree, every prediction is River's within 1e-9. */
static void test_traces(void **state)
{
    (void)state;
    golden_family("preprocessing", 22);
}

static struct model *model_of(const char *pipeline, const struct schema *schema)
{
    struct err err = {0};
    struct model *m = model_new(pipeline, schema, &err);

    if (!m)
        fail_msg("%s: %s", pipeline, err.text);
    return m;
}

/* What nothing is known of yet: missing stays missing, and a row of zeros is no division by zero.
 */
static void test_nothing_known(void **state)
{
    static const char *const pipelines[] = {
        "[\"min_max_scaler\", \"linear_regression\"]",
        "[\"max_abs_scaler\", \"linear_regression\"]",
        "[\"adaptive_standard_scaler\", \"linear_regression\"]",
        "[\"normalizer\", \"linear_regression\"]",
        "[\"stat_imputer\", \"linear_regression\"]",
        "[{\"stat_imputer\": {\"statistic\": \"min\"}}, \"linear_regression\"]",
        "[\"target_standard_scaler\"]",
    };
    const double rows[][2] = {
        {1, 2}, {0, 0}, {(double)NAN, (double)NAN}, {0, (double)NAN}, {-3, 1e6}};

    (void)state;
    for (size_t i = 0; i < sizeof(pipelines) / sizeof(pipelines[0]); i++) {
        struct schema *schema = golden_schema(2);

        for (size_t first = 0; first < 5; first++) {
            struct model *m = model_of(pipelines[i], schema);

            assert_true(model_predict_one(m, rows[first]) == 0);
            model_learn_one(m, rows[first], 5, 1);
            for (size_t k = 0; k < 4; k++)
                assert_true(isfinite(model_predict_one(m, rows[k])));
            model_free(m);
        }
        schema_free(schema);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_nothing_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
