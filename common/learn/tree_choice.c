/*
 * Which split of a leaf is made, if any, in the order of operations of River's
 * _attempt_to_split() of HoeffdingTreeRegressor and HoeffdingTreeClassifier.
 *
 * Each feature that the leaf observes offers its best split. Not to split is one more
 * candidate (merit_preprune); of equal ones the feature seen later is better. The best one
 * is taken when it beats the second by the Hoeffding bound, or when the bound is so small
 * that it does not matter (tau), and, as in River, without a second one at once.
 *
 * When not to split is what is best, River switches the leaf off, and at once on again, with all
 * others that it finds: it forgets what it has observed. The alternate of the root is not among
 * them, and stays switched off. The same happens to a classifier's leaf that is nearly
 * pure (max_share_to_split) when it is looked at.
 *
 * remove_poor_attrs: features whose split is worse than the best by more than the bound are
 * not observed any more. Of classifiers only those without naive Bayes, which needs them, and
 * no adaptive one, whose leaves River makes as for naive Bayes whatever they answer. River divides
 * by the best merit, and stops with an error when that is 0: here nothing is removed.
 */
#include <math.h>

#include "learn/tree_internal.h"

struct choice {
    struct split best;
    double second;                      /* merit of the second best */
    size_t n;                           /* candidates */
    double merits[SCHEMA_MAX_FEATURES]; /* of each feature in obs_order(); NaN: it offers none */
};

/* The best split on feature `j`. */
static void suggest(struct tree *tree, const struct leaf *leaf, uint32_t j, struct split *ret)
{
    const struct tree_params *params = tree->params;
    double min_samples = (double)params->min_samples_split;

    if (tree->classes)
        votes_best_split(tree, leaf, j, ret);
    else if (tree_is_nominal(tree, j))
        obs_best_category(&leaf->obs, j, &leaf->stats, min_samples, !params->binary_split, ret);
    else if (tree->observed == OBSERVED_SLOTS)
        obs_best_slot(&leaf->obs, j, &leaf->stats, min_samples, ret);
    else
        obs_best_split(&tree->walk, &leaf->obs, j, &leaf->stats, min_samples, ret);
}

static void choose(struct tree *tree, const struct leaf *leaf, struct choice *ret)
{
    const struct observers *obs = &leaf->obs;

    ret->best = (struct split){.merit = -(double)INFINITY, .feature = TREE_NONE};
    ret->second = ret->best.merit;
    ret->n = obs->n_order + (tree->params->merit_preprune ? 1 : 0);
    for (uint32_t i = 0; i < obs->n_order; i++) {
        struct split split;

        suggest(tree, leaf, obs_order(obs, tree->base.n)[i], &split);
        ret->merits[i] = split.feature == TREE_NONE ? (double)NAN : split.merit;
        if (split.merit >= ret->best.merit) {
            ret->second = ret->best.merit;
            ret->best = split;
        } else if (split.merit >= ret->second) {
            ret->second = split.merit;
        }
    }
}

/* Is the best one so much better than the second? */
static bool is_clear(const struct tree *tree, const struct choice *choice, double bound)
{
    double best = choice->best.merit;
    double tau = tree->params->tau;

    if (choice->n < 2)
        return choice->n > 0;
    if (tree->classes)
        return best - choice->second > bound || bound < tau;
    return best > 0 && (choice->second / best < 1 - bound || bound < tau);
}

static bool is_poor(const struct tree *tree, const struct choice *choice, double merit,
                    double bound)
{
    double best = choice->best.merit;

    if (tree->classes)
        return best - merit > bound;
    return best != 0 && merit / best < choice->second / best - 2 * bound;
}

static void forget_poor(struct tree *tree, struct leaf *leaf, const struct choice *choice,
                        double bound)
{
    if (!tree->params->remove_poor_attrs || choice->n < 2)
        return;
    if (tree->classes && (tree->adapt || tree->classes->leaf_votes != VOTES_MAJORITY))
        return;
    for (uint32_t i = leaf->obs.n_order; i-- > 0;) {
        if (is_poor(tree, choice, choice->merits[i], bound))
            leaf_disable(tree, leaf, obs_order(&leaf->obs, tree->base.n)[i]);
    }
}

/* Of a regressor: the values of a feature at which a split is much worse than the best. */
static void forget_bad(struct tree *tree, struct leaf *leaf, const struct choice *choice,
                       double bound)
{
    double best = choice->best.merit;
    double min_samples = (double)tree->params->min_samples_split;

    if (tree->classes || tree->observed == OBSERVED_SLOTS || choice->n < 2 ||
        !(best > 0 && choice->second > 0))
        return;
    tree->bytes -= obs_bytes(&leaf->obs, tree->base.n);
    for (uint32_t i = 0; i < leaf->obs.n_order; i++) {
        uint32_t j = obs_order(&leaf->obs, tree->base.n)[i];

        if (!tree_is_nominal(tree, j))
            obs_forget_bad(&tree->walk, &leaf->obs, j, &leaf->stats, min_samples, best,
                           choice->second / best - 2 * bound);
    }
    tree->bytes += obs_bytes(&leaf->obs, tree->base.n);
}

/* And on again, unless River does not find it. */
static void switch_off(struct tree *tree, struct leaf *leaf)
{
    const struct adapt *root = tree->nodes[0].adapt;

    if (root && root->alternate == leaf)
        leaf_deactivate(tree, leaf);
    else
        leaf_forget(tree, leaf);
}

bool leaf_wants_split(struct tree *tree, struct leaf *leaf, struct split *ret)
{
    double n = leaf->stats.mean.n;
    double bound = sqrt(log(1 / tree->params->delta) / (2 * n));
    struct choice choice;

    leaf->last_attempt = n;
    if (tree->classes && votes_are_pure(leaf))
        return false;
    if (tree->classes && votes_share(leaf) > tree->classes->max_share_to_split) {
        switch_off(tree, leaf);
        return false;
    }
    choose(tree, leaf, &choice);
    forget_poor(tree, leaf, &choice, bound);
    if (!is_clear(tree, &choice, bound)) {
        forget_bad(tree, leaf, &choice, bound);
        return false;
    }
    if (choice.best.feature == TREE_NONE) {
        switch_off(tree, leaf);
        return false;
    }
    *ret = choice.best;
    return ret->kind != BRANCH_EACH ||
           tree_has_room(tree, obs_categories(&leaf->obs, ret->feature));
}
