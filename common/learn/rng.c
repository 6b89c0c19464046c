/* The random generator of CPython: see rng.h. */
#include "learn/rng.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define SHIFT_WORDS 397 /* m of MT19937 */
#define UPPER_BIT   0x80000000u
#define MATRIX      0x9908b0dfu

static void seed_word(struct rng *rng, uint32_t seed)
{
    rng->state[0] = seed;
    for (uint32_t i = 1; i < RNG_WORDS; i++) {
        uint32_t before = rng->state[i - 1];

        rng->state[i] = 1812433253u * (before ^ (before >> 30)) + i;
    }
}

/* The reference implementation's seeding by an array, for `n` words of key. */
static void seed_words(struct rng *rng, const uint32_t *key, uint32_t n)
{
    uint32_t *s = rng->state;
    uint32_t i = 1;
    uint32_t j = 0;

    seed_word(rng, 19650218u);
    for (uint32_t k = RNG_WORDS > n ? RNG_WORDS : n; k > 0; k--) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1664525u)) + key[j] + j;
        if (++i == RNG_WORDS) {
            s[0] = s[RNG_WORDS - 1];
            i = 1;
        }
        j = (j + 1) % n;
    }
    for (uint32_t k = RNG_WORDS - 1; k > 0; k--) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1566083941u)) - i;
        if (++i == RNG_WORDS) {
            s[0] = s[RNG_WORDS - 1];
            i = 1;
        }
    }
    s[0] = UPPER_BIT;
}

void rng_seed(struct rng *rng, uint64_t seed)
{
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};

    seed_words(rng, key, key[1] ? 2 : 1);
    rng->index = RNG_WORDS;
    rng->has_gauss = false;
    rng->next_gauss = 0;
}

void rng_seed_numpy(struct rng *rng, uint32_t seed)
{
    seed_word(rng, seed);
    rng->index = RNG_WORDS;
    rng->has_gauss = false;
    rng->next_gauss = 0;
}

static void make_words(struct rng *rng)
{
    uint32_t *s = rng->state;

    for (size_t i = 0; i < RNG_WORDS; i++) {
        uint32_t y = (s[i] & UPPER_BIT) | (s[(i + 1) % RNG_WORDS] & ~UPPER_BIT);

        s[i] = s[(i + SHIFT_WORDS) % RNG_WORDS] ^ (y >> 1) ^ (y & 1 ? MATRIX : 0);
    }
    rng->index = 0;
}

static uint32_t next_word(struct rng *rng)
{
    uint32_t y;

    if (rng->index >= RNG_WORDS)
        make_words(rng);
    y = rng->state[rng->index++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    y ^= y >> 18;
    return y;
}

double rng_random(struct rng *rng)
{
    uint32_t high = next_word(rng) >> 5;
    uint32_t low = next_word(rng) >> 6;

    return (high * 67108864.0 + low) * (1.0 / 9007199254740992.0);
}

uint64_t rng_getrandbits(struct rng *rng, unsigned bits)
{
    uint64_t low;

    if (bits <= 32)
        return next_word(rng) >> (32 - bits);
    low = next_word(rng);
    return low | (uint64_t)(next_word(rng) >> (64 - bits)) << 32;
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(n);
    uint64_t r = rng_getrandbits(rng, bits);

    while (r >= n)
        r = rng_getrandbits(rng, bits);
    return r;
}

double rng_gauss(struct rng *rng, double mu, double sigma)
{
    double z = rng->next_gauss;

    if (!rng->has_gauss) {
        double angle = rng_random(rng) * (2 * M_PI);
        double radius = sqrt(-2.0 * log(1.0 - rng_random(rng)));

        z = cos(angle) * radius;
        rng->next_gauss = sin(angle) * radius;
        rng->has_gauss = true;
    } else {
        rng->next_gauss = 0;
        rng->has_gauss = false;
    }
    return mu + z * sigma;
}

double rng_uniform(struct rng *rng, double a, double b)
{
    return a + (b - a) * rng_random(rng);
}

uint64_t rng_poisson(struct rng *rng, double rate)
{
    double end = exp(-rate);
    double p = rng_random(rng);
    uint64_t k = 0;

    while (p > end) {
        p *= rng_random(rng);
        k++;
    }
    return k;
}

void rng_shuffle(struct rng *rng, size_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)rng_below(rng, i);
        size_t item = items[i - 1];

        items[i - 1] = items[j];
        items[j] = item;
    }
}

static bool contains(const size_t *items, size_t n, size_t item)
{
    for (size_t i = 0; i < n; i++) {
        if (items[i] == item)
            return true;
    }
    return false;
}

/* What a Python set of k items would take, in list entries: decides how sample() draws. */
static double set_size(size_t k)
{
    return k > 5 ? 21 + pow(4, ceil(log((double)k * 3) / log(4))) : 21;
}

void rng_sample(struct rng *rng, size_t n, size_t k, size_t *ret)
{
    if ((double)n > set_size(k)) {
        for (size_t i = 0; i < k; i++) {
            size_t j;

            do
                j = (size_t)rng_below(rng, n);
            while (contains(ret, i, j));
            ret[i] = j;
        }
        return;
    }

    size_t *pool = mem_alloc((n ? n : 1) * sizeof(*pool));

    for (size_t i = 0; i < n; i++)
        pool[i] = i;
    for (size_t i = 0; i < k; i++) {
        size_t j = (size_t)rng_below(rng, n - i);

        ret[i] = pool[j];
        pool[j] = pool[n - i - 1];
    }
    free(pool);
}

size_t rng_choice(struct rng *rng, const double *weights, size_t n)
{
    double total = weights[0];
    double sum = weights[0];
    double draw;
    size_t i;

    for (i = 1; i < n; i++)
        total += weights[i];
    draw = rng_random(rng) * total;
    for (i = 0; i + 1 < n && sum <= draw;)
        sum += weights[++i];
    return i;
}

void rng_save(const struct rng *rng, struct buf *out)
{
    for (size_t i = 0; i < RNG_WORDS; i++)
        blob_write_u32(out, rng->state[i]);
    blob_write_u32(out, rng->index);
    blob_write_u8(out, rng->has_gauss);
    blob_write_f64(out, rng->next_gauss);
}

void rng_load(struct rng *rng, struct blob_reader *in)
{
    for (size_t i = 0; i < RNG_WORDS; i++)
        rng->state[i] = blob_read_u32(in);
    rng->index = blob_read_u32(in);
    rng->has_gauss = blob_read_u8(in) != 0;
    rng->next_gauss = blob_read_f64(in);
    if (rng->index > RNG_WORDS)
        blob_fail(in, "a random generator's index is out of range");
}
