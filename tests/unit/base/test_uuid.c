/* Identifiers: of the right form, and never the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/uuid.h"

/* Each is a version 4 UUID in lower case, and a thousand of them are a thousand. */
static void test_new(void **state)
{
    static char ids[1000][UUID_TEXT_LEN + 1];

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        uuid_new(ids[i]);
        assert_true(uuid_valid(ids[i]));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(ids[i], ids[j]);
    }
}

/* What is not exactly of that form is not valid. */
static void test_valid(void **state)
{
    (void)state;
    assert_true(uuid_valid("1c7369c5-e945-4b76-90cc-a9a85d10422d"));
    assert_false(uuid_valid(""));
    assert_false(uuid_valid("1c7369c5-e945-4b76-90cc-a9a85d10422"));
    assert_false(uuid_valid("1c7369c5-e945-4b76-90cc-a9a85d10422d0"));
    assert_false(uuid_valid("1C7369C5-e945-4b76-90cc-a9a85d10422d"));
    assert_false(uuid_valid("1c7369c5-e945-1b76-90cc-a9a85d10422d"));
    assert_false(uuid_valid("1c7369c5-e945-4b76-c0cc-a9a85d10422d"));
    assert_false(uuid_valid("1c7369c5+e945-4b76-90cc-a9a85d10422d"));
    assert_false(uuid_valid("1c7369c5-e945-4b76-90cc-a9a85d10422g"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
