/* Trees over features that are categories. That they are River's is in test_golden.c. */
#include "support.h"

#include <endian.h>
#include <xxhash.h>

#include "learn/explain.h"

#define WIDTH 3

static const char *const pipelines[] = {
    "[{\"hoeffding_tree_regressor\": {\"grace_period\": 60, \"delta\": 0.1}}]",
    "[{\"hoeffding_tree_regressor\": {\"grace_period\": 40, \"delta\": 0.1, \"binary_split\": "
    "true}}]",
    "[{\"hoeffding_adaptive_tree_regressor\": {\"grace_period\": 60, \"delta\": 0.1, "
    "\"drift_window_threshold\": 20, \"drift_detector\": {\"adwin\": {\"delta\": 0.9, "
    "\"clock\": 1}}}}]",
    "[{\"hoeffding_tree_classifier\": {\"grace_period\": 60, \"delta\": 0.1}}]",
    "[{\"hoeffding_tree_classifier\": {\"grace_period\": 40, \"delta\": 0.1, \"binary_split\": "
    "true, "
    "\"split_criterion\": \"gini\"}}]",
    "[{\"hoeffding_adaptive_tree_classifier\": {\"grace_period\": 60, \"delta\": 0.1, "
    "\"drift_window_threshold\": 20, \"drift_detector\": {\"adwin\": {\"delta\": 0.9, "
    "\"clock\": 1}}}}]",
};

#define PIPELINES (sizeof(pipelines) / sizeof(pipelines[0]))

static struct schema *make_schema(void)
{
    struct schema *schema = schema_new();

    assert_int_equal(schema_add(schema, "zone", FEATURE_CATEGORICAL, NULL), 0);
    assert_int_equal(schema_add(schema, "size", FEATURE_NUMERIC, NULL), 0);
    assert_int_equal(schema_add(schema, "kind", FEATURE_CATEGORICAL, NULL), 0);
    return schema;
}

/* Ids are as large as hashes are. Later samples have categories that earlier ones do not. */
static double id_of(uint64_t category)
{
    return (double)(category * 0x9e3779b97f4a7u % 0x10000000000000u);
}

static double sample(struct rng *rng, size_t i, double *x)
{
    uint64_t zone = rng_below(rng, 4 + i / 300);
    uint64_t kind = rng_below(rng, 3);
    double size = rng_gauss(rng, 0, 1);

    x[0] = rng_random(rng) < 0.05 ? (double)NAN : id_of(zone);
    x[1] = rng_random(rng) < 0.05 ? (double)NAN : size;
    x[2] = id_of(100 + kind);
    return (double)(zone * zone % 7) * 10 + size + (kind == 1 ? 20 : 0) + rng_gauss(rng, 0, 0.5);
}

/* A classifier learns whether y is large. */
static void learn(struct model *m, const double *x, double y)
{
    model_learn_one(m, x, model_kind(m) == MODEL_CLASSIFIER ? y > 25 : y, 1);
}

static struct model *restarted(struct model *m, const struct schema *schema)
{
    struct buf blob = BUF_INIT;
    struct err err = {0};
    struct model *again;

    model_save(m, &blob);
    again = model_load(blob.data, blob.len, schema, MODEL_DEFAULT_MAX_BYTES, &err);
    if (!again)
        fail_msg("%s", err.text);
    assert_true(model_bytes(again) == model_bytes(m));
    model_free(m);
    buf_release(&blob);
    return again;
}

/* Stopped after any sample, a tree with categories goes on as if it had not been, and explains. */
static void test_goes_on(void **state)
{
    struct schema *schema = make_schema();

    (void)state;
    for (size_t p = 0; p < PIPELINES; p++) {
        struct model *steady = support_model(pipelines[p], schema);
        struct model *stopped = support_model(pipelines[p], schema);
        struct rng rng;

        rng_seed(&rng, p);
        for (size_t i = 0; i < 2000; i++) {
            struct explanation ex = EXPLANATION_INIT;
            double x[WIDTH];
            double y = sample(&rng, i, x);
            double a = model_predict_one(steady, x);
            double b = model_predict_one(stopped, x);

            assert_memory_equal(&a, &b, sizeof(a));
            assert_int_equal(model_explain(steady, x, &ex, NULL), 0);
            assert_true(isnan(a) || fabs(explanation_total(&ex) - a) <= 1e-9 * fmax(1, fabs(a)));
            explanation_release(&ex);
            learn(steady, x, y);
            learn(stopped, x, y);
            if (i % 3 == 0)
                stopped = restarted(stopped, schema);
        }
        assert_true(support_number(steady, "leaves") > 4);
        model_free(steady);
        model_free(stopped);
    }
    schema_free(schema);
}

/* A branch with a way for each category makes a new one for a category that it has not met. */
static void test_new_category(void **state)
{
    struct schema *schema = make_schema();
    struct model *m = support_model("[{\"hoeffding_tree_regressor\": {\"grace_period\": 50, "
                                    "\"leaf_prediction\": \"mean\"}}]",
                                    schema);
    const double fresh[WIDTH] = {id_of(50), 0, 1};

    (void)state;
    for (int i = 0; i < 600; i++)
        model_learn_one(m, (double[]){id_of((uint64_t)i % 4), 0, 1}, i % 4 * 10, 1);
    assert_true(support_number(m, "leaves") == 4);
    model_learn_one(m, fresh, 77, 1);
    assert_true(support_number(m, "leaves") == 5);
    assert_true(model_predict_one(m, fresh) == 77);
    assert_true(model_predict_one(m, (double[]){id_of(2), 0, 1}) == 20);
    model_free(m);
    schema_free(schema);
}

/* Categories without end stay within the bound. */
static void test_bounded(void **state)
{
    struct schema *schema = make_schema();

    (void)state;
    for (size_t p = 0; p < PIPELINES; p++) {
        struct model *m = support_model(pipelines[p], schema);
        struct rng rng;

        rng_seed(&rng, p);
        model_set_max_bytes(m, MODEL_MIN_BYTES);
        for (size_t i = 0; i < 30000; i++) {
            double x[WIDTH];
            double y = sample(&rng, i % 1000, x);

            if (i > 5000)
                x[i % 2 ? 0 : 2] = id_of(i);
            learn(m, x, y);
            assert_true(model_bytes(m) <= MODEL_MIN_BYTES);
        }
        model_free(m);
    }
    schema_free(schema);
}

/* A blob with any byte changed and the checksum made right is refused, or a model that works. */
static void test_forged(void **state)
{
    struct schema *schema = make_schema();

    (void)state;
    for (size_t p = 0; p < PIPELINES; p++) {
        struct model *m = support_model(pipelines[p], schema);
        struct buf blob = BUF_INIT;
        struct rng rng;

        rng_seed(&rng, p);
        for (size_t i = 0; i < 400; i++) {
            double x[WIDTH];
            double y = sample(&rng, i, x);

            learn(m, x, y);
        }
        model_save(m, &blob);
        model_free(m);
        for (size_t round = 0; round < 4000; round++) {
            size_t at = (size_t)rng_below(&rng, blob.len - 8);
            char was = blob.data[at];
            uint64_t sum;

            blob.data[at] = (char)rng_getrandbits(&rng, 8);
            sum = htole64(XXH64(blob.data, blob.len - sizeof(sum), 0));
            memcpy(blob.data + blob.len - sizeof(sum), &sum, sizeof(sum));
            m = model_load(blob.data, blob.len, schema, MODEL_DEFAULT_MAX_BYTES, NULL);
            for (size_t i = 0; m && i < 20; i++) {
                double x[WIDTH];
                double y = sample(&rng, i, x);

                (void)model_predict_one(m, x);
                learn(m, x, y);
            }
            model_free(m);
            blob.data[at] = was;
        }
        buf_release(&blob);
    }
    schema_free(schema);
}

/* What knows nothing of categories is refused over them, by name. */
static void test_refused(void **state)
{
    static const char *const cases[][2] = {
        {"[\"linear_regression\"]", "\"zone\" is categorical, and linear_regression"},
        {"[\"standard_scaler\", \"hoeffding_tree_regressor\"]", "and standard_scaler does not"},
    };
    struct schema *schema = make_schema();

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct err err = {0};

        assert_null(model_new(cases[i][0], schema, &err));
        assert_int_equal(err.code, ERR_INVALID);
        if (!strstr(err.text, cases[i][1]))
            fail_msg("%s", err.text);
    }
    model_free(support_model("[\"mean\"]", schema)); /* the baseline looks at no feature */
    schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_on), cmocka_unit_test(test_new_category),
        cmocka_unit_test(test_bounded), cmocka_unit_test(test_forged),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
