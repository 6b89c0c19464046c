/*
 * The Hoeffding tree for classification (VFDT: Domingos and Hulten 2000: "Mining
 * high-speed data streams"; naive Bayes in the leaves: Gama, Rocha and Medas 2003),
 * in the order of operations of River's HoeffdingTreeClassifier, for two classes.
 *
 * A leaf counts the classes and observes, for each of them, each feature: of a
 * number its mean and variance, of a category its weight. It answers with the
 * share of class 1 (mc), with naive Bayes over what it observed (nb), or with
 * whichever was right more often so far (nba). Trees grow and stay within memory
 * as those for regression (tree.c).
 *
 * Votes that sum up to 0, in a leaf, are 0 for either class, as in River. Before
 * the first label the tree answers NaN.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/tree_internal.h"

#define HALF_LOG_TAU 0.9189385332046727 /* ln(2 pi) / 2 */

/* Weights of the classes */

void dist_add(struct dist *dist, int class, double w)
{
    if (!dist->has[0] && !dist->has[1])
        dist->first = (uint8_t) class;
    dist->has[class] = true;
    dist->w[class] += w;
}

/* The class with the larger value, of those that are there; the first of equal ones; -1: none. */
static int largest(const struct dist *dist, const double *values)
{
    int a = dist->first;
    int b = !a;

    if (!dist->has[a])
        return -1;
    return dist->has[b] && values[b] > values[a] ? b : a;
}

struct votes *votes_new(void)
{
    return mem_zalloc(1, sizeof(struct votes));
}

size_t votes_bytes(const struct tree *tree, const struct leaf *leaf)
{
    const struct votes *votes = leaf->votes;

    if (!votes)
        return 0;
    return sizeof(*votes) + (votes->gauss ? 2 * leaf_slots(tree, leaf) * sizeof(*votes->gauss) : 0);
}

void votes_start(const struct tree *tree, struct leaf *leaf)
{
    leaf->votes->gauss = mem_zalloc(2 * leaf_slots(tree, leaf), sizeof(*leaf->votes->gauss));
}

void votes_forget(struct votes *votes)
{
    if (!votes)
        return;
    free(votes->gauss);
    votes->gauss = NULL;
}

static void share(struct leaf *leaf)
{
    double sum = dist_sum(&leaf->votes->dist);

    leaf->stats.mean.n = sum;
    leaf->stats.mean.mean = sum > 0 ? leaf->votes->dist.w[1] / sum : 0;
}

void votes_set(struct leaf *leaf, const struct dist *dist)
{
    leaf->votes->dist = *dist;
    share(leaf);
    leaf->last_attempt = leaf->stats.mean.n;
}

/* Answering */

/* Each class's share, as River's normalize_values_in_dict(). */
static void majority(const struct dist *dist, double *ret)
{
    double sum = dist_sum(dist);

    for (int c = 0; c < 2; c++)
        ret[c] = sum == 0 || isnan(sum) ? dist->w[c] : dist->w[c] * (1 / sum);
}

/* ln of the density of a number in its class; -INFINITY when there is none to tell. */
static double log_density(const struct gauss *gauss, double v)
{
    double variance;

    if (!gauss->seen || !(gauss->var.mean.n > 1))
        return -(double)INFINITY;
    variance = gauss->var.s / (gauss->var.mean.n - 1);
    if (!(variance > 0))
        return -(double)INFINITY;
    return squared(v - gauss->var.mean.mean) / (-2.0 * variance) - HALF_LOG_TAU -
           0.5 * log(variance);
}

/* ln of the share of a category among those of a class; 0 when it was never there. */
static double log_share(const struct observers *obs, uint32_t j, double v, int class,
                        const struct gauss *gauss)
{
    uint32_t at = obs->root[j];

    while (at != TREE_NONE && obs->nodes[at].key != v)
        at = v > obs->nodes[at].key ? obs->nodes[at].right : obs->nodes[at].left;
    if (at == TREE_NONE || !(obs->nodes[at].weight[class] > 0))
        return 0;
    return log(obs->nodes[at].weight[class] / gauss->var.mean.n);
}

/* Naive Bayes, as River's do_naive_bayes_prediction(); false when nothing was seen. */
static bool bayes(const struct tree *tree, const struct leaf *leaf, const double *x, double *ret)
{
    const struct votes *votes = leaf->votes;
    double sum = dist_sum(&votes->dist);
    double most = -(double)INFINITY;
    double total = 0;

    ret[0] = ret[1] = 0;
    if (sum == 0)
        return false;
    for (int c = 0; c < 2; c++) {
        if (!votes->dist.has[c])
            continue;
        ret[c] = votes->dist.w[c] > 0 ? log(votes->dist.w[c] / sum) : 0;
        for (uint32_t i = 0; votes->dist.w[c] > 0 && i < leaf->obs.n_order; i++) {
            uint32_t j = obs_order(&leaf->obs, tree->base.n)[i];
            const struct gauss *gauss = &votes->gauss[2 * leaf_slot(leaf, j) + (size_t)c];
            double log_p;

            if (isnan(x[j]))
                continue;
            log_p = tree_is_nominal(tree, j) ? log_share(&leaf->obs, j, x[j], c, gauss)
                                             : log_density(gauss, x[j]);
            ret[c] += log_p > -(double)INFINITY ? log_p : 0;
        }
        most = ret[c] > most ? ret[c] : most;
    }
    for (int c = 0; c < 2; c++)
        total += votes->dist.has[c] ? exp(ret[c] - most) : 0;
    for (int c = 0; c < 2; c++)
        ret[c] = votes->dist.has[c] ? exp(ret[c] - (most + log(total))) : 0;
    return true;
}

static bool answers_bayes(const struct tree *tree, const struct leaf *leaf)
{
    if (!leaf->active || tree->classes->leaf_votes == VOTES_MAJORITY)
        return false;
    if (tree->classes->leaf_votes == VOTES_BAYES)
        return leaf->stats.mean.n >= (double)tree->classes->nb_threshold;
    return leaf->votes->nb_correct >= leaf->votes->mc_correct;
}

void votes_of(const struct tree *tree, const struct leaf *leaf, const double *x, double *ret)
{
    double factor;

    if (answers_bayes(tree, leaf))
        bayes(tree, leaf, x, ret);
    else
        majority(&leaf->votes->dist, ret);
    if (!leaf->adapt)
        return;
    factor = (ret[0] + ret[1]) * leaf->adapt->error.mean.mean * leaf->adapt->error.mean.mean;
    for (int c = 0; c < 2 && factor != 0 && !isnan(factor); c++)
        ret[c] *= 1 / factor;
}

int votes_guess(const struct tree *tree, const struct leaf *leaf, const double *x)
{
    double p[2];

    votes_of(tree, leaf, x, p);
    return dist_sum(&leaf->votes->dist) == 0 && answers_bayes(tree, leaf)
               ? -1
               : largest(&leaf->votes->dist, p);
}

double votes_predict(const struct tree *tree, const struct leaf *leaf, const double *x)
{
    const struct dist *dist = &leaf->votes->dist;
    double sum;
    double p[2];

    if (leaf->depth == 0 && !dist->has[0] && !dist->has[1])
        return (double)NAN;
    votes_of(tree, leaf, x, p);
    sum = p[0] + p[1];
    if (leaf->adapt && sum != 0)
        p[1] *= 1 / sum;
    /* Values that a double cannot hold leave nothing to tell. */
    return isnan(p[1]) ? leaf->stats.mean.mean : p[1] > 1 ? 1 : p[1];
}

int tree_vote(const struct tree *tree, const double *x, double *ret)
{
    const struct leaf *leaf = tree_leaf(tree, x);
    const struct dist *dist = &leaf->votes->dist;

    votes_of(tree, leaf, x, ret);
    if (isnan(ret[0] + ret[1])) {
        ret[1] = leaf->stats.mean.mean;
        ret[0] = 1 - ret[1];
    }
    /* A tree that has seen one class only is still a leaf. */
    if (tree->nodes[0].leaf && !(dist->has[0] && dist->has[1]))
        return dist->has[1] ? 1 : dist->has[0] ? 0 : -1;
    return ret[1] > ret[0];
}

/* Learning */

static void observe_class(struct gauss *gauss, int class, double v, double w, bool is_number)
{
    struct gauss *own = &gauss[class];

    if (!own->seen) {
        own->seen = true;
        own->second = gauss[!class].seen;
        own->min = own->max = v;
    }
    if (!is_number) {
        own->var.mean.n += w;
        return;
    }
    if (v < own->min)
        own->min = v;
    if (v > own->max)
        own->max = v;
    stat_var_update(&own->var, v, w);
}

static void observe(struct tree *tree, struct leaf *leaf, const double *x, int class, double w)
{
    size_t n = tree->base.n;
    uint32_t looks_at = leaf_features(tree, leaf, x);

    for (uint32_t i = 0; i < looks_at; i++) {
        uint32_t j = leaf_feature(leaf, i);
        bool nominal = tree_is_nominal(tree, j);

        if (isnan(x[j]))
            continue;
        if (!leaf->obs.root)
            obs_start(tree, &leaf->obs);
        if (!leaf->votes->gauss)
            votes_start(tree, leaf);
        obs_meet(&leaf->obs, n, j);
        observe_class(&leaf->votes->gauss[(size_t)2 * i], class, x[j], w, !nominal);
        if (nominal) {
            struct obs_node *node = obs_category(&leaf->obs, j, x[j]);

            node->weight[class] += w;
            node->weight[2] = (double)((int)node->weight[2] | (class + 1));
        }
    }
}

void votes_learn(struct tree *tree, struct leaf *leaf, const double *x, double y, double w)
{
    struct votes *votes = leaf->votes;
    int class = y > 0.5;
    double p[2];

    if (leaf->active && (tree->adapt || tree->classes->leaf_votes == VOTES_ADAPTIVE)) {
        int guess;

        majority(&votes->dist, p);
        guess = largest(&votes->dist, p);
        if (guess < 0 || guess == class)
            votes->mc_correct += w;
        if (bayes(tree, leaf, x, p) && largest(&votes->dist, p) == class)
            votes->nb_correct += w;
    }
    dist_add(&votes->dist, class, w);
    share(leaf);
    if (leaf->active)
        observe(tree, leaf, x, class, w);
}

/* The class */

const char *const tree_criteria[] = {
    [MERIT_INFO_GAIN] = "info_gain",
    [MERIT_GINI] = "gini",
    [MERIT_HELLINGER] = "hellinger",
    NULL,
};

const char *const tree_votes[] = {
    [VOTES_MAJORITY] = "mc",
    [VOTES_BAYES] = "nb",
    [VOTES_ADAPTIVE] = "nba",
    NULL,
};

static const struct learn_param params[] = {CLASS_PARAMS};

const char *tree_check_classifier(const void *values)
{
    const struct class_params *p = values;

    return p->tree.splitter->class == &gaussian_splitter_class
               ? NULL
               : "splitter: is for regressors; write gaussian_splitter";
}

const struct learn_class hoeffding_tree_classifier_class = {
    .name = "hoeffding_tree_classifier",
    .river = "tree.HoeffdingTreeClassifier",
    .help = "A tree that grows as samples come, with naive Bayes in its leaves.",
    .kind = LEARN_CLASSIFIER,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct class_params),
    .check = tree_check_classifier,
    .learner = &tree_ops,
};

static const struct learn_param gaussian_params[] = {
    {.name = "n_splits",
     .offset = offsetof(struct gaussian_params, n_splits),
     .type = PARAM_COUNT,
     .fallback = 10,
     .min = 1,
     .max = 1000,
     .help = "Places between the least and the largest value that are looked at for a split."},
};

const struct learn_class gaussian_splitter_class = {
    .name = "gaussian_splitter",
    .river = "tree.splitter.GaussianSplitter",
    .help = "Mean and variance of a feature, for each class.",
    .kind = LEARN_SPLITTER,
    .params = gaussian_params,
    .n_params = sizeof(gaussian_params) / sizeof(gaussian_params[0]),
    .params_size = sizeof(struct gaussian_params),
};
