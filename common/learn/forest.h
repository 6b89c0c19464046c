/*
 * What the adaptive random forests share: arf_regressor.c, arf_classifier.c.
 *
 * River's forest.adaptive_random_forest.BaseForest, in its order of operations and of draws from
 * random.Random (Gomes, Bifet, Read, Barddal, Enembreck, Pfahringer, Holmes and Abdessalem 2017:
 * "Adaptive random forests for evolving data stream classification"; Gomes, Barddal, Ferreira and
 * Bifet 2018: "Adaptive random forests for data stream regression").
 *
 * A member is a Hoeffding tree whose leaves look at a random subset of the features. A sample
 * counts k times in it, k drawn from a Poisson distribution. Two detectors watch its error: at a
 * warning a tree begins to grow in the background, at a drift that takes the member's place, or a
 * new one does.
 *
 * As in River, a sample's own weight does not count, and max_features goes by the number of
 * features of the first sample that has any.
 *
 * The trees, those in the background too, share what the forest may take: when it is full, the
 * largest of them deactivates its least promising leaves (tree.c). Once there are none left to
 * deactivate, the trees in the background go; a drift then replaces a tree by a new one.
 */
#ifndef OXBOW_LEARN_FOREST_H
#define OXBOW_LEARN_FOREST_H

#include "learn/member_metric.h"
#include "learn/tree_internal.h"

struct forest_params {
    uint64_t n_models;
    struct learn_amount max_features; /* a choice: enum forest_features */
    double lambda_value;
    int metric; /* of member_metric.h */
    bool disable_weighted_vote;
    struct component *drift_detector;
    struct component *warning_detector;
    uint64_t seed; /* PARAM_NONE: 0 */
};

enum forest_features { FOREST_SQRT, FOREST_LOG2 };
extern const char *const forest_features[];

/* Instead of the detectors' own defaults; each ends with a name of NULL. */
extern const struct learn_value forest_drift_defaults[];
extern const struct learn_value forest_warning_defaults[];

/* The parameters above, in the table of a class whose struct `of` has them as `forest`. */
#define FOREST_PARAM(of, field) .name = #field, .offset = offsetof(struct of, forest.field)
#define FOREST_PARAMS(of, metrics, default_metric, default_disable)                                \
    {FOREST_PARAM(of, n_models), .type = PARAM_COUNT, .fallback = 10,  .min = 1,                   \
     .max = LEARN_MAX_MEMBERS,   .multiplies = true,  .help = "Trees."},                           \
        {FOREST_PARAM(of, max_features),                                                           \
         .type = PARAM_AMOUNT,                                                                     \
         .fallback_class = "sqrt",                                                                 \
         .min = 2,                                                                                 \
         .max = SCHEMA_MAX_FEATURES,                                                               \
         .choices = forest_features,                                                               \
         .help = "Features that a leaf looks at: so many, such a share of them (1: all), or the "  \
                 "root or logarithm of their number."},                                            \
        {FOREST_PARAM(of, lambda_value),                                                           \
         .type = PARAM_REAL,                                                                       \
         .fallback = 6,                                                                            \
         .max = 100,                                                                               \
         .above_min = true,                                                                        \
         .help = "How often a tree learns a sample, on average."},                                 \
        {FOREST_PARAM(of, metric), .type = PARAM_CHOICE, .fallback = (default_metric),             \
         .choices = (metrics), .help = "What the vote of a tree is weighed by."},                  \
        {FOREST_PARAM(of, disable_weighted_vote), .type = PARAM_FLAG,                              \
         .fallback = (default_disable), .help = "Every tree has the same weight."},                \
        {FOREST_PARAM(of, drift_detector),                                                         \
         .type = PARAM_CLASS,                                                                      \
         .kind = LEARN_DETECTOR,                                                                   \
         .fallback_class = "adwin",                                                                \
         .fallback_values = forest_drift_defaults,                                                 \
         .help = "What finds that a tree is to be replaced; no_drift: never."},                    \
        {FOREST_PARAM(of, warning_detector),                                                       \
         .type = PARAM_CLASS,                                                                      \
         .kind = LEARN_DETECTOR,                                                                   \
         .fallback_class = "adwin",                                                                \
         .fallback_values = forest_warning_defaults,                                               \
         .help = "What finds that a tree in the background is to be begun; no_drift: never."},     \
    {                                                                                              \
        FOREST_PARAM(of, seed),                                                                    \
            .type = PARAM_COUNT, .optional = true, .max = 9007199254740992.0,                      \
            .help =                                                                                \
                "Of the random numbers, which are Python's; null is 0: a model is made the same "  \
                "twice."                                                                           \
    }

struct forest_member {
    struct tree *tree;
    struct tree *background;     /* NULL: none */
    struct detector *drift;      /* NULL: no_drift */
    struct detector *warning;    /* likewise */
    struct member_metric metric; /* of the tree as it was predicting */
    struct stat_var errors;      /* of a regressor: what scales them for the detectors */
    uint64_t n_drifts;           /* ever */
    uint64_t n_warnings;
};

/* What a regressor and a classifier do not have in common. */
struct forest_kind {
    /* What the tree answers, as the others take it. */
    double (*answer)(const struct tree *tree, const double *x);

    /* The answer goes into the member's metric. */
    void (*score)(struct forest_member *member, double y, double answer);

    /* What the detectors are shown; called once for each sample that they are shown. */
    double (*error)(struct forest_member *member, double y, double answer);
};

struct forest {
    struct learner base;
    const struct forest_kind *kind;
    const struct component *component;
    const struct forest_params *params; /* the component's */
    struct rng rng;                     /* of all trees, too */
    struct tree_draw draw;              /* max_features 0: not known yet */
    size_t *by_name;
    enum feature_kind *kinds; /* NULL: none of the features is a category */
    size_t max_bytes;         /* SIZE_MAX: not bounded yet */
    uint64_t n_deactivated;   /* leaves of trees that are gone */
    size_t n;
    struct forest_member *members;
};

struct learner *forest_new(const struct component *component, const struct forest_params *params,
                           const struct forest_kind *kind, size_t n);

/* Slots of those names. */
void forest_free(struct learner *lrn);
void forest_learn(struct learner *lrn, const double *x, double y, double weight);
void forest_save(const struct learner *lrn, struct buf *out);
void forest_load(struct learner *lrn, struct blob_reader *in);
size_t forest_bytes(const struct learner *lrn);
void forest_set_max_bytes(struct learner *lrn, size_t max);
void forest_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out);
void forest_set_kinds(struct learner *lrn, const enum feature_kind *kinds);
void forest_set_schema(struct learner *lrn, const struct schema *schema);

#endif
