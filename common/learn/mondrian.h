/*
 * A Mondrian tree with aggregated predictions: what amf_regressor and
 * amf_classifier grow several of (River's tree.mondrian.MondrianTreeRegressor and
 * MondrianTreeClassifier).
 *
 * Each node keeps the box of all samples that came through it. A sample that lies
 * outside of a node's box by e in all, summed over its features, splits the node
 * there when an exponential deviate of rate e comes before the time at which the
 * node was split anyway: between the box and the sample, in a feature drawn by how
 * far the sample is outside in it. The prediction is a mean over all nodes on the
 * way to the leaf, each with its exponential weight, by context tree weighting.
 *
 * Mourtada, Gaïffas and Scornet, "AMF: Aggregated Mondrian Forests for Online
 * Learning", Journal of the Royal Statistical Society B 83, 2021. The order of the
 * random draws and of the sums is that of River's mondrian.rs.
 *
 * A node costs mondrian_node_bytes(); a tree at its limit grows no more, and goes on
 * learning in the nodes that it has.
 */
#ifndef OXBOW_LEARN_MONDRIAN_H
#define OXBOW_LEARN_MONDRIAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "learn/blob.h"
#include "learn/rng.h"

#define MONDRIAN_NONE      UINT32_MAX /* no node, no feature */
#define MONDRIAN_MAX_NODES ((uint32_t)1 << 30)

/* What all trees of a forest have in common. */
struct mondrian_rules {
    size_t n_features;
    const size_t *by_name; /* the features in the order of their names, for the draws */
    bool classifies;       /* labels are 0 and 1 */
    bool use_aggregation;
    bool split_pure;  /* of a classifier: nodes of one label are split, too */
    double step;      /* of the weights */
    double dirichlet; /* of a classifier: added to each label's count */
    bool seen[2];     /* of a classifier: the labels so far, of the forest */
    uint32_t limit;   /* a tree that has so many nodes is not split; at most MONDRIAN_MAX_NODES */
};

struct mondrian_node {
    uint32_t parent;   /* MONDRIAN_NONE: it is the root */
    uint32_t child[2]; /* of a branch: at most the threshold, above it */
    uint32_t feature;  /* MONDRIAN_NONE: it is a leaf */
    double time;       /* when the process made it */
    double threshold;
    double weight;          /* minus step times the losses of its own predictions */
    double log_weight_tree; /* of all prunings below it */
    double n;               /* samples */
    double value;           /* the mean label; of a classifier how many were 1 */
};

struct mondrian {
    struct rng rng;
    struct mondrian_node *nodes; /* the first is the root */
    double *boxes; /* a node: the least of each feature, then the greatest; NaN: none */
    uint32_t n;
    uint32_t cap;
    uint64_t held; /* samples that it learned while it was at its limit */
};

/* Lifecycle */

/* A root that has seen nothing. */
void mondrian_init(struct mondrian *tree, const struct mondrian_rules *rules, uint64_t seed);
void mondrian_release(struct mondrian *tree);

/* Use */

/* NaN in x is missing; the others and y are finite. rules->seen has y already. */
void mondrian_learn(struct mondrian *tree, const struct mondrian_rules *rules, const double *x,
                    double y);

/*
 * The leaf of each of `n` trees that x comes to. All trees are gone down side by side, so that
 * their nodes, which are all over the memory, come from there at the same time.
 */
void mondrian_find(const struct mondrian *trees, size_t n, const double *x, uint32_t *ret_leaves);

/* Likewise fetches the boxes that n times mondrian_learn() of x will ask for; changes nothing. */
void mondrian_fetch(const struct mondrian *trees, size_t n, const struct mondrian_rules *rules,
                    const double *x);

/* The mean label that it expects of what comes to this leaf. */
double mondrian_predict(const struct mondrian *tree, const struct mondrian_rules *rules,
                        uint32_t leaf);

/* Of a classifier: the probability of each label into ret, 0 of one that was never seen. */
void mondrian_scores(const struct mondrian *tree, const struct mondrian_rules *rules, uint32_t leaf,
                     double ret[2]);

/*
 * Why it answers what it does: the root's own answer, and onto sums[j] what the splits in feature j
 * add on the way to the leaf, by the weight of what comes behind each. Together they are what
 * mondrian_predict() answers, or mondrian_scores() of label 1.
 */
double mondrian_explain(const struct mondrian *tree, const struct mondrian_rules *rules,
                        const double *x, double *sums);

/* Saving */

void mondrian_save(const struct mondrian *tree, const struct mondrian_rules *rules,
                   struct buf *out);

/* Into a tree fresh from mondrian_init(), which is only released on failure. */
void mondrian_load(struct mondrian *tree, const struct mondrian_rules *rules,
                   struct blob_reader *in);

/* Room for `n` nodes in all, of which what is there stays. */
void mondrian_reserve(struct mondrian *tree, const struct mondrian_rules *rules, uint32_t n);

/* Introspection */

/* Memory that a node takes, at least what it takes when saved. */
size_t mondrian_node_bytes(size_t n_features);

static inline bool mondrian_is_leaf(const struct mondrian_node *node)
{
    return node->feature == MONDRIAN_NONE;
}

/* The child that a sample goes on in; a missing feature goes where the weight is greater. */
uint32_t mondrian_next(const struct mondrian *tree, const struct mondrian_node *node,
                       const double *x);

#endif
