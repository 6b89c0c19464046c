/* Errors: what the struct says is what was set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

/* Setting fills code, text and retriable, and returns the code. */
static void test_set(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(err_set(&err, ERR_IO, "disk %d", 3), ERR_IO);
    assert_int_equal(err.code, ERR_IO);
    assert_false(err.retriable);
    assert_string_equal(err.text, "disk 3");
    assert_int_equal(err_set_retriable(&err, ERR_DISCONNECTED, "away"), ERR_DISCONNECTED);
    assert_true(err.retriable);
}

/* A caller that wants no text passes NULL, and gets the code all the same. */
static void test_null(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_FENCED, "%s", "x"), ERR_FENCED);
    assert_true(err_prefix(NULL, "x") < 0);
}

/* A prefix goes before the text; code and retriable stay. */
static void test_prefix(void **state)
{
    struct err err;

    (void)state;
    err_set_retriable(&err, ERR_TIMEOUT, "no answer");
    assert_int_equal(err_prefix(&err, "store %s", "redis"), ERR_TIMEOUT);
    assert_string_equal(err.text, "store redis: no answer");
    assert_true(err.retriable);
}

/* A text that is too long is cut, never written past the end. */
static void test_long(void **state)
{
    struct err err;

    (void)state;
    for (int i = 0; i < 3; i++) {
        if (i == 0)
            err_set(&err, ERR_IO, "%0600d", 0);
        else
            err_prefix(&err, "%0*d", i * 400, 1);
        assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    }
}

/* Every code has a text of its own, and a stranger has one too. */
static void test_str(void **state)
{
    (void)state;
#define X(name, text) assert_string_equal(err_str(name), text);
    ERR_CODES(X)
#undef X
    assert_string_equal(err_str(0), "success");
    assert_string_equal(err_str(-1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),  cmocka_unit_test(test_null), cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_long), cmocka_unit_test(test_str),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
