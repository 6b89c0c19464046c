/* The adaptive random forests against River's recorded ones, and within their bound. */
#include "golden.h"
#include "support.h"

/* Every prediction is River's within 1e-9, and so many drifts, warnings and leaves. */
static void test_regressor(void **state)
{
    (void)state;
    golden_family_of("arf", "regressor", 5);
    golden_family_of("arf-categories", "regressor", 2);
}

static void test_classifier(void **state)
{
    (void)state;
    golden_family_of("arf", "classifier", 9);
    golden_family_of("arf-categories", "classifier", 2);
}

static double number_in(const struct model *m, const char *name)
{
    struct buf text = BUF_INIT;
    struct json_value root;
    double v;

    model_inspect(m, &text);
    assert_int_equal(json_parse(text.data, text.len, &root, NULL), 0);
    v = golden_number(&root, name);
    buf_release(&text);
    return v;
}

/* The model that `m` becomes when it is stopped here; `m` is freed. */
static struct model *restarted(struct model *m, const struct schema *schema, size_t bound)
{
    struct buf blob = BUF_INIT;
    struct err err = {0};

    model_save(m, &blob);
    struct model *again = model_load(blob.data, blob.len, schema, bound, &err);

    if (!again)
        fail_msg("%s", err.text);
    model_free(m);
    buf_release(&blob);
    return again;
}

/*
 * Trees that grow into their bound, one of the forests being stopped now and then: it is kept after
 * each sample, leaves are deactivated and counted, and both answer the same to the last bit.
 */
static void check_bounded(const char *pipeline, size_t bound)
{
    struct schema *schema = support_schema(FEATURES);
    struct model *steady = support_model(pipeline, schema);
    struct model *stopped = support_model(pipeline, schema);
    struct rng rng;

    rng_seed(&rng, 1);
    model_set_max_bytes(steady, bound);
    model_set_max_bytes(stopped, bound);
    for (size_t i = 0; i < 6000; i++) {
        double x[FEATURES];
        double y = support_sample(&rng, x) * (i / 1500 % 2 ? -3 : 1); /* with drifts */
        double a = model_predict_one(steady, x);
        double b = model_predict_one(stopped, x);

        assert_memory_equal(&a, &b, sizeof(a));
        support_learn(steady, x, y, 1);
        support_learn(stopped, x, y, 1);
        assert_true(model_bytes(steady) <= bound);
        if (i % 500 == 0)
            stopped = restarted(stopped, schema, bound);
    }
    print_message("  %s: %g leaves, %g deactivated, %g warnings, %g drifts, %zu bytes\n",
                  model_class(steady), number_in(steady, "leaves"),
                  number_in(steady, "deactivated_leaves"), number_in(steady, "warnings"),
                  number_in(steady, "drifts"), model_bytes(steady));
    assert_true(number_in(steady, "deactivated_leaves") > 0);
    assert_true(number_in(steady, "deactivated_leaves") >= number_in(steady, "inactive_leaves"));
    assert_true(number_in(steady, "warnings") > 0 && number_in(steady, "drifts") > 0);
    model_free(steady);
    model_free(stopped);
    schema_free(schema);
}

static void test_bounded(void **state)
{
    (void)state;
    check_bounded(
        "[{\"arf_regressor\": {\"n_models\": 5, \"remove_poor_attrs\": true, \"splitter\": "
        "{\"tebst_splitter\": {\"digits\": 4}}}}]",
        200000);
    check_bounded("[{\"arf_classifier\": {\"n_models\": 20, \"grace_period\": 10, \"delta\": 0.5, "
                  "\"tau\": 0.5, \"drift_detector\": {\"adwin\": {\"delta\": 1e-4}}}}]",
                  120000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regressor),
        cmocka_unit_test(test_classifier),
        cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
