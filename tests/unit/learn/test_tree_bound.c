/* Which leaves a tree stops when it needs more memory than it may have: the least promising. */
#include "support.h"

#include "learn/model_internal.h"
#include "learn/tree_internal.h"

static struct model *grown(const char *pipeline, const struct schema *schema)
{
    struct model *m = support_model(pipeline, schema);
    struct rng rng;

    rng_seed(&rng, 21);
    for (size_t i = 0; i < 20000; i++) {
        double x[FEATURES];
        double y = support_sample(&rng, x);

        if (model_kind(m) == MODEL_CLASSIFIER) /* of leaves that are not all pure */
            y = (y > 11) ^ (rng_random(&rng) < 0.2);
        model_learn_one(m, x, y, 1);
    }
    return m;
}

/* Of a regressor the deepest are the least promising, of a classifier the purest. */
static double promise(const struct leaf *leaf)
{
    const struct dist *dist;

    if (!leaf->votes)
        return -(double)leaf->depth;
    dist = &leaf->votes->dist;
    return dist->w[0] + dist->w[1] - fmax(dist->w[0], dist->w[1]);
}

struct shape {
    size_t active;
    size_t inactive;
    double most;  /* promise of an inactive leaf */
    double least; /* of an active one */
};

static struct shape shape_of(const struct model *m)
{
    const struct tree *tree = (const struct tree *)m->lrn;
    struct shape shape = {.most = -(double)INFINITY, .least = (double)INFINITY};

    for (uint32_t i = 0; i < tree->n_nodes; i++) {
        const struct leaf *leaf = tree->nodes[i].leaf;

        if (!leaf)
            continue;
        if (leaf->active) {
            shape.active++;
            shape.least = fmin(shape.least, promise(leaf));
        } else {
            shape.inactive++;
            shape.most = fmax(shape.most, promise(leaf));
        }
    }
    return shape;
}

/* Four fifths of the memory it has: leaves stop, no more than it takes, and not the best ones. */
static void check_bound(const char *pipeline)
{
    struct schema *schema = support_schema(FEATURES);
    struct model *m = grown(pipeline, schema);
    struct shape before = shape_of(m);
    size_t max = model_bytes(m) / 5 * 4;

    assert_true(before.inactive == 0 && before.active > 10);
    assert_true(max > MODEL_MIN_BYTES);
    model_set_max_bytes(m, max);
    struct shape after = shape_of(m);

    print_message("  %zu of %zu leaves go on\n", after.active, before.active);
    assert_int_equal(after.active + after.inactive, before.active);
    assert_true(after.active > 0 && after.inactive > 0);
    assert_true(after.most <= after.least);
    assert_true(support_number(m, "deactivated_leaves") == (double)after.inactive);
    assert_true(support_number(m, "inactive_leaves") == (double)after.inactive);
    assert_true(model_bytes(m) <= max && model_bytes(m) > max / 5 * 4);
    model_free(m);
    schema_free(schema);
}

static void test_regressor(void **state)
{
    (void)state;
    check_bound("[{\"hoeffding_tree_regressor\": {\"grace_period\": 50, \"delta\": 0.001, "
                "\"splitter\": {\"tebst_splitter\": {\"digits\": 3}}}}]");
}

static void test_classifier(void **state)
{
    (void)state;
    check_bound("[{\"hoeffding_tree_classifier\": {\"grace_period\": 10, \"delta\": 0.9, "
                "\"tau\": 0.9, \"max_share_to_split\": 1}}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regressor),
        cmocka_unit_test(test_classifier),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
