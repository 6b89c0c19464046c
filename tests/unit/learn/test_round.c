/* Decimal rounding as Python's round() does it: of the exact value, ties to even. */
#include "support.h"

#include "learn/tree_internal.h"

/* Values that a product with 10^digits would round wrongly, with what python3 answers. */
static void test_hard_cases(void **state)
{
    static const struct {
        double v;
        unsigned digits;
        double rounded;
    } cases[] = {
        {0.25, 1, 0.2},
        {0.35, 1, 0.3},
        {0.05, 1, 0.1},
        {0.15, 1, 0.1},
        {0.45, 1, 0.5},
        {2.675, 2, 2.67},
        {-0.25, 1, -0.2},
        {-0.15, 1, -0.1},
        {1e22, 1, 1e22},
        {123456789012.35, 1, 123456789012.4},
        {562949953421311.94, 1, 562949953421311.9},
        {4503599627370495.5, 0, 4503599627370496.0},
        {0.5, 0, 0},
        {1.5, 0, 2},
        {-2.5, 0, -2},
        {1.0000000005, 9, 1.000000001},
        {1e300, 1, 1e300},
        {5e-324, 1, 0},
        {(double)INFINITY, 1, (double)INFINITY},
        {-(double)INFINITY, 1, -(double)INFINITY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double rounded = round_decimal(cases[i].v, cases[i].digits);

        if (rounded != cases[i].rounded)
            fail_msg("round(%.17g, %u) gave %.17g, not %.17g", cases[i].v, cases[i].digits, rounded,
                     cases[i].rounded);
    }
}

/* For random values, near ties and at all magnitudes, it is what printing and reading back gives.
 */
static void test_against_text(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 1);
    for (size_t i = 0; i < 300000; i++) {
        unsigned digits = (unsigned)rng_below(&rng, 10);
        double v = rng_gauss(&rng, 0, 1) * pow(10, (double)rng_below(&rng, 17) - 3);
        char text[400];

        if (i % 3 == 0)
            v = nearbyint(v * pow(10, digits)) / pow(10, digits) + 0.5 * pow(10, -(double)digits);
        if (i % 9 == 0)
            v = nextafter(v, (double)INFINITY);
        snprintf(text, sizeof(text), "%.*f", (int)digits, v);
        if (round_decimal(v, digits) != strtod(text, NULL))
            fail_msg("round(%.17g, %u) gave %.17g, not %s", v, digits, round_decimal(v, digits),
                     text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hard_cases),
        cmocka_unit_test(test_against_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
