/* The aggregated Mondrian forests against River's, within their bound, and over hostile bytes. */
#include "golden.h"

#include "learn/blob.h"
#include "learn/mondrian.h"
#include "learn/rng.h"

#define FEATURES 6

/* Every prediction is River's within 1e-9, and every forest has as many nodes. */
static void test_traces(void **state)
{
    (void)state;
    golden_family_of("amf", "regressors", 5);
    golden_family_of("amf", "classifiers", 5);
    golden_family_of("amf_come_and_go", "regressors", 5);
    golden_family_of("amf_come_and_go", "classifiers", 5);
}

static struct model *model_of(const char *pipeline, const struct schema *schema)
{
    struct err err = {0};
    struct model *m = model_new(pipeline, schema, &err);

    if (!m)
        fail_msg("%s: %s", pipeline, err.text);
    return m;
}

static double inspected(const struct model *m, const char *name)
{
    struct json_value root;
    struct buf text = BUF_INIT;
    double v;

    model_inspect(m, &text);
    assert_int_equal(json_parse(text.data, text.len, &root, NULL), 0);
    v = golden_number(&root, name);
    buf_release(&text);
    return v;
}

/* The classes, with few trees and many splits. */
static const char *const pipelines[] = {
    "[{\"amf_regressor\": {\"n_estimators\": 3}}]",
    "[{\"amf_regressor\": {\"n_estimators\": 3, \"use_aggregation\": false}}]",
    "[{\"amf_classifier\": {\"n_estimators\": 3, \"split_pure\": true}}]",
};

#define PIPELINES (sizeof(pipelines) / sizeof(pipelines[0]))

static double random_row(struct rng *rng, double *x)
{
    for (size_t j = 0; j < FEATURES; j++)
        x[j] = rng_random(rng) < 0.05 ? (double)NAN : rng_random(rng);
    return x[0] > 0.5;
}

/* At its bound a forest stops splitting, says so, and goes on learning what is in its nodes. */
static void test_bounded(void **state)
{
    (void)state;
    for (size_t p = 0; p < PIPELINES; p++) {
        struct schema *schema = golden_schema(FEATURES);
        struct model *m = model_of(pipelines[p], schema);
        size_t node = 3 * mondrian_node_bytes(FEATURES);
        struct buf blob = BUF_INIT;
        double nodes = 0;
        struct rng rng;

        rng_seed(&rng, 1);
        model_set_max_bytes(m, MODEL_MIN_BYTES);
        for (size_t i = 0; i < 2000; i++) {
            double x[FEATURES];
            double y = random_row(&rng, x);

            model_learn_one(m, x, y, 1);
            assert_true(model_bytes(m) <= MODEL_MIN_BYTES);
            if (i == 999)
                nodes = inspected(m, "nodes");
        }
        /* No room is left that a split of every tree would fit into. */
        assert_true(model_bytes(m) > MODEL_MIN_BYTES - 3 * node);
        assert_true(inspected(m, "nodes") == nodes && inspected(m, "full_trees") == 3);
        assert_true(inspected(m, "learned_when_full") > 3 * 1000);
        model_save(m, &blob);
        assert_true(blob.len <= MODEL_MIN_BYTES);

        /* The world is another now: the nodes that are there follow. */
        double x[FEATURES] = {0.9, 0.5, 0.5, 0.5, 0.5, 0.5};
        double before = model_predict_one(m, x);

        for (size_t i = 0; i < 2000; i++)
            model_learn_one(m, x, 0, 1);
        assert_true(before > 0.8 && model_predict_one(m, x) < 0.2);
        buf_release(&blob);
        model_free(m);
        schema_free(schema);
    }
}

/* River's sampling would raise an error at infinite distances, and its weights become NaN. */
static void test_overflow(void **state)
{
    (void)state;
    for (size_t p = 0; p < PIPELINES; p++) {
        struct schema *schema = golden_schema(2);
        struct model *m = model_of(pipelines[p], schema);
        bool classifies = model_kind(m) == MODEL_CLASSIFIER;

        assert_true(isnan(model_predict_one(m, (const double[]){1, 2})));
        for (size_t k = 0; k < 300; k++) {
            const double x[2] = {k % 3 ? 1e308 : -1e308, k % 5 ? 5e-324 : -(double)k};
            double y = (double)(k % 2);

            model_learn_one(m, x, classifies ? y : y * 1e306, 1);
            assert_true(isfinite(model_predict_one(m, x)));
            assert_true(isfinite(model_predict_one(m, (const double[]){(double)NAN, -1e308})));
        }
        model_free(m);
        schema_free(schema);
    }
}

/* Errors whose squares are infinite, in leaves of several rows: River answers NaN. */
static void test_infinite_losses(void **state)
{
    struct schema *schema = golden_schema(2);
    struct model *m = model_of(pipelines[0], schema);

    (void)state;
    for (size_t k = 0; k < 300; k++) {
        const double x[2] = {(double)(k % 3), (double)(k % 2)};

        model_learn_one(m, x, k % 5 < 2 ? 1e155 : -1e155, 1);
        assert_true(fabs(model_predict_one(m, x)) <= 1.0001e155);
    }
    model_free(m);
    schema_free(schema);
}

/* One label only, and rows that are all the same: certain of it, in a node a tree. */
static void test_constant(void **state)
{
    (void)state;
    for (size_t p = 0; p < PIPELINES; p++) {
        for (int label = 0; label < 2; label++) {
            struct schema *schema = golden_schema(2);
            struct model *m = model_of(pipelines[p], schema);

            for (size_t k = 0; k < 100; k++)
                model_learn_one(m, (const double[]){1, (double)NAN}, label, 1);
            assert_true(inspected(m, "nodes") == 3);
            assert_true(fabs(model_predict_one(m, (const double[]){2, 3}) - label) < 1e-12);
            model_free(m);
            schema_free(schema);
        }
    }
}

static struct mondrian_rules rules_of(const size_t *by_name)
{
    return (struct mondrian_rules){
        .n_features = 2,
        .by_name = by_name,
        .classifies = true,
        .use_aggregation = true,
        .split_pure = true,
        .step = 1,
        .dirichlet = 0.5,
        .seen = {true, true},
        .limit = 1000,
    };
}

/* Bytes with one of them changed make a tree that can be walked and grown, or none. */
static void test_hostile(void **state)
{
    const size_t by_name[] = {0, 1};
    struct mondrian_rules rules = rules_of(by_name);
    struct buf blob = BUF_INIT;
    struct mondrian tree;
    struct rng rng;
    size_t refused = 0;
    size_t from;

    (void)state;
    rng_seed(&rng, 3);
    mondrian_init(&tree, &rules, 1);
    for (size_t i = 0; i < 12; i++)
        mondrian_learn(&tree, &rules, (const double[]){rng_random(&rng), rng_random(&rng)},
                       (double)(i % 2));
    rng_save(&tree.rng, &blob);
    from = blob.len; /* what is behind the generator is changed */
    buf_clear(&blob);
    mondrian_save(&tree, &rules, &blob);
    mondrian_release(&tree);

    for (size_t at = from; at < blob.len; at++) {
        struct blob_reader in;
        char kept = blob.data[at];

        blob.data[at] = (char)(kept ^ 0xff);
        blob_reader_init(&in, blob.data, blob.len);
        mondrian_init(&tree, &rules, 0);
        mondrian_load(&tree, &rules, &in);
        refused += blob_failed(&in);
        for (size_t i = 0; i < 20 && !blob_failed(&in); i++) {
            const double x[] = {rng_random(&rng), i % 3 ? rng_random(&rng) : (double)NAN};
            double scores[2];
            uint32_t leaf;

            mondrian_learn(&tree, &rules, x, (double)(i % 2));
            mondrian_find(&tree, 1, x, &leaf);
            mondrian_scores(&tree, &rules, leaf, scores);
        }
        mondrian_release(&tree);
        blob.data[at] = kept;
    }
    assert_true(refused > 0);
    buf_release(&blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces),   cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_overflow), cmocka_unit_test(test_infinite_losses),
        cmocka_unit_test(test_constant), cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
