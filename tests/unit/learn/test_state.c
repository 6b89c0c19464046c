/* Saving and loading: a model that was stopped goes on as one that never was. */
#include "support.h"

#include "learn/registry.h"

#define SAMPLES      1500
#define EACH_SAMPLES 400 /* the first, after each of which one is stopped */

static struct buf saved(const struct model *m)
{
    struct buf blob = BUF_INIT;

    model_save(m, &blob);
    return blob;
}

static void assert_same_bytes(const struct model *a, const struct model *b)
{
    struct buf blob_a = saved(a);
    struct buf blob_b = saved(b);

    assert_int_equal(blob_a.len, blob_b.len);
    assert_memory_equal(blob_a.data, blob_b.data, blob_a.len);
    assert_true(model_checksum(blob_a.data, blob_a.len) == model_checksum(blob_b.data, blob_b.len));
    buf_release(&blob_a);
    buf_release(&blob_b);
}

/* The model that `m` becomes when it is stopped here; `m` is freed. */
static struct model *restarted(struct model *m, const struct schema *schema, size_t max_bytes)
{
    struct buf blob = saved(m);
    struct err err = {0};
    struct model *again = model_load(blob.data, blob.len, schema, max_bytes, &err);

    if (!again)
        fail_msg("%s: %s", model_class(m), err.text);
    assert_true(model_bytes(again) == model_bytes(m));
    assert_true(model_learned(again) == model_learned(m));
    model_free(m);
    buf_release(&blob);
    return again;
}

static void compare(const char *pipeline, size_t stride, size_t max_bytes)
{
    struct schema *schema = support_schema(FEATURES);
    struct model *steady = support_model(pipeline, schema);
    struct model *stopped = support_model(pipeline, schema);
    struct rng rng;

    rng_seed(&rng, stride);
    model_set_max_bytes(steady, max_bytes);
    model_set_max_bytes(stopped, max_bytes);
    for (size_t i = 0; i < SAMPLES; i++) {
        double x[FEATURES];
        double y = support_sample(&rng, x);
        double a = model_predict_one(steady, x);
        double b = model_predict_one(stopped, x);

        assert_memory_equal(&a, &b, sizeof(a));
        support_learn(steady, x, y, 1 + (double)(i % 3));
        support_learn(stopped, x, y, 1 + (double)(i % 3));
        if (i % stride == 0 && (stride > 1 || i < EACH_SAMPLES))
            stopped = restarted(stopped, schema, max_bytes);
    }
    assert_same_bytes(steady, stopped);
    model_free(steady);
    model_free(stopped);
    schema_free(schema);
}

/* Stopped after each sample, every few, or now and then, a model goes on bit for bit as if it had
 * not been. */
static void test_goes_on(void **state)
{
    static const size_t strides[] = {1, 7, 101, 1000};

    (void)state;
    for (size_t p = 0; p < SUPPORT_PIPELINES; p++) {
        for (size_t s = 0; s < sizeof(strides) / sizeof(strides[0]); s++)
            compare(support_pipelines[p], strides[s], MODEL_DEFAULT_MAX_BYTES);
    }
}

/* The same holds while the bound on memory bites. */
static void test_goes_on_when_bounded(void **state)
{
    (void)state;
    compare("[{\"hoeffding_tree_regressor\": {\"grace_period\": 20, \"tau\": 0.5, "
            "\"splitter\": {\"tebst_splitter\": {\"digits\": 6}}}}]",
            37, MODEL_MIN_BYTES);
    compare("[{\"knn_regressor\": {\"window_size\": 100000}}]", 37, MODEL_MIN_BYTES);
    compare("[{\"amf_regressor\": {\"n_estimators\": 3}}]", 37, MODEL_MIN_BYTES);
    compare("[{\"amf_classifier\": {\"n_estimators\": 3}}]", 37, MODEL_MIN_BYTES);
}

/* Every learner of the registry is among the pipelines that these tests run over. */
static void test_covers_registry(void **state)
{
    (void)state;
    for (size_t i = 0; i < learn_class_count(); i++) {
        const struct learn_class *class = learn_class_at(i);
        bool found = false;

        if (!learn_kind_is_learner(class->kind) && class->kind != LEARN_PREPROCESSOR)
            continue;
        for (size_t p = 0; p < SUPPORT_PIPELINES; p++)
            found |= strstr(support_pipelines[p], class->name) != NULL;
        if (!found)
            fail_msg("no pipeline of support.h has %s", class->name);
    }
}

/* Predicting changes nothing, in one row or in many. */
static void test_predict_is_pure(void **state)
{
    (void)state;
    for (size_t p = 0; p < SUPPORT_PIPELINES; p++) {
        struct schema *schema = support_schema(FEATURES);
        struct model *m = support_model(support_pipelines[p], schema);
        double x[50][FEATURES];
        double many[50];
        struct rng rng;
        struct buf before;
        struct buf after;

        rng_seed(&rng, p);
        for (size_t i = 0; i < 500; i++) {
            double y = support_sample(&rng, x[i % 50]);

            support_learn(m, x[i % 50], y, 1);
        }
        before = saved(m);
        model_predict_many(m, x[0], 50, many);
        for (size_t i = 0; i < 50; i++)
            assert_true(many[i] == model_predict_one(m, x[i]));
        after = saved(m);
        assert_int_equal(before.len, after.len);
        assert_memory_equal(before.data, after.data, before.len);
        buf_release(&before);
        buf_release(&after);
        model_free(m);
        schema_free(schema);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_goes_on_when_bounded),
        cmocka_unit_test(test_covers_registry),
        cmocka_unit_test(test_predict_is_pure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
