/* Training-serving skew: the same values are the same however they are written, others are found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "drift/skew.h"

static struct skew *new_skew(void)
{
    static const char *const names[] = {"a", "b", "c"};
    struct schema *schema = schema_new();
    struct skew *s;

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(schema_add(schema, names[i], FEATURE_NUMERIC, NULL), 0);
    s = skew_new(schema);
    schema_free(schema);
    return s;
}

static struct json_value parsed(const char *text)
{
    struct json_value v;

    assert_int_equal(json_parse(text, strlen(text), &v, NULL), 0);
    return v;
}

static void served(struct skew *s, const char *key, const char *features)
{
    struct json_value v = parsed(features);

    skew_served(s, key, strlen(key), &v);
}

static void learned(struct skew *s, const char *key, const char *features)
{
    struct json_value v = parsed(features);

    skew_learned(s, key, strlen(key), &v);
}

static uint64_t differing(const char *a, const char *b)
{
    struct skew *s = new_skew();
    uint64_t n;

    served(s, "k", a);
    learned(s, "k", b);
    assert_int_equal(skew_compared(s), 3);
    n = skew_differing(s);
    skew_free(s);
    return n;
}

/* Values are compared by their bits, not by their spelling. */
static void test_same(void **state)
{
    (void)state;
    assert_int_equal(differing("{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"b\":2,\"c\":3}"), 0);
    assert_int_equal(differing("{\"a\":1,\"b\":0.5,\"c\":3}", "{\"c\":3.0, \"b\":5e-1, \"a\":1}"),
                     0);
    assert_int_equal(differing("{\"a\":true,\"b\":null}", "{\"a\":1,\"c\":null}"), 0);
    assert_int_equal(differing("{\"a\":\"x\\u0041\"}", "{\"a\":\"xA\"}"), 0);
    assert_int_equal(differing("{\"a\":1,\"z\":9}", "{\"a\":1}"), 0); /* no feature of the task */

    assert_int_equal(differing("{\"a\":0.1}", "{\"a\":0.10000000000000002}"), 1);
    assert_int_equal(differing("{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}"), 2);
    assert_int_equal(differing("{\"a\":0}", "{\"a\":null}"), 1);
    assert_int_equal(differing("{\"a\":0}", "{\"a\":-0.0}"), 1);
    assert_int_equal(differing("{\"a\":1}", "{\"a\":\"1\"}"), 1);
    assert_int_equal(differing("{\"a\":\"x\"}", "{\"a\":\"y\"}"), 1);
}

/* What differs is shown: key, feature and both values, the newest first. */
static void test_examples(void **state)
{
    struct skew *s = new_skew();
    struct buf text = BUF_INIT;
    struct json_value list;
    struct json_value v;
    struct json_iter it;
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 30; i++) {
        char key[16];

        snprintf(key, sizeof(key), "key-%d", i);
        served(s, key, "{\"a\":1,\"b\":0.25,\"c\":3}");
        learned(s, key, "{\"a\":1,\"b\":0.5,\"c\":3}");
    }
    assert_int_equal(skew_compared(s), 90);
    assert_int_equal(skew_differing(s), 30);
    skew_write_examples(s, &text);
    assert_int_equal(json_parse(text.data, text.len, &list, NULL), 0);
    assert_non_null(strstr(text.data, "[{\"key\":\"key-29\",\"feature\":\"b\",\"served\":0.25,"
                                      "\"learned\":0.5}"));
    json_iter_init(&it, &list);
    while (json_next_element(&it, &v))
        n++;
    assert_int_equal(n, SKEW_EXAMPLES);
    buf_release(&text);
    skew_free(s);
}

/* A key is compared once, with its first prediction; rows of unknown keys and odd bodies do
 * nothing. */
static void test_once(void **state)
{
    struct skew *s = new_skew();

    (void)state;
    served(s, "k", "{\"a\":1}");
    served(s, "k", "{\"a\":2}");
    learned(s, "k", "{\"a\":1}");
    learned(s, "k", "{\"a\":7}");
    learned(s, "unknown", "{\"a\":7}");
    served(s, "odd", "[1]");
    learned(s, "odd", "[2]");
    assert_int_equal(skew_compared(s), 3);
    assert_int_equal(skew_differing(s), 0);
    skew_free(s);
}

static void serve_number(struct skew *s, size_t i)
{
    char key[32];

    snprintf(key, sizeof(key), "trip-%zu", i);
    served(s, key, "{\"a\":1,\"b\":2,\"c\":3}");
}

static void learn_number(struct skew *s, size_t i)
{
    char key[32];

    snprintf(key, sizeof(key), "trip-%zu", i);
    learned(s, key, "{\"a\":1,\"b\":2.0,\"c\":3}");
}

/* Labels that take longer than the ring make the sample smaller, until it reaches; and back. */
static void test_sample(void **state)
{
    const size_t delay = (size_t)20 * SKEW_WAITING;
    struct skew *s = new_skew();
    uint64_t before;
    size_t i = 0;

    (void)state;
    assert_true(skew_sample(s) == 1);
    for (; i < 40 * delay; i++) {
        serve_number(s, i);
        if (i >= delay)
            learn_number(s, i - delay);
    }
    assert_true(skew_sample(s) <= 1.0 / 16 && skew_sample(s) >= 1.0 / 128);
    before = skew_compared(s);
    for (size_t to = i + delay; i < to; i++) {
        serve_number(s, i);
        learn_number(s, i - delay);
    }
    /* As many keys as the sample says, and 3 values each: none is missed. */
    assert_true((double)(skew_compared(s) - before) > 0.8 * 3 * (double)delay * skew_sample(s));
    assert_true(skew_bytes(s) < 1000000);

    for (size_t to = i + 10 * delay; i < to; i++) {
        serve_number(s, i);
        if (i % 100 >= 10) /* not every label comes */
            learn_number(s, i);
    }
    assert_true(skew_sample(s) == 1);
    assert_int_equal(skew_differing(s), 0);
    skew_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_sample),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
