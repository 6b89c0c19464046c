/* The classes that registry.c lists, by the file that defines them. */
#ifndef OXBOW_LEARN_CLASSES_H
#define OXBOW_LEARN_CLASSES_H

#include "learn/registry.h"

/* standard_scaler.c */
extern const struct learn_class standard_scaler_class;

/* min_max_scaler.c */
extern const struct learn_class min_max_scaler_class;

/* max_abs_scaler.c */
extern const struct learn_class max_abs_scaler_class;

/* adaptive_standard_scaler.c */
extern const struct learn_class adaptive_standard_scaler_class;

/* normalizer.c */
extern const struct learn_class normalizer_class;

/* stat_imputer.c */
extern const struct learn_class stat_imputer_class;

/* target_standard_scaler.c */
extern const struct learn_class target_standard_scaler_class;

/* adaptive_conformal.c */
extern const struct learn_class adaptive_conformal_class;

/* one_hot_encoder.c */
extern const struct learn_class one_hot_encoder_class;

/* feature_hasher.c */
extern const struct learn_class feature_hasher_class;

/* select.c */
extern const struct learn_class select_class;
extern const struct learn_class discard_class;

/* mean.c */
extern const struct learn_class mean_class;

/* prior.c */
extern const struct learn_class prior_class;

/* statistic_regressor.c */
extern const struct learn_class statistic_regressor_class;

/* no_change_classifier.c */
extern const struct learn_class no_change_classifier_class;

/* linear_regression.c */
extern const struct learn_class linear_regression_class;

/* logistic_regression.c */
extern const struct learn_class logistic_regression_class;

/* softmax_regression.c */
extern const struct learn_class softmax_regression_class;

/* passive_aggressive.c */
extern const struct learn_class pa_regressor_class;
extern const struct learn_class pa_classifier_class;

/* knn_regressor.c */
extern const struct learn_class knn_regressor_class;

/* knn_classifier.c */
extern const struct learn_class knn_classifier_class;

/* gaussian_nb.c */
extern const struct learn_class gaussian_nb_class;

/* tree.c */
extern const struct learn_class hoeffding_tree_regressor_class;
extern const struct learn_class tebst_splitter_class;
extern const struct learn_class ebst_splitter_class;
extern const struct learn_class qo_splitter_class;

/* tree_class.c */
extern const struct learn_class hoeffding_tree_classifier_class;
extern const struct learn_class gaussian_splitter_class;

/* tree_adapt.c */
extern const struct learn_class hoeffding_adaptive_tree_regressor_class;
extern const struct learn_class hoeffding_adaptive_tree_classifier_class;

/* amf_regressor.c */
extern const struct learn_class amf_regressor_class;

/* amf_classifier.c */
extern const struct learn_class amf_classifier_class;
/* bagging.c */
extern const struct learn_class bagging_regressor_class;
extern const struct learn_class bagging_classifier_class;

/* adwin_bagging.c */
extern const struct learn_class adwin_bagging_classifier_class;

/* leveraging_bagging.c */
extern const struct learn_class leveraging_bagging_classifier_class;

/* calibrated_classifier.c */
extern const struct learn_class calibrated_classifier_class;

/* srp_regressor.c */
extern const struct learn_class srp_regressor_class;

/* srp_classifier.c */
extern const struct learn_class srp_classifier_class;

/* arf_regressor.c */
extern const struct learn_class arf_regressor_class;

/* arf_classifier.c */
extern const struct learn_class arf_classifier_class;

/* optimizer.c */
extern const struct learn_class sgd_class;
extern const struct learn_class momentum_class;
extern const struct learn_class ada_grad_class;
extern const struct learn_class adam_class;
extern const struct learn_class rms_prop_class;
extern const struct learn_class ftrl_proximal_class;
extern const struct learn_class nesterov_momentum_class;

/* initializer.c */
extern const struct learn_class zeros_class;
extern const struct learn_class constant_initializer_class;
extern const struct learn_class normal_class;

/* scheduler.c */
extern const struct learn_class constant_class;
extern const struct learn_class inverse_scaling_class;
extern const struct learn_class optimal_class;

/* loss.c */
extern const struct learn_class squared_class;
extern const struct learn_class absolute_class;
extern const struct learn_class huber_class;
extern const struct learn_class quantile_class;
extern const struct learn_class epsilon_insensitive_hinge_class;
extern const struct learn_class log_class;
extern const struct learn_class hinge_class;
extern const struct learn_class cross_entropy_class;

/* adwin.c */
extern const struct learn_class adwin_class;

/* page_hinkley.c */
extern const struct learn_class page_hinkley_class;

/* kswin.c */
extern const struct learn_class kswin_class;

/* ddm.c */
extern const struct learn_class ddm_class;

/* no_drift.c */
extern const struct learn_class no_drift_class;

/* statistic.c */
extern const struct learn_class mean_statistic_class;
extern const struct learn_class ew_mean_class;
extern const struct learn_class min_class;
extern const struct learn_class max_class;
extern const struct learn_class mode_class;
extern const struct learn_class shift_class;
extern const struct learn_class constant_statistic_class;
extern const struct learn_class category_class;

/* quantile.c */
extern const struct learn_class quantile_statistic_class;

#endif
