/* The array of classes: see registry.h. */
#include "learn/registry.h"

#include <string.h>

#include "learn/classes.h"

static const struct learn_class *const classes[] = {
    &standard_scaler_class,
    &min_max_scaler_class,
    &max_abs_scaler_class,
    &adaptive_standard_scaler_class,
    &normalizer_class,
    &stat_imputer_class,
    &one_hot_encoder_class,
    &feature_hasher_class,
    &select_class,
    &discard_class,
    &mean_class,
    &statistic_regressor_class,
    &prior_class,
    &no_change_classifier_class,
    &linear_regression_class,
    &logistic_regression_class,
    &pa_regressor_class,
    &target_standard_scaler_class,
    &adaptive_conformal_class,
    &pa_classifier_class,
    &softmax_regression_class,
    &knn_regressor_class,
    &knn_classifier_class,
    &gaussian_nb_class,
    &hoeffding_tree_regressor_class,
    &hoeffding_adaptive_tree_regressor_class,
    &hoeffding_tree_classifier_class,
    &hoeffding_adaptive_tree_classifier_class,
    &amf_regressor_class,
    &amf_classifier_class,
    &bagging_regressor_class,
    &bagging_classifier_class,
    &adwin_bagging_classifier_class,
    &leveraging_bagging_classifier_class,
    &calibrated_classifier_class,
    &srp_regressor_class,
    &srp_classifier_class,
    &arf_regressor_class,
    &arf_classifier_class,
    &sgd_class,
    &momentum_class,
    &nesterov_momentum_class,
    &ada_grad_class,
    &adam_class,
    &rms_prop_class,
    &ftrl_proximal_class,
    &zeros_class,
    &constant_initializer_class,
    &normal_class,
    &constant_class,
    &inverse_scaling_class,
    &optimal_class,
    &squared_class,
    &absolute_class,
    &huber_class,
    &quantile_class,
    &epsilon_insensitive_hinge_class,
    &log_class,
    &hinge_class,
    &cross_entropy_class,
    &tebst_splitter_class,
    &ebst_splitter_class,
    &qo_splitter_class,
    &gaussian_splitter_class,
    &adwin_class,
    &page_hinkley_class,
    &kswin_class,
    &ddm_class,
    &no_drift_class,
    &mean_statistic_class,
    &ew_mean_class,
    &min_class,
    &max_class,
    &mode_class,
    &quantile_statistic_class,
    &shift_class,
    &constant_statistic_class,
    &category_class,
};

size_t learn_class_count(void)
{
    return sizeof(classes) / sizeof(classes[0]);
}

const struct learn_class *learn_class_at(size_t i)
{
    return classes[i];
}

const struct learn_class *learn_class_find(enum learn_kind kind, const char *name)
{
    for (size_t i = 0; i < learn_class_count(); i++) {
        if (classes[i]->kind == kind && strcmp(classes[i]->name, name) == 0)
            return classes[i];
    }
    return NULL;
}

const char *learn_kind_name(enum learn_kind kind)
{
    static const char *const names[] = {
        [LEARN_PREPROCESSOR] = "preprocessor",
        [LEARN_REGRESSOR] = "regressor",
        [LEARN_CLASSIFIER] = "classifier",
        [LEARN_OPTIMIZER] = "optimizer",
        [LEARN_LOSS] = "loss",
        [LEARN_SCHEDULER] = "scheduler",
        [LEARN_SPLITTER] = "splitter",
        [LEARN_DETECTOR] = "detector",
        [LEARN_STATISTIC] = "statistic",
        [LEARN_INITIALIZER] = "initializer",
    };

    return names[kind];
}
