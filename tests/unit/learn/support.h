/* What the tests of the learners share. */
#ifndef OXBOW_TESTS_LEARN_SUPPORT_H
#define OXBOW_TESTS_LEARN_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "learn/model.h"
#include "learn/rng.h"

#define FEATURES 4

static inline struct schema *support_schema(size_t n)
{
    struct schema *schema = schema_new();

    for (size_t i = 0; i < n; i++) {
        char name[32];

        snprintf(name, sizeof(name), "feature_%zu", i);
        assert_int_equal(schema_add(schema, name, FEATURE_NUMERIC, NULL), 0);
    }
    return schema;
}

static inline struct model *support_model(const char *pipeline, const struct schema *schema)
{
    struct err err = {0};
    struct model *m = model_new(pipeline, schema, &err);

    if (!m)
        fail_msg("%s: %s", pipeline, err.text);
    return m;
}

/* A sample of FEATURES: some missing, some whole, a label that depends on them. */
static inline double support_sample(struct rng *rng, double *x)
{
    double y = 10;

    for (size_t j = 0; j < FEATURES; j++) {
        x[j] = rng_gauss(rng, 0, 1 + (double)j);
        if (j == 1)
            x[j] = nearbyint(x[j]);
        y += x[j] > 0.5 ? 3 * x[j] : -x[j];
        if (rng_random(rng) < 0.05)
            x[j] = (double)NAN;
    }
    return y + rng_gauss(rng, 0, 0.5);
}

/* Learns y; a classifier whether it is above its middle. */
static inline void support_learn(struct model *m, const double *x, double y, double weight)
{
    if (model_kind(m) == MODEL_CLASSIFIER && isfinite(y))
        y = y > 11 ? 1 : 0;
    model_learn_one(m, x, y, weight);
}

/* A number that the model shows of itself. */
static inline double support_number(const struct model *m, const char *name)
{
    struct buf text = BUF_INIT;
    struct json_value root;
    struct json_value value;
    double v;

    model_inspect(m, &text);
    assert_int_equal(json_parse(text.data, text.len, &root, NULL), 0);
    assert_true(json_get(&root, name, &value));
    assert_true(json_number(&value, &v));
    buf_release(&text);
    return v;
}

/* A pipeline for each learner, and for each way in which one keeps its state. */
static const char *const support_pipelines[] = {
    "[\"mean\"]",
    "[\"prior\"]",
    "[\"no_change_classifier\"]",
    "[\"statistic_regressor\"]",
    "[{\"statistic_regressor\": {\"statistic\": {\"mode\": {\"k\": 5}}}}]",
    "[{\"statistic_regressor\": {\"statistic\": \"quantile\"}}]",
    "[{\"statistic_regressor\": {\"statistic\": {\"shift\": {\"amount\": 3}}}}]",
    "[\"gaussian_nb\"]",
    "[\"standard_scaler\", {\"knn_classifier\": {\"window_size\": 80}}]",
    "[{\"knn_classifier\": {\"window_size\": 300, \"n_neighbors\": 20, \"weighted\": false}}]",
    "[{\"knn_classifier\": {\"window_size\": 5, \"softmax\": true}}]",
    "[\"linear_regression\"]",
    "[\"standard_scaler\", {\"linear_regression\": {\"l1\": 0.5}}]",
    "[\"standard_scaler\", \"standard_scaler\", {\"linear_regression\": {\"l2\": 0.5}}]",
    "[{\"linear_regression\": {\"loss\": \"huber\", \"intercept_lr\": \"inverse_scaling\", "
    "\"optimizer\": {\"momentum\": {\"lr\": {\"optimal\": {\"loss\": \"squared\"}}}}}}]",
    "[{\"logistic_regression\": {\"l1\": 0.1, \"optimizer\": \"ada_grad\"}}]",
    "[\"standard_scaler\", {\"logistic_regression\": {\"loss\": \"hinge\", \"optimizer\": "
    "\"adam\"}}]",
    "[\"standard_scaler\", {\"logistic_regression\": {\"optimizer\": \"rms_prop\", \"l2\": 0.1}}]",
    "[\"standard_scaler\", {\"logistic_regression\": {\"optimizer\": \"ftrl_proximal\"}}]",
    "[{\"linear_regression\": {\"optimizer\": {\"nesterov_momentum\": {\"lr\": 0.01}}}}]",
    "[\"standard_scaler\", {\"logistic_regression\": {\"initializer\": {\"normal\": {\"seed\": "
    "1}}}}]",
    "[\"standard_scaler\", {\"pa_regressor\": {\"C\": 0.01, \"mode\": 2}}]",
    "[\"standard_scaler\", \"pa_classifier\"]",
    "[\"min_max_scaler\", \"logistic_regression\"]",
    "[\"stat_imputer\", \"max_abs_scaler\", \"linear_regression\"]",
    "[{\"stat_imputer\": {\"statistic\": \"max\"}}, \"adaptive_standard_scaler\", \"normalizer\", "
    "\"knn_regressor\"]",
    "[{\"stat_imputer\": {\"imputers\": {\"feature_1\": {\"mode\": {\"k\": 4}}, "
    "\"feature_3\": \"quantile\", \"feature_0\": 2}}}, \"linear_regression\"]",
    "[{\"feature_hasher\": {\"n_features\": 3, \"seed\": 1}}, \"linear_regression\"]",
    "[{\"standard_scaler\": {\"window_size\": 30}}, {\"min_max_scaler\": {\"window_size\": 20}}, "
    "{\"max_abs_scaler\": {\"window_size\": 10}}, \"linear_regression\"]",
    "[{\"select\": {\"keys\": [\"feature_1\", \"feature_3\"]}}, \"standard_scaler\", "
    "\"knn_regressor\"]",
    "[\"one_hot_encoder\", {\"discard\": {\"keys\": [\"feature_0\"]}}, \"linear_regression\"]",
    "[\"standard_scaler\", \"target_standard_scaler\"]",
    "[{\"target_standard_scaler\": {\"regressor\": {\"knn_regressor\": {\"window_size\": 60}}}}]",
    "[{\"target_standard_scaler\": {\"regressor\": {\"hoeffding_tree_regressor\": "
    "{\"grace_period\": "
    "30, \"tau\": 0.3}}}}]",
    "[\"standard_scaler\", {\"adaptive_conformal\": {\"window_size\": 60, \"gamma\": 0.05}}]",
    "[{\"adaptive_conformal\": {\"coverage\": 0.5, \"regressor\": {\"knn_regressor\": "
    "{\"window_size\": 50}}}}]",
    "[{\"target_standard_scaler\": {\"regressor\": {\"adaptive_conformal\": "
    "{\"window_size\": 100}}}}]",
    "[{\"adaptive_conformal\": {\"regressor\": \"target_standard_scaler\"}}]",
    "[{\"standard_scaler\": {\"with_std\": false}}, {\"knn_regressor\": {\"window_size\": 70}}]",
    "[\"standard_scaler\", {\"knn_regressor\": {\"window_size\": 500, \"n_neighbors\": 40}}]",
    "[\"standard_scaler\", {\"hoeffding_tree_regressor\": {\"grace_period\": 20, \"tau\": 0.4}}]",
    "[{\"hoeffding_tree_regressor\": {\"grace_period\": 30, \"delta\": 0.1, \"max_depth\": 3}}]",
    "[{\"hoeffding_tree_regressor\": {\"grace_period\": 40, \"leaf_prediction\": \"mean\"}}]",
    "[{\"hoeffding_tree_regressor\": {\"leaf_model\": \"mean\", \"grace_period\": 25}}]",
    "[{\"hoeffding_tree_regressor\": {\"splitter\": {\"qo_splitter\": {\"radius\": 0.5}}, "
    "\"remove_poor_attrs\": true, \"grace_period\": 20, \"delta\": 0.3}}]",
    "[{\"hoeffding_adaptive_tree_regressor\": {\"splitter\": \"qo_splitter\", \"grace_period\": "
    "30, "
    "\"delta\": 0.1, \"tau\": 0.2}}]",
    "[{\"hoeffding_tree_regressor\": {\"remove_poor_attrs\": true, \"grace_period\": 20, "
    "\"delta\": 0.5}}]",
    "[{\"hoeffding_tree_regressor\": {\"splitter\": \"ebst_splitter\", \"grace_period\": 30, "
    "\"merit_preprune\": false, \"delta\": 0.1}}]",
    "[\"standard_scaler\", {\"hoeffding_adaptive_tree_regressor\": {\"grace_period\": 20, "
    "\"tau\": 0.4, \"drift_window_threshold\": 20, \"drift_detector\": {\"adwin\": "
    "{\"delta\": 0.9, \"clock\": 1}}}}]",
    "[{\"hoeffding_adaptive_tree_regressor\": {\"grace_period\": 30, \"delta\": 0.1, \"seed\": 5, "
    "\"max_depth\": 3, \"leaf_prediction\": \"mean\", \"drift_detector\": {\"page_hinkley\": "
    "{\"threshold\": 2}}}}]",
    "[{\"hoeffding_tree_classifier\": {\"grace_period\": 20, \"tau\": 0.3}}]",
    "[{\"hoeffding_tree_classifier\": {\"grace_period\": 30, \"delta\": 0.1, \"max_depth\": 3, "
    "\"leaf_prediction\": \"mc\", \"split_criterion\": \"gini\"}}]",
    "[{\"hoeffding_tree_classifier\": {\"remove_poor_attrs\": true, \"grace_period\": 20, "
    "\"delta\": 0.5, \"leaf_prediction\": \"mc\"}}]",
    "[\"standard_scaler\", {\"hoeffding_tree_classifier\": {\"grace_period\": 40, \"delta\": 0.1, "
    "\"leaf_prediction\": \"nb\", \"split_criterion\": \"hellinger\"}}]",
    "[{\"hoeffding_adaptive_tree_classifier\": {\"grace_period\": 20, \"tau\": 0.3, "
    "\"drift_window_threshold\": 20, \"drift_detector\": {\"adwin\": {\"delta\": 0.9, \"clock\": "
    "1}}}}]",
    "[\"min_max_scaler\", {\"amf_regressor\": {\"n_estimators\": 2, \"step\": 0.1, \"max_nodes\": "
    "200}}]",
    "[{\"amf_regressor\": {\"n_estimators\": 2, \"seed\": 3, \"use_aggregation\": false, "
    "\"max_nodes\": 40}}]",
    "[\"min_max_scaler\", {\"amf_classifier\": {\"n_estimators\": 2, \"max_nodes\": 300}}]",
    "[{\"amf_classifier\": {\"n_estimators\": 1, \"split_pure\": true, \"dirichlet\": 0.1, "
    "\"max_nodes\": 100}}]",
    "[\"standard_scaler\", {\"bagging_regressor\": {\"n_models\": 3, \"seed\": 1}}]",
    "[{\"bagging_regressor\": {\"n_models\": 2, \"model\": {\"hoeffding_tree_regressor\": "
    "{\"grace_period\": 40, \"tau\": 0.3}}}}]",
    "[{\"bagging_classifier\": {\"n_models\": 2, \"model\": {\"bagging_classifier\": "
    "{\"n_models\": 2, \"model\": \"gaussian_nb\"}}}}]",
    "[{\"adwin_bagging_classifier\": {\"n_models\": 2, \"seed\": 4, \"model\": "
    "{\"knn_classifier\": {\"window_size\": 30}}}}]",
    "[\"standard_scaler\", {\"leveraging_bagging_classifier\": {\"n_models\": 2, \"w\": 2, "
    "\"adwin_delta\": 0.9}}]",
    "[{\"calibrated_classifier\": {\"window_size\": 60, \"min_labels\": 3, \"refit_every\": 7}}]",
    "[\"standard_scaler\", {\"calibrated_classifier\": {\"window_size\": 100000, \"classifier\": "
    "{\"knn_classifier\": {\"window_size\": 40}}}}]",
    "[{\"bagging_classifier\": {\"n_models\": 2, \"model\": {\"calibrated_classifier\": "
    "{\"window_size\": 100, \"classifier\": {\"hoeffding_tree_classifier\": {\"grace_period\": "
    "50}}}}}}]",
    "[{\"srp_regressor\": {\"n_models\": 2, \"lam\": 1, \"model\": {\"hoeffding_tree_regressor\": "
    "{\"grace_period\": 30, \"tau\": 0.3, \"leaf_prediction\": \"mean\"}}, \"drift_detector\": "
    "{\"page_hinkley\": {\"threshold\": 20}}, \"warning_detector\": {\"page_hinkley\": "
    "{\"threshold\": 10}}}}]",
    "[{\"srp_classifier\": {\"n_models\": 2, \"model\": \"gaussian_nb\", \"subspace_size\": 3, "
    "\"lam\": "
    "0.8, \"drift_detector\": \"ddm\", \"warning_detector\": {\"adwin\": {\"delta\": 0.9, "
    "\"clock\": "
    "1}}}}]",
    "[{\"arf_regressor\": {\"n_models\": 3, \"grace_period\": 20, \"lambda_value\": 2, "
    "\"drift_detector\": {\"adwin\": {\"delta\": 0.7, \"clock\": 2}}, \"warning_detector\": "
    "{\"adwin\": {\"delta\": 0.9, \"clock\": 1}}}}]",
    "[\"standard_scaler\", {\"arf_regressor\": {\"n_models\": 2, \"aggregation_method\": \"mean\", "
    "\"warning_detector\": \"no_drift\", \"leaf_prediction\": \"mean\", \"seed\": 7}}]",
    "[{\"arf_classifier\": {\"n_models\": 3, \"grace_period\": 20, \"lambda_value\": 2, "
    "\"drift_detector\": {\"adwin\": {\"delta\": 0.7, \"clock\": 2}}, \"warning_detector\": "
    "{\"adwin\": {\"delta\": 0.9, \"clock\": 1}}}}]",
    "[{\"arf_classifier\": {\"n_models\": 4, \"grace_period\": 30, \"max_features\": 1, "
    "\"metric\": \"mcc\", \"drift_detector\": {\"ddm\": {\"drift_threshold\": 1}}, "
    "\"warning_detector\": \"no_drift\"}}]",
    "[\"standard_scaler\", {\"softmax_regression\": {\"optimizer\": \"adam\", \"l2\": 0.1}}]",
    "[\"standard_scaler\", {\"softmax_regression\": {\"optimizer\": \"nesterov_momentum\"}}]",
};

#define SUPPORT_PIPELINES (sizeof(support_pipelines) / sizeof(support_pipelines[0]))

#endif
