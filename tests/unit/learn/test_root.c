/* Square roots are Python's `v ** 0.5`, which is pow(): the last bit included. */
#include "support.h"

#include "learn/rng.h"
#include "learn/root.h"

#define ROOTS 300000

static volatile double half = 0.5;

static double draw(struct rng *rng, int span)
{
    return ldexp(1 + rng_random(rng), (int)rng_below(rng, 2 * (uint64_t)span) - span);
}

/* Over the sizes that variances have, and over all; sqrt() alone would fail. */
static void test_like_pow(void **state)
{
    struct rng rng;
    double v[7];
    double root[7];
    size_t differ = 0;

    (void)state;
    rng_seed(&rng, 1);
    for (int i = 0; i < ROOTS; i++) {
        for (size_t k = 0; k < 7; k++)
            v[k] = draw(&rng, i % 2 ? 40 : 1000);
        root_all(v, root, 7);
        for (size_t k = 0; k < 7; k++) {
            if (root[k] != pow(v[k], half))
                fail_msg("the root of %.17g is %.17g, not %.17g", v[k], pow(v[k], half), root[k]);
            assert_true(root_of(v[k]) == root[k]);
            differ += root[k] != sqrt(v[k]);
        }
    }
    print_message("%zu of %d roots are not those of sqrt()\n", differ, 7 * ROOTS);
}

/* The ends: 0, what is smaller than a normal number, infinity. */
static void test_ends(void **state)
{
    const double v[] = {0, 5e-324, 1e-310, 1e-100, 1, 4, 1e100, 1.7e308, (double)INFINITY};
    double root[9];

    (void)state;
    root_all(v, root, 9);
    for (size_t i = 0; i < 9; i++)
        assert_true(root[i] == pow(v[i], half));
    assert_true(root[0] == 0 && root[5] == 2 && isinf(root[8]) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_like_pow),
                                       cmocka_unit_test(test_ends)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
