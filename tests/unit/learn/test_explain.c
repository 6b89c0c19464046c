/*
 * Explanations: parts add up to the prediction, at any age of any model, and say
 * where they come from.
 */
#include "support.h"

#include "base/json.h"
#include "learn/explain.h"

#define SAMPLES 1200

static void explain(const struct model *m, const double *x, struct explanation *ex)
{
    struct err err = {0};

    if (model_explain(m, x, ex, &err))
        fail_msg("%s", err.text);
}

/* A class without the slot says so, by its name. */
static bool is_available(const struct model *m)
{
    const double x[FEATURES] = {0};
    struct explanation ex = EXPLANATION_INIT;
    struct err err = {0};
    int code = model_explain(m, x, &ex, &err);

    explanation_release(&ex);
    if (code == 0)
        return true;
    assert_int_equal(code, ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, model_class(m)));
    return false;
}

static void check_sum(const struct model *m, const double *x)
{
    struct explanation ex = EXPLANATION_INIT;
    double p = model_predict_one(m, x);

    explain(m, x, &ex);
    assert_true(ex.prediction == p || (isnan(ex.prediction) && isnan(p)));
    if (!(fabs(explanation_total(&ex) - p) <= 1e-9 * fmax(1, fabs(p))) &&
        !(isnan(explanation_total(&ex)) && isnan(p)))
        fail_msg("%s: the parts add up to %.17g, the prediction is %.17g", model_parameters(m),
                 explanation_total(&ex), p);
    explanation_release(&ex);
    assert_null(ex.parts);
}

static const char *const more_pipelines[] = {
    "[{\"knn_regressor\": {\"aggregation_method\": \"median\", \"n_neighbors\": 4}}]",
    "[{\"knn_regressor\": {\"aggregation_method\": \"median\", \"n_neighbors\": 7}}]",
    "[{\"knn_regressor\": {\"aggregation_method\": \"weighted_mean\"}}]",
    "[{\"hoeffding_tree_regressor\": {\"grace_period\": 20, \"leaf_prediction\": \"model\"}}]",
    "[\"standard_scaler\", {\"calibrated_classifier\": {\"classifier\": \"logistic_regression\"}}]",
    "[{\"calibrated_classifier\": {\"classifier\": \"hoeffding_tree_classifier\"}}]",
};

static void check_ages(const char *pipeline, uint64_t seed)
{
    struct schema *schema = support_schema(FEATURES);
    struct model *m = support_model(pipeline, schema);
    const double nothing[FEATURES] = {(double)NAN, (double)NAN, (double)NAN, (double)NAN};
    struct rng rng;
    double x[FEATURES];

    rng_seed(&rng, seed);
    for (size_t i = 0; i < SAMPLES && is_available(m); i++) {
        double y = support_sample(&rng, x);

        if (i < 300)
            x[3] = (double)NAN; /* a feature that the model has never seen */
        check_sum(m, x);
        check_sum(m, nothing);
        if (i % 5 == 0)
            x[0] = 1e6; /* far from all that was seen */
        check_sum(m, x);
        support_learn(m, x, y, 1 + (double)(i % 3));
        check_sum(m, x);
    }
    model_free(m);
    schema_free(schema);
}

/* At any age of any model, whatever is missing, base and contributions add up to the prediction. */
static void test_sums(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUPPORT_PIPELINES; i++)
        check_ages(support_pipelines[i], i);
    for (size_t i = 0; i < sizeof(more_pipelines) / sizeof(more_pipelines[0]); i++)
        check_ages(more_pipelines[i], 100 + i);
}

/* Linear regression: the weights and scaled values are those that the model has. */
static void test_linear(void **state)
{
    struct schema *schema = support_schema(2);
    struct model *m = support_model("[\"standard_scaler\", \"linear_regression\"]", schema);
    const double rows[4][2] = {{1, 10}, {3, 10}, {1, 30}, {3, 30}};
    const double x[2] = {3, (double)NAN};
    struct explanation ex = EXPLANATION_INIT;

    (void)state;
    for (size_t i = 0; i < 4000; i++)
        model_learn_one(m, rows[i % 4], 100 + 5 * rows[i % 4][0], 1);
    explain(m, x, &ex);
    assert_string_equal(ex.class_name, "linear_regression");
    assert_string_equal(ex.base_name, "intercept");
    assert_int_equal(ex.n_parts, 2);
    assert_false(ex.has_path);
    assert_false(ex.has_neighbours);
    assert_true(fabs(ex.base - 110) < 0.5);
    assert_true(ex.parts[0].value == 3 && fabs(ex.parts[0].scaled - 1) < 1e-9);
    assert_true(fabs(ex.parts[0].weight - 5) < 0.5);
    assert_true(ex.parts[0].contribution == ex.parts[0].weight * ex.parts[0].scaled);
    assert_true(isnan(ex.parts[1].value) && isnan(ex.parts[1].scaled));
    assert_true(ex.parts[1].contribution == 0);
    explanation_release(&ex);
    model_free(m);
    schema_free(schema);
}

/* A tree: the path is the one that x takes, and the means on it are those of the labels there. */
static void test_path(void **state)
{
    struct schema *schema = support_schema(2);
    struct model *m = support_model(
        "[{\"hoeffding_tree_regressor\": {\"leaf_prediction\": \"mean\", \"grace_period\": 50}}]",
        schema);
    struct explanation ex = EXPLANATION_INIT;
    struct rng rng;
    double x[2];
    double sum = 0;
    size_t n = 4000;

    (void)state;
    rng_seed(&rng, 3);
    explain(m, (const double[]){1, 1}, &ex);
    assert_true(ex.has_path && ex.n_path == 0 && ex.base == 0 && ex.n_parts == 0);
    explanation_release(&ex);

    for (size_t i = 0; i < n; i++) {
        double y;

        x[0] = rng_random(&rng) < 0.5 ? 0 : 1;
        x[1] = rng_random(&rng);
        y = (x[0] > 0.5 ? 100 : 20) + rng_random(&rng);
        sum += y;
        model_learn_one(m, x, y, 1);
    }
    x[0] = 1;
    explain(m, x, &ex);
    assert_true(ex.n_path >= 1);
    assert_int_equal(ex.path[0].feature, 0);
    assert_true(ex.path[0].right);
    assert_true(fabs(ex.base - sum / (double)n) < 1e-6); /* no label is lost in a split */
    assert_true(fabs(ex.path[0].mean - 100.5) < 0.1);
    for (size_t i = 1; i < ex.n_path; i++)
        assert_true(ex.path[i].n < ex.path[i - 1].n);
    assert_int_equal(ex.parts[0].index, 0);
    assert_true(fabs(ex.parts[0].contribution - (100.5 - ex.base)) < 1);
    explanation_release(&ex);
    model_free(m);
    schema_free(schema);
}

/* k-NN: neighbours come nearest first with their labels, and their shares add up to 1. */
static void test_neighbours(void **state)
{
    struct schema *schema = support_schema(1);
    struct model *m = support_model(
        "[{\"knn_regressor\": {\"n_neighbors\": 3, \"aggregation_method\": \"weighted_mean\"}}]",
        schema);
    struct explanation ex = EXPLANATION_INIT;
    double shares = 0;

    (void)state;
    for (size_t i = 0; i < 10; i++)
        model_learn_one(m, (const double[]){(double)i}, 10 * (double)i, 1);
    explain(m, (const double[]){4.25}, &ex);
    assert_int_equal(ex.n_neighbours, 3);
    assert_int_equal(ex.n_parts, 3);
    assert_true(ex.neighbours[0].label == 40 && ex.neighbours[0].distance == 0.25);
    assert_true(ex.neighbours[1].label == 50 && ex.neighbours[1].distance == 0.75);
    assert_true(ex.neighbours[2].features[0] == 3);
    for (size_t i = 0; i < 3; i++)
        shares += ex.neighbours[i].weight;
    assert_true(fabs(shares - 1) < 1e-12);
    explanation_release(&ex);

    explain(m, (const double[]){4}, &ex);
    assert_int_equal(ex.n_neighbours, 1); /* the same sample answers alone, as in predict */
    assert_true(ex.neighbours[0].label == 40 && ex.neighbours[0].weight == 1);
    explanation_release(&ex);
    model_free(m);
    schema_free(schema);
}

static double json_sum(const struct json_value *root)
{
    struct json_value value;
    struct json_value list;
    struct json_iter it;
    double sum;
    double v;

    assert_true(json_get(root, "base", &value) && json_number(&value, &sum));
    assert_true(json_get(root, "contributions", &list));
    json_iter_init(&it, &list);
    while (json_next_element(&it, &value)) {
        struct json_value part;

        assert_true(json_get(&value, "name", &part) && part.type == JSON_STRING);
        assert_true(json_get(&value, "contribution", &part) && json_number(&part, &v));
        sum += v;
    }
    return sum;
}

/* The text is one JSON object whose numbers still add up, for every class. */
static void test_json(void **state)
{
    struct schema *schema = support_schema(FEATURES);

    (void)state;
    for (size_t i = 0; i < SUPPORT_PIPELINES; i++) {
        struct model *m = support_model(support_pipelines[i], schema);
        struct explanation ex = EXPLANATION_INIT;
        struct buf text = BUF_INIT;
        struct json_value root;
        struct json_value value;
        struct rng rng;
        double x[FEATURES];
        double p;

        if (!is_available(m)) {
            model_free(m);
            continue;
        }
        rng_seed(&rng, i);
        for (size_t n = 0; n < 500; n++) {
            double y = support_sample(&rng, x);

            support_learn(m, x, y, 1);
        }
        (void)support_sample(&rng, x);
        x[2] = (double)NAN;
        explain(m, x, &ex);
        explanation_write(&ex, "a \"model\"", "abc-500", (double)NAN, &text);
        assert_int_equal(json_parse(text.data, text.len, &root, NULL), 0);
        assert_true(json_get(&root, "available", &value) && value.type == JSON_TRUE);
        assert_true(json_get(&root, "served", &value) && value.type == JSON_NULL);
        assert_true(json_get(&root, "model", &value) && json_is(&value, "a \"model\"", 9));
        assert_true(json_get(&root, "prediction", &value) && json_number(&value, &p));
        double sum = json_sum(&root);

        assert_true(json_get(&root, "scale", &value));
        if (json_is(&value, "log_odds", 8))
            sum = 1 / (1 + exp(-sum));
        assert_true(fabs(sum - p) <= 1e-9 * fmax(1, fabs(p)));
        assert_true(json_get(&root, "path", &value));
        assert_int_equal(value.type, ex.has_path ? JSON_ARRAY : JSON_NULL);
        assert_true(json_get(&root, "neighbours", &value));
        assert_int_equal(value.type, ex.has_neighbours ? JSON_ARRAY : JSON_NULL);
        explanation_release(&ex);
        buf_release(&text);
        model_free(m);
    }
    schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums), cmocka_unit_test(test_linear),
        cmocka_unit_test(test_path), cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
