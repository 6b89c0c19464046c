/*
 * Explaining a tree: the change of mean along the path (of a classifier, of the share
 * of class 1), then what the model in the leaf adds. What is booked where is in explain.h.
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
    struct labels sum = {0};

    if (node->leaf)
        return labels_of(&node->leaf->stats.mean);
    for (uint32_t i = 0; i < tree_children(node); i++) {
        struct labels below = labels_below(tree, tree_child_at(node, i));

        sum.n += below.n;
        sum.sum += below.sum;
    }
    return sum;
}

/* Adds the steps from the root to the leaf for x, without their means; *path are all the nodes. */
static void walk_down(const struct tree *tree, const double *x, struct explanation *ex,
                      struct walk *path)
{
    static const enum explain_test tests[] = {[BRANCH_NUMBER] = EXPLAIN_ABOVE,
                                              [BRANCH_EQUAL] = EXPLAIN_EQUAL,
                                              [BRANCH_EACH] = EXPLAIN_EACH};
    bool missing = false;
    uint32_t at = 0;

    walk_push(path, at);
    while (!tree->nodes[at].leaf) {
        const struct tree_node *node = &tree->nodes[at];
        struct explain_step *step = explanation_add_step(ex);

        missing = false;
        at = tree_child(tree, at, x, &missing);
        walk_push(path, at);
        step->feature = node->feature;
        step->test = tests[node->kind];
        step->threshold = node->kind == BRANCH_EACH ? x[node->feature] : node->value;
        step->scaled = x[node->feature];
        step->missing = missing;
        step->right = node->kind != BRANCH_EACH && at == node->right;
    }
}

/* Fills in the means on the path; returns the root's. Each node of the tree is looked at once. */
static double walk_up(const struct tree *tree, const struct walk *path, struct explanation *ex)
{
    const struct leaf *leaf = tree->nodes[path->at[path->n - 1]].leaf;
    struct labels below = labels_of(&leaf->stats.mean);
    double mean = leaf->stats.mean.mean;

    for (size_t i = ex->n_path; i > 0; i--) {
        const struct tree_node *node = &tree->nodes[path->at[i - 1]];

        ex->path[i - 1].mean = mean;
        ex->path[i - 1].n = below.n;
        for (uint32_t k = 0; k < tree_children(node); k++) {
            uint32_t child = tree_child_at(node, k);
            struct labels beside = {0};

            if (child != path->at[i])
                beside = labels_below(tree, child);
            below.n += beside.n;
            below.sum += beside.sum;
        }
        mean = below.n > 0 ? below.sum / below.n : 0;
    }
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
static void add_leaf(const struct tree *tree, const struct leaf *leaf, const double *x, double mean,
                     double share, struct sums *sums)
{
    double buffer[SCHEMA_MAX_FEATURES];
    struct explanation sub = EXPLANATION_INIT;
    double rest;

    sums->has_leaf = true;
    if (leaf->votes || leaf_answers_mean(leaf) || !leaf->model->ops->explain) {
        sums->leaf += share * (leaf_predict(tree, leaf, x) - mean);
        return;
    }
    leaf->model->ops->explain(leaf->model, tree_mask(tree, x, buffer), &sub);
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

/* How much a leaf counts among others. */
static double weight_of(const struct tree *tree, const struct leaf *leaf, const double *x)
{
    double p[2];

    if (!tree->classes)
        return 1;
    votes_of(tree, leaf, x, p);
    return p[0] + p[1];
}

/* The alternates on the path; each counts as in adapt_predict(). Returns the leaf's own share. */
static double add_alternates(const struct tree *tree, const double *x, double root_mean,
                             const struct walk *path, const struct explanation *ex,
                             struct sums *sums)
{
    double n = weight_of(tree, tree->nodes[path->at[path->n - 1]].leaf, x);
    double own = n;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < ex->n_path; i++) {
            const struct adapt *adapt = tree->nodes[path->at[i]].adapt;
            double times = i > 0 && ex->path[i - 1].missing ? 2 : 1;

            if (!adapt || !adapt->alternate)
                continue;
            times *= weight_of(tree, adapt->alternate, x);
            if (pass == 0)
                n += times;
            else
                add_leaf(tree, adapt->alternate, x, root_mean, times / n, sums);
        }
    }
    return own == n ? 1 : own / n;
}

void tree_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    const struct tree *tree = (const struct tree *)lrn;
    struct walk path = {0};
    const struct leaf *leaf;
    struct sums sums = {
        .of = mem_zalloc(lrn->n, sizeof(double)),
        .weight = mem_zalloc(lrn->n, sizeof(double)),
        .used = mem_zalloc(lrn->n, sizeof(bool)),
    };
    double share;
    double mean;

    walk_down(tree, x, ex, &path);
    leaf = tree->nodes[path.at[path.n - 1]].leaf;
    mean = walk_up(tree, &path, ex);
    ex->base = mean;
    ex->base_name = "mean at the root";
    ex->has_path = true;
    for (size_t j = 0; j < lrn->n; j++)
        sums.weight[j] = (double)NAN;
    share = add_alternates(tree, x, mean, &path, ex, &sums);
    for (size_t i = 0; i < ex->n_path; i++) {
        sums.used[ex->path[i].feature] = true;
        sums.of[ex->path[i].feature] += share * (ex->path[i].mean - mean);
        mean = ex->path[i].mean;
    }
    if (leaf->votes || !leaf_answers_mean(leaf))
        add_leaf(tree, leaf, x, leaf->stats.mean.mean, share, &sums);

    for (size_t j = 0; j < lrn->n; j++) {
        if (sums.used[j])
            explanation_add_part(ex, EXPLAIN_FEATURE, j, sums.of[j])->weight = sums.weight[j];
    }
    if (sums.has_leaf)
        explanation_add_part(ex, EXPLAIN_LEAF, 0, sums.leaf);
    free(path.at);
    free(sums.of);
    free(sums.weight);
    free(sums.used);
}
