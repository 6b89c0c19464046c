/*
 * Explaining the regression tree: the change of mean along the path, then what
 * the model in the leaf adds. What is booked where is in explain.h.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/explain.h"
#include "learn/tree_internal.h"

/* Labels, as their number (by weight) and their sum. */
struct labels {
    double n;
    double sum;
};

static struct labels labels_of(const struct stat_mean *mean)
{
    return (struct labels){mean->n, mean->n * mean->mean};
}

static struct labels labels_below(const struct tree *tree, uint32_t at)
{
    const struct tree_node *node = &tree->nodes[at];
    struct labels left;
    struct labels right;

    if (node->leaf)
        return labels_of(&node->leaf->stats.mean);
    left = labels_below(tree, node->left);
    right = labels_below(tree, node->right);
    return (struct labels){left.n + right.n, left.sum + right.sum};
}

/* Adds the steps from the root to the leaf for x, without their means; returns the leaf's node. */
static uint32_t walk_down(const struct tree *tree, const double *x, struct explanation *ex)
{
    bool missing = false;
    uint32_t at = 0;

    while (!tree->nodes[at].leaf) {
        const struct tree_node *node = &tree->nodes[at];
        struct explain_step *step = explanation_add_step(ex);

        at = tree_child(tree, at, x, &missing);
        step->feature = node->feature;
        step->threshold = node->threshold;
        step->scaled = x[node->feature];
        step->right = at == node->right;
    }
    return at;
}

/* Fills in the means on the path; returns the root's. Each node of the tree is looked at once. */
static double walk_up(const struct tree *tree, const struct leaf *leaf, struct explanation *ex)
{
    struct labels below = labels_of(&leaf->stats.mean);
    double mean = leaf->stats.mean.mean;
    uint32_t *off; /* for each step, the node that it did not take */
    uint32_t at = 0;

    off = mem_alloc(ex->n_path * sizeof(*off));
    for (size_t i = 0; i < ex->n_path; i++) {
        const struct tree_node *node = &tree->nodes[at];

        off[i] = ex->path[i].right ? node->left : node->right;
        at = ex->path[i].right ? node->right : node->left;
    }
    for (size_t i = ex->n_path; i > 0; i--) {
        struct labels beside = labels_below(tree, off[i - 1]);

        ex->path[i - 1].mean = mean;
        ex->path[i - 1].n = below.n;
        below.n += beside.n;
        below.sum += beside.sum;
        mean = below.n > 0 ? below.sum / below.n : 0;
    }
    free(off);
    return mean;
}

/* Contributions by feature while they are added up. */
struct sums {
    double *of;     /* n */
    double *weight; /* n; NaN for those that the leaf's model does not use */
    bool *used;     /* n */
    double leaf;
    bool has_leaf;
};

/* Adds `share` of what a leaf answers beyond `mean`, which is accounted for. */
static void add_leaf(const struct leaf *leaf, const double *x, double mean, double share,
                     struct sums *sums)
{
    struct explanation sub = EXPLANATION_INIT;
    double rest;

    sums->has_leaf = true;
    if (leaf_answers_mean(leaf) || !leaf->model->ops->explain) {
        sums->leaf += share * (leaf_predict(leaf, x) - mean);
        return;
    }
    leaf->model->ops->explain(leaf->model, x, &sub);
    rest = sub.base - mean;
    for (size_t i = 0; i < sub.n_parts; i++) {
        const struct explain_part *part = &sub.parts[i];

        if (part->kind != EXPLAIN_FEATURE) {
            rest += part->contribution;
            continue;
        }
        if (isnan(sums->weight[part->index]))
            sums->weight[part->index] = 0;
        sums->used[part->index] = true;
        sums->of[part->index] += share * part->contribution;
        sums->weight[part->index] += share * part->weight;
    }
    sums->leaf += share * rest;
    explanation_release(&sub);
}

/* The alternates on the path; each counts as in adapt_predict(). Returns each leaf's share. */
static double add_alternates(const struct tree *tree, const double *x, double root_mean,
                             const struct explanation *ex, struct sums *sums)
{
    double n = 1;

    for (int pass = 0; pass < 2; pass++) {
        uint32_t at = 0;

        for (size_t i = 0; i < ex->n_path; i++) {
            const struct tree_node *node = &tree->nodes[at];
            double times = i > 0 && isnan(ex->path[i - 1].scaled) ? 2 : 1;

            at = ex->path[i].right ? node->right : node->left;
            if (!node->adapt || !node->adapt->alternate)
                continue;
            if (pass == 0)
                n += times;
            else
                add_leaf(node->adapt->alternate, x, root_mean, times / n, sums);
        }
    }
    return 1 / n;
}

void tree_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    const struct tree *tree = (const struct tree *)lrn;
    const struct leaf *leaf = tree->nodes[walk_down(tree, x, ex)].leaf;
    double mean = walk_up(tree, leaf, ex);
    struct sums sums = {
        .of = mem_zalloc(lrn->n, sizeof(double)),
        .weight = mem_zalloc(lrn->n, sizeof(double)),
        .used = mem_zalloc(lrn->n, sizeof(bool)),
    };
    double share;

    ex->base = mean;
    ex->base_name = "mean at the root";
    ex->has_path = true;
    for (size_t j = 0; j < lrn->n; j++)
        sums.weight[j] = (double)NAN;
    share = add_alternates(tree, x, mean, ex, &sums);
    for (size_t i = 0; i < ex->n_path; i++) {
        sums.used[ex->path[i].feature] = true;
        sums.of[ex->path[i].feature] += share * (ex->path[i].mean - mean);
        mean = ex->path[i].mean;
    }
    if (!leaf_answers_mean(leaf))
        add_leaf(leaf, x, leaf->stats.mean.mean, share, &sums);

    for (size_t j = 0; j < lrn->n; j++) {
        if (sums.used[j])
            explanation_add_part(ex, EXPLAIN_FEATURE, j, sums.of[j])->weight = sums.weight[j];
    }
    if (sums.has_leaf)
        explanation_add_part(ex, EXPLAIN_LEAF, 0, sums.leaf);
    free(sums.of);
    free(sums.weight);
    free(sums.used);
}
