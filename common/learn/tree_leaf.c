/* The leaves of a tree: what they have, learn and answer. A classifier's votes are in tree_class.c.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "learn/tree_internal.h"

/* How often at most a model in a leaf learns one sample: its weight may be anything. */
#define MODEL_TIMES_MAX 1000000

/* Leaves */

/* Of what an active leaf remembers. */
static size_t seen_bytes(const struct tree *tree, const struct leaf *leaf)
{
    return obs_bytes(&leaf->obs, tree->base.n) + votes_bytes(tree, leaf) +
           (leaf->disabled ? tree->base.n * sizeof(*leaf->disabled) : 0);
}

static size_t leaf_bytes(const struct tree *tree, const struct leaf *leaf)
{
    return sizeof(*leaf) + (leaf->model ? learner_bytes(leaf->model) : 0) + seen_bytes(tree, leaf) +
           leaf->n_drawn * sizeof(*leaf->drawn);
}

/* Those of the features that are there, in the order in which they are drawn from. */
static size_t present(const struct tree *tree, const double *x, size_t *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < tree->base.n; i++) {
        size_t j = tree->draw->by_name[i];

        if (!isnan(x[j]))
            ret[n++] = j;
    }
    return n;
}

uint32_t leaf_features(struct tree *tree, struct leaf *leaf, const double *x)
{
    size_t there[SCHEMA_MAX_FEATURES];
    size_t at[SCHEMA_MAX_FEATURES];
    size_t n;
    size_t k;

    if (!tree->draw)
        return (uint32_t)tree->base.n;
    if (leaf->n_drawn)
        return leaf->n_drawn;

    n = present(tree, x, there);
    k = n < tree->draw->max_features ? n : tree->draw->max_features;
    if (k == 0)
        return 0;
    if (n >= tree->draw->max_features)
        rng_sample(tree->draw->rng, n, k, at);
    leaf->drawn = mem_alloc(k * sizeof(*leaf->drawn));
    for (size_t i = 0; i < k; i++)
        leaf->drawn[i] = (uint32_t)there[n >= tree->draw->max_features ? at[i] : i];
    leaf->n_drawn = (uint32_t)k;
    tree->bytes += k * sizeof(*leaf->drawn);
    return leaf->n_drawn;
}

struct leaf *leaf_new(struct tree *tree, const struct stat_var *stats, const struct leaf *parent)
{
    struct leaf *leaf = mem_zalloc(1, sizeof(*leaf));

    if (stats)
        leaf->stats = *stats;
    leaf->last_attempt = leaf->stats.mean.n;
    leaf->active = true;
    if (parent) {
        leaf->depth = parent->depth + 1;
        leaf->fmse_mean = parent->fmse_mean;
        leaf->fmse_model = parent->fmse_model;
    }
    if (tree->params->leaf_prediction != LEAF_MEAN)
        leaf->model = parent ? learner_clone(parent->model)
                             : learner_new(tree->params->leaf_model, tree->base.n);
    if (tree->classes)
        leaf->votes = votes_new();
    if (tree->classes && tree->adapt)
        leaf->adapt = adapt_new(tree);
    tree->n_leaves++;
    tree->n_active++;
    tree->bytes += leaf_bytes(tree, leaf);
    return leaf;
}

void leaf_free(struct tree *tree, struct leaf *leaf)
{
    tree->n_leaves--;
    tree->n_active -= leaf->active;
    tree->bytes -= leaf_bytes(tree, leaf);
    adapt_free(tree, leaf->adapt);
    obs_release(&leaf->obs);
    votes_forget(leaf->votes);
    free(leaf->votes);
    free(leaf->disabled);
    learner_free(leaf->model);
    free(leaf->drawn);
    free(leaf);
}

void leaf_deactivate(struct tree *tree, struct leaf *leaf)
{
    tree->n_active -= leaf->active;
    leaf->active = false;
    leaf_forget(tree, leaf);
    tree->bytes -= leaf->n_drawn * sizeof(*leaf->drawn);
    free(leaf->drawn);
    leaf->drawn = NULL;
    leaf->n_drawn = 0;
    tree->bytes -= seen_bytes(tree, leaf);
    free(leaf->disabled);
    leaf->disabled = NULL;
    tree->bytes += seen_bytes(tree, leaf);
}

void leaf_disable(struct tree *tree, struct leaf *leaf, uint32_t j)
{
    tree->bytes -= seen_bytes(tree, leaf);
    if (!leaf->disabled)
        leaf->disabled = mem_zalloc(tree->base.n, sizeof(*leaf->disabled));
    leaf->disabled[j] = true;
    if (leaf->obs.root && obs_seen(&leaf->obs, j))
        obs_drop(&leaf->obs, tree->base.n, j);
    if (leaf->votes && leaf->votes->gauss && leaf_slot(leaf, j) < leaf_slots(tree, leaf))
        memset(&leaf->votes->gauss[2 * leaf_slot(leaf, j)], 0, 2 * sizeof(*leaf->votes->gauss));
    tree->bytes += seen_bytes(tree, leaf);
}

void leaf_forget(struct tree *tree, struct leaf *leaf)
{
    tree->bytes -= seen_bytes(tree, leaf);
    obs_release(&leaf->obs);
    votes_forget(leaf->votes);
    tree->bytes += seen_bytes(tree, leaf);
}

/* The sample as the leaf observes it. `buffer` has room for the features. */
static const double *observed(const struct tree *tree, const struct leaf *leaf, const double *x,
                              double *buffer)
{
    if (!leaf->disabled)
        return x;
    for (size_t j = 0; j < tree->base.n; j++)
        buffer[j] = leaf->disabled[j] ? (double)NAN : x[j];
    return buffer;
}

/* As River's LeafModel: what takes no weight learns as often as the sample weighs, rounded down. */
static void teach_model(const struct tree *tree, struct leaf *leaf, const double *x, double y,
                        double w)
{
    if (!tree->params->leaf_model->class->weightless) {
        learner_learn(leaf->model, x, y, w);
        return;
    }
    size_t times = w < MODEL_TIMES_MAX ? (size_t)w : MODEL_TIMES_MAX;
    for (size_t k = 0; k < times; k++)
        learner_learn(leaf->model, x, y, 1);
}

void leaf_learn(struct tree *tree, struct leaf *leaf, const double *x, double y, double w)
{
    const struct tree_params *params = tree->params;
    double buffer[SCHEMA_MAX_FEATURES];
    double observes[SCHEMA_MAX_FEATURES];
    const double *seen = leaf->model ? tree_mask(tree, x, buffer) : x;

    if (tree->classes) {
        tree->bytes -= seen_bytes(tree, leaf);
        votes_learn(tree, leaf, observed(tree, leaf, x, buffer), y, w);
        tree->bytes += seen_bytes(tree, leaf);
        return;
    }
    if (params->leaf_prediction == LEAF_ADAPTIVE) {
        double mean_error = y - leaf->stats.mean.mean;
        double model_error = y - learner_predict(leaf->model, seen);
        double decay = params->model_selector_decay;

        leaf->fmse_mean = decay * leaf->fmse_mean + mean_error * mean_error;
        leaf->fmse_model = decay * leaf->fmse_model + model_error * model_error;
    }
    stat_var_update(&leaf->stats, y, w);
    if (leaf->active) {
        tree->bytes -= obs_bytes(&leaf->obs, tree->base.n);
        obs_learn(tree, leaf, observed(tree, leaf, x, observes), y, w);
        tree->bytes += obs_bytes(&leaf->obs, tree->base.n);
    }
    if (leaf->model)
        teach_model(tree, leaf, seen, y, w);
}

bool leaf_answers_mean(const struct leaf *leaf)
{
    /* Without a choice to make, both errors stay 0. */
    return !leaf->model || leaf->fmse_mean < leaf->fmse_model;
}

double leaf_predict(const struct tree *tree, const struct leaf *leaf, const double *x)
{
    double buffer[SCHEMA_MAX_FEATURES];

    if (leaf->votes)
        return votes_predict(tree, leaf, x);
    if (leaf_answers_mean(leaf))
        return leaf->stats.mean.mean;
    return learner_predict(leaf->model, tree_mask(tree, x, buffer));
}

const double *tree_mask(const struct tree *tree, const double *x, double *buffer)
{
    if (!tree->nominal)
        return x;
    for (size_t j = 0; j < tree->base.n; j++)
        buffer[j] = tree->nominal[j] ? (double)NAN : x[j];
    return buffer;
}
