/*
 * Why a model answers what it does: what each feature adds to the prediction
 * for one sample.
 *
 *     struct explanation ex = EXPLANATION_INIT;
 *     if (model_explain(m, x, &ex, &err) == 0)
 *         explanation_write(&ex, "decision-tree", "f00d-812", served, &out);
 *     explanation_release(&ex);
 *
 * base + the sum of all contributions, explanation_sum(), is model_predict_one(m, x), unclipped.
 * A classifier may explain the log-odds of its probability instead, ln(p / (1 - p)): its sum goes
 * through the logistic function, which explanation_total() does for those. The numbers
 * are added up in another order than the prediction was, so the two differ by
 * rounding: by less than 1e-9 max(1, |prediction|), unless single parts are
 * millions of times larger than what they add up to. Where a model has overflowed, parts
 * may be infinite or not a number, as its prediction is.
 *
 * What the parts are, by class:
 *
 *     linear_regression,        base: the intercept. A feature: its weight times its scaled
 *     pa_regressor              value; 0 when it is missing.
 *     logistic_regression,      the same, of the log-odds.
 *     pa_classifier
 *     softmax_regression        of the log-odds; base: 0. A feature: the difference of its weights
 *                               times its scaled value.
 *     hoeffding_tree_regressor  base: the root's mean. A branch: the mean of the node that
 *                               it leads to less the mean before, booked on the feature that
 *                               it asks for. Where the leaf answers with its model, the
 *                               model's own parts are booked on their features, and the part
 *                               "leaf" is the model's base less the leaf's mean.
 *     hoeffding_adaptive_tree_regressor  the same, and where it answers with the mean of the
 *                               tree's leaf and of alternates: each leaf's parts by its share,
 *                               and what an alternate answers beyond the root's mean is booked
 *                               on its model's features and on "leaf".
 *     hoeffding_tree_classifier base: the share of positive labels at the root. A branch: the
 *                               change of that share. "leaf": what the leaf answers less its
 *                               share.
 *     hoeffding_adaptive_tree_classifier  the same, as in the adaptive regressor; a leaf's part
 *                               is as large as its weight.
 *     knn_regressor             base: 0. A neighbour: its share times its label.
 *     knn_classifier            the same; a label is 1 or 0, a share that of its vote.
 *     gaussian_nb               of the log-odds; base: those of the shares of labels. A feature:
 *                               the difference of its log densities.
 *     target_standard_scaler    its regressor's, every label scaled back.
 *     calibrated_classifier     its classifier's where that explains log-odds, by the slope, and
 * the intercept in the base; else base: the answer, and no parts. amf_regressor,            base:
 * the mean label, or the smoothed share of positive ones. A amf_classifier            feature: what
 * a node answers less what the one before answered, where that asked for the feature, by the weight
 * of what comes behind; the mean over all trees. mean, prior               base: the mean label. No
 * parts. statistic_regressor,      base: the answer. No parts. no_change_classifier
 *
 * A branch of the tree keeps no statistics once it has split. The mean of a node
 * is that of the leaves below it, weighted by what they have seen: the labels that
 * went that way, those before the split among them.
 */
#ifndef OXBOW_LEARN_EXPLAIN_H
#define OXBOW_LEARN_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct model;
struct schema;

enum explain_kind {
    EXPLAIN_FEATURE,   /* `index` is the feature's, in the explanation's schema */
    EXPLAIN_LEAF,      /* what the model in a tree's leaf adds by itself; `index` is 0 */
    EXPLAIN_NEIGHBOUR, /* `index` is the neighbour's, in `neighbours` */
};

struct explain_part {
    enum explain_kind kind;
    size_t index;
    double value;  /* a feature's as given, a neighbour's label; NaN: missing, or none: one behind
                      feature_hasher is made of any number of features */
    double scaled; /* as the learner sees it, behind the preprocessors; NaN as well */
    double weight; /* what `scaled` (of a neighbour `value`) is multiplied by; NaN: by nothing */
    double contribution;
};

/* What a branch of a tree asks. */
enum explain_test {
    EXPLAIN_ABOVE, /* is the scaled value above the threshold? Then right */
    EXPLAIN_EQUAL, /* is it this category? Then left */
    EXPLAIN_EACH,  /* which category is it? */
};

/* A branch on the way from the root of a tree to the leaf. */
struct explain_step {
    size_t feature;
    enum explain_test test;
    double threshold; /* or the category */
    double scaled;    /* NaN: missing */
    bool missing;     /* or a category that is new there: the more travelled way was taken */
    bool right;
    double mean; /* of the node that this step leads to */
    double n;    /* weight of the labels of that mean */
};

struct explain_neighbour {
    double distance;
    double label;
    double weight;    /* its share of the answer: all of them add up to 1 */
    double *features; /* scaled, as the learner keeps them; schema_size() of them */
};

/* Arrays belong to the explanation, `schema` and the texts to the model. */
struct explanation {
    const struct schema *schema; /* what the learner sees, behind the preprocessors */
    const char *class_name;
    double prediction; /* model_predict_one() */
    double base;
    const char *base_name; /* what the base is, in words */
    bool is_log_odds;      /* base and contributions add up to the log-odds of the prediction */
    struct explain_part *parts;
    size_t n_parts;
    bool has_path; /* the class has paths; a tree of one leaf has an empty one */
    struct explain_step *path;
    size_t n_path;
    bool has_neighbours; /* the class has neighbours; there are none before the first label */
    struct explain_neighbour *neighbours; /* nearest first */
    size_t n_neighbours;
};

#define EXPLANATION_INIT                                                                           \
    {                                                                                              \
        .schema = NULL                                                                             \
    }

/*
 * Fills an empty `ret_ex`. Changes nothing: any number of threads may explain with a model that
 * nobody changes, which has to outlive the explanation. ERR_UNSUPPORTED, "not available for
 * CLASS", when the learner cannot tell; `ret_ex` is left as it was.
 */
int model_explain(const struct model *m, const double *x, struct explanation *ret_ex,
                  struct err *err) MUST_CHECK;

double explanation_sum(const struct explanation *ex);   /* base and all contributions */
double explanation_total(const struct explanation *ex); /* the prediction that they stand for */

void explanation_release(struct explanation *ex); /* frees the arrays; `ex` is empty again */

/*
 * Appends the JSON object of docs/monitor.md (`GET /api/explain`). `model` and `version` are
 * names; `served` is the value that went out, clipped; NaN: not known, null.
 */
void explanation_write(const struct explanation *ex, const char *model, const char *version,
                       double served, struct buf *out);

/* For learners: their slot `explain` calls these. */

void explanation_clear(struct explanation *ex); /* as the slot was given it */

struct explain_part *explanation_add_part(struct explanation *ex, enum explain_kind kind,
                                          size_t index, double contribution);
struct explain_step *explanation_add_step(struct explanation *ex);
/* `features` is copied, `n` of them. */
struct explain_neighbour *explanation_add_neighbour(struct explanation *ex, const double *features,
                                                    size_t n);

#endif
