/*
 * Features that are categories, in the order of operations of River's
 * NominalSplitterReg, NominalBinaryBranch and NominalMultiwayBranch.
 *
 * A category is a double that only equals itself: nothing is rounded, and no
 * model in a leaf sees it. An active leaf keeps the statistics of the labels of
 * each category by itself, in a search tree by value as for numbers.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/tree_internal.h"

#define FAN_LEAST 4 /* children that there is room for at first */

/* What a leaf remembers */

struct obs_node *obs_category(struct observers *obs, uint32_t j, double key)
{
    uint32_t at = obs->root[j];
    uint32_t parent = TREE_NONE;
    bool right = false;

    while (at != TREE_NONE && obs->nodes[at].key != key) {
        parent = at;
        right = key > obs->nodes[at].key;
        at = right ? obs->nodes[at].right : obs->nodes[at].left;
    }
    if (at == TREE_NONE) {
        at = obs_take(obs); /* may move the nodes */
        obs->nodes[at] = (struct obs_node){.key = key, .left = TREE_NONE, .right = TREE_NONE};
        if (parent == TREE_NONE)
            obs->root[j] = at;
        else if (right)
            obs->nodes[parent].right = at;
        else
            obs->nodes[parent].left = at;
    }
    return &obs->nodes[at];
}

void obs_sorted(const struct observers *obs, uint32_t j, uint32_t *ret)
{
    struct walk walk = {0};
    uint32_t at = obs->root[j];
    uint32_t n = 0;

    while (at != TREE_NONE || walk.n) {
        for (; at != TREE_NONE; at = obs->nodes[at].left)
            walk_push(&walk, at);
        at = walk_pop(&walk);
        if (ret)
            ret[n] = at;
        n++;
        at = obs->nodes[at].right;
    }
    free(walk.at);
}

uint32_t obs_categories(const struct observers *obs, uint32_t j)
{
    struct walk walk = {0};
    uint32_t n = 0;

    if (obs->root[j] != TREE_NONE)
        walk_push(&walk, obs->root[j]);
    for (; walk.n; n++) {
        const struct obs_node *node = &obs->nodes[walk_pop(&walk)];

        if (node->left != TREE_NONE)
            walk_push(&walk, node->left);
        if (node->right != TREE_NONE)
            walk_push(&walk, node->right);
    }
    free(walk.at);
    return n;
}

/* Splits */

/* The reduction of variance when each category goes its own way. */
static double merit_of_each(const struct observers *obs, const uint32_t *sorted, uint32_t n,
                            const struct stat_var *all, double min_samples)
{
    double merit = stat_var_get(all);

    for (uint32_t i = 0; i < n; i++) {
        const struct stat_var *var = &obs->nodes[sorted[i]].var;

        if (!(var->mean.n >= min_samples))
            return 0;
        merit -= var->mean.n / all->mean.n * stat_var_get(var);
    }
    return merit;
}

void obs_best_category(const struct observers *obs, uint32_t j, const struct stat_var *all,
                       double min_samples, bool each, struct split *ret)
{
    uint32_t n = obs_categories(obs, j);
    uint32_t *sorted = mem_alloc(((size_t)n + 1) * sizeof(*sorted));

    obs_sorted(obs, j, sorted);
    *ret = (struct split){.merit = -(double)INFINITY, .feature = TREE_NONE};
    if (each && n > 2)
        *ret = (struct split){.merit = merit_of_each(obs, sorted, n, all, min_samples),
                              .feature = j,
                              .kind = BRANCH_EACH};
    for (uint32_t i = 0; i < n; i++) {
        struct split here = {.feature = j, .kind = BRANCH_EQUAL};

        here.value = obs->nodes[sorted[i]].key;
        here.left = obs->nodes[sorted[i]].var;
        here.right = *all;
        var_subtract(&here.right, &here.left);
        here.merit = var_reduction(all, &here.left, &here.right, min_samples);
        if (here.merit > ret->merit)
            *ret = here;
    }
    free(sorted);
}

/* Branches */

static size_t fan_bytes(const struct fan *fan)
{
    return sizeof(*fan) + fan->n * sizeof(fan->arm[0]);
}

bool fan_find(const struct fan *fan, double value, uint32_t *ret_child)
{
    for (uint32_t i = 0; i < fan->n; i++) {
        if (fan->arm[i].value == value) {
            *ret_child = fan->arm[i].child;
            return true;
        }
    }
    return false;
}

void fan_free(struct tree *tree, struct fan *fan)
{
    if (!fan)
        return;
    tree->bytes -= fan_bytes(fan);
    free(fan);
}

uint32_t fan_add(struct tree *tree, uint32_t at, double value)
{
    uint32_t child = tree_add_node(tree); /* may move the nodes */
    struct fan *fan = tree->nodes[at].fan;

    if (fan)
        tree->bytes -= fan_bytes(fan);
    if (!fan || fan->n == fan->cap) {
        uint32_t n = fan ? fan->n : 0;
        uint32_t cap = fan ? 2 * fan->cap : FAN_LEAST;

        fan = mem_realloc(fan, 1, sizeof(*fan) + cap * sizeof(fan->arm[0]));
        fan->n = n;
        fan->cap = cap;
    }
    fan->arm[fan->n].value = value;
    fan->arm[fan->n++].child = child;
    tree->nodes[at].fan = fan;
    tree->bytes += fan_bytes(fan);
    return child;
}

bool tree_meets_category(struct tree *tree, uint32_t at, const double *x, uint32_t depth,
                         uint32_t *ret_child)
{
    const struct tree_node *node = &tree->nodes[at];
    double value = x[node->feature];
    uint32_t child;

    if (!node->fan || isnan(value) || fan_find(node->fan, value, &child) || !tree_has_room(tree, 1))
        return false;
    child = fan_add(tree, at, value);
    tree->nodes[child].leaf = leaf_new(tree, NULL, NULL);
    tree->nodes[child].leaf->depth = depth;
    *ret_child = child;
    return true;
}
