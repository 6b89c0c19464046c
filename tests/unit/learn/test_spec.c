/* Pipelines as text: what is read, how it is written again, and what is refused. */
#include "support.h"

#include "base/json.h"
#include "learn/registry.h"

static void assert_canonical(const char *pipeline, const char *canonical)
{
    struct schema *schema = support_schema(2);
    struct model *m = support_model(pipeline, schema);
    struct model *again = support_model(model_parameters(m), schema);

    assert_string_equal(model_parameters(m), canonical);
    assert_string_equal(model_parameters(again), canonical);
    assert_true(model_parameters_hash(m) == model_parameters_hash(again));
    model_free(again);
    model_free(m);
    schema_free(schema);
}

/* The canonical text has every parameter, sorted, and reads back as itself. */
static void test_canonical(void **state)
{
    (void)state;
    assert_canonical("[\"mean\"]", "[{\"mean\":{}}]");
    assert_canonical(
        " [ \"standard_scaler\" ,\n {\"linear_regression\": {\"l2\": 1e-1}} ] ",
        "[{\"standard_scaler\":{\"with_std\":true}},{\"linear_regression\":{"
        "\"clip_gradient\":1000000000000,\"intercept_init\":0,\"intercept_lr\":0.01,"
        "\"l1\":0,\"l2\":0.1,\"loss\":{\"squared\":{}},\"optimizer\":{\"sgd\":{\"lr\":0.01}}}}]");
    assert_canonical("[{\"knn_regressor\": {\"aggregation_method\": \"median\"}}]",
                     "[{\"knn_regressor\":{\"aggregation_method\":\"median\",\"n_neighbors\":5,"
                     "\"window_size\":1000}}]");
    assert_canonical("[{\"hoeffding_tree_regressor\": {\"leaf_model\": \"mean\"}}]",
                     "[{\"hoeffding_tree_regressor\":{\"binary_split\":false,\"delta\":1e-7,"
                     "\"grace_period\":200,\"leaf_model\":{\"mean\":{}},"
                     "\"leaf_prediction\":\"adaptive\",\"max_depth\":null,"
                     "\"min_samples_split\":5,\"model_selector_decay\":0.95,"
                     "\"splitter\":{\"tebst_splitter\":{\"digits\":1}},\"tau\":0.05}}]");
}

/* A parameter that came after its class is in the text once it is used, and not before. */
static void test_later(void **state)
{
    (void)state;
    assert_canonical("[{\"knn_classifier\": {\"softmax\": false}}]",
                     "[{\"knn_classifier\":{\"n_neighbors\":5,\"weighted\":true,"
                     "\"window_size\":1000}}]");
    assert_canonical("[{\"knn_classifier\": {\"softmax\": true}}]",
                     "[{\"knn_classifier\":{\"n_neighbors\":5,\"softmax\":true,"
                     "\"weighted\":true,\"window_size\":1000}}]");
}

/* What is said of each feature, sorted by name; a constant is a number. */
static void test_map(void **state)
{
    (void)state;
    assert_canonical(
        "[{\"stat_imputer\": {\"imputers\": {\"feature_1\": {\"constant\": {\"value\": "
        "2}}, \"feature_0\": {\"shift\": {}}}}}, \"mean\"]",
        "[{\"stat_imputer\":{\"imputers\":{\"feature_0\":{\"shift\":{\"amount\":1,"
        "\"fill_value\":null}},\"feature_1\":2},\"statistic\":\"mean\",\"value\":0}},"
        "{\"mean\":{}}]");
    assert_canonical(
        "[{\"statistic_regressor\": {\"statistic\": {\"shift\": {\"fill_value\": 1.5}}}}]",
        "[{\"statistic_regressor\":{\"statistic\":{\"shift\":{\"amount\":1,\"fill_value\":1.5}}}}"
        "]");
    assert_canonical("[{\"stat_imputer\": {\"imputers\": {}}}, \"mean\"]",
                     "[{\"stat_imputer\":{\"statistic\":\"mean\",\"value\":0}},{\"mean\":{}}]");
}

/* A learning rate is a number or a scheduler; the number is the scheduler "constant". */
static void test_rates(void **state)
{
    static const char *const same[] = {
        "[\"linear_regression\"]",
        "[{\"linear_regression\": {\"optimizer\": {\"sgd\": {\"lr\": 0.01}}}}]",
        "[{\"linear_regression\": {\"intercept_lr\": \"constant\"}}]",
        "[{\"linear_regression\": {\"optimizer\": {\"sgd\": {\"lr\": {\"constant\": "
        "{\"learning_rate\": 0.01}}}}}}]",
    };
    struct schema *schema = support_schema(2);

    (void)state;
    for (size_t i = 1; i < sizeof(same) / sizeof(same[0]); i++) {
        struct model *a = support_model(same[0], schema);
        struct model *b = support_model(same[i], schema);

        assert_string_equal(model_parameters(a), model_parameters(b));
        model_free(a);
        model_free(b);
    }
    schema_free(schema);
    assert_canonical("[{\"logistic_regression\": {\"optimizer\": {\"momentum\": {\"lr\": "
                     "{\"inverse_scaling\": {\"learning_rate\": 0.1}}}}}}]",
                     "[{\"logistic_regression\":{\"clip_gradient\":1000000000000,"
                     "\"intercept_init\":0,\"intercept_lr\":0.01,\"l1\":0,\"l2\":0,\"loss\":{"
                     "\"log\":{\"weight_neg\":1,\"weight_pos\":1}},\"optimizer\":{\"momentum\":{"
                     "\"lr\":{\"inverse_scaling\":{\"learning_rate\":0.1,\"power\":0.5}},"
                     "\"rho\":0.9}}}}]");
}

/* A default that is written out is the same model as one that is not. */
static void test_defaults_hash_alike(void **state)
{
    struct schema *schema = support_schema(2);
    struct model *a = support_model("[\"linear_regression\"]", schema);
    struct model *b = support_model("[{\"linear_regression\": {\"l2\": -0.0}}]", schema);
    struct model *c = support_model("[{\"linear_regression\": {\"l2\": 0.5}}]", schema);

    (void)state;
    assert_true(model_parameters_hash(a) == model_parameters_hash(b));
    assert_true(model_parameters_hash(a) != model_parameters_hash(c));
    model_free(a);
    model_free(b);
    model_free(c);
    schema_free(schema);
}

/* Pipelines that are refused, and what the refusal says. */
static const struct {
    const char *pipeline;
    const char *says[3];
} refused[] = {
    {"", {"not JSON"}},
    {"[\"mean\"] x", {"not JSON"}},
    {"[\"mean\"", {"not JSON"}},
    {"{}", {"a pipeline is a list"}},
    {"[]", {"a pipeline is a list"}},
    {"[1]", {"[0]: write \"class\""}},
    {"[{}]", {"[0]: write \"class\""}},
    {"[{\"mean\": {}, \"knn_regressor\": {}}]", {"[0]: write \"class\""}},
    {"[{\"mean\": 3}]", {"[0]: write \"class\""}},
    {"[{\"mean\": {\"a\": 1}}]", {"[0].mean.a: ", "takes no parameters"}},
    {"[\"standard_scaler\"]", {"[0].standard_scaler", "ends with a learner"}},
    {"[\"mean\", \"mean\"]", {"[0].mean", "only the last"}},
    {"[\"standard_scalar\", \"mean\"]", {"[0]: ", "did you mean \"standard_scaler\"?"}},
    {"[\"standard_scaler\", \"lineer_regression\"]",
     {"[1]: unknown class \"lineer_regression\"", "did you mean \"linear_regression\"?"}},
    {"[\"zzz\"]", {"unknown class \"zzz\"", "Known: standard_scaler, "}},
    {"[\"sgd\"]", {"[0]: unknown class \"sgd\""}},
    {"[\"standard_scaler\", {\"linear_regression\": {\"l3\": 1}}]",
     {"[1].linear_regression.l3", "no parameter of that name", "Known: "}},
    {"[{\"linear_regression\": {\"intercept_rl\": 1}}]", {"did you mean \"intercept_lr\"?"}},
    {"[{\"linear_regression\": {\"l2\": -1}}]",
     {"[0].linear_regression.l2", "a number from 0 to 1000000"}},
    {"[{\"linear_regression\": {\"l2\": 1e999}}]", {"[0].linear_regression.l2"}},
    {"[{\"linear_regression\": {\"l2\": \"1\"}}]", {"l2: write a number"}},
    {"[{\"linear_regression\": {\"l2\": true}}]", {"l2: write a number"}},
    {"[{\"linear_regression\": {\"l2\": 1, \"l2\": 2}}]", {"l2: is given twice"}},
    {"[{\"linear_regression\": {\"l2\": 1, \"l1\": 2}}]",
     {"[0].linear_regression: ", "cannot be used together"}},
    {"[{\"linear_regression\": {\"optimizer\": {\"sgd\": {\"lr\": 0}}}}]",
     {"[0].linear_regression.optimizer.sgd.lr", "above 0 and at most 1000"}},
    {"[{\"linear_regression\": {\"optimizer\": \"mean\"}}]", {"unknown class \"mean\""}},
    {"[{\"linear_regression\": {\"intercept_lr\": -1}}]",
     {"[0].linear_regression.intercept_lr", "from 0 to 1000, or a scheduler"}},
    {"[{\"linear_regression\": {\"intercept_lr\": null}}]", {"or a scheduler"}},
    {"[{\"linear_regression\": {\"intercept_lr\": \"sgd\"}}]",
     {"unknown class \"sgd\"", "Known: constant, inverse_scaling, optimal"}},
    {"[{\"linear_regression\": {\"loss\": \"log\"}}]",
     {"[0].linear_regression: loss is one for classifiers", "write squared"}},
    {"[{\"logistic_regression\": {\"loss\": \"squared\"}}]", {"write log or hinge"}},
    {"[{\"linear_regression\": {\"l1\": 1, \"optimizer\": \"ftrl_proximal\"}}]",
     {"ftrl_proximal, which has an l1 of its own"}},
    {"[{\"knn_regressor\": {\"n_neighbors\": 0}}]", {"a whole number from 1 to 1000"}},
    {"[{\"knn_regressor\": {\"n_neighbors\": 2.5}}]", {"a whole number"}},
    {"[{\"knn_regressor\": {\"n_neighbors\": null}}]", {"a whole number"}},
    {"[{\"knn_regressor\": {\"aggregation_method\": \"max\"}}]",
     {"write one of \"mean\", \"median\", \"weighted_mean\""}},
    {"[{\"standard_scaler\": {\"with_std\": 1}}, \"mean\"]", {"write true or false"}},
    {"[{\"hoeffding_tree_regressor\": {\"max_depth\": -1}}]", {"to 980, or null"}},
    {"[{\"hoeffding_tree_regressor\": {\"leaf_model\": \"knn_regressor\"}}]",
     {"leaf_model: knn_regressor grows"}},
    {"[{\"hoeffding_tree_regressor\": {\"leaf_model\": \"standard_scaler\"}}]",
     {"unknown class \"standard_scaler\""}},
};

/* What is wrong is refused, by its place, with what is allowed there. */
static void test_refused(void **state)
{
    struct schema *schema = support_schema(2);

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct err err = {0};

        assert_null(model_new(refused[i].pipeline, schema, &err));
        assert_int_equal(err.code, ERR_INVALID);
        for (size_t j = 0; j < 3 && refused[i].says[j]; j++) {
            if (!strstr(err.text, refused[i].says[j]))
                fail_msg("%s: \"%s\" does not say \"%s\"", refused[i].pipeline, err.text,
                         refused[i].says[j]);
        }
    }
    schema_free(schema);
}

/* A schema without features, or with a category that the class cannot take, is refused. */
static void test_schema_refused(void **state)
{
    struct schema *schema = schema_new();
    struct err err = {0};

    (void)state;
    assert_null(model_new("[\"mean\"]", schema, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(schema_add(schema, "colour", FEATURE_CATEGORICAL, NULL), 0);
    assert_null(model_new("[\"knn_regressor\"]", schema, &err));
    assert_non_null(strstr(err.text, "\"colour\" is categorical"));
    schema_free(schema);
}

/* Every class and parameter has a sentence of help, and defaults that are within their range. */
static void test_registry(void **state)
{
    (void)state;
    for (size_t i = 0; i < learn_class_count(); i++) {
        const struct learn_class *class = learn_class_at(i);

        assert_ptr_equal(learn_class_find(class->kind, class->name), class);
        assert_true(!class->river || class->river[0] != '\0'); /* NULL: River has none */
        assert_non_null(learn_kind_name(class->kind));
        assert_true(class->help[strlen(class->help) - 1] == '.');
        for (size_t p = 0; p < class->n_params; p++) {
            const struct learn_param *param = &class->params[p];

            assert_true(param->help[strlen(param->help) - 1] == '.');
            if (param->type == PARAM_CLASS)
                assert_non_null(learn_class_find(param->kind, param->fallback_class));
            if (param->type == PARAM_REAL || (param->type == PARAM_COUNT && !param->optional))
                assert_true(param->fallback >= param->min && param->fallback <= param->max);
        }
    }
}

/* Deep nesting and long names are refused without harm. */
static void test_monstrous(void **state)
{
    struct schema *schema = support_schema(2);
    struct buf text = BUF_INIT;
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < 100000; i++)
        buf_byte(&text, '[');
    assert_null(model_new(text.data, schema, &err));
    buf_clear(&text);
    buf_text(&text, "[\"");
    for (size_t i = 0; i < 100000; i++)
        buf_byte(&text, 'x');
    buf_text(&text, "\"]");
    assert_null(model_new(text.data, schema, &err));
    buf_clear(&text);
    for (size_t i = 0; i < 40; i++)
        buf_text(&text, i ? ",\"standard_scaler\"" : "[\"standard_scaler\"");
    buf_text(&text, ",\"mean\"]");
    assert_null(model_new(text.data, schema, &err));
    assert_non_null(strstr(err.text, "at most 32"));
    buf_clear(&text);
    buf_text(&text, "[{\"select\": {\"keys\": [\"0\"");
    for (int i = 1; i < 1000; i++)
        buf_printf(&text, ", \"%0100d\"", i);
    buf_text(&text, "]}}, \"mean\"]");
    assert_null(model_new(text.data, schema, &err));
    assert_non_null(strstr(err.text, "bytes, at most 65536 are allowed"));
    buf_release(&text);
    schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_later),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_defaults_hash_alike),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_schema_refused),
        cmocka_unit_test(test_registry),
        cmocka_unit_test(test_monstrous),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
