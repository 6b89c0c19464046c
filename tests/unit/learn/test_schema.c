/* Schemas: order, look-up, and what they refuse. */
#include "support.h"

/* Features keep their order and are found by name, also by a part of a longer text. */
static void test_find(void **state)
{
    struct schema *schema = schema_new();
    struct schema *copy;

    (void)state;
    assert_int_equal(schema_size(schema), 0);
    assert_int_equal(schema_add(schema, "distance", FEATURE_NUMERIC, NULL), 0);
    assert_int_equal(schema_add(schema, "dist", FEATURE_BOOLEAN, NULL), 0);
    copy = schema_clone(schema);
    schema_free(schema);
    assert_int_equal(schema_size(copy), 2);
    assert_string_equal(schema_name(copy, 1), "dist");
    assert_int_equal(schema_kind(copy, 1), FEATURE_BOOLEAN);
    assert_int_equal(schema_find(copy, "distance", 8), 0);
    assert_int_equal(schema_find(copy, "distance", 4), 1);
    assert_int_equal(schema_find(copy, "distance", 3), -1);
    schema_free(copy);
}

/* The hash tells names, kinds and order apart, and where one name ends. */
static void test_hash(void **state)
{
    static const struct {
        const char *names[2];
        enum feature_kind kinds[2];
    } schemas[] = {
        {{"a", "b"}, {FEATURE_NUMERIC, FEATURE_NUMERIC}},
        {{"b", "a"}, {FEATURE_NUMERIC, FEATURE_NUMERIC}},
        {{"a", "b"}, {FEATURE_NUMERIC, FEATURE_BOOLEAN}},
        {{"a", "bnumeric"}, {FEATURE_NUMERIC, FEATURE_NUMERIC}},
        {{"anumeric", "b"}, {FEATURE_NUMERIC, FEATURE_NUMERIC}},
    };
    uint64_t hashes[5];

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct schema *schema = schema_new();

        for (size_t j = 0; j < 2; j++)
            assert_int_equal(schema_add(schema, schemas[i].names[j], schemas[i].kinds[j], NULL), 0);
        hashes[i] = schema_hash(schema);
        schema_free(schema);
        for (size_t j = 0; j < i; j++)
            assert_true(hashes[i] != hashes[j]);
    }
}

/* Sorted as Python's sorted() does it: by code points, of which UTF-8 keeps the order. */
static void test_sort(void **state)
{
    static const char *const names[] = {"b", "\xc3\xa9", "ab", "B", "a", "\xf0\x9f\x9a\x95", "_1"};
    static const size_t sorted[] = {3, 6, 4, 2, 0, 1, 5};
    struct schema *schema = schema_new();
    size_t found[7];

    (void)state;
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(schema_add(schema, names[i], FEATURE_NUMERIC, NULL), 0);
    schema_sort(schema, found);
    assert_memory_equal(found, sorted, sizeof(sorted));
    schema_free(schema);
}

/* Empty, long and repeated names are refused, and one feature too many. */
static void test_refused(void **state)
{
    struct schema *schema = schema_new();
    char name[SCHEMA_MAX_NAME + 2];
    struct err err = {0};

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(schema_add(schema, "", FEATURE_NUMERIC, &err), ERR_INVALID);
    assert_int_equal(schema_add(schema, name, FEATURE_NUMERIC, &err), ERR_INVALID);
    assert_int_equal(schema_add(schema, name + 1, FEATURE_NUMERIC, &err), 0);
    assert_int_equal(schema_add(schema, name + 1, FEATURE_BOOLEAN, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "listed twice"));
    for (size_t i = 1; i < SCHEMA_MAX_FEATURES; i++) {
        snprintf(name, sizeof(name), "feature_%zu", i - 1);
        assert_int_equal(schema_add(schema, name, FEATURE_NUMERIC, &err), 0);
    }
    assert_int_equal(schema_add(schema, "last", FEATURE_NUMERIC, &err), ERR_INVALID);
    assert_int_equal(schema_size(schema), SCHEMA_MAX_FEATURES);

    /* And so many features are enough for every class. */
    for (size_t p = 0; p < SUPPORT_PIPELINES; p++) {
        struct model *m = support_model(support_pipelines[p], schema);
        double x[SCHEMA_MAX_FEATURES];

        for (size_t i = 0; i < 60; i++) {
            for (size_t j = 0; j < SCHEMA_MAX_FEATURES; j++)
                x[j] = j % 7 == 3 ? (double)NAN : (double)((i * j) % 11);
            (void)model_predict_one(m, x);
            model_learn_one(m, x, (double)(i % 2), 1);
        }
        assert_int_equal(model_learned(m), 60);
        model_free(m);
    }
    schema_free(schema);
}

/* A category's number never changes: models have learned it. */
static void test_category(void **state)
{
    (void)state;
    assert_true(schema_category("", 0) == 1929880503118233.0);
    assert_true(schema_category("red", 3) == 2116263847683434.0);
    assert_true(schema_category("red", 2) != schema_category("red", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),    cmocka_unit_test(test_hash),
        cmocka_unit_test(test_sort),    cmocka_unit_test(test_category),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
