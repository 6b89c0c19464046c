/*
 * A Mondrian tree as bytes: its generator, the samples it learned at its limit, the number of its
 * nodes, and these in preorder, so that their order says how they hang together and any bytes
 * make a tree or are refused. A node:
 *
 *     4   feature; 0xffffffff: it is a leaf
 *     8   threshold, of a branch only
 *     8   each: time, weight, weight of the tree, samples, value
 *     .   the box: the least of each feature, then the greatest
 */
#include "learn/mondrian.h"

#define LEAF_BYTES (sizeof(uint32_t) + 5 * sizeof(double))

static void save_node(const struct mondrian *tree, const struct mondrian_rules *rules, uint32_t at,
                      struct buf *out)
{
    const struct mondrian_node *node = &tree->nodes[at];
    size_t width = 2 * rules->n_features;

    blob_write_u32(out, node->feature);
    if (!mondrian_is_leaf(node))
        blob_write_f64(out, node->threshold);
    blob_write_f64(out, node->time);
    blob_write_f64(out, node->weight);
    blob_write_f64(out, node->log_weight_tree);
    blob_write_f64(out, node->n);
    blob_write_f64(out, node->value);
    blob_write_f64s(out, tree->boxes + at * width, width);
}

/* The next node in preorder; MONDRIAN_NONE behind the last. */
static uint32_t next_in_preorder(const struct mondrian *tree, uint32_t at)
{
    if (!mondrian_is_leaf(&tree->nodes[at]))
        return tree->nodes[at].child[0];
    while (at != 0) {
        const struct mondrian_node *parent = &tree->nodes[tree->nodes[at].parent];

        if (parent->child[0] == at)
            return parent->child[1];
        at = tree->nodes[at].parent;
    }
    return MONDRIAN_NONE;
}

void mondrian_save(const struct mondrian *tree, const struct mondrian_rules *rules, struct buf *out)
{
    rng_save(&tree->rng, out);
    blob_write_u64(out, tree->held);
    blob_write_u64(out, tree->n);
    for (uint32_t at = 0; at != MONDRIAN_NONE; at = next_in_preorder(tree, at))
        save_node(tree, rules, at, out);
}

static void load_node(struct mondrian *tree, const struct mondrian_rules *rules, uint32_t at,
                      uint32_t parent, struct blob_reader *in)
{
    struct mondrian_node *node = &tree->nodes[at];
    size_t width = 2 * rules->n_features;

    *node = (struct mondrian_node){
        .parent = parent,
        .child = {MONDRIAN_NONE, MONDRIAN_NONE},
        .feature = blob_read_u32(in),
    };
    if (!mondrian_is_leaf(node)) {
        node->threshold = blob_read_f64(in);
        if (node->feature >= rules->n_features)
            blob_fail(in, "a branch of a Mondrian tree asks for a feature that is not there");
    }
    node->time = blob_read_f64(in);
    node->weight = blob_read_f64(in);
    node->log_weight_tree = blob_read_f64(in);
    node->n = blob_read_f64(in);
    node->value = blob_read_f64(in);
    blob_read_f64s(in, tree->boxes + at * width, width);
    if (!(node->time >= 0 && node->n >= 0))
        blob_fail(in, "a time or a number of samples in a Mondrian tree is not one");
    if (rules->classifies && !(node->value >= 0 && node->value <= node->n))
        blob_fail(in, "a node of a Mondrian tree has more labels than samples");
}

/* The node that still lacks a child, from `at` up; MONDRIAN_NONE when the tree is whole. */
static uint32_t find_open(const struct mondrian *tree, uint32_t at)
{
    for (; at != MONDRIAN_NONE; at = tree->nodes[at].parent) {
        const struct mondrian_node *node = &tree->nodes[at];

        if (!mondrian_is_leaf(node) && node->child[1] == MONDRIAN_NONE)
            return at;
    }
    return MONDRIAN_NONE;
}

void mondrian_load(struct mondrian *tree, const struct mondrian_rules *rules,
                   struct blob_reader *in)
{
    size_t each = LEAF_BYTES + 2 * rules->n_features * sizeof(double);
    uint32_t open = MONDRIAN_NONE;
    uint32_t n;

    rng_load(&tree->rng, in);
    tree->held = blob_read_u64(in);
    n = (uint32_t)blob_read_count(in, each, MONDRIAN_MAX_NODES);
    mondrian_reserve(tree, rules, n);
    tree->n = 0;
    do {
        uint32_t at = tree->n++;

        load_node(tree, rules, at, open, in);
        if (open != MONDRIAN_NONE)
            tree->nodes[open].child[tree->nodes[open].child[0] != MONDRIAN_NONE] = at;
        open = find_open(tree, at);
    } while (tree->n < n && open != MONDRIAN_NONE && !blob_failed(in));
    if (tree->n != n || open != MONDRIAN_NONE)
        blob_fail(in, "a Mondrian tree has more or fewer nodes than hang together");
}
