/* The set of keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those before it. */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "keyset.h"

#define MANY 100000

/* Every key is new once, also after the set has grown many times. */
static void test_once(void **state)
{
    struct keyset *set = keyset_new();
    char key[32];

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            int len = snprintf(key, sizeof(key), "t%09d", i);
            assert_int_equal(keyset_add(set, key, (size_t)len), round == 0);
        }
    }
    assert_int_equal(keyset_count(set), MANY);
    assert_true(keyset_has(set, "t000000007", 10));
    assert_false(keyset_has(set, "t00000000", 9));
    keyset_free(set);
}

/* The empty key is a key, and so are bytes that are no text. */
static void test_odd_keys(void **state)
{
    struct keyset *set = keyset_new();

    (void)state;
    assert_false(keyset_has(set, "", 0));
    assert_true(keyset_add(set, "", 0));
    assert_false(keyset_add(set, NULL, 0));
    assert_true(keyset_add(set, "\0", 1));
    assert_true(keyset_add(set, "\0\0", 2));
    keyset_free(set);
    keyset_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_odd_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
