/* The preprocessors, and what scales labels, against River's. */
#include "golden.h"

/* Behind a linear model, k-NN or a tree, every prediction is River's within 1e-9. */
static void test_traces(void **state)
{
    (void)state;
    golden_family("preprocessing", 22);
}

/* One-hot encoding, select and discard, on a stream with a category. */
static void test_categories(void **state)
{
    (void)state;
    golden_family("categories", 4);
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

/*
 * Saved after every sample and loaded, an encoder goes on as if it had not been; categories beyond
 * its places are as good as none, and an explanation names what the learner sees.
 */
static void test_one_hot(void **state)
{
    struct schema *schema = golden_schema_categorical(2);
    struct model *m = model_of("[{\"one_hot_encoder\": {\"max_categories\": 3}}, "
                               "{\"linear_regression\": {\"intercept_lr\": 0}}]",
                               schema);
    struct buf text = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < 2000; i++) {
        const double x[2] = {schema_category("abcdefgh" + i % 5, 1), 0};
        struct buf blob = BUF_INIT;

        model_learn_one(m, x, (double)(i % 5), 1);
        model_save(m, &blob);
        struct model *again =
            model_load(blob.data, blob.len, schema, MODEL_DEFAULT_MAX_BYTES, NULL);
        assert_non_null(again);
        model_free(m);
        m = again;
        buf_release(&blob);
    }
    for (size_t i = 0; i < 5; i++) {
        const double x[2] = {schema_category("abcdefgh" + i, 1), 0};

        assert_true(fabs(model_predict_one(m, x) - (i < 3 ? (double)i : 0)) < 1e-3);
    }
    assert_true(model_predict_one(m, (const double[]){(double)NAN, 0}) == 0);
    model_inspect(m, &text);
    assert_non_null(strstr(text.data, "\"feature_0#3\":"));
    assert_null(strstr(text.data, "#4"));
    buf_release(&text);
    model_free(m);
    schema_free(schema);
}

/* The first name of what comes out is left out: always the same, or with drop_zeros the only one.
 */
static void test_drop_first(void **state)
{
    static const char *const more[] = {"", ", \"drop_zeros\": true"};
    struct schema *schema = golden_schema_categorical(1);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char pipeline[256];

        snprintf(pipeline, sizeof(pipeline),
                 "[{\"one_hot_encoder\": {\"categories\": {\"feature_0\": [\"b\", \"a\"]}, "
                 "\"drop_first\": true%s}}, {\"linear_regression\": {\"intercept_lr\": 0}}]",
                 more[i]);
        struct model *m = model_of(pipeline, schema);

        for (size_t k = 0; k < 2000; k++)
            model_learn_one(m, &(double){schema_category(k % 2 ? "a" : "b", 1)}, 5, 1);
        assert_true(model_predict_one(m, &(double){schema_category("a", 1)}) == 0);
        double b = model_predict_one(m, &(double){schema_category("b", 1)});
        assert_true(i ? b == 0 : fabs(b - 5) < 1e-3);
        model_free(m);
    }
    schema_free(schema);
}

/* What cannot be: refused by its place, with what to write. */
static void test_refused(void **state)
{
    static const struct {
        const char *pipeline;
        const char *says;
    } refused[] = {
        {"[{\"select\": {\"keys\": [\"feature_2\"]}}, \"mean\"]",
         "[0].select: there is no feature \"feature_2\" here; did you mean \"feature_"},
        {"[{\"discard\": {\"keys\": [\"feature_0\", \"feature_1\"]}}, \"mean\"]",
         "[0].discard: no feature is left"},
        {"[{\"select\": {\"keys\": [\"a\", \"a\"]}}, \"mean\"]", "keys: names \"a\" twice"},
        {"[{\"select\": {\"keys\": [1]}}, \"mean\"]", "keys: write names in quotes"},
        {"[{\"select\": {\"keys\": \"a\"}}, \"mean\"]", "keys: write a list of names"},
        {"[\"select\", \"mean\"]", "[0].select: keys is empty"},
        {"[\"stat_imputer\", \"mean\"]",
         "[0].stat_imputer: feature \"feature_0\" is categorical and has no mean; write {\"imp"},
        {"[{\"stat_imputer\": {\"imputers\": {\"feature_2\": 1}}}, \"mean\"]",
         "[0].stat_imputer: there is no feature \"feature_2\" here; did you mean \"feature_"},
        {"[{\"stat_imputer\": {\"imputers\": {\"feature_0\": \"quantile\"}}}, \"mean\"]",
         "\"feature_0\" is categorical and has no quantile"},
        {"[{\"stat_imputer\": {\"imputers\": {\"feature_1\": \"category\"}}}, \"mean\"]",
         "\"feature_1\" is not categorical; write a number in place of \"category\""},
        {"[{\"stat_imputer\": {\"imputers\": {\"a\": 1, \"a\": 2}}}, \"mean\"]",
         "[0].stat_imputer.imputers.a: is given twice"},
        {"[{\"stat_imputer\": {\"imputers\": 3}}, \"mean\"]",
         "imputers: write an object of features"},
        {"[{\"stat_imputer\": {\"imputers\": {\"a\": \"median\"}}}, \"mean\"]",
         "imputers.a: unknown class \"median\""},
        {"[{\"stat_imputer\": {\"imputers\": {\"feature_1\": 1}, \"statistic\": \"min\"}}, "
         "\"mean\"]",
         "[0].stat_imputer: write either imputers, or statistic and value"},
        {"[{\"one_hot_encoder\": {\"categories\": {\"feature_1\": [\"a\"]}}}, \"mean\"]",
         "feature \"feature_1\" is not categorical, and has no list"},
        {"[{\"one_hot_encoder\": {\"categories\": {\"feature_7\": [\"a\"]}}}, \"mean\"]",
         "there is no feature \"feature_7\" here"},
        {"[{\"one_hot_encoder\": {\"drop_first\": true}}, \"mean\"]",
         "[0].one_hot_encoder: drop_first needs to know the texts: name those of \"feature_0\""},
        {"[{\"one_hot_encoder\": {\"categories\": [\"a\"]}}, \"mean\"]",
         "categories: write lists, such as"},
        {"[{\"one_hot_encoder\": {\"categories\": {\"a\": [1]}}}, \"mean\"]",
         "categories.a: write names in"},
        {"[{\"one_hot_encoder\": {\"categories\": {\"a\": [], \"a\": []}}}, \"mean\"]",
         "categories.a: is given twice"},
        {"[{\"statistic_regressor\": {\"statistic\": {\"quantile\": {\"q\": 1}}}}]",
         "statistic.quantile: q is below 1"},
        {"[{\"statistic_regressor\": {\"statistic\": \"category\"}}]",
         "statistic is one of categories, and labels are numbers"},
        {"[\"standard_scaler\", \"mean\"]",
         "\"feature_0\" is categorical, and standard_scaler does not take categories; put "
         "one_hot_encoder before it"},
        {"[{\"one_hot_encoder\": {\"max_categories\": 1024}}, \"mean\"]",
         "[0].one_hot_encoder: gives more than 1024 features; write a lower max_categories"},
    };
    struct schema *schema = golden_schema_categorical(2);

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct err err = {0};

        assert_null(model_new(refused[i].pipeline, schema, &err));
        assert_int_equal(err.code, ERR_INVALID);
        if (!strstr(err.text, refused[i].says))
            fail_msg("%s: \"%s\" does not say \"%s\"", refused[i].pipeline, err.text,
                     refused[i].says);
    }
    schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces),        cmocka_unit_test(test_categories),
        cmocka_unit_test(test_nothing_known), cmocka_unit_test(test_one_hot),
        cmocka_unit_test(test_drop_first),    cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
