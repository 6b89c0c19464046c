/*
 * What a leaf remembers of each feature: the truncated extended binary search
 * tree (Ikonomovska, Gama and Dzeroski 2011; Osojnik 2017), in the order of
 * operations of River's TEBSTSplitter.
 *
 * Each node has a value of the feature and the statistics of the labels that
 * came with it or went left of it. An in-order walk that adds up the nodes where
 * it turns right has, at each node, the labels of all samples up to its value:
 * that is the left side of a split there. Values are rounded first, so there
 * are few of them. The tree is not balanced: values that only rise make a chain.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "learn/tree_internal.h"

#define UNSEEN    (UINT32_MAX - 1) /* in obs->root: the feature was never there */
#define EXACT_MAX 0x1p51           /* below it, an integer and a half is exact */
#define SMALL_MAX 0x1p30           /* below it, a product is wrong by less than 1e-6 */

void walk_grow(struct walk *walk)
{
    walk->cap = walk->cap ? 2 * walk->cap : 64;
    walk->at = mem_realloc(walk->at, walk->cap, sizeof(*walk->at));
}

/*
 * River squares with `** 2`, which is pow(), and pow() differs from a product
 * in the last bit about once in a thousand. Which of two near equal splits wins
 * may hang on that bit, so this is pow(), out of sight of a compiler that would
 * make a product of it.
 */
static double (*volatile const power)(double, double) = pow;

double squared(double v)
{
    return power(v, 2.0);
}

void var_add(struct stat_var *a, const struct stat_var *b)
{
    double n = a->mean.n + b->mean.n;
    double between = squared(a->mean.mean - b->mean.mean) * a->mean.n * b->mean.n / n;

    a->s = a->s + b->s + between;
    a->mean.mean = (a->mean.n * a->mean.mean + b->mean.n * b->mean.mean) / n;
    a->mean.n = n;
}

void var_subtract(struct stat_var *a, const struct stat_var *b)
{
    double n = a->mean.n - b->mean.n;

    if (n > 0) {
        a->mean.mean = (a->mean.n * a->mean.mean - b->mean.n * b->mean.mean) / n;
        a->mean.n = n;
    } else {
        a->mean.mean = 0;
        a->mean.n = 0;
    }
    n = a->mean.n;
    a->s = a->s - b->s - squared(a->mean.mean - b->mean.mean) * n * b->mean.n / (n + b->mean.n);
}

/* Rounding */

static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

static double round_by_text(double v, unsigned digits)
{
    struct buf text = BUF_INIT;
    double rounded = v;

    buf_printf(&text, "%.*f", (int)digits, v);
    if (num_parse(text.data, text.len, &rounded))
        rounded = v;
    buf_release(&text);
    return rounded;
}

double round_decimal(double v, unsigned digits)
{
    double scale = powers[digits];
    double scaled = v * scale;
    double down;
    double above;

    if (!(fabs(scaled) < EXACT_MAX))
        return isfinite(v) ? round_by_text(v, digits) : v;

    down = (double)(int64_t)scaled;
    down -= scaled < down;
    above = scaled - down;
    /* Near a tie, what the product lost decides: look at its exact value. */
    if (fabs(above - 0.5) < (fabs(scaled) < SMALL_MAX ? 1e-6 : 0.25)) {
        double from_tie = fma(v, scale, -(down + 0.5));

        above = from_tie > 0 ? 1 : from_tie < 0 ? 0 : fabs(fmod(down, 2));
    }
    /* A quotient of two integers is rounded once: it is the double nearest to the decimal. */
    return (above > 0.5 ? down + 1 : down) / scale;
}

/* Nodes */

size_t obs_bytes(const struct observers *obs, size_t n)
{
    return obs->live * (sizeof(struct obs_node) + (obs->in_slots ? sizeof(*obs->means) : 0)) +
           (obs->root ? 2 * n * sizeof(uint32_t) : 0);
}

void obs_release(struct observers *obs)
{
    free(obs->nodes);
    free(obs->root);
    free(obs->means);
    *obs = (struct observers){0};
}

void obs_start(const struct tree *tree, struct observers *obs)
{
    size_t n = tree->base.n;

    obs->in_slots = tree->observed == OBSERVED_SLOTS;
    obs->root = mem_alloc(2 * n * sizeof(*obs->root));
    for (size_t j = 0; j < n; j++)
        obs->root[j] = UNSEEN;
}

bool obs_seen(const struct observers *obs, uint32_t j)
{
    return obs->root[j] != UNSEEN;
}

uint32_t *obs_order(const struct observers *obs, size_t n)
{
    return obs->root + n;
}

uint32_t obs_take(struct observers *obs)
{
    uint32_t at = obs->free;

    if (obs->live++ < obs->used) {
        obs->free = obs->nodes[at].left;
        return at;
    }
    if (obs->used == obs->cap) {
        obs->cap = obs->cap ? obs->cap + obs->cap / 2 : 32;
        obs->nodes = mem_realloc(obs->nodes, obs->cap, sizeof(*obs->nodes));
    }
    return obs->used++;
}

static void give_back(struct observers *obs, uint32_t at)
{
    obs->nodes[at].left = obs->free;
    obs->free = at;
    obs->live--;
}

void obs_drop(struct observers *obs, size_t n, uint32_t j)
{
    struct walk walk = {0};
    uint32_t *order = obs_order(obs, n);
    uint32_t i = 0;

    if (obs->root[j] != TREE_NONE)
        walk_push(&walk, obs->root[j]);
    while (walk.n) {
        uint32_t at = walk_pop(&walk);

        if (obs->nodes[at].left != TREE_NONE)
            walk_push(&walk, obs->nodes[at].left);
        if (obs->nodes[at].right != TREE_NONE)
            walk_push(&walk, obs->nodes[at].right);
        give_back(obs, at);
    }
    free(walk.at);
    obs->root[j] = UNSEEN;
    while (order[i] != j)
        i++;
    memmove(order + i, order + i + 1, (--obs->n_order - i) * sizeof(*order));
}

static uint32_t new_node(struct observers *obs, double key, double y, double w)
{
    uint32_t at = obs_take(obs);
    struct obs_node *node = &obs->nodes[at];

    *node = (struct obs_node){.key = key, .left = TREE_NONE, .right = TREE_NONE};
    stat_var_update(&node->var, y, w);
    return at;
}

static void observe(struct observers *obs, size_t j, double key, double y, double w)
{
    uint32_t at = obs->root[j];
    uint32_t parent = TREE_NONE;
    bool right = false;

    while (at != TREE_NONE) {
        struct obs_node *node = &obs->nodes[at];

        parent = at;
        right = key > node->key;
        if (right) {
            at = node->right;
            continue;
        }
        stat_var_update(&node->var, y, w);
        if (key == node->key)
            return;
        at = node->left;
    }

    at = new_node(obs, key, y, w); /* may move the nodes */
    if (parent == TREE_NONE)
        obs->root[j] = at;
    else if (right)
        obs->nodes[parent].right = at;
    else
        obs->nodes[parent].left = at;
}

bool obs_meet(struct observers *obs, size_t n, uint32_t j)
{
    if (obs->root[j] != UNSEEN)
        return false;
    obs->root[j] = TREE_NONE;
    obs_order(obs, n)[obs->n_order++] = j;
    return true;
}

static void observe_number(const struct tree *tree, struct observers *obs, uint32_t j, double x,
                           double y, double w)
{
    if (tree->observed == OBSERVED_SLOTS)
        obs_slot_learn(obs, j, tree->radius, x, y, w);
    else
        observe(obs, j, tree->observed == OBSERVED_EXACT ? x : round_decimal(x, tree->digits), y,
                w);
}

void obs_learn(struct tree *tree, struct leaf *leaf, const double *x, double y, double w)
{
    struct observers *obs = &leaf->obs;
    size_t n = tree->base.n;
    uint32_t looks_at = leaf_features(tree, leaf, x);

    for (uint32_t i = 0; i < looks_at; i++) {
        uint32_t j = leaf_feature(leaf, i);

        if (isnan(x[j]))
            continue;
        if (!obs->root)
            obs_start(tree, obs);
        obs_meet(obs, n, j);
        if (tree->nominal && tree->nominal[j])
            stat_var_update(&obs_category(obs, j, x[j])->var, y, w);
        else
            observe_number(tree, obs, j, x[j], y, w);
    }
}

/* Splits */

double var_reduction(const struct stat_var *all, const struct stat_var *left,
                     const struct stat_var *right, double min_samples)
{
    double merit;

    if (!(left->mean.n >= min_samples && right->mean.n >= min_samples))
        return 0;
    merit = stat_var_get(all);
    merit -= left->mean.n / all->mean.n * stat_var_get(left);
    merit -= right->mean.n / all->mean.n * stat_var_get(right);
    return merit;
}

/* The reduction of variance when `node` and all to its left go left. */
static double merit_at(const struct obs_node *node, const struct stat_var *before,
                       const struct stat_var *all, double min_samples, struct split *ret)
{
    ret->left = node->var;
    var_add(&ret->left, before);
    ret->right = *all;
    var_subtract(&ret->right, &ret->left);
    return var_reduction(all, &ret->left, &ret->right, min_samples);
}

void obs_best_split(struct walk *walk, const struct observers *obs, uint32_t j,
                    const struct stat_var *all, double min_samples, struct split *ret)
{
    struct stat_var before = {0}; /* labels of the values below the subtree that is walked */
    uint32_t at = obs->root[j];

    *ret = (struct split){.merit = -(double)INFINITY, .feature = TREE_NONE};

    /*
     * On the stack: a node whose left side is being walked, or, after one whose
     * right side is, TREE_NONE.
     */
    walk->n = 0;
    for (;;) {
        for (; at != TREE_NONE; at = obs->nodes[at].left)
            walk_push(walk, at);
        while (walk->n && walk->at[walk->n - 1] == TREE_NONE) {
            walk_pop(walk);
            var_subtract(&before, &obs->nodes[walk_pop(walk)].var);
        }
        if (!walk->n)
            return;

        const struct obs_node *node = &obs->nodes[walk->at[walk->n - 1]];
        struct split here;
        double merit = merit_at(node, &before, all, min_samples, &here);

        if (merit > ret->merit) {
            *ret = here;
            ret->merit = merit;
            ret->feature = j;
            ret->value = node->key;
            ret->kind = BRANCH_NUMBER;
        }
        if (node->right == TREE_NONE) {
            walk_pop(walk);
            continue;
        }
        var_add(&before, &node->var);
        walk_push(walk, TREE_NONE);
        at = node->right;
    }
}

enum forget_phase { FORGET_LEFT, FORGET_RIGHT, FORGET_SELF };

static void unlink_node(struct observers *obs, uint32_t j, uint32_t at, uint32_t parent)
{
    if (parent == TREE_NONE)
        obs->root[j] = TREE_NONE;
    else if (obs->nodes[parent].left == at)
        obs->nodes[parent].left = TREE_NONE;
    else
        obs->nodes[parent].right = TREE_NONE;
    give_back(obs, at);
}

/*
 * A node goes when it is bad and so is, or is gone, everything below it; a left
 * side with something good in it saves its node without a look at the right.
 * On the stack, for each node on the path: parent, node, phase; whether its
 * labels were added to `before` is the same as whether it had a right side when
 * its left was done, which the phase FORGET_SELF + 1 notes.
 */
void obs_forget_bad(struct walk *walk, struct observers *obs, uint32_t j,
                    const struct stat_var *all, double min_samples, double best_merit,
                    double cutoff)
{
    struct stat_var before = {0};
    bool bad = false; /* what the last subtree that was finished is */

    walk->n = 0;
    if (obs->root[j] == TREE_NONE)
        return;
    walk_push(walk, TREE_NONE);
    walk_push(walk, obs->root[j]);
    walk_push(walk, FORGET_LEFT);
    while (walk->n) {
        uint32_t *phase = &walk->at[walk->n - 1];
        uint32_t at = phase[-1];
        uint32_t parent = phase[-2];
        const struct obs_node *node = &obs->nodes[at];
        uint32_t child = TREE_NONE;
        struct split here;

        if (*phase == FORGET_LEFT) {
            *phase = FORGET_RIGHT;
            child = node->left;
            bad = true;
        } else if (*phase == FORGET_RIGHT && bad) {
            *phase = FORGET_SELF;
            child = node->right;
            if (child != TREE_NONE) {
                var_add(&before, &node->var);
                *phase = FORGET_SELF + 1;
            }
        } else {
            bool added = *phase == FORGET_SELF + 1;

            walk->n -= 3;
            if (added)
                var_subtract(&before, &node->var);
            if (!bad)
                continue;
            bad = merit_at(node, &before, all, min_samples, &here) / best_merit < cutoff;
            if (bad)
                unlink_node(obs, j, at, parent);
            continue;
        }
        if (child != TREE_NONE) {
            walk_push(walk, at);
            walk_push(walk, child);
            walk_push(walk, FORGET_LEFT);
        }
    }
}
