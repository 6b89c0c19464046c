/* What a tree shows of itself: its splits in preorder, and counts. */
#include <string.h>

#include "base/json.h"
#include "learn/schema.h"
#include "learn/tree_internal.h"

struct shape {
    uint32_t branches;
    uint32_t leaves;
    uint32_t inactive;
    uint32_t height; /* levels: 1 for a single leaf */
};

static void inspect_node(const struct tree *tree, uint32_t at, uint32_t level,
                         const struct schema *schema, struct shape *shape, struct buf *out)
{
    const struct tree_node *node = &tree->nodes[at];
    const char *name;

    if (level > shape->height)
        shape->height = level;
    if (node->leaf) {
        shape->leaves++;
        shape->inactive += !node->leaf->active;
        return;
    }
    name = schema_name(schema, node->feature);
    buf_text(out, shape->branches++ ? ",{\"feature\":" : "{\"feature\":");
    json_write_string(out, name, strlen(name));
    if (node->fan) {
        buf_text(out, ",\"values\":[");
        for (uint32_t i = 0; i < node->fan->n; i++) {
            buf_text(out, i ? "," : "");
            json_write_number(out, node->fan->arm[i].value);
        }
        buf_byte(out, ']');
    } else {
        buf_text(out, node->kind == BRANCH_EQUAL ? ",\"value\":" : ",\"threshold\":");
        json_write_number(out, node->value);
    }
    buf_byte(out, '}');
    for (uint32_t i = 0; i < tree_children(node); i++)
        inspect_node(tree, tree_child_at(node, i), level + 1, schema, shape, out);
}

void tree_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out)
{
    const struct tree *tree = (const struct tree *)lrn;
    struct shape shape = {0};

    buf_text(out, ",\"splits\":[");
    inspect_node(tree, 0, 1, schema, &shape, out);
    buf_printf(out,
               "],\"nodes\":%u,\"leaves\":%u,\"inactive_leaves\":%u,\"height\":%u,"
               "\"deactivated_leaves\":%llu",
               shape.branches + shape.leaves, shape.leaves, shape.inactive, shape.height,
               (unsigned long long)tree->n_deactivated);
    if (tree->adapt)
        buf_printf(out,
                   ",\"alternate_trees\":%llu,\"switched_trees\":%llu,\"outgrown_trees\":%llu,"
                   "\"pruned_trees\":%llu",
                   (unsigned long long)tree->n_alternates, (unsigned long long)tree->n_switched,
                   (unsigned long long)tree->n_outgrown, (unsigned long long)tree->n_pruned);
}
