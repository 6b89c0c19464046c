/* Numbers as text: exact, shortest, and always JSON. */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/num.h"

static uint64_t random_bits(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static double from_bits(uint64_t bits)
{
    double v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

/* The text reads back as `v`, by the C library and by us, and is a JSON number. */
static void check_round_trip(double v)
{
    char text[NUM_TEXT_MAX];
    size_t len = num_format(v, text);
    struct json_value json;
    char *end;
    double again = 0;

    if (len != strlen(text) || len >= NUM_TEXT_MAX || !same(strtod(text, &end), v) || *end)
        fail_msg("%a is written as %s", v, text);
    if (num_parse(text, len, &again) != 0 || !same(again, v))
        fail_msg("%s is read as %a, not %a", text, again, v);
    if (json_parse(text, len, &json, NULL) != 0 || json.type != JSON_NUMBER)
        fail_msg("%s is no JSON number", text);
}

/* The digits of a number's text, without zeros at either end, point or exponent. */
static size_t significant(const char *text, char out[64])
{
    size_t n = 0;

    for (; *text && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && (n || *text != '0'))
            out[n++] = *text;
    while (n && out[n - 1] == '0')
        n--;
    out[n] = '\0';
    return n;
}

/* No fewer digits read back as `v`; of those with as few, ours are the nearest to it. */
static void check_shortest(double v)
{
    char text[NUM_TEXT_MAX];
    char printed[64];
    char ours[64];
    char theirs[64];
    int n = 0;

    num_format(v, text);
    size_t n_ours = significant(text, ours);
    do {
        snprintf(printed, sizeof(printed), "%.*e", n++, v);
    } while (strtod(printed, NULL) != v);
    if (n_ours > (size_t)n)
        fail_msg("%a: %s is longer than %s", v, text, printed);
    significant(printed, theirs);
    if (n_ours == (size_t)n && strcmp(ours, theirs) != 0)
        fail_msg("%a: %s is not as near as %s", v, text, printed);
}

/* A random double: any bits, or of everyday size, a power of two, or subnormal. */
static double random_double(uint64_t *state)
{
    uint64_t bits = random_bits(state);
    uint64_t sign_fraction = bits & ~(UINT64_C(0x7FF) << 52);

    switch (random_bits(state) % 8) {
    case 0:
    case 1:
    case 2:
        bits = sign_fraction | (1003 + random_bits(state) % 60) << 52;
        break;
    case 3:
        bits &= ~((UINT64_C(1) << 52) - 1);
        break;
    case 4:
        bits = sign_fraction >> random_bits(state) % 52;
        break;
    default:
        break;
    }
    return from_bits(bits);
}

/* Three million doubles of all kinds come back bit for bit. */
static void test_round_trip(void **state)
{
    uint64_t seed = 88172645463325252;

    (void)state;
    for (int i = 0; i < 3000000; i++) {
        double v = random_double(&seed);
        if (isfinite(v))
            check_round_trip(v);
    }
}

/* A quarter of a million of them are as short as can be, and the nearest of that length. */
static void test_shortest(void **state)
{
    uint64_t seed = 2463534242;

    (void)state;
    for (int i = 0; i < 250000; i++) {
        double v = random_double(&seed);
        if (isfinite(v) && v != 0)
            check_shortest(v);
    }
}

/* Every power of two and its two neighbours: there the interval around a double changes width. */
static void test_powers_of_two(void **state)
{
    (void)state;
    for (int e = -1074; e <= 1023; e++) {
        double v = ldexp(1, e);
        double near[] = {v, nextafter(v, 0), nextafter(v, INFINITY)};

        for (size_t i = 0; i < 3; i++) {
            if (near[i] == 0)
                continue;
            check_round_trip(near[i]);
            check_shortest(near[i]);
        }
    }
}

/* Every power of ten and its neighbours, from the smallest to the largest. */
static void test_powers_of_ten(void **state)
{
    char text[32];

    (void)state;
    for (int e = -323; e <= 308; e++) {
        snprintf(text, sizeof(text), "1e%d", e);
        double v = strtod(text, NULL);
        double near[] = {v, nextafter(v, 0), nextafter(v, INFINITY)};
        for (size_t i = 0; i < 3; i++) {
            check_round_trip(near[i]);
            check_shortest(near[i]);
        }
    }
}

/* Known values have their known texts, plain from 1e-5 to 1e17 and with an exponent beyond. */
static void test_known(void **state)
{
    static const struct {
        double v;
        const char *text;
    } known[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1, "-1"},
        {0.1, "0.1"},
        {-0.5, "-0.5"},
        {123456.7, "123456.7"},
        {9.5e-3, "0.0095"},
        {1e-5, "0.00001"},
        {9.9e-6, "9.9e-6"},
        {1.5e-7, "1.5e-7"},
        {1e15, "1000000000000000"},
        {9007199254740992.0, "9007199254740992"},
        {9007199254740993.0, "9007199254740992"},
        {72057594037927936.0, "72057594037927940"},
        {1e16, "10000000000000000"},
        {1e17, "1e17"},
        {1e22, "1e22"},
        {1e23, "1e23"},
        {1.2345e100, "1.2345e100"},
        {5e-324, "5e-324"},
        {1e-323, "1e-323"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {-DBL_MAX, "-1.7976931348623157e308"},
        {0.30000000000000004, "0.30000000000000004"},
        {5.0e-3, "0.005"},
        {4.35, "4.35"},
        {2.0e-44, "2e-44"},
        {299792458.5, "299792458.5"},
    };
    char text[NUM_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_int_equal(num_format(known[i].v, text), strlen(known[i].text));
        assert_string_equal(text, known[i].text);
    }
}

/* What JSON has no number for is null. */
static void test_not_finite(void **state)
{
    char text[NUM_TEXT_MAX];

    (void)state;
    assert_int_equal(num_format(NAN, text), 4);
    assert_string_equal(text, "null");
    num_format(INFINITY, text);
    assert_string_equal(text, "null");
    num_format(-INFINITY, text);
    assert_string_equal(text, "null");
}

static void check_parse(const char *text)
{
    double expected = strtod(text, NULL);
    double v = 77;
    int code = num_parse(text, strlen(text), &v);

    if (isinf(expected) ? code != ERR_INVALID || v != 77 : code != 0 || !same(v, expected))
        fail_msg("%s is read as %a (%d), not %a", text, v, code, expected);
}

/* Texts with any digits and exponents are read as the C library reads them. */
static void test_parse_random(void **state)
{
    uint64_t seed = 6364136223846793005;
    char text[128];

    (void)state;
    for (int i = 0; i < 500000; i++) {
        unsigned long long whole = random_bits(&seed) >> random_bits(&seed) % 64;
        unsigned long long part = random_bits(&seed) >> random_bits(&seed) % 64;
        int exponent = (int)(random_bits(&seed) % 700) - 360;

        switch (random_bits(&seed) % 4) {
        case 0:
            snprintf(text, sizeof(text), "%llu", whole);
            break;
        case 1:
            snprintf(text, sizeof(text), "-%llu.%llu", whole % 1000, part);
            break;
        case 2:
            snprintf(text, sizeof(text), "%llue%d", whole, exponent);
            break;
        default:
            snprintf(text, sizeof(text), "%llu.%lluE%+d", whole, part, exponent);
            break;
        }
        check_parse(text);
    }
}

/* Exactly half-way between two doubles, and a hair to either side, the right one is taken. */
static void test_parse_halfway(void **state)
{
    uint64_t seed = 1234567;
    char text[1200];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t c = random_bits(&seed) >> 11 | UINT64_C(1) << 52;
        int e = (int)(random_bits(&seed) % 240) - 120;
        /* A long double holds the middle exactly, and printf prints it exactly. */
        long double half = ldexpl((long double)c + 0.5L, e - 52);

        snprintf(text, sizeof(text), "%.400Lf", half);
        check_parse(text);
        size_t len = strlen(text);
        text[len++] = '1';
        text[len] = '\0';
        check_parse(text);
        for (int digits = 15; digits < 25; digits++) {
            snprintf(text, sizeof(text), "%.*Le", digits, half);
            check_parse(text);
        }
    }
}

/* Long, small, large and known hard texts. */
static void test_parse_known(void **state)
{
    static const char *const known[] = {
        "0",
        "-0",
        "0.0",
        "-0e5",
        "0e999999999999",
        "1e-999999999999",
        "1e400",
        "-1e400",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "179769313486231570000000000000000000000e270",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "4.9406564584124654e-324",
        "9007199254740993",
        "9007199254740992.999999999999999999999",
        "9007199254740993.00000000000000000000000001",
        "1.00000000000000011102230246251565404",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203126",
        "6.9294956446009195e15",
        "8.533e+68",
        "4.1406294e-24",
        "1234567890123456789012345678901234567890e-20",
        "0.000000000000000000000000000000000000000000000000000000000000000000000000000000123",
        "123456789012345678",
        "18446744073709551615",
        "18446744073709551616",
        "1e22",
        "1e23",
        "3e23",
        "9e22",
        "0.1e1",
        "12e-1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        check_parse(known[i]);
}

/* A point a hundred thousand digits away moves nothing. */
static void test_parse_endless(void **state)
{
    size_t n = 300000;
    char *text = malloc(n + 32);

    (void)state;
    memset(text, '0', n);
    text[1] = '.';
    memcpy(text + n, "25e300000", 10);
    check_parse(text);
    memcpy(text + n, "25", 3);
    check_parse(text);
    memset(text, '1', n);
    memcpy(text + n, "e-299990", 9);
    check_parse(text);
    memcpy(text + n, ".5", 3);
    check_parse(text);
    free(text);
}

/* What is not wholly a JSON number is refused, and the result is untouched. */
static void test_parse_refused(void **state)
{
    static const char *const bad[] = {
        "",      "-",    "+1",   "01",   "-01",   ".5",    "1.",  "1.e5", "1e",  "1e+",
        "1e-",   " 1",   "1 ",   "1x",   "0x10",  "NaN",   "nan", "inf",  "1,5", "--1",
        "1.2.3", "1e5.", "true", "null", "\"1\"", "1e1e1", "-.1", "00",   "1_0", "\xC2\xB2"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        double v = 77;
        int64_t n = 77;
        assert_int_equal(num_parse(bad[i], strlen(bad[i]), &v), ERR_INVALID);
        assert_int_equal(num_parse_int(bad[i], strlen(bad[i]), &n), ERR_INVALID);
        assert_true(v == 77 && n == 77);
    }

    double v = 77;
    assert_int_equal(num_parse("1\0", 2, &v), ERR_INVALID);
    assert_int_equal(num_parse("12345", 3, &v), 0);
    assert_true(v == 123);
}

/* Integers are written and read over the whole of int64, and not beyond it. */
static void test_int(void **state)
{
    static const struct {
        int64_t n;
        const char *text;
    } known[] = {
        {0, "0"},
        {7, "7"},
        {-10, "-10"},
        {1234567890123, "1234567890123"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    static const char *const bad[] = {"9223372036854775808", "-9223372036854775809",
                                      "99999999999999999999", "1.0", "1e3"};
    char text[NUM_TEXT_MAX];
    int64_t n = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_int_equal(num_format_int(known[i].n, text), strlen(known[i].text));
        assert_string_equal(text, known[i].text);
        assert_int_equal(num_parse_int(text, strlen(text), &n), 0);
        assert_true(n == known[i].n);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(num_parse_int(bad[i], strlen(bad[i]), &n), ERR_INVALID);
    assert_int_equal(num_parse_int("-0", 2, &n), 0);
    assert_true(n == 0);
}

/* A locale whose decimal point is a comma changes nothing. */
static void test_locale(void **state)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    const char *set = NULL;
    char text[NUM_TEXT_MAX];
    double v = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !set; i++)
        set = setlocale(LC_ALL, names[i]);
    if (!set) {
        print_message("SKIPPED: this machine has no locale with a decimal comma\n");
        skip();
    }
    num_format(0.5, text);
    assert_string_equal(text, "0.5");
    assert_int_equal(num_parse("2.4703282292062328e-324", 23, &v), 0);
    setlocale(LC_ALL, "C");
    assert_true(v == 5e-324);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),         cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_shortest),      cmocka_unit_test(test_powers_of_two),
        cmocka_unit_test(test_powers_of_ten), cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_parse_random),  cmocka_unit_test(test_parse_halfway),
        cmocka_unit_test(test_parse_known),   cmocka_unit_test(test_parse_endless),
        cmocka_unit_test(test_parse_refused), cmocka_unit_test(test_int),
        cmocka_unit_test(test_locale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
