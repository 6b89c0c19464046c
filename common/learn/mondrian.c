/* A Mondrian tree with aggregated predictions: see mondrian.h. */
#include "learn/mondrian.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "learn/schema.h"

/*
 * No weight goes below, so that every sum of two is a number. River's become minus infinity after
 * errors above 1e154, and their sums NaN.
 */
#define WEIGHT_LEAST (-4e307)

#define CACHE_LINE 64 /* bytes, of most processors; a guess that only speed depends on */

size_t mondrian_node_bytes(size_t n_features)
{
    return sizeof(struct mondrian_node) + 2 * n_features * sizeof(double);
}

static double *box_of(const struct mondrian *tree, const struct mondrian_rules *rules, uint32_t at)
{
    return tree->boxes + (size_t)at * 2 * rules->n_features;
}

/* Growing */

void mondrian_reserve(struct mondrian *tree, const struct mondrian_rules *rules, uint32_t n)
{
    uint32_t cap = tree->cap ? tree->cap : 1;

    if (n <= tree->cap)
        return;
    while (cap < n)
        cap *= 2;
    tree->nodes = mem_realloc(tree->nodes, cap, sizeof(*tree->nodes));
    tree->boxes = mem_realloc(tree->boxes, cap, 2 * rules->n_features * sizeof(double));
    tree->cap = cap;
}

/* A leaf that has seen nothing. */
static uint32_t add_leaf(struct mondrian *tree, const struct mondrian_rules *rules, uint32_t parent,
                         double time)
{
    uint32_t at = tree->n;

    mondrian_reserve(tree, rules, at + 1);
    tree->n++;
    tree->nodes[at] = (struct mondrian_node){
        .parent = parent,
        .child = {MONDRIAN_NONE, MONDRIAN_NONE},
        .feature = MONDRIAN_NONE,
        .time = time,
    };
    for (size_t j = 0; j < 2 * rules->n_features; j++)
        box_of(tree, rules, at)[j] = (double)NAN;
    return at;
}

/* All that the node is and has below it, made a child of its own. */
static uint32_t add_copy(struct mondrian *tree, const struct mondrian_rules *rules, uint32_t of,
                         double time)
{
    uint32_t at = add_leaf(tree, rules, of, time);
    struct mondrian_node *node = &tree->nodes[at];

    *node = tree->nodes[of];
    node->parent = of;
    node->time = time;
    memcpy(box_of(tree, rules, at), box_of(tree, rules, of),
           2 * rules->n_features * sizeof(double));
    if (!mondrian_is_leaf(node)) {
        tree->nodes[node->child[0]].parent = at;
        tree->nodes[node->child[1]].parent = at;
    }
    return at;
}

void mondrian_init(struct mondrian *tree, const struct mondrian_rules *rules, uint64_t seed)
{
    *tree = (struct mondrian){.n = 0};
    rng_seed(&tree->rng, seed);
    add_leaf(tree, rules, MONDRIAN_NONE, 0);
}

void mondrian_release(struct mondrian *tree)
{
    free(tree->nodes);
    free(tree->boxes);
    *tree = (struct mondrian){.n = 0};
}

/* Learning */

/* How far x is outside of what the box has of the feature; 0 where either has nothing. */
static double beyond(const double *box, size_t n, size_t j, double x)
{
    double below = box[j] - x;
    double above = x - box[n + j];
    double most = below > above ? below : above;

    return most > 0 ? most : 0;
}

/* By how much x is outside of the box, over all features. */
static double extension(const double *box, size_t n, const double *x)
{
    double sum = 0;

    for (size_t j = 0; j < n; j++)
        sum += beyond(box, n, j, x[j]);
    return sum;
}

static void extend(double *box, size_t n, const double *x)
{
    for (size_t j = 0; j < n; j++) {
        double least = box[j];
        double most = box[n + j];

        box[j] = x[j] < least || isnan(least) ? x[j] : least;
        box[n + j] = x[j] > most || isnan(most) ? x[j] : most;
    }
}

static double label_count(const struct mondrian_node *node, double label)
{
    return label == 1 ? node->value : node->n - node->value;
}

static double smoothing(const struct mondrian_rules *rules)
{
    return rules->dirichlet * (rules->seen[0] + rules->seen[1]);
}

/* The node's weight behind a sample that it has not counted yet. */
static double weigh(const struct mondrian_node *node, const struct mondrian_rules *rules, double y)
{
    double r;

    if (rules->classifies) {
        double score = (label_count(node, y) + rules->dirichlet) / (node->n + 1 + smoothing(rules));

        return node->weight + rules->step * log(score);
    }
    r = node->value - y;
    return fmax(node->weight - rules->step * (r * r / 2), WEIGHT_LEAST);
}

/* River's update_downwards(): the node takes the sample. */
static void take(struct mondrian *tree, const struct mondrian_rules *rules, uint32_t at,
                 const double *x, double y, bool weighs)
{
    struct mondrian_node *node = &tree->nodes[at];

    extend(box_of(tree, rules, at), rules->n_features, x);
    if (weighs && rules->use_aggregation)
        node->weight = weigh(node, rules, y);
    node->n += 1;
    if (rules->classifies)
        node->value += y;
    else
        node->value += 1 / node->n * (y - node->value);
}

/* When the sample would split the node, after all; 0 when it does not. */
static double draw_split(struct mondrian *tree, const struct mondrian_rules *rules, uint32_t at,
                         const double *x, double y)
{
    const struct mondrian_node *node = &tree->nodes[at];
    double sum;
    double time;

    if (tree->n >= rules->limit)
        return 0;
    if (rules->classifies && !rules->split_pure && node->n == label_count(node, y))
        return 0;
    sum = extension(box_of(tree, rules, at), rules->n_features, x);
    if (!(sum > 0) || isinf(sum)) /* River's choices() raises an error when it is infinite */
        return 0;
    time = node->time - log(1 - rng_random(&tree->rng)) / sum;
    return mondrian_is_leaf(node) || time < tree->nodes[node->child[0]].time ? time : 0;
}

/* A feature, by how far x is outside in it. */
static size_t draw_feature(struct mondrian *tree, const struct mondrian_rules *rules,
                           const double *box, const double *x)
{
    size_t features[SCHEMA_MAX_FEATURES];
    double weights[SCHEMA_MAX_FEATURES];
    size_t n = 0;

    for (size_t i = 0; i < rules->n_features; i++) {
        size_t j = rules->by_name[i];
        double out = beyond(box, rules->n_features, j, x[j]);

        if (out > 0) {
            features[n] = j;
            weights[n++] = out;
        }
    }
    return features[rng_choice(&tree->rng, weights, n)];
}

/* The node becomes a branch over what it was and a leaf with the sample; the leaf. */
static uint32_t split(struct mondrian *tree, const struct mondrian_rules *rules, uint32_t at,
                      double time, const double *x, double y)
{
    const double *box = box_of(tree, rules, at);
    size_t j = draw_feature(tree, rules, box, x);
    double most = box[rules->n_features + j];
    bool is_right = x[j] > most;
    double threshold =
        is_right ? rng_uniform(&tree->rng, most, x[j]) : rng_uniform(&tree->rng, x[j], box[j]);
    uint32_t below = add_copy(tree, rules, at, time);
    uint32_t leaf = add_leaf(tree, rules, at, time);
    struct mondrian_node *node = &tree->nodes[at];

    node->feature = (uint32_t)j;
    node->threshold = threshold;
    node->child[is_right] = leaf;
    node->child[!is_right] = below;
    take(tree, rules, at, x, y, true);
    take(tree, rules, leaf, x, y, false);
    return leaf;
}

uint32_t mondrian_next(const struct mondrian *tree, const struct mondrian_node *node,
                       const double *x)
{
    double v = x[node->feature];

    if (isnan(v))
        return node->child[tree->nodes[node->child[0]].weight < tree->nodes[node->child[1]].weight];
    return node->child[!(v <= node->threshold)];
}

static uint32_t go_down(struct mondrian *tree, const struct mondrian_rules *rules, const double *x,
                        double y)
{
    bool first = tree->nodes[0].n == 0;
    uint32_t at = 0;

    for (;;) {
        double time = first ? 0 : draw_split(tree, rules, at, x, y);

        if (time > 0)
            return split(tree, rules, at, time, x, y);
        take(tree, rules, at, x, y, !first);
        if (mondrian_is_leaf(&tree->nodes[at]))
            return at;
        at = mondrian_next(tree, &tree->nodes[at], x);
    }
}

/* ln((e^a + e^b) / 2) */
static double log_mean_exp(double a, double b)
{
    return a > b ? a - M_LN2 + log1p(exp(b - a)) : b - M_LN2 + log1p(exp(a - b));
}

/* Weighs the subtrees anew, from a leaf up. */
static void go_up(struct mondrian *tree, uint32_t at)
{
    for (; at != MONDRIAN_NONE; at = tree->nodes[at].parent) {
        struct mondrian_node *node = &tree->nodes[at];

        if (mondrian_is_leaf(node))
            node->log_weight_tree = node->weight;
        else
            node->log_weight_tree =
                log_mean_exp(node->weight, tree->nodes[node->child[0]].log_weight_tree +
                                               tree->nodes[node->child[1]].log_weight_tree);
    }
}

void mondrian_learn(struct mondrian *tree, const struct mondrian_rules *rules, const double *x,
                    double y)
{
    uint32_t leaf;

    if (tree->n >= rules->limit)
        tree->held++;
    leaf = go_down(tree, rules, x, y);
    if (rules->use_aggregation)
        go_up(tree, leaf);
}

/* Predicting */

void mondrian_find(const struct mondrian *trees, size_t n, const double *x, uint32_t *ret_leaves)
{
    bool is_under_way = true;

    memset(ret_leaves, 0, n * sizeof(*ret_leaves));
    while (is_under_way) {
        is_under_way = false;
        for (size_t i = 0; i < n; i++) {
            const struct mondrian_node *node = &trees[i].nodes[ret_leaves[i]];

            if (mondrian_is_leaf(node))
                continue;
            ret_leaves[i] = mondrian_next(&trees[i], node, x);
            is_under_way = true;
        }
    }
}

void mondrian_fetch(const struct mondrian *trees, size_t n, const struct mondrian_rules *rules,
                    const double *x)
{
    size_t size = 2 * rules->n_features * sizeof(double);

    for (size_t i = 0; i < n; i++) {
        uint32_t at = 0;

        for (;;) {
            const char *box = (const char *)box_of(&trees[i], rules, at);

            for (size_t offset = 0; offset < size; offset += CACHE_LINE)
                __builtin_prefetch(box + offset, 1);
            if (mondrian_is_leaf(&trees[i].nodes[at]))
                break;
            at = mondrian_next(&trees[i], &trees[i].nodes[at], x);
        }
    }
}

/* The share of a node's own answer, against what comes from below it. */
static double share_of(const struct mondrian_node *node)
{
    return 0.5 * exp(node->weight - node->log_weight_tree);
}

double mondrian_predict(const struct mondrian *tree, const struct mondrian_rules *rules,
                        uint32_t leaf)
{
    const struct mondrian_node *node = &tree->nodes[leaf];
    double prediction = node->value;

    if (!rules->use_aggregation)
        return prediction;
    while (node->parent != MONDRIAN_NONE) {
        node = &tree->nodes[node->parent];

        double share = share_of(node);

        prediction = share * node->value + (1 - share) * prediction;
    }
    return prediction;
}

/* The label's probability by what the node counted. */
static double score_of(const struct mondrian_node *node, const struct mondrian_rules *rules,
                       int label)
{
    if (!rules->seen[label])
        return 0;
    return (label_count(node, label) + rules->dirichlet) / (node->n + smoothing(rules));
}

void mondrian_scores(const struct mondrian *tree, const struct mondrian_rules *rules, uint32_t leaf,
                     double ret[2])
{
    const struct mondrian_node *node = &tree->nodes[leaf];
    double total;

    ret[0] = score_of(node, rules, 0);
    ret[1] = score_of(node, rules, 1);
    if (!rules->use_aggregation)
        return;
    while (node->parent != MONDRIAN_NONE) {
        node = &tree->nodes[node->parent];

        double share = share_of(node);

        for (int label = 0; label < 2; label++)
            ret[label] = share * score_of(node, rules, label) + (1 - share) * ret[label];
    }
    total = ret[0] + ret[1];
    if (total > 0) {
        ret[0] *= 1 / total;
        ret[1] *= 1 / total;
    }
}

static double answer_of(const struct mondrian_node *node, const struct mondrian_rules *rules)
{
    return rules->classifies ? score_of(node, rules, 1) : node->value;
}

double mondrian_explain(const struct mondrian *tree, const struct mondrian_rules *rules,
                        const double *x, double *sums)
{
    const struct mondrian_node *node = &tree->nodes[0];
    double base = answer_of(node, rules);
    double before = base;
    double below = 1; /* the weight of all nodes from here down */

    while (!mondrian_is_leaf(node)) {
        size_t j = node->feature;

        if (rules->use_aggregation)
            below *= 1 - share_of(node);
        node = &tree->nodes[mondrian_next(tree, node, x)];
        sums[j] += below * (answer_of(node, rules) - before);
        before = answer_of(node, rules);
    }
    return base;
}
