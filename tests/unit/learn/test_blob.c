/* Model blobs as hostile input: whatever the bytes, a refusal by name or a model that works. */
#include "support.h"

#include <endian.h>
#include <xxhash.h>

#include "learn/blob.h"

static struct buf blob_of(const char *pipeline, const struct schema *schema, size_t samples)
{
    struct model *m = support_model(pipeline, schema);
    struct buf blob = BUF_INIT;
    struct rng rng;

    rng_seed(&rng, 5);
    for (size_t i = 0; i < samples; i++) {
        double x[FEATURES];
        double y = support_sample(&rng, x);

        support_learn(m, x, y, 1);
    }
    model_save(m, &blob);
    model_free(m);
    return blob;
}

static void assert_refused(const void *data, size_t len, const struct schema *schema, int code,
                           const char *text)
{
    struct err err = {0};
    struct model *m = model_load(data, len, schema, MODEL_DEFAULT_MAX_BYTES, &err);

    assert_null(m);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, text))
        fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

/* Puts the right checksum under bytes that were tampered with. */
static void sign(struct buf *blob)
{
    uint64_t sum = htole64(XXH64(blob->data, blob->len - sizeof(sum), 0));

    memcpy(blob->data + blob->len - sizeof(sum), &sum, sizeof(sum));
}

/* A model that was loaded from anything at all can be used and saved. */
static void use(struct model *m)
{
    struct buf out = BUF_INIT;
    struct rng rng;

    rng_seed(&rng, 1);
    for (size_t i = 0; i < 60; i++) {
        double x[FEATURES];
        double y = support_sample(&rng, x);

        (void)model_predict_one(m, x);
        support_learn(m, x, y, 1);
    }
    model_save(m, &out);
    model_inspect(m, &out);
    buf_release(&out);
    model_free(m);
}

/*
 * A blob of up to so many bytes is tried at each of them; a larger one, most of which are the words
 * of random generators, at as many places of it. The fuzzer goes to all.
 */
#define PLACES 900

static size_t step_of(size_t len)
{
    return len / PLACES + 1;
}

/* A blob cut at any length is refused. */
static void test_truncated(void **state)
{
    struct schema *schema = support_schema(FEATURES);

    (void)state;
    for (size_t p = 0; p < SUPPORT_PIPELINES; p++) {
        struct buf blob = blob_of(support_pipelines[p], schema, 120);

        for (size_t len = 0; len < blob.len; len += step_of(blob.len)) {
            struct err err = {0};
            struct buf cut = BUF_INIT;

            buf_append(&cut, blob.data, len);
            assert_null(model_load(cut.data, len, schema, MODEL_DEFAULT_MAX_BYTES, &err));
            assert_int_equal(err.code, ERR_CORRUPT);
            buf_release(&cut);
        }
        buf_release(&blob);
    }
    schema_free(schema);
}

/* A blob with any byte changed is refused. */
static void test_flipped(void **state)
{
    struct schema *schema = support_schema(FEATURES);

    (void)state;
    for (size_t p = 0; p < SUPPORT_PIPELINES; p++) {
        struct buf blob = blob_of(support_pipelines[p], schema, 120);

        for (size_t i = 0; i < blob.len; i += step_of(blob.len)) {
            blob.data[i] ^= 0x41;
            assert_null(model_load(blob.data, blob.len, schema, MODEL_DEFAULT_MAX_BYTES, NULL));
            blob.data[i] ^= 0x41;
        }
        buf_release(&blob);
    }
    schema_free(schema);
}

/* With the checksum made right again, too, a changed byte is refused or harmless. */
static void test_forged(void **state)
{
    static const unsigned char masks[] = {0x01, 0x80, 0xff};
    struct schema *schema = support_schema(FEATURES);

    (void)state;
    for (size_t p = 0; p < SUPPORT_PIPELINES; p++) {
        struct buf good = blob_of(support_pipelines[p], schema, 90);

        for (size_t i = 0; i < 3 * good.len; i += step_of(3 * good.len)) {
            struct buf bad = BUF_INIT;
            struct model *m;

            buf_append(&bad, good.data, good.len);
            bad.data[i / 3] = (char)((unsigned char)bad.data[i / 3] ^ masks[(i / 3 + i) % 3]);
            sign(&bad);
            m = model_load(bad.data, bad.len, schema, MODEL_DEFAULT_MAX_BYTES, NULL);
            if (m)
                use(m);
            buf_release(&bad);
        }
        buf_release(&good);
    }
    schema_free(schema);
}

/* Random runs of bytes are overwritten, and the checksum made right: refused or harmless. */
static void test_scrambled(void **state)
{
    struct schema *schema = support_schema(FEATURES);
    struct rng rng;

    (void)state;
    rng_seed(&rng, 3);
    for (size_t p = 0; p < SUPPORT_PIPELINES; p++) {
        struct buf good = blob_of(support_pipelines[p], schema, 300);

        for (size_t round = 0; round < 500; round++) {
            struct buf bad = BUF_INIT;
            size_t at = (size_t)rng_below(&rng, good.len - 16);
            size_t n = 1 + (size_t)rng_below(&rng, 16);
            struct model *m;

            buf_append(&bad, good.data, good.len);
            for (size_t i = 0; i < n; i++)
                bad.data[at + i] = (char)rng_getrandbits(&rng, 8);
            sign(&bad);
            m = model_load(bad.data, bad.len, schema, MODEL_DEFAULT_MAX_BYTES, NULL);
            if (m)
                use(m);
            buf_release(&bad);
        }
        buf_release(&good);
    }
    schema_free(schema);
}

/* Each reason to refuse a blob has its own code, and its text names the reason. */
static void test_names_the_reason(void **state)
{
    struct schema *schema = support_schema(FEATURES);
    struct schema *other = support_schema(FEATURES + 1);
    struct buf blob = blob_of("[\"standard_scaler\", \"linear_regression\"]", schema, 50);
    struct err err = {0};

    (void)state;
    assert_refused("", 0, schema, ERR_CORRUPT, "too short");
    assert_refused(blob.data, blob.len - 1, schema, ERR_CORRUPT, "it says");
    assert_refused(blob.data, blob.len, other, ERR_CONFLICT, "other features");
    assert_null(model_load(blob.data, blob.len, schema, blob.len - 1, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);

    blob.data[blob.len - 20] ^= 1;
    assert_refused(blob.data, blob.len, schema, ERR_CORRUPT, "checksum");
    blob.data[8] = 2;
    sign(&blob);
    assert_refused(blob.data, blob.len, schema, ERR_UNSUPPORTED, "format version 2");
    blob.data[0] = 'X';
    assert_refused(blob.data, blob.len, schema, ERR_CORRUPT, "does not begin");
    buf_release(&blob);
    schema_free(other);
    schema_free(schema);
}

/* The order of features is part of the schema. */
static void test_order_matters(void **state)
{
    struct schema *ab = schema_new();
    struct schema *ba = schema_new();
    struct buf blob = BUF_INIT;
    struct model *m;

    (void)state;
    assert_int_equal(schema_add(ab, "a", FEATURE_NUMERIC, NULL), 0);
    assert_int_equal(schema_add(ab, "b", FEATURE_BOOLEAN, NULL), 0);
    assert_int_equal(schema_add(ba, "b", FEATURE_BOOLEAN, NULL), 0);
    assert_int_equal(schema_add(ba, "a", FEATURE_NUMERIC, NULL), 0);
    m = support_model("[\"mean\"]", ab);
    model_save(m, &blob);
    assert_refused(blob.data, blob.len, ba, ERR_CONFLICT, "another order");
    model_free(m);
    buf_release(&blob);
    schema_free(ab);
    schema_free(ba);
}

/* After the first failure a reader answers zeros, and keeps the first reason. */
static void test_reader_is_sticky(void **state)
{
    static const unsigned char bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    struct blob_reader in;

    (void)state;
    blob_reader_init(&in, bytes, sizeof(bytes));
    assert_int_equal(blob_read_u32(&in), 0x04030201);
    assert_int_equal(blob_left(&in), 6);
    assert_int_equal(blob_read_u64(&in), 0);
    assert_true(blob_failed(&in));
    assert_string_equal(in.failure, "it ends too early");
    assert_int_equal(blob_read_u8(&in), 0);
    blob_fail(&in, "something else");
    assert_string_equal(in.failure, "it ends too early");
}

/* A count is believed only when so much can follow. */
static void test_count_is_checked(void **state)
{
    struct buf bytes = BUF_INIT;
    struct blob_reader in;

    (void)state;
    blob_write_u64(&bytes, 3);
    blob_write_f64(&bytes, 1.5);
    blob_write_f64(&bytes, -2.5);
    blob_write_f64(&bytes, (double)NAN);
    blob_reader_init(&in, bytes.data, bytes.len);
    assert_int_equal(blob_read_count(&in, 8, 3), 3);
    assert_true(blob_read_f64(&in) == 1.5);
    blob_reader_init(&in, bytes.data, bytes.len);
    assert_int_equal(blob_read_count(&in, 9, 3), 0);
    assert_true(blob_failed(&in));
    blob_reader_init(&in, bytes.data, bytes.len);
    assert_int_equal(blob_read_count(&in, 8, 2), 0);
    assert_true(blob_failed(&in));
    buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncated),        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_forged),           cmocka_unit_test(test_scrambled),
        cmocka_unit_test(test_names_the_reason), cmocka_unit_test(test_order_matters),
        cmocka_unit_test(test_reader_is_sticky), cmocka_unit_test(test_count_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
