/* Intervals: the published algorithm, and what is ours about it. What it promises:
 * test_conformal_streams.c. */
#include "support.h"

#include <endian.h>
#include <xxhash.h>

#include "base/mem.h"

#define SAMPLES 3000

/* The algorithm by its book, over the last `window` residuals. */
struct oracle {
    double coverage;
    double gamma;
    size_t window;
    double alpha;
    double residual[SAMPLES];
    size_t n;
};

static int compare_doubles(const void *a, const void *b)
{
    double da = *(const double *)a;
    double db = *(const double *)b;

    return (da > db) - (da < db);
}

static bool oracle_half(const struct oracle *o, double *ret)
{
    size_t n = o->n < o->window ? o->n : o->window;
    double *sorted = mem_alloc((n + 1) * sizeof(*sorted));
    double needed = ceil((double)(n + 1) * o->coverage);
    double rank = ceil((double)(n + 1) * (1 - o->alpha));
    bool is_known = needed <= (double)n;

    memcpy(sorted, o->residual + (o->n - n), n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare_doubles);
    if (is_known)
        *ret = sorted[(size_t)fmin(fmax(rank, 1), (double)n) - 1];
    free(sorted);
    return is_known;
}

static void oracle_learn(struct oracle *o, double value, double y)
{
    double half;

    if (oracle_half(o, &half)) {
        double missed = y < value - half || y > value + half;

        o->alpha = fmin(fmax(o->alpha + o->gamma * ((1 - o->coverage) - missed), 0), 1);
    }
    o->residual[o->n++] = fabs(y - value);
}

static void against_oracle(const char *inner, const char *parameters, struct oracle *o)
{
    struct schema *schema = support_schema(FEATURES);
    struct buf pipeline = BUF_INIT;
    struct model *m;
    struct model *plain;
    struct rng rng;

    buf_printf(&pipeline, "[{\"adaptive_conformal\": {\"regressor\": \"%s\", %s}}]", inner,
               parameters);
    m = support_model(buf_str(&pipeline), schema);
    buf_clear(&pipeline);
    buf_printf(&pipeline, "[\"%s\"]", inner);
    plain = support_model(buf_str(&pipeline), schema);
    o->alpha = 1 - o->coverage;
    rng_seed(&rng, 3);
    for (int i = 0; i < SAMPLES; i++) {
        double x[FEATURES];
        double y = support_sample(&rng, x) + (i > 1500 ? rng_gauss(&rng, 0, 20) : 0);
        double value = model_predict_one(m, x);
        double same = model_predict_one(plain, x);
        struct issued said = issued_alone(value);
        double half;
        bool is_known = model_interval_one(m, &said);

        assert_memory_equal(&value, &same, sizeof(value));
        assert_true(is_known == oracle_half(o, &half));
        if (is_known) {
            assert_true(said.low == value - half);
            assert_true(said.high == value + half);
            assert_true(said.alpha == o->alpha);
        }
        oracle_learn(o, value, y);
        model_learn_one(m, x, y, 1);
        model_learn_one(plain, x, y, 1);
    }
    model_free(m);
    model_free(plain);
    schema_free(schema);
    buf_release(&pipeline);
}

/* Without a delay it is the algorithm of the paper, and the regressor's own answer is untouched. */
static void test_published(void **state)
{
    static struct oracle o;

    (void)state;
    o = (struct oracle){.coverage = 0.9, .gamma = 0.005, .window = 1000};
    against_oracle("linear_regression", "\"coverage\": 0.9", &o);
    o = (struct oracle){.coverage = 0.75, .gamma = 0.05, .window = 100};
    against_oracle("mean", "\"coverage\": 0.75, \"gamma\": 0.05, \"window_size\": 100", &o);
    o = (struct oracle){.coverage = 0.5, .gamma = 0.5, .window = 7};
    against_oracle("knn_regressor", "\"coverage\": 0.5, \"gamma\": 0.5, \"window_size\": 7", &o);
}

static double alpha_of(const struct model *m)
{
    struct buf text = BUF_INIT;
    const char *at;
    double alpha;

    model_inspect(m, &text);
    at = strstr(buf_str(&text), "\"alpha\":");
    assert_non_null(at);
    alpha = strtod(at + strlen("\"alpha\":"), NULL);
    buf_release(&text);
    return alpha;
}

/* What was issued is what is learned from: an interval moves the level, and a value alone does not;
 * what cannot have been issued tells nothing. */
static void test_issued(void **state)
{
    struct schema *schema = support_schema(1);
    struct model *m = support_model("[{\"adaptive_conformal\": {\"regressor\": \"mean\", "
                                    "\"coverage\": 0.5, \"gamma\": 0.1}}]",
                                    schema);
    struct issued said = {7, -1, -1, -1, 0};
    double nan = (double)NAN;
    double x = 0;

    (void)state;
    assert_true(model_has_intervals(m));
    assert_false(model_interval_one(m, &said));
    assert_true(said.low == -1 && said.high == -1 && said.alpha == -1);
    for (int i = 1; i <= 10; i++)
        model_learn_issued(m, &x, 100, 1, &(struct issued){100 + i, nan, nan, 0.3, 0});
    assert_true(alpha_of(m) == 0.5); /* residuals 1 to 10 */
    assert_true(model_interval_one(m, &said));
    assert_true(said.value == 7 && said.low == 1 && said.high == 13 && said.alpha == 0.5);

    /* Its own: the step of the paper. The residual is the eleventh. */
    model_learn_issued(m, &x, 120, 1, &(struct issued){100, 94, 106, 0.5, 0});
    assert_true(fabs(alpha_of(m) - 0.45) < 1e-12);
    /* An older, narrower one, which missed. */
    model_learn_issued(m, &x, 110, 1, &(struct issued){100, 95.5, 104.5, 0.7, 0});
    assert_true(fabs(alpha_of(m) - 0.425) < 1e-12);
    /* One that does not say: 8 of 12 residuals are wider. It holds the label. */
    model_learn_issued(m, &x, 100, 1, &(struct issued){100, 99, 104.5, nan, 0});
    assert_true(fabs(alpha_of(m) - (0.425 + 0.1 * (8.0 / 12 - 0.425 + 0.5))) < 1e-12);
    model_learn_issued(m, &x, 100, 1, &(struct issued){100, 0, 200, 17, 0}); /* nor this one */
    assert_true(alpha_of(m) < 0.54);

    double before = alpha_of(m);
    /* An old one moves it by less. */
    model_learn_issued(m, &x, 100, 1, &(struct issued){100, 0, 200, 0.3, 90});
    assert_true(fabs(alpha_of(m) - (before + 0.1 / 10 * (0.3 - before + 0.5))) < 1e-12);
    model_learn_issued(m, &x, 100, 1, &(struct issued){100, 0, 200, 0.3, (double)INFINITY});
    assert_true(alpha_of(m) > before - 0.1 && alpha_of(m) <= 1);
    before = alpha_of(m);
    model_learn_issued(m, &x, 110, 1, &(struct issued){nan, 1, 2, 0.5, 0});
    model_learn_issued(m, &x, 110, 1, &(struct issued){3, 4, 2, 0.5, 0});
    model_learn_issued(m, &x, 110, 1, &(struct issued){3, (double)-INFINITY, 2, 0.5, 0});
    model_learn_issued(m, &x, 110, 1, &(struct issued){(double)INFINITY, nan, nan, 0.5, 0});
    assert_true(alpha_of(m) == before);
    assert_true(model_learned(m) == 20);
    model_free(m);

    m = support_model("[\"mean\"]", schema);
    assert_false(model_has_intervals(m));
    assert_false(model_interval_one(m, &said));
    model_learn_issued(m, &x, 8, 1, &(struct issued){3, 2, 4, 0.5, 0});
    assert_true(model_predict_one(m, &x) == 8);
    model_free(m);
    m = support_model("[\"target_standard_scaler\"]", schema);
    assert_false(model_has_intervals(m));
    model_free(m);
    schema_free(schema);
}

/* Whatever comes, there is a finite interval that holds the value, or none. */
static void test_hostile(void **state)
{
    static const double values[] = {0,        -0.0,  1,      1e308, -1e308,           1e-308,
                                    4.9e-324, 1e154, -1e200, 5,     (double)INFINITY, (double)NAN};
    static const char *const pipelines[] = {
        "[{\"adaptive_conformal\": {\"window_size\": 9, \"gamma\": 1}}]",
        "[{\"target_standard_scaler\": {\"regressor\": \"adaptive_conformal\"}}]",
        "[{\"adaptive_conformal\": {\"regressor\": \"mean\", \"gamma\": 0}}]"};
    size_t n = sizeof(values) / sizeof(values[0]);

    (void)state;
    for (size_t p = 0; p < 3; p++) {
        struct schema *schema = support_schema(1);
        struct model *m = support_model(pipelines[p], schema);
        struct rng rng;

        rng_seed(&rng, p);
        for (int i = 0; i < 20000; i++) {
            double of[5];
            struct issued now;

            for (size_t k = 0; k < 5; k++)
                of[k] = values[(size_t)(rng_random(&rng) * (double)n)];
            if (i < 2000) /* first a constant */
                of[0] = of[1] = of[2] = 3;
            model_answer(m, &of[0], &now);
            if (issued_has_interval(&now)) {
                assert_true(isfinite(now.low) && isfinite(now.high));
                assert_true(now.low <= now.value && now.value <= now.high);
            }
            if (i % 2)
                model_learn_one(m, &of[0], of[1], 1);
            else
                model_learn_issued(m, &of[0], of[1], 1,
                                   &(struct issued){of[2], of[3], of[4], of[0], 0});
            assert_true(model_bytes(m) < MODEL_MIN_BYTES);
        }
        model_free(m);
        schema_free(schema);
    }
}

/* Bounded memory: of a large window what fits is kept, and there are intervals all the same. */
static void test_bounded(void **state)
{
    struct schema *schema = support_schema(1);
    struct model *m =
        support_model("[{\"adaptive_conformal\": {\"window_size\": 100000, \"regressor\": "
                      "{\"knn_regressor\": {\"window_size\": 100000}}}}]",
                      schema);
    struct rng rng;
    struct buf blob = BUF_INIT;
    struct issued said = issued_alone(0.5);
    struct err err;

    (void)state;
    rng_seed(&rng, 1);
    model_set_max_bytes(m, MODEL_MIN_BYTES);
    for (int i = 0; i < 5000; i++) {
        double x = rng_random(&rng);

        model_learn_one(m, &x, x + rng_random(&rng), 1);
        assert_true(model_bytes(m) <= MODEL_MIN_BYTES);
    }
    assert_true(model_interval_one(m, &said));
    model_save(m, &blob);
    assert_true(blob.len <= MODEL_MIN_BYTES);
    model_free(m);
    m = model_load(blob.data, blob.len, schema, MODEL_MIN_BYTES, &err);
    assert_non_null(m);
    model_set_max_bytes(m, MODEL_DEFAULT_MAX_BYTES); /* more room again */
    for (int i = 0; i < 100; i++)
        model_learn_one(m, &(double){0.5}, 1, 1);
    model_free(m);
    buf_release(&blob);
    schema_free(schema);
}

/* Tries the blob with its `at`-th eight bytes of state, counted from alpha, changed. */
static void refuses_blob(const struct buf *good, const struct schema *schema, size_t at,
                         double value, uint64_t bits, const char *word)
{
    char *blob = mem_alloc(good->len);
    uint64_t u;
    uint32_t text_len;
    struct err err = {0};

    memcpy(blob, good->data, good->len);
    memcpy(&text_len, blob + 12, sizeof(text_len));
    memcpy(&u, &value, sizeof(u));
    u = htole64(isnan(value) && bits ? bits : u);
    memcpy(blob + 40 + le32toh(text_len) + 16 + 8 * at, &u, sizeof(u));
    u = htole64(XXH64(blob, good->len - 8, 0));
    memcpy(blob + good->len - 8, &u, sizeof(u));
    assert_null(model_load(blob, good->len, schema, MODEL_DEFAULT_MAX_BYTES, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    if (!strstr(err.text, word))
        fail_msg("%s", err.text);
    free(blob);
}

static void test_bad_blobs(void **state)
{
    struct schema *schema = support_schema(1);
    struct model *m = support_model("[{\"adaptive_conformal\": {\"window_size\": 30}}]", schema);
    struct buf blob = BUF_INIT;
    double nan = (double)NAN;

    (void)state;
    for (int i = 0; i < 30; i++)
        model_learn_one(m, &(double){i}, i % 5, 1);
    model_save(m, &blob);
    refuses_blob(&blob, schema, 0, nan, 0, "level");
    refuses_blob(&blob, schema, 0, 1.5, 0, "level");
    refuses_blob(&blob, schema, 0, -0.1, 0, "level");
    refuses_blob(&blob, schema, 1, nan, 31, "count");
    refuses_blob(&blob, schema, 1, nan, UINT64_MAX, "count");
    refuses_blob(&blob, schema, 2, -1, 0, "residual");
    refuses_blob(&blob, schema, 31, nan, 0, "residual");
    refuses_blob(&blob, schema, 31, (double)INFINITY, 0, "residual");
    buf_release(&blob);
    model_free(m);
    schema_free(schema);
}

static void test_parameters(void **state)
{
    static const char *const wrong[][2] = {
        {"\"coverage\": 1", "below 1"},
        {"\"coverage\": 0", "coverage"},
        {"\"window_size\": 8", "window_size is too small"},
        {"\"coverage\": 0.9999", "window_size is too small"},
        {"\"gamma\": 2", "gamma"},
        {"\"regressor\": \"prior\"", "regressor"},
    };
    struct schema *schema = support_schema(1);

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct buf text = BUF_INIT;
        struct err err;

        buf_printf(&text, "[{\"adaptive_conformal\": {%s}}]", wrong[i][0]);
        assert_null(model_new(buf_str(&text), schema, &err));
        if (!strstr(err.text, wrong[i][1]))
            fail_msg("%s: %s", wrong[i][0], err.text);
        buf_release(&text);
    }
    schema_free(schema);
}

/* Around a tree that takes categories, too. */
static void test_categories(void **state)
{
    struct schema *schema = schema_new();
    struct err err;
    struct model *m;
    struct issued said = issued_alone(10);

    (void)state;
    assert_int_equal(schema_add(schema, "colour", FEATURE_CATEGORICAL, NULL), 0);
    assert_null(model_new("[\"adaptive_conformal\"]", schema, &err));
    m = support_model("[{\"adaptive_conformal\": {\"regressor\": \"hoeffding_tree_regressor\"}}]",
                      schema);
    for (int i = 0; i < 2000; i++) {
        double x = schema_category(i % 2 ? "red" : "blue", i % 2 ? 3 : 4);

        model_learn_one(m, &x, i % 2 ? 10 : 20, 1);
    }
    assert_true(model_interval_one(m, &said));
    model_free(m);
    schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),  cmocka_unit_test(test_issued),
        cmocka_unit_test(test_hostile),    cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_bad_blobs),  cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_categories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
