/*
 * Saving and loading the trees.
 *
 * Nodes come in preorder, left before right, those of the tree and those of the
 * search trees in its leaves: links need not be written, and whatever is read is
 * a tree.
 *
 *     8   leaves deactivated, ever
 *     then each node of the tree:
 *     1   KIND_BRANCH, KIND_EQUAL, KIND_EACH, KIND_LEAF, or KIND_ACTIVE for a leaf that observes
 *         branch: 4 feature, 8 threshold; KIND_EQUAL: likewise; KIND_EACH: 4 feature, 8 children,
 *                 each 8 value, and behind that the nodes of the first, and so on
 *         leaf:   24 statistics, 8 weight at the last attempt, 16 faded errors, the model
 *         active: 4 features seen, then for each in the order they were seen:
 *                 4 feature, 8 nodes, then each node: 8 value, 24 statistics, 1 sides;
 *                 of a number in slots 8 mean of the values before its sides;
 *                 with remove_poor_attrs then 8 features no longer observed, each 4
 *
 * An active leaf of a tree that draws (a forest's) has, before the features seen: 4 features drawn,
 * each 4.
 *
 * A leaf of a classifier has, behind its weight at the last attempt and 16 that are 0: 16 weights
 * of the classes, 1 which are there and which was first, 16 correct weights; and behind each
 * feature that an active one has seen 2 by 41: statistics, least and largest value, 1 which are
 * there.
 *
 * The adaptive tree has besides: before the nodes the random generator and 4 counts of 8;
 * behind each branch 24 errors, the detector, and KIND_NONE or the alternate, as a leaf
 * with 24 errors and its detector behind it. Of a classifier each leaf has those, behind its votes.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "learn/detector_backend.h"
#include "learn/tree_internal.h"

enum node_kind {
    KIND_NONE = 0,
    KIND_BRANCH = 1,
    KIND_LEAF = 2,
    KIND_ACTIVE = 3,
    KIND_EQUAL = 4,
    KIND_EACH = 5
};

#define SIDE_LEFT      1
#define SIDE_RIGHT     2
#define OBS_NODE_BYTES 33 /* of one in the blob */

static void write_var(struct buf *out, const struct stat_var *var)
{
    blob_write_f64(out, var->mean.n);
    blob_write_f64(out, var->mean.mean);
    blob_write_f64(out, var->s);
}

static void read_var(struct blob_reader *in, struct stat_var *var)
{
    var->mean.n = blob_read_f64(in);
    var->mean.mean = blob_read_f64(in);
    var->s = blob_read_f64(in);
}

/* Observers */

static void save_observer(struct walk *walk, const struct observers *obs, uint32_t root,
                          bool has_means, struct buf *out)
{
    size_t count_at = out->len;
    struct buf count_bytes = BUF_INIT;
    uint64_t count = 0;

    blob_write_u64(out, 0);
    walk->n = 0;
    if (root != TREE_NONE)
        walk_push(walk, root);
    for (; walk->n; count++) {
        uint32_t at = walk_pop(walk);
        const struct obs_node *node = &obs->nodes[at];
        int sides =
            (node->left != TREE_NONE ? SIDE_LEFT : 0) | (node->right != TREE_NONE ? SIDE_RIGHT : 0);

        blob_write_f64(out, node->key);
        write_var(out, &node->var);
        if (has_means)
            blob_write_f64(out, obs->means[at]);
        blob_write_u8(out, (uint8_t)sides);
        if (node->right != TREE_NONE)
            walk_push(walk, node->right);
        if (node->left != TREE_NONE)
            walk_push(walk, node->left);
    }
    blob_write_u64(&count_bytes, count);
    memcpy(out->data + count_at, count_bytes.data, count_bytes.len);
    buf_release(&count_bytes);
}

/* On the stack: nodes that still wait for a side, each with which one it is. */
static void load_observer(struct walk *walk, struct observers *obs, uint32_t *root, bool has_means,
                          struct blob_reader *in)
{
    size_t count = blob_read_count(in, OBS_NODE_BYTES, UINT32_MAX / 2);

    walk->n = 0;
    *root = TREE_NONE;
    for (size_t i = 0; i < count; i++) {
        uint32_t at = obs_take(obs);
        struct obs_node *node = &obs->nodes[at];
        int sides;

        node->key = blob_read_f64(in);
        read_var(in, &node->var);
        if (has_means)
            obs_means(obs)[at] = blob_read_f64(in);
        sides = blob_read_u8(in);
        node->left = TREE_NONE;
        node->right = TREE_NONE;
        if (i == 0) {
            *root = at;
        } else if (walk->n) {
            uint32_t side = walk_pop(walk);
            struct obs_node *parent = &obs->nodes[walk_pop(walk)];

            if (side == SIDE_LEFT)
                parent->left = at;
            else
                parent->right = at;
        } else {
            blob_fail(in, "an observer has a node that belongs nowhere");
            return;
        }
        if (sides & SIDE_RIGHT) {
            walk_push(walk, at);
            walk_push(walk, SIDE_RIGHT);
        }
        if (sides & SIDE_LEFT) {
            walk_push(walk, at);
            walk_push(walk, SIDE_LEFT);
        }
    }
    if (walk->n)
        blob_fail(in, "an observer lacks nodes");
}

/* What a classifier has seen of a feature with each class. */
static void save_gauss(const struct gauss *gauss, struct buf *out)
{
    for (int c = 0; c < 2; c++) {
        write_var(out, &gauss[c].var);
        blob_write_f64(out, gauss[c].min);
        blob_write_f64(out, gauss[c].max);
        blob_write_u8(out, (uint8_t)(gauss[c].seen + 2 * gauss[c].second));
    }
}

static void load_gauss(struct gauss *gauss, struct blob_reader *in)
{
    for (int c = 0; c < 2; c++) {
        uint8_t bits;

        read_var(in, &gauss[c].var);
        gauss[c].min = blob_read_f64(in);
        gauss[c].max = blob_read_f64(in);
        bits = blob_read_u8(in);
        gauss[c].seen = bits & 1;
        gauss[c].second = bits & 2;
    }
}

static void save_votes(const struct votes *votes, struct buf *out)
{
    const struct dist *dist = &votes->dist;

    blob_write_f64(out, dist->w[0]);
    blob_write_f64(out, dist->w[1]);
    blob_write_u8(out, (uint8_t)(dist->has[0] + 2 * dist->has[1] + 4 * dist->first));
    blob_write_f64(out, votes->mc_correct);
    blob_write_f64(out, votes->nb_correct);
}

static void load_votes(struct votes *votes, struct blob_reader *in)
{
    struct dist *dist = &votes->dist;
    uint8_t bits;

    dist->w[0] = blob_read_f64(in);
    dist->w[1] = blob_read_f64(in);
    bits = blob_read_u8(in);
    dist->has[0] = bits & 1;
    dist->has[1] = bits & 2;
    dist->first = (bits & 4) != 0;
    votes->mc_correct = blob_read_f64(in);
    votes->nb_correct = blob_read_f64(in);
    if (!(dist->w[0] >= 0 && dist->w[1] >= 0) || (bits & 3 && !dist->has[dist->first]))
        blob_fail(in, "a leaf has impossible votes");
}

/* The features that the leaf of a forest's tree looks at. */
static void load_drawn(struct tree *tree, struct leaf *leaf, struct blob_reader *in)
{
    size_t n = blob_read_u32(in);

    if (n > tree->base.n)
        blob_fail(in, "a leaf looks at more features than there are");
    if (blob_failed(in) || n == 0)
        return;
    leaf->drawn = mem_zalloc(n, sizeof(*leaf->drawn));
    leaf->n_drawn = (uint32_t)n;
    tree->bytes += n * sizeof(*leaf->drawn);
    for (size_t i = 0; i < n; i++) {
        leaf->drawn[i] = blob_read_u32(in);
        if (leaf->drawn[i] < tree->base.n)
            continue;
        leaf->drawn[i] = 0;
        blob_fail(in, "a leaf looks at a feature that is not there");
    }
}

static void load_observers(struct tree *tree, struct leaf *leaf, struct blob_reader *in)
{
    size_t n = tree->base.n;
    uint32_t n_order = blob_read_u32(in);

    if (n_order > n) {
        blob_fail(in, "a leaf has seen more features than there are");
        return;
    }
    if (n_order == 0)
        return;
    if (tree->draw && !leaf->drawn) {
        blob_fail(in, "a leaf has seen features, and looks at none");
        return;
    }

    obs_start(tree, &leaf->obs);
    if (leaf->votes)
        votes_start(tree, leaf);
    for (uint32_t i = 0; i < n_order; i++) {
        uint32_t j = blob_read_u32(in);

        if (blob_failed(in) || j >= n || obs_seen(&leaf->obs, j) ||
            leaf_slot(leaf, j) >= leaf_slots(tree, leaf)) {
            blob_fail(in, "a leaf has seen a feature that it does not look at, or one twice");
            return;
        }
        obs_order(&leaf->obs, n)[leaf->obs.n_order++] = j;
        if (leaf->votes)
            load_gauss(&leaf->votes->gauss[2 * leaf_slot(leaf, j)], in);
        load_observer(&tree->walk, &leaf->obs, &leaf->obs.root[j], tree_has_means(tree, j), in);
    }
}

static void save_disabled(const bool *disabled, size_t n, struct buf *out)
{
    uint64_t count = 0;

    for (size_t j = 0; disabled && j < n; j++)
        count += disabled[j];
    blob_write_u64(out, count);
    for (uint32_t j = 0; disabled && j < n; j++) {
        if (disabled[j])
            blob_write_u32(out, j);
    }
}

static void load_disabled(struct tree *tree, struct leaf *leaf, struct blob_reader *in)
{
    size_t count = blob_read_count(in, sizeof(uint32_t), tree->base.n);

    for (size_t i = 0; i < count; i++) {
        uint32_t j = blob_read_u32(in);

        if (blob_failed(in) || j >= tree->base.n || (leaf->obs.root && obs_seen(&leaf->obs, j))) {
            blob_fail(in, "a leaf has given up a feature that is not there, or that it observes");
            return;
        }
        leaf_disable(tree, leaf, j);
    }
}

/* What watches errors */

static void save_watch(const struct adapt *adapt, struct buf *out)
{
    write_var(out, &adapt->error);
    adapt->detector->ops->save(adapt->detector, out);
}

static void load_watch(struct tree *tree, struct adapt *adapt, struct blob_reader *in)
{
    read_var(in, &adapt->error);
    tree->bytes -= detector_bytes(adapt->detector);
    adapt->detector->ops->load(adapt->detector, in);
    tree->bytes += detector_bytes(adapt->detector);
}

/* Leaves */

static void save_leaf(struct walk *walk, const struct tree *tree, const struct leaf *leaf,
                      struct buf *out)
{
    size_t n = tree->base.n;

    blob_write_u8(out, leaf->active ? KIND_ACTIVE : KIND_LEAF);
    write_var(out, &leaf->stats);
    blob_write_f64(out, leaf->last_attempt);
    blob_write_f64(out, leaf->fmse_mean);
    blob_write_f64(out, leaf->fmse_model);
    if (leaf->votes)
        save_votes(leaf->votes, out);
    if (leaf->votes && leaf->adapt)
        save_watch(leaf->adapt, out);
    if (leaf->model)
        learner_save(leaf->model, out);
    if (!leaf->active)
        return;
    if (tree->draw)
        blob_write_u32(out, leaf->n_drawn);
    for (uint32_t i = 0; i < leaf->n_drawn; i++)
        blob_write_u32(out, leaf->drawn[i]);
    blob_write_u32(out, leaf->obs.n_order);
    for (uint32_t i = 0; i < leaf->obs.n_order; i++) {
        uint32_t j = obs_order(&leaf->obs, tree->base.n)[i];

        blob_write_u32(out, j);
        if (leaf->votes)
            save_gauss(&leaf->votes->gauss[2 * leaf_slot(leaf, j)], out);
        save_observer(walk, &leaf->obs, leaf->obs.root[j], tree_has_means(tree, j), out);
    }
    if (tree->params->remove_poor_attrs)
        save_disabled(leaf->disabled, n, out);
}

static struct leaf *load_leaf(struct tree *tree, uint32_t depth, bool active,
                              struct blob_reader *in)
{
    struct leaf *leaf = leaf_new(tree, NULL, NULL);

    leaf->depth = depth;
    read_var(in, &leaf->stats);
    leaf->last_attempt = blob_read_f64(in);
    leaf->fmse_mean = blob_read_f64(in);
    leaf->fmse_model = blob_read_f64(in);
    if (leaf->votes)
        load_votes(leaf->votes, in);
    if (leaf->votes && leaf->adapt)
        load_watch(tree, leaf->adapt, in);
    if (leaf->model)
        learner_load(leaf->model, in);
    if (active && tree->draw)
        load_drawn(tree, leaf, in);
    if (active) {
        size_t before = votes_bytes(tree, leaf);

        load_observers(tree, leaf, in);
        tree->bytes += obs_bytes(&leaf->obs, tree->base.n);
        tree->bytes += votes_bytes(tree, leaf) - before;
        if (tree->params->remove_poor_attrs)
            load_disabled(tree, leaf, in);
    } else {
        leaf_deactivate(tree, leaf);
    }
    return leaf;
}

/* What the adaptive tree has besides */

static void save_adapt(struct walk *walk, const struct tree *tree, const struct adapt *adapt,
                       struct buf *out)
{
    save_watch(adapt, out);
    if (!adapt->alternate) {
        blob_write_u8(out, KIND_NONE);
        return;
    }
    save_leaf(walk, tree, adapt->alternate, out);
    if (!adapt->alternate->votes)
        save_watch(adapt->alternate->adapt, out);
}

static void load_adapt(struct tree *tree, struct adapt *adapt, uint32_t depth,
                       struct blob_reader *in)
{
    int kind;

    load_watch(tree, adapt, in);
    kind = blob_read_u8(in);
    if (kind == KIND_NONE)
        return;
    if (kind != KIND_LEAF && kind != KIND_ACTIVE) {
        blob_fail(in, "an alternate is not a leaf");
        return;
    }
    adapt->alternate = load_leaf(tree, depth, kind == KIND_ACTIVE, in);
    if (adapt->alternate->votes)
        return;
    adapt->alternate->adapt = adapt_new(tree);
    load_watch(tree, adapt->alternate->adapt, in);
}

static void save_counts(const struct tree *tree, struct buf *out)
{
    rng_save(tree->rng, out);
    blob_write_u64(out, tree->n_alternates);
    blob_write_u64(out, tree->n_switched);
    blob_write_u64(out, tree->n_outgrown);
    blob_write_u64(out, tree->n_pruned);
}

static void load_counts(struct tree *tree, struct blob_reader *in)
{
    rng_load(tree->rng, in);
    tree->n_alternates = blob_read_u64(in);
    tree->n_switched = blob_read_u64(in);
    tree->n_outgrown = blob_read_u64(in);
    tree->n_pruned = blob_read_u64(in);
}

/* The tree */

static void save_branch(const struct tree_node *node, struct buf *out)
{
    static const uint8_t kinds[] = {
        [BRANCH_NUMBER] = KIND_BRANCH, [BRANCH_EQUAL] = KIND_EQUAL, [BRANCH_EACH] = KIND_EACH};

    blob_write_u8(out, kinds[node->kind]);
    blob_write_u32(out, node->feature);
    if (node->kind != BRANCH_EACH) {
        blob_write_f64(out, node->value);
        return;
    }
    blob_write_u64(out, node->fan->n);
    for (uint32_t i = 0; i < node->fan->n; i++)
        blob_write_f64(out, node->fan->arm[i].value);
}

void tree_save(const struct learner *lrn, struct buf *out)
{
    const struct tree *tree = (const struct tree *)lrn;
    struct walk walk = {0}; /* our own: saving changes nothing in the tree */
    struct walk inner = {0};

    blob_write_u64(out, tree->n_deactivated);
    if (tree->adapt)
        save_counts(tree, out);
    walk_push(&walk, 0);
    while (walk.n) {
        const struct tree_node *node = &tree->nodes[walk_pop(&walk)];

        if (node->leaf) {
            save_leaf(&inner, tree, node->leaf, out);
            continue;
        }
        save_branch(node, out);
        if (node->adapt)
            save_adapt(&inner, tree, node->adapt, out);
        walk_push_children(&walk, node);
    }
    free(walk.at);
    free(inner.at);
}

/* The arms of a BRANCH_EACH, all of them without what is below. */
static void load_fan(struct tree *tree, uint32_t at, struct blob_reader *in)
{
    size_t n = blob_read_count(in, sizeof(double), UINT32_MAX / 2);

    for (size_t i = 0; i < n; i++)
        fan_add(tree, at, blob_read_f64(in));
    if (n == 0)
        blob_fail(in, "a branch has no children");
}

static void load_branch(struct tree *tree, uint32_t at, int kind, struct blob_reader *in)
{
    struct tree_node *node = &tree->nodes[at];

    node->kind = kind == KIND_EACH    ? BRANCH_EACH
                 : kind == KIND_EQUAL ? BRANCH_EQUAL
                                      : BRANCH_NUMBER;
    node->feature = blob_read_u32(in);
    if (node->feature >= tree->base.n) {
        blob_fail(in, "a branch is on a feature that is not there");
        return;
    }
    if (kind == KIND_EACH) {
        load_fan(tree, at, in);
        return;
    }
    node->value = blob_read_f64(in);

    uint32_t left = tree_add_node(tree);
    uint32_t right = tree_add_node(tree);

    tree->nodes[at].left = left;
    tree->nodes[at].right = right;
}

/* Reads the node `at` of `depth`, and all below it. */
static void load_node(struct tree *tree, uint32_t at, uint32_t depth, struct blob_reader *in)
{
    int kind = blob_read_u8(in);

    if (kind == KIND_LEAF || kind == KIND_ACTIVE) {
        struct leaf *leaf = load_leaf(tree, depth, kind == KIND_ACTIVE, in);

        tree->nodes[at].leaf = leaf;
        return;
    }
    if (kind != KIND_BRANCH && kind != KIND_EQUAL && kind != KIND_EACH)
        blob_fail(in, "a node of the tree is of no known kind");
    if (depth >= TREE_MAX_DEPTH)
        blob_fail(in, "the tree is deeper than it may be");
    if (tree->bytes / 2 > tree->max_bytes)
        blob_fail(in, "the tree needs more memory than it may have");
    if (blob_failed(in))
        return;

    load_branch(tree, at, kind, in);
    if (tree->adapt && !blob_failed(in)) {
        tree->nodes[at].adapt = adapt_new(tree);
        load_adapt(tree, tree->nodes[at].adapt, depth, in);
    }
    for (uint32_t i = 0; !blob_failed(in) && i < tree_children(&tree->nodes[at]); i++)
        load_node(tree, tree_child_at(&tree->nodes[at], i), depth + 1, in);
}

void tree_load(struct learner *lrn, struct blob_reader *in)
{
    struct tree *tree = (struct tree *)lrn;

    leaf_free(tree, tree->nodes[0].leaf);
    tree->nodes[0].leaf = NULL;
    tree->n_deactivated = blob_read_u64(in);
    if (tree->adapt)
        load_counts(tree, in);
    load_node(tree, 0, 0, in);
}
