/*
 * Doubles as text, and back.
 *
 * Printing is Schubfach: R. Giulietti, "The Schubfach way to render doubles" (2020). A double
 * v = c * 2^q stands for all reals that round to it, an interval around v. With k chosen so that
 * the interval is at least 10^k and less than 10^(k+1) wide, it holds at least one multiple of 10^k
 * and at most one of 10^(k+1); the latter, when there is one, is the shortest text, else the
 * multiple of 10^k that is nearest to v. All that needs is v and the interval's ends in units of
 * 10^k / 4, rounded to odd: one multiplication by a 128-bit power of ten each.
 *
 * Reading is exact double arithmetic where that is possible (W. Clinger, "How to read floating
 * point numbers accurately", 1990), else a multiplication by the same table whose error is bounded
 * (D. Lemire, "Number parsing at a gigabyte per second", 2021), and strtod() when that leaves two
 * answers open.
 */
#include "base/num.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

typedef unsigned __int128 uint128;

/* 10^POW10_MIN to 10^POW10_MAX, all that doubles need. */
#define POW10_MIN (-292)
#define POW10_MAX 324

/* Limbs of 64 bits that hold 2^1152, and so 10^324 and 2^1152 / 10^292 to 128 bits and more. */
#define BIG_LIMBS 19
#define BIG_TOP   (BIG_LIMBS - 1)

/*
 * pow10_table[k - POW10_MIN]: 10^k scaled by a power of two into [2^127, 2^128), rounded up to an
 * integer; exact for 0 <= k <= 55.
 */
static struct {
    uint64_t hi;
    uint64_t lo;
} pow10_table[POW10_MAX - POW10_MIN + 1];

static locale_t c_locale;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool is_ready;

static const double exact_pow10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324252627282930"
                                  "31323334353637383940414243444546474849505152535455565758596061"
                                  "62636465666768697071727374757677787980818283848586878889909192"
                                  "93949596979899";

/* The table */

/* Stores the 128 leading bits of a big integer (little-endian limbs), rounded up. */
static void store_pow10(int k, const uint64_t *big)
{
    size_t top = BIG_TOP;

    while (!big[top])
        top--;

    unsigned shift = (unsigned)__builtin_clzll(big[top]);
    uint64_t limb[3]; /* the leading three, most significant first */
    for (size_t i = 0; i < 3; i++)
        limb[i] = top >= i ? big[top - i] : 0;

    uint128 lead = ((uint128)limb[0] << 64 | limb[1]) << shift;
    if (shift)
        lead |= limb[2] >> (64 - shift);

    bool is_exact = !(uint64_t)(limb[2] << shift);
    for (size_t i = 0; i + 3 <= top; i++)
        is_exact = is_exact && !big[i];
    lead += !is_exact;
    pow10_table[k - POW10_MIN].hi = (uint64_t)(lead >> 64);
    pow10_table[k - POW10_MIN].lo = (uint64_t)lead;
}

static void make_table(void)
{
    uint64_t big[BIG_LIMBS] = {1};

    for (int k = 0; k <= POW10_MAX; k++) {
        store_pow10(k, big);

        uint64_t carry = 0;
        for (size_t i = 0; i < BIG_LIMBS; i++) {
            uint128 product = (uint128)big[i] * 10 + carry;
            big[i] = (uint64_t)product;
            carry = (uint64_t)(product >> 64);
        }
    }

    /*
     * floor(floor(x / 10) / 10) = floor(x / 100): dividing 2^1152 again and again stays exact. The
     * remainders that are dropped are never 0, and the bits under the leading 128 may be: setting
     * the last one makes sure of rounding up, and takes no part in the next division.
     */
    memset(big, 0, sizeof(big));
    big[BIG_TOP] = 1;
    for (int k = -1; k >= POW10_MIN; k--) {
        uint64_t rest = 0;
        for (size_t i = BIG_LIMBS; i-- > 0;) {
            uint128 part = (uint128)rest << 64 | big[i];
            big[i] = (uint64_t)(part / 10);
            rest = (uint64_t)(part % 10);
        }

        uint64_t last = big[0];
        big[0] |= 1;
        store_pow10(k, big);
        big[0] = last;
    }

    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    atomic_store_explicit(&is_ready, true, memory_order_release);
}

static inline void ready(void)
{
    if (!atomic_load_explicit(&is_ready, memory_order_acquire))
        pthread_once(&once, make_table);
}

/* Shortest decimal */

/* floor(log2(10^e)) for |e| <= 1233. */
static inline int log2_pow10(int e)
{
    return (e * 1741647) >> 19;
}

/* The upper 64 bits of g * cp / 2^64, with the lowest bit set if anything below them is. */
static inline uint64_t round_to_odd(uint64_t g_hi, uint64_t g_lo, uint64_t cp)
{
    uint64_t x = (uint64_t)(((uint128)g_lo * cp) >> 64);
    uint128 y = (uint128)g_hi * cp + x;

    return (uint64_t)(y >> 64) | ((uint64_t)y > 1);
}

/* The shortest d * 10^*ret_k within the interval of c * 2^q; d may end in zeros. */
static uint64_t shortest(uint64_t c, int q, bool lower_is_closer, int *ret_k)
{
    /* floor(log10(2^q)), or floor(log10(3/4 * 2^q)) where the interval is narrower below v. */
    int k = (q * 1262611 - (lower_is_closer ? 524031 : 0)) >> 22;
    unsigned h = (unsigned)(q + log2_pow10(-k) + 1);
    uint64_t g_hi = pow10_table[-k - POW10_MIN].hi;
    uint64_t g_lo = pow10_table[-k - POW10_MIN].lo;

    uint64_t below = round_to_odd(g_hi, g_lo, (4 * c - 2 + lower_is_closer) << h);
    uint64_t v = round_to_odd(g_hi, g_lo, (4 * c) << h);
    uint64_t above = round_to_odd(g_hi, g_lo, (4 * c + 2) << h);

    /* The ends round to v, and so belong to it, when c is even. */
    uint64_t lower = below + (c & 1);
    uint64_t upper = above - (c & 1);
    uint64_t s = v / 4;

    if (s >= 10) {
        uint64_t tens = s / 10;
        bool down_fits = lower <= 40 * tens;
        bool up_fits = 40 * tens + 40 <= upper;
        if (down_fits != up_fits) {
            *ret_k = k + 1;
            return tens + up_fits;
        }
    }

    bool down_fits = lower <= 4 * s;
    bool up_fits = 4 * s + 4 <= upper;
    *ret_k = k;
    if (down_fits != up_fits)
        return s + up_fits;

    uint64_t mid = 4 * s + 2;
    return s + (v > mid || (v == mid && (s & 1)));
}

/* Writing digits */

static inline unsigned count_digits(uint64_t d)
{
    unsigned n = 1;

    for (; d >= 10000; d /= 10000)
        n += 4;
    return n + (d >= 10) + (d >= 100) + (d >= 1000);
}

/* Writes the `n` digits of `d`. */
static inline void put_digits(char *out, uint64_t d, unsigned n)
{
    while (n >= 2) {
        n -= 2;
        memcpy(out + n, digit_pairs + 2 * (d % 100), 2);
        d /= 100;
    }
    if (n)
        out[0] = (char)('0' + d);
}

static size_t put_unsigned(char *out, uint64_t d)
{
    unsigned n = count_digits(d);

    put_digits(out, d, n);
    out[n] = '\0';
    return n;
}

/* Writes d * 10^k in exponent form: the `n` digits with a point after the first. */
static char *put_scientific(char *p, uint64_t d, unsigned n, int exponent)
{
    put_digits(p + 1, d, n);
    p[0] = p[1];
    p[1] = '.';
    p += n > 1 ? n + 1 : 1;
    *p++ = 'e';
    if (exponent < 0) {
        *p++ = '-';
        exponent = -exponent;
    }
    return p + put_unsigned(p, (uint64_t)exponent);
}

/* Writes d * 10^k, plainly where |v| is in [1e-5, 1e17); returns the end. */
static char *put_decimal(char *p, uint64_t d, int k)
{
    if (d % 100000000 == 0) {
        d /= 100000000;
        k += 8;
    }
    while (d % 10 == 0) {
        d /= 10;
        k++;
    }

    unsigned n = count_digits(d);
    int point = (int)n + k; /* d * 10^k = 0.ddd * 10^point */

    if (point < -4 || point > 17)
        return put_scientific(p, d, n, point - 1);
    if (point <= 0) {
        memcpy(p, "0.0000", 6);
        p += 2 - point;
        put_digits(p, d, n);
        return p + n;
    }
    if (k >= 0) {
        put_digits(p, d, n);
        memset(p + n, '0', (size_t)k);
        return p + point;
    }
    put_digits(p + 1, d, n);
    memmove(p, p + 1, (size_t)point);
    p[point] = '.';
    return p + n + 1;
}

/* Reading */

struct decimal {
    bool is_negative;
    bool is_integer; /* neither point nor exponent */
    uint64_t digits; /* the first 19 significant digits */
    size_t n_digits; /* how many there are in the text, without leading zeros */
    int exponent;    /* |value| = digits * 10^exponent, as long as n_digits <= 19 */
};

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline const char *read_digits(const char *s, const char *end, struct decimal *ret)
{
    for (; s < end && is_digit(*s); s++) {
        if (ret->n_digits < 19)
            ret->digits = ret->digits * 10 + (uint64_t)(*s - '0');
        ret->n_digits += ret->digits != 0;
    }
    return s;
}

/* The part from the 'e'; NULL when it is malformed. */
static const char *read_exponent(const char *s, const char *end, struct decimal *ret)
{
    bool is_negative = false;
    int e = 0;

    s++;
    if (s < end && (*s == '+' || *s == '-'))
        is_negative = *s++ == '-';
    if (s == end || !is_digit(*s))
        return NULL;
    for (; s < end && is_digit(*s); s++)
        if (e < 100000)
            e = e * 10 + (*s - '0');
    ret->exponent += is_negative ? -e : e;
    return s;
}

/* The grammar of RFC 8259; false when the bytes do not follow it to the end. */
static bool read_number(const char *s, const char *end, struct decimal *ret)
{
    *ret = (struct decimal){.is_integer = true};
    if (s < end && *s == '-') {
        ret->is_negative = true;
        s++;
    }
    if (s == end || !is_digit(*s))
        return false;
    if (*s == '0')
        s++;
    else
        s = read_digits(s, end, ret);

    if (s < end && *s == '.') {
        const char *point = ++s;

        ret->is_integer = false;
        s = read_digits(s, end, ret);
        if (s == point)
            return false;
        if (s - point < 100000)
            ret->exponent = -(int)(s - point);
        else
            ret->n_digits = SIZE_MAX; /* strtod() sees to it */
    }
    if (s < end && (*s == 'e' || *s == 'E')) {
        ret->is_integer = false;
        s = read_exponent(s, end, ret);
    }
    return s == end;
}

/*
 * digits * 10^exponent, of normal size, by one multiplication with the table; false when the bound
 * of its error leaves two doubles open.
 *
 * digits (shifted to 64 bits) * g is less than 2^64 units of the last place too large, because g is
 * less than one too large: the product's upper 128 bits are at most one too large.
 */
static bool scale_by_table(uint64_t digits, int exponent, double *ret)
{
    if (exponent < POW10_MIN || exponent > 308 || !digits)
        return false;
    ready();

    int shift = __builtin_clzll(digits);
    uint64_t w = digits << shift;
    uint64_t g_hi = pow10_table[exponent - POW10_MIN].hi;
    uint64_t g_lo = pow10_table[exponent - POW10_MIN].lo;
    uint128 product = (uint128)w * g_hi + (((uint128)w * g_lo) >> 64);

    /* product / 2^127 is in [1/2, 2), times 2^power. */
    int power = log2_pow10(exponent) + 63 - shift;
    if (product >> 127)
        power++;
    else
        product <<= 1;
    if (power < -1022 || power > 1022)
        return false;

    /* The 53 bits that stay, and those below: too near to half of the last place is left open. */
    uint128 low = product & (((uint128)1 << 75) - 1);
    uint128 half = (uint128)1 << 74;
    if (low > half - 4 && low < half + 4)
        return false;

    uint64_t c = (uint64_t)(product >> 75) + (low > half);
    uint64_t bits = ((uint64_t)(power + 1023) << 52) + (c - (UINT64_C(1) << 52));
    memcpy(ret, &bits, sizeof(bits));
    return true;
}

static int read_slowly(const char *s, size_t len, double *ret)
{
    char small[64];
    char *copy = small;

    ready();
    if (len >= sizeof(small))
        copy = mem_strndup(s, len);
    else {
        memcpy(small, s, len);
        small[len] = '\0';
    }

    double v = strtod_l(copy, NULL, c_locale);
    if (copy != small)
        free(copy);
    if (isinf(v))
        return ERR_INVALID;
    *ret = v;
    return 0;
}

/* Public */

size_t num_format_int(int64_t v, char out[NUM_TEXT_MAX])
{
    if (v >= 0)
        return put_unsigned(out, (uint64_t)v);
    out[0] = '-';
    return 1 + put_unsigned(out + 1, -(uint64_t)v);
}

size_t num_format(double v, char out[NUM_TEXT_MAX])
{
    uint64_t bits;
    char *p = out;

    memcpy(&bits, &v, sizeof(bits));
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int exponent = (int)(bits >> 52 & 0x7FF);

    if (exponent == 0x7FF) {
        memcpy(out, "null", 5);
        return 4;
    }
    if (bits >> 63)
        *p++ = '-';

    double size = fabs(v);
    if (size < 9007199254740992.0 && (double)(uint64_t)size == size)
        return (size_t)(p - out) + put_unsigned(p, (uint64_t)size);

    ready();
    bool is_normal = exponent > 0;
    uint64_t c = is_normal ? fraction | UINT64_C(1) << 52 : fraction;
    int k;
    uint64_t d = shortest(c, is_normal ? exponent - 1075 : -1074, !fraction && exponent > 1, &k);
    p = put_decimal(p, d, k);
    *p = '\0';
    return (size_t)(p - out);
}

int num_parse(const char *s, size_t len, double *ret)
{
    struct decimal d;
    double v;

    if (!read_number(s, s + len, &d))
        return ERR_INVALID;
    if (d.n_digits > 19)
        return read_slowly(s, len, ret);
    if (!d.digits)
        v = 0;
    else if (d.digits <= UINT64_C(1) << 53 && d.exponent >= -22 && d.exponent <= 22) {
        v = (double)d.digits;
        v = d.exponent < 0 ? v / exact_pow10[-d.exponent] : v * exact_pow10[d.exponent];
    } else if (!scale_by_table(d.digits, d.exponent, &v))
        return read_slowly(s, len, ret);
    *ret = d.is_negative ? -v : v;
    return 0;
}

int num_parse_int(const char *s, size_t len, int64_t *ret)
{
    struct decimal d;

    if (!read_number(s, s + len, &d) || !d.is_integer || d.n_digits > 19)
        return ERR_INVALID;
    if (d.digits > (uint64_t)INT64_MAX + d.is_negative)
        return ERR_INVALID;
    *ret = d.is_negative ? (int64_t)-d.digits : (int64_t)d.digits;
    return 0;
}
