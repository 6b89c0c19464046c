/*
 * Streaming random patches: what srp_regressor and srp_classifier share (River's
 * ensemble.SRPRegressor and SRPClassifier; Gomes, Read and Bifet 2019, and for
 * regression Gomes, Montiel, Mastelini, Pfahringer and Bifet 2020).
 *
 *     srp.c           the ensemble: who has which features, who learns how often; saving
 *     srp_member.c    one member: its learner, its features, its detectors, its successor
 *
 * Every member learns from some of the features and from each sample Poisson(lam)
 * times. Two drift detectors watch whether its answers are right, or of a regressor the
 * answers or their errors: a warning starts a successor in the background, on other
 * features, and a drift puts it in the member's place. Draws, and their order, are
 * River's, all of random.Random; where River averages with NumPy, the sums here run
 * from the first member to the last. A sample's weight does not count, as in River.
 *
 * Other than in River the features are those of the schema, and not those that the
 * first sample happened to have. As in River a successor draws among those that the
 * sample has at which it begins; when it has none at all, ours draws among all.
 *
 * Learners in the front and in the background each have the same share of
 * max_model_bytes, detectors included. When even so the bound cannot be kept,
 * successors are dropped, then detectors begin anew; both are counted.
 */
#ifndef OXBOW_LEARN_SRP_H
#define OXBOW_LEARN_SRP_H

#include "learn/detector.h"
#include "learn/learner.h"
#include "learn/member_metric.h"
#include "learn/rng.h"

enum srp_method { SRP_SUBSPACES, SRP_RESAMPLING, SRP_PATCHES };
enum srp_subspace { SRP_SQRT, SRP_RMSQRT };
enum srp_disable { SRP_DISABLE_NONE, SRP_DISABLE_DRIFT, SRP_DISABLE_WARNING };
enum srp_criterion { SRP_PREDICTION, SRP_ERROR };
enum srp_aggregation { SRP_MEAN, SRP_MEDIAN };

struct srp_params {
    struct component *model;
    uint64_t n_models;
    struct learn_amount subspace_size;
    int training_method; /* enum srp_method */
    double lam;
    struct component *drift_detector;
    struct component *warning_detector;
    int disable_detector; /* enum srp_disable */
    bool disable_weighted_vote;
    uint64_t seed; /* PARAM_NONE: 0 */
    int metric;    /* an index of member_metric_numbers or member_metric_labels */

    /* Of the regressor only. */
    int drift_detection_criteria; /* enum srp_criterion */
    int aggregation_method;       /* enum srp_aggregation */
};

/* Labels that a classifier's member has learned, as bits. */
#define SRP_SEEN_NEGATIVE  1
#define SRP_POSITIVE_FIRST 2

/* What a learner is made of, and all that it has learned. lrn NULL: there is none. */
struct srp_member {
    struct learner *lrn;
    uint32_t *features;    /* its own, in its order; NULL: all */
    size_t n_features;     /* at least 1 */
    struct schema *schema; /* of its own features; NULL: not asked for, or the ensemble's */
    struct detector *drift;
    struct detector *warning;
    struct member_metric metric;
    uint8_t seen; /* SRP_SEEN_NEGATIVE, SRP_POSITIVE_FIRST */
};

struct srp_place {
    struct srp_member member;
    struct srp_member next; /* the successor */
    uint64_t n_warnings;
    uint64_t n_drifts;
};

struct srp {
    struct learner base;
    const struct srp_params *params; /* the component's */
    bool is_classifier;
    bool resamples; /* by Poisson(lam) */
    const struct schema *schema;
    enum feature_kind *kinds; /* NULL: none is a category */
    uint64_t n_learned;
    uint64_t n_dropped; /* successors, and detectors that began anew, for want of memory */
    size_t share;       /* bytes for a learner and its detectors; SIZE_MAX: not bounded */
    size_t max_bytes;
    struct rng rng;
    struct srp_place places[]; /* params->n_models */
};

/* srp.c: slots of the table of functions */

struct learner *srp_create(const struct component *component, size_t n);
void srp_free(struct learner *lrn);
void srp_learn(struct learner *lrn, const double *x, double y, double weight);
void srp_save(const struct learner *lrn, struct buf *out);
void srp_load(struct learner *lrn, struct blob_reader *in);
size_t srp_bytes(const struct learner *lrn);
void srp_set_max_bytes(struct learner *lrn, size_t max);
void srp_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out);
void srp_set_kinds(struct learner *lrn, const enum feature_kind *kinds);
void srp_set_schema(struct learner *lrn, const struct schema *schema);

/* srp_member.c */

/*
 * One that has seen nothing, with `features` (owned here now), or with all when NULL. It knows
 * the kinds and names of them, and its share of memory, as far as the ensemble does.
 */
void srp_member_init(struct srp_member *m, const struct srp *srp, uint32_t *features,
                     size_t n_features);
void srp_member_release(struct srp_member *m); /* one without a learner is fine */

/* Tell a member that was made before the ensemble knew. */
void srp_member_tell_schema(struct srp_member *m, const struct srp *srp);
void srp_member_tell_kinds(struct srp_member *m, const struct srp *srp);
void srp_member_tell_share(struct srp_member *m, const struct srp *srp);

/* Both detectors begin anew; only where there are some. */
void srp_member_forget_detectors(struct srp_member *m, const struct srp *srp);

/* What its learner answers to the whole sample. */
double srp_member_predict(const struct srp_member *m, const double *x);

/* Bytes of all that it points to. */
size_t srp_member_bytes(const struct srp_member *m);

void srp_member_save(const struct srp_member *m, struct buf *out);

/* Into one that is empty or initialised; it may be released, whatever comes. */
void srp_member_load(struct srp_member *m, const struct srp *srp, struct blob_reader *in);

/* The member and its successor learn the sample `times` times, then it looks for drift. */
void srp_place_learn(struct srp_place *place, struct srp *srp, const double *x, double y,
                     uint64_t times);

/* The tables of parameters share these. */

extern const char *const srp_methods[];
extern const char *const srp_subspaces[];
extern const char *const srp_disables[];
extern const struct learn_value srp_drift_defaults[];
extern const struct learn_value srp_warning_defaults[];
extern const struct learn_value srp_model_defaults[];

#define SRP_PARAM(field) .name = #field, .offset = offsetof(struct srp_params, field)
#define SRP_PARAMS(of_kind, default_model, names_of_metrics, weighs)                               \
    {SRP_PARAM(model),                                                                             \
     .type = PARAM_CLASS,                                                                          \
     .kind = (of_kind),                                                                            \
     .fallback_class = (default_model),                                                            \
     .fallback_values = srp_model_defaults,                                                        \
     .may_grow = true,                                                                             \
     .help = "What each member is."},                                                              \
        {SRP_PARAM(n_models),                                                                      \
         .type = PARAM_COUNT,                                                                      \
         .fallback = 10,                                                                           \
         .min = 1,                                                                                 \
         .max = LEARN_MAX_MEMBERS,                                                                 \
         .multiplies = true,                                                                       \
         .help = "How many members there are."},                                                   \
        {SRP_PARAM(subspace_size),                                                                 \
         .type = PARAM_AMOUNT,                                                                     \
         .fallback = 0.6,                                                                          \
         .min = 2,                                                                                 \
         .max = SCHEMA_MAX_FEATURES,                                                               \
         .choices = srp_subspaces,                                                                 \
         .help = "Features that a member has: a share or number of the M that there are, "         \
                 "sqrt(M) + 1, or M - sqrt(M) + 1 (rmsqrt); when it comes to all of them, "        \
                 "training_method is resampling."},                                                \
        {SRP_PARAM(training_method), .type = PARAM_CHOICE, .fallback = SRP_PATCHES,                \
         .choices = srp_methods,                                                                   \
         .help = "Members differ by their features (subspaces), by how often they learn a "        \
                 "sample (resampling), or by both (patches)."},                                    \
        {SRP_PARAM(lam),                                                                           \
         .type = PARAM_REAL,                                                                       \
         .fallback = 6,                                                                            \
         .max = 100,                                                                               \
         .above_min = true,                                                                        \
         .help = "Times that a member learns a sample, on average; not with subspaces."},          \
        {SRP_PARAM(drift_detector),                                                                \
         .type = PARAM_CLASS,                                                                      \
         .kind = LEARN_DETECTOR,                                                                   \
         .fallback_class = "adwin",                                                                \
         .fallback_values = srp_drift_defaults,                                                    \
         .help = "When it detects, the member is replaced."},                                      \
        {SRP_PARAM(warning_detector),                                                              \
         .type = PARAM_CLASS,                                                                      \
         .kind = LEARN_DETECTOR,                                                                   \
         .fallback_class = "adwin",                                                                \
         .fallback_values = srp_warning_defaults,                                                  \
         .help = "When it detects, a successor begins to learn in the background."},               \
        {SRP_PARAM(disable_detector), .type = PARAM_CHOICE, .fallback = SRP_DISABLE_NONE,          \
         .choices = srp_disables,                                                                  \
         .help = "off: both detectors are on; drift: both are off; warning: a member that "        \
                 "drifts begins anew, without a successor."},                                      \
        {SRP_PARAM(disable_weighted_vote), .type = PARAM_FLAG, .fallback = (weighs) ? 0 : 1,       \
         .help = "All members weigh the same; they weigh by their metric otherwise."},             \
        {SRP_PARAM(seed), .type = PARAM_COUNT, .optional = true, .max = 9007199254740992.0,        \
         .help = "Of the random numbers, which are Python's; null is 0: a model is made the same " \
                 "twice."},                                                                        \
    {                                                                                              \
        SRP_PARAM(metric), .type = PARAM_CHOICE, .choices = (names_of_metrics),                    \
                           .help = "How well a member does, over its own life."                    \
    }

#endif
