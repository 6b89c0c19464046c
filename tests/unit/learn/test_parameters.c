/* Parameters, preprocessors and baselines that record_parameters.py has, against River's. */
#include "golden.h"

/* Votes by softmax; a window so short that a label is at times not in it. */
static void test_neighbours(void **state)
{
    (void)state;
    golden_family_of("parameters", "neighbours", 2);
}

/* What running statistics of the labels answer, and the last label. */
static void test_baselines(void **state)
{
    (void)state;
    golden_family_of("parameters", "baselines", 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_baselines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
