/* The nearest known name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/near.h"

/* Inserting, removing, replacing a letter and swapping two neighbours cost one each. */
static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(near_distance("", ""), 0);
    assert_int_equal(near_distance("label", "label"), 0);
    assert_int_equal(near_distance("lable", "label"), 1);
    assert_int_equal(near_distance("l3", "l2"), 1);
    assert_int_equal(near_distance("", "abc"), 3);
    assert_int_equal(near_distance("abc", ""), 3);
    assert_int_equal(near_distance("kitten", "sitting"), 3);
    assert_int_equal(near_distance("refresh_second", "refresh_seconds"), 1);
}

/* A name that is longer than any of ours is near to none, and harms nothing. */
static void test_long(void **state)
{
    char name[200];
    struct near near = {.wanted = name};

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_true(near_distance(name, "a") == SIZE_MAX);
    near_offer(&near, "aaa");
    assert_null(near.name);
    name[NEAR_NAME_MAX] = '\0';
    assert_int_equal(near_distance(name, name), 0);
}

/* Of several the nearest is kept, and of equals the first. */
static void test_nearest(void **state)
{
    struct near near = {.wanted = "max_dept"};

    (void)state;
    near_offer(&near, "max_width");
    near_offer(&near, "max_depth");
    near_offer(&near, "max_deptx");
    assert_string_equal(near.name, "max_depth");
}

/* What has little in common with a name was not a slip of it. */
static void test_far(void **state)
{
    struct near near = {.wanted = "colour"};

    (void)state;
    near_offer(&near, "bus");
    near_offer(&near, "features");
    assert_null(near.name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_far),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
