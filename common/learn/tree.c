/*
 * The Hoeffding tree for regression (FIMT: Ikonomovska, Gama and Dzeroski 2011),
 * in the order of operations of River's HoeffdingTreeRegressor.
 *
 * A leaf observes its samples; each time it has seen grace_period more of them
 * it looks for the split that reduces the variance of the labels most, and
 * splits when, by the Hoeffding bound, the second best feature will not turn out
 * to be better, or when the two are so close that it does not matter (tau).
 *
 * River's own memory management (max_size, memory_estimate_period,
 * stop_mem_management) is not followed: it starts after a million samples, from
 * the sizes of Python objects. Ours is one bound on bytes; when it is passed, the
 * least promising leaves, as River's calculate_promise() has them, stop observing,
 * and so stop splitting, for good. They still predict, and their means and models
 * still learn.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/tree_internal.h"

/* Walking */

static double total_weight(const struct tree *tree, uint32_t at)
{
    const struct tree_node *node = &tree->nodes[at];
    double sum = 0;

    if (node->leaf)
        return node->leaf->stats.mean.n;
    for (uint32_t i = 0; i < tree_children(node); i++)
        sum += total_weight(tree, tree_child_at(node, i));
    return sum;
}

/* The child that most samples went to; the first of equal ones. */
static uint32_t most_travelled(const struct tree *tree, const struct tree_node *node)
{
    uint32_t best = tree_child_at(node, 0);
    double most = total_weight(tree, best);

    for (uint32_t i = 1; i < tree_children(node); i++) {
        uint32_t child = tree_child_at(node, i);
        double weight = total_weight(tree, child);

        if (weight > most) {
            most = weight;
            best = child;
        }
    }
    return best;
}

uint32_t tree_child(const struct tree *tree, uint32_t at, const double *x, bool *missing)
{
    const struct tree_node *node = &tree->nodes[at];
    double v = x[node->feature];
    uint32_t child;

    if (!isnan(v)) {
        if (node->kind == BRANCH_NUMBER)
            return v > node->value ? node->right : node->left;
        if (node->kind == BRANCH_EQUAL)
            return v == node->value ? node->left : node->right;
        if (fan_find(node->fan, v, &child))
            return child;
    }
    *missing = true;
    return most_travelled(tree, node);
}

/* The node of the leaf for x. */
static uint32_t find_leaf(const struct tree *tree, const double *x)
{
    uint32_t at = 0;
    bool missing;

    while (!tree->nodes[at].leaf)
        at = tree_child(tree, at, x, &missing);
    return at;
}

const struct leaf *tree_leaf(const struct tree *tree, const double *x)
{
    return tree->nodes[find_leaf(tree, x)].leaf;
}

/* The same to learn in: a new one for a category that is new at a branch. */
static uint32_t find_place(struct tree *tree, const double *x, bool *ret_missing)
{
    uint32_t at = 0;
    uint32_t depth = 0;
    uint32_t child;

    *ret_missing = false;
    while (!tree->nodes[at].leaf) {
        if (tree_meets_category(tree, at, x, ++depth, &child)) {
            *ret_missing = true;
            return child;
        }
        at = tree_child(tree, at, x, ret_missing);
    }
    return at;
}

/* Growing */

uint32_t tree_add_node(struct tree *tree)
{
    uint32_t at = tree->free;

    tree->bytes += sizeof(struct tree_node);
    if (at != TREE_NONE) {
        tree->free = tree->nodes[at].left;
        tree->nodes[at] = (struct tree_node){0};
        return at;
    }
    if (tree->n_nodes == tree->cap) {
        tree->cap = tree->cap ? 2 * tree->cap : 16;
        tree->nodes = mem_realloc(tree->nodes, tree->cap, sizeof(*tree->nodes));
    }
    tree->nodes[tree->n_nodes] = (struct tree_node){0};
    return tree->n_nodes++;
}

void tree_drop(struct tree *tree, uint32_t at)
{
    size_t base = tree->walk.n;

    walk_push(&tree->walk, at);
    while (tree->walk.n > base) {
        at = walk_pop(&tree->walk);
        struct tree_node *node = &tree->nodes[at];

        walk_push_children(&tree->walk, node);
        if (node->leaf)
            leaf_free(tree, node->leaf);
        fan_free(tree, node->fan);
        adapt_free(tree, node->adapt);
        tree->bytes -= sizeof(struct tree_node);
        *node = (struct tree_node){.left = tree->free};
        tree->free = at;
    }
}

static void new_leaf_at(struct tree *tree, uint32_t at, const struct stat_var *stats,
                        const struct dist *votes, const struct leaf *parent)
{
    struct leaf *leaf = leaf_new(tree, tree->classes ? NULL : stats, parent);

    if (tree->classes)
        votes_set(leaf, votes);
    tree->nodes[at].leaf = leaf;
}

/* A child for each category that the leaf has seen. */
static void split_each(struct tree *tree, uint32_t at, struct leaf *parent, uint32_t feature)
{
    uint32_t n = obs_categories(&parent->obs, feature);
    uint32_t *sorted = mem_alloc(((size_t)n + 1) * sizeof(*sorted));

    obs_sorted(&parent->obs, feature, sorted);
    for (uint32_t i = 0; i < n; i++) {
        const struct obs_node *seen = &parent->obs.nodes[sorted[i]];
        uint32_t child = fan_add(tree, at, seen->key);

        struct dist votes = votes_of_category(seen);

        new_leaf_at(tree, child, &seen->var, &votes, parent);
    }
    free(sorted);
}

void tree_split(struct tree *tree, uint32_t at, struct leaf *parent, const struct split *split)
{
    tree->nodes[at] =
        (struct tree_node){.value = split->value, .feature = split->feature, .kind = split->kind};
    if (split->kind == BRANCH_EACH) {
        split_each(tree, at, parent, split->feature);
    } else {
        uint32_t left = tree_add_node(tree);
        uint32_t right = tree_add_node(tree);

        new_leaf_at(tree, left, &split->left, &split->left_votes, parent);
        new_leaf_at(tree, right, &split->right, &split->right_votes, parent);
        tree->nodes[at].left = left;
        tree->nodes[at].right = right;
    }
    if (tree->adapt)
        tree->nodes[at].adapt = adapt_new(tree);
    leaf_free(tree, parent);
}

/* Staying within memory */

struct candidate {
    struct leaf *leaf;
    double promise;
    uint32_t order; /* from left to right */
};

/* River's calculate_promise(): how likely it is that the leaf will be split; of a classifier the
 * weight of all but the largest class. */
static double promise(const struct leaf *leaf)
{
    if (!leaf->votes)
        return -(double)leaf->depth;
    return fmin(leaf->votes->dist.w[0], leaf->votes->dist.w[1]);
}

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *ca = a;
    const struct candidate *cb = b;

    if (ca->promise != cb->promise)
        return ca->promise < cb->promise ? -1 : 1;
    return ca->order < cb->order ? -1 : ca->order > cb->order;
}

static void add_candidate(struct candidate *candidates, uint32_t *n, struct leaf *leaf)
{
    if (!leaf->active)
        return;
    candidates[*n] = (struct candidate){.leaf = leaf, .promise = promise(leaf), .order = *n};
    ++*n;
}

/*
 * Deactivates the least promising leaves, of equal ones from left to right, until an eighth of the
 * bound is free.
 */
static void enforce_bound(struct tree *tree)
{
    struct candidate *candidates = mem_zalloc((size_t)tree->n_active + 1, sizeof(*candidates));
    uint32_t n = 0;

    tree->walk.n = 0;
    walk_push(&tree->walk, 0);
    while (tree->walk.n) {
        const struct tree_node *node = &tree->nodes[walk_pop(&tree->walk)];

        if (node->adapt && node->adapt->alternate)
            add_candidate(candidates, &n, node->adapt->alternate);
        walk_push_children(&tree->walk, node);
        if (node->leaf)
            add_candidate(candidates, &n, node->leaf);
    }
    qsort(candidates, n, sizeof(*candidates), compare_candidates);
    for (uint32_t i = 0; i < n && tree->bytes > tree->max_bytes / 8 * 7; i++) {
        leaf_deactivate(tree, candidates[i].leaf);
        tree->n_deactivated++;
    }
    free(candidates);
}

#define DETECTOR_BYTES 512 /* of a young detector, or so */

bool tree_has_room(const struct tree *tree, size_t leaves)
{
    size_t each = sizeof(struct leaf) + sizeof(struct tree_node) + sizeof(struct adapt) +
                  sizeof(struct votes) + (tree->classes && tree->adapt ? DETECTOR_BYTES : 0);

    if (tree->params->leaf_prediction != LEAF_MEAN)
        each += sizeof(double) * (tree->base.n + 8);
    return tree->bytes <= tree->max_bytes / 8 * 7 &&
           leaves < (tree->max_bytes - tree->bytes) / each;
}

void tree_keep_bound(struct tree *tree)
{
    if (tree->bytes > tree->max_bytes && tree->n_active)
        enforce_bound(tree);
    if (tree->bytes > tree->max_bytes && tree->adapt)
        adapt_shed(tree);
}

void tree_set_max_bytes(struct learner *lrn, size_t max)
{
    struct tree *tree = (struct tree *)lrn;

    tree->max_bytes = max;
    tree_keep_bound(tree);
}

/* The learner */

/* How a regressor's leaves observe. */
static void set_splitter(struct tree *tree, const struct component *splitter)
{
    tree->observed = OBSERVED_EXACT;
    if (splitter->class == &tebst_splitter_class) {
        tree->observed = OBSERVED_ROUNDED;
        tree->digits = (unsigned)((const struct tebst_params *)splitter->params)->digits;
    } else if (splitter->class == &qo_splitter_class) {
        tree->observed = OBSERVED_SLOTS;
        tree->radius = ((const struct qo_params *)splitter->params)->radius;
    }
}

struct tree *tree_new(const struct component *component, const struct adapt_params *adapt, size_t n)
{
    const struct tree_params *params = component->params;
    struct tree *tree = mem_zalloc(1, sizeof(*tree));

    if (component->class->kind == LEARN_CLASSIFIER)
        tree->classes = component->params;
    else
        set_splitter(tree, params->splitter);
    tree->base.ops = component->class->learner;
    tree->base.n = n;
    tree->params = params;
    tree->max_depth = params->max_depth < TREE_MAX_DEPTH ? params->max_depth : TREE_MAX_DEPTH;
    tree->bytes = sizeof(*tree);
    tree->max_bytes = SIZE_MAX;
    tree->free = TREE_NONE;
    tree->adapt = adapt;
    tree_add_node(tree);
    tree->nodes[0].leaf = leaf_new(tree, NULL, NULL);
    return tree;
}

struct learner *tree_create(const struct component *component, size_t n)
{
    return &tree_new(component, NULL, n)->base;
}

struct tree *tree_new_drawing(const struct component *component, const struct tree_draw *draw,
                              size_t n)
{
    struct tree *tree = tree_new(component, NULL, n);

    tree->base.ops = hoeffding_tree_regressor_class.learner;
    tree->draw = draw;
    return tree;
}

void tree_free(struct learner *lrn)
{
    struct tree *tree = (struct tree *)lrn;

    for (uint32_t i = 0; i < tree->n_nodes; i++) {
        if (tree->nodes[i].leaf)
            leaf_free(tree, tree->nodes[i].leaf);
        fan_free(tree, tree->nodes[i].fan);
        adapt_free(tree, tree->nodes[i].adapt);
    }
    free(tree->nodes);
    free(tree->nominal);
    free(tree->walk.at);
    free(tree->cut_off.at);
    free(tree->rng);
    free(tree);
}

void tree_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct tree *tree = (struct tree *)lrn;
    bool missing;
    uint32_t at = find_place(tree, x, &missing);
    struct leaf *leaf = tree->nodes[at].leaf;
    struct split split;

    leaf_learn(tree, leaf, x, y, weight);
    /* As in River, a sample that had to guess its way does not make a leaf split. */
    if (leaf->active && !missing) {
        double grace = (double)tree->params->grace_period;

        if (leaf->depth >= tree->max_depth)
            leaf_deactivate(tree, leaf);
        else if (leaf->stats.mean.n - leaf->last_attempt >= grace &&
                 leaf_wants_split(tree, leaf, &split))
            tree_split(tree, at, leaf, &split);
    }
    tree_keep_bound(tree);
}

double tree_predict(const struct learner *lrn, const double *x)
{
    const struct tree *tree = (const struct tree *)lrn;

    return leaf_predict(tree, tree_leaf(tree, x), x);
}

void tree_set_kinds(struct learner *lrn, const enum feature_kind *kinds)
{
    struct tree *tree = (struct tree *)lrn;

    tree->nominal = mem_zalloc(lrn->n, sizeof(*tree->nominal));
    tree->bytes += lrn->n * sizeof(*tree->nominal);
    for (size_t j = 0; j < lrn->n; j++)
        tree->nominal[j] = kinds[j] == FEATURE_CATEGORICAL;
}

size_t tree_bytes(const struct learner *lrn)
{
    return ((const struct tree *)lrn)->bytes;
}

const struct learner_ops tree_ops = {
    .create = tree_create,
    .free = tree_free,
    .clone = NULL,
    .learn = tree_learn,
    .predict = tree_predict,
    .save = tree_save,
    .load = tree_load,
    .bytes = tree_bytes,
    .set_max_bytes = tree_set_max_bytes,
    .inspect = tree_inspect,
    .explain = tree_explain,
    .set_kinds = tree_set_kinds,
};

const char *const tree_leaf_predictions[] = {
    [LEAF_MEAN] = "mean",
    [LEAF_MODEL] = "model",
    [LEAF_ADAPTIVE] = "adaptive",
    NULL,
};

static const struct learn_param params[] = {TREE_PARAMS};

const char *tree_check_regressor(const void *values)
{
    const struct tree_params *p = values;

    return p->splitter->class == &gaussian_splitter_class
               ? "splitter: is for classifiers; write tebst_splitter, ebst_splitter or qo_splitter"
               : NULL;
}

const struct learn_class hoeffding_tree_regressor_class = {
    .name = "hoeffding_tree_regressor",
    .river = "tree.HoeffdingTreeRegressor",
    .help = "A tree that grows as samples come, with a mean and a linear model in each leaf.",
    .kind = LEARN_REGRESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct tree_params),
    .check = tree_check_regressor,
    .learner = &tree_ops,
};

static const struct learn_param tebst_params[] = {
    {.name = "digits",
     .offset = offsetof(struct tebst_params, digits),
     .type = PARAM_COUNT,
     .fallback = 1,
     .max = 9,
     .help = "Decimals that values are rounded to: more find better splits and take more memory."},
};

const struct learn_class tebst_splitter_class = {
    .name = "tebst_splitter",
    .river = "tree.splitter.TEBSTSplitter",
    .help = "A search tree of the rounded values of a feature.",
    .kind = LEARN_SPLITTER,
    .params = tebst_params,
    .n_params = sizeof(tebst_params) / sizeof(tebst_params[0]),
    .params_size = sizeof(struct tebst_params),
};

const struct learn_class ebst_splitter_class = {
    .name = "ebst_splitter",
    .river = "tree.splitter.EBSTSplitter",
    .help = "A search tree of the values of a feature as they are: finer, and larger.",
    .kind = LEARN_SPLITTER,
};

static const struct learn_param qo_params[] = {
    {.name = "radius",
     .offset = offsetof(struct qo_params, radius),
     .type = PARAM_REAL,
     .fallback = 0.25,
     .max = 1e9,
     .above_min = true,
     .help = "Width of a slot: features are best scaled; less finds better splits and takes more "
             "memory."},
};

const struct learn_class qo_splitter_class = {
    .name = "qo_splitter",
    .river = "tree.splitter.QOSplitter",
    .help = "Slots of equal width: quick, and small whatever the values are.",
    .kind = LEARN_SPLITTER,
    .params = qo_params,
    .n_params = sizeof(qo_params) / sizeof(qo_params[0]),
    .params_size = sizeof(struct qo_params),
};
