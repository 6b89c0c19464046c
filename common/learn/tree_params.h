/*
 * The parameters of the trees, and their tables: what the forests share with them.
 *
 * River's max_size, memory_estimate_period and stop_mem_management are not among them: they
 * bound the size of Python's objects, looked at once in a million samples. Ours is one bound
 * on bytes that holds after each sample (model_set_max_bytes()), whatever the classes.
 */
#ifndef OXBOW_LEARN_TREE_PARAMS_H
#define OXBOW_LEARN_TREE_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "learn/registry.h"

#define TREE_MAX_DEPTH 980 /* where River's default ends, too */

enum leaf_prediction { LEAF_MEAN, LEAF_MODEL, LEAF_ADAPTIVE };
enum merit { MERIT_INFO_GAIN, MERIT_GINI, MERIT_HELLINGER };
enum leaf_votes { VOTES_MAJORITY, VOTES_BAYES, VOTES_ADAPTIVE };

struct tebst_params {
    uint64_t digits;
};

struct qo_params {
    double radius;
};

struct gaussian_params {
    uint64_t n_splits;
};

struct tree_params {
    uint64_t grace_period;
    uint64_t max_depth; /* PARAM_NONE: TREE_MAX_DEPTH */
    double delta;
    double tau;
    int leaf_prediction; /* enum leaf_prediction */
    struct component *leaf_model;
    double model_selector_decay;
    struct component *splitter;
    uint64_t min_samples_split;
    bool binary_split;
    bool remove_poor_attrs;
    bool merit_preprune;
};

/* What an adaptive tree has besides. */
struct adapt_params {
    bool bootstrap_sampling;
    uint64_t drift_window_threshold;
    struct component *drift_detector;
    double switch_significance;
    uint64_t seed; /* PARAM_NONE: 0 */
};

/*
 * Of a classifier. Of the parameters above it does not have leaf_prediction, leaf_model,
 * model_selector_decay and min_samples_split, which are 0.
 */
struct class_params {
    struct tree_params tree;
    int split_criterion; /* enum merit */
    int leaf_votes;      /* enum leaf_votes; "leaf_prediction" */
    uint64_t nb_threshold;
    double min_branch_fraction;
    double max_share_to_split;
};

struct adaptive_regressor_params {
    struct tree_params tree;
    struct adapt_params adapt;
};

struct adaptive_classifier_params {
    struct class_params classes;
    struct adapt_params adapt;
};

/* The tables of a class are made of these; the struct begins with a struct tree_params. */
#define TREE_PARAM(field) .name = #field, .offset = offsetof(struct tree_params, field)
#define TREE_PARAMS_SIZE(default_grace_period)                                                     \
    {TREE_PARAM(grace_period),                                                                     \
     .type = PARAM_COUNT,                                                                          \
     .fallback = (default_grace_period),                                                           \
     .min = 1,                                                                                     \
     .max = 1e9,                                                                                   \
     .help = "Weight of samples that a leaf sees between two looks for a split."},                 \
    {                                                                                              \
        TREE_PARAM(max_depth),                                                                     \
            .type = PARAM_COUNT, .optional = true, .min = 0, .max = TREE_MAX_DEPTH,                \
            .help =                                                                                \
                "Deepest level at which there are leaves, the root being 0; null: no limit but "   \
                "980."                                                                             \
    }
#define TREE_PARAMS_BOUND(default_delta)                                                           \
    {TREE_PARAM(delta),                                                                            \
     .type = PARAM_REAL,                                                                           \
     .fallback = (default_delta),                                                                  \
     .max = 1,                                                                                     \
     .above_min = true,                                                                            \
     .help = "Probability that a split is not the right one; nearer to 0 waits longer."},          \
    {                                                                                              \
        TREE_PARAM(tau), .type = PARAM_REAL, .fallback = 0.05, .max = 1,                           \
                         .help = "Hoeffding bound below which the better of two equally good "     \
                                 "splits is taken."                                                \
    }
#define TREE_PARAMS_PRUNE                                                                          \
    {TREE_PARAM(remove_poor_attrs), .type = PARAM_FLAG, .late = true,                              \
     .help = "A leaf no longer observes a feature whose best split is much worse than the best "   \
             "of all."},                                                                           \
    {                                                                                              \
        TREE_PARAM(merit_preprune),                                                                \
            .type = PARAM_FLAG, .fallback = 1, .late = true,                                       \
            .help = "Not to split is one of the candidates: without it, a tree of one feature "    \
                    "splits at the first look."                                                    \
    }

#define TREE_PARAMS TREE_PARAMS_WITH(200, 1e-7)
#define TREE_PARAMS_WITH(default_grace_period, default_delta)                                      \
    TREE_PARAMS_SIZE(default_grace_period), TREE_PARAMS_BOUND(default_delta),                      \
        {TREE_PARAM(leaf_prediction), .type = PARAM_CHOICE, .fallback = LEAF_ADAPTIVE,             \
         .choices = tree_leaf_predictions,                                                         \
         .help = "What a leaf answers: its mean, its model, or whichever was better lately."},     \
        {TREE_PARAM(leaf_model), .type = PARAM_CLASS, .kind = LEARN_REGRESSOR,                     \
         .fallback_class = "linear_regression",                                                    \
         .help = "The model in each leaf, unless leaf_prediction is \"mean\"."},                   \
        {TREE_PARAM(model_selector_decay), .type = PARAM_REAL, .fallback = 0.95, .max = 1,         \
         .help = "How slowly \"adaptive\" forgets old errors: 1 never, 0 at once."},               \
        {TREE_PARAM(splitter), .type = PARAM_CLASS, .kind = LEARN_SPLITTER,                        \
         .fallback_class = "tebst_splitter", .help = "How a leaf observes a feature."},            \
        {TREE_PARAM(min_samples_split), .type = PARAM_COUNT, .fallback = 5, .max = 1e9,            \
         .help = "Least weight of samples on each side of a split."},                              \
        {TREE_PARAM(binary_split), .type = PARAM_FLAG,                                             \
         .help = "Only splits in two. Those on numbers always are: there are no others yet."},     \
        TREE_PARAMS_PRUNE

#define CLASS_PARAM(field) .name = #field, .offset = offsetof(struct class_params, field)
#define CLASS_PARAMS       CLASS_PARAMS_WITH(200, 1e-7)
#define CLASS_PARAMS_WITH(default_grace_period, default_delta)                                     \
    TREE_PARAMS_SIZE(default_grace_period),                                                        \
        {CLASS_PARAM(split_criterion), .type = PARAM_CHOICE, .fallback = MERIT_INFO_GAIN,          \
         .choices = tree_criteria, .help = "What makes a split good."},                            \
        TREE_PARAMS_BOUND(default_delta),                                                          \
        {.name = "leaf_prediction",                                                                \
         .offset = offsetof(struct class_params, leaf_votes),                                      \
         .type = PARAM_CHOICE,                                                                     \
         .fallback = VOTES_ADAPTIVE,                                                               \
         .choices = tree_votes,                                                                    \
         .help = "What a leaf answers: its shares (mc), naive Bayes (nb), or the better (nba)."},  \
        {CLASS_PARAM(nb_threshold), .type = PARAM_COUNT, .fallback = 0, .max = 1e9,                \
         .help = "Weight from which on a leaf answers with naive Bayes, with nb."},                \
        {TREE_PARAM(splitter), .type = PARAM_CLASS, .kind = LEARN_SPLITTER,                        \
         .fallback_class = "gaussian_splitter", .help = "How a leaf observes a feature."},         \
        {TREE_PARAM(binary_split), .type = PARAM_FLAG,                                             \
         .help = "Only splits in two: on a category also, which may have a way for each else."},   \
        {CLASS_PARAM(min_branch_fraction), .type = PARAM_REAL, .fallback = 0.01, .max = 1,         \
         .help = "Least share of the samples that two sides of a split must have."},               \
        {CLASS_PARAM(max_share_to_split), .type = PARAM_REAL, .fallback = 0.99, .max = 1,          \
         .help = "Share of the larger class above which a leaf is not split."},                    \
        TREE_PARAMS_PRUNE

/* The choices and checks in those tables. */
extern const char *const tree_leaf_predictions[];
extern const char *const tree_criteria[];
extern const char *const tree_votes[];
const char *tree_check_regressor(const void *values);  /* learn_class.check */
const char *tree_check_classifier(const void *values); /* the same */

#endif
