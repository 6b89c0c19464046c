/* The window of remembered keys, against the plainest set there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "state/dedupe.h"

static struct dedupe_key key_of(unsigned i)
{
    char text[16];

    snprintf(text, sizeof(text), "t%u", i);
    return dedupe_key(text, strlen(text));
}

/* A key is there from when it is added until the window has passed. */
static void test_window(void **state)
{
    struct dedupe *d = dedupe_new(60, 1000);

    (void)state;
    assert_false(dedupe_has(d, key_of(1)));
    dedupe_expire(d, 0);
    dedupe_add(d, key_of(1), 1000);
    dedupe_add(d, key_of(1), 2000); /* remembered already: its time stays */
    dedupe_add(d, key_of(2), 3000);
    assert_int_equal(dedupe_count(d), 2);
    dedupe_expire(d, 61000);
    assert_true(dedupe_has(d, key_of(1)));
    dedupe_expire(d, 61001);
    assert_false(dedupe_has(d, key_of(1)));
    assert_true(dedupe_has(d, key_of(2)));
    dedupe_clear(d);
    assert_false(dedupe_has(d, key_of(2)));
    dedupe_add(d, key_of(2), 1);
    assert_int_equal(dedupe_count(d), 1);
    dedupe_free(d);
    dedupe_free(NULL);
}

/* When there are too many, the oldest go; none of the others is ever lost, whatever the table does.
 */
static void test_many(void **state)
{
    const unsigned max = 3000, n = 20000;
    struct dedupe *d = dedupe_new(1000000, max);

    (void)state;
    for (unsigned i = 0; i < n; i++) {
        assert_false(dedupe_has(d, key_of(i)));
        dedupe_add(d, key_of(i), i);
        assert_true(dedupe_has(d, key_of(i)));
        if (i % 977)
            continue;
        for (unsigned k = 0; k <= i; k++)
            assert_int_equal(dedupe_has(d, key_of(k)), k + max > i);
    }
    assert_int_equal(dedupe_count(d), max);
    dedupe_free(d);
}

/* Adding and expiring in turn, the ring goes round many times. */
static void test_round(void **state)
{
    struct dedupe *d = dedupe_new(1, 100000);

    (void)state;
    for (unsigned i = 0; i < 50000; i++) {
        dedupe_add(d, key_of(i), i);
        dedupe_expire(d, i);
        assert_int_equal(dedupe_count(d), i < 1000 ? i + 1 : 1001);
    }
    for (unsigned i = 0; i < 50000; i += 7)
        assert_int_equal(dedupe_has(d, key_of(i)), i >= 48999);
    dedupe_free(d);
}

/* A key's text reads back; what is none is refused. */
static void test_text(void **state)
{
    char text[DEDUPE_TEXT_LEN + 1];
    struct dedupe_key key = key_of(7), back;

    (void)state;
    dedupe_key_format(key, text);
    assert_int_equal(strlen(text), DEDUPE_TEXT_LEN);
    assert_true(dedupe_key_parse(text, DEDUPE_TEXT_LEN, &back));
    assert_memory_equal(&key, &back, sizeof(key));
    assert_false(dedupe_key_parse(text, DEDUPE_TEXT_LEN - 1, &back));
    text[5] = 'G';
    assert_false(dedupe_key_parse(text, DEDUPE_TEXT_LEN, &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
