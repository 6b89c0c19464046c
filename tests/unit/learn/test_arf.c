/* The adaptive random forests against River's recorded ones. */
#include "golden.h"

/* Every prediction is River's within 1e-9, and so many drifts, warnings and leaves. */
static void test_regressor(void **state)
{
    (void)state;
    golden_family_of("arf", "regressor", 5);
    golden_family_of("arf-categories", "regressor", 2);
}

static void test_classifier(void **state)
{
    (void)state;
    golden_family_of("arf", "classifier", 9);
    golden_family_of("arf-categories", "classifier", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regressor),
        cmocka_unit_test(test_classifier),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
