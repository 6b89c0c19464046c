/*
 * Finding the nearest rows: the same rows, distances and ties as a look at every
 * row in doubles, for a fraction of its work.
 *
 * 1. Measure every row roughly, in floats.
 * 2. From the least rough distances take a bound that the k nearest rows cannot
 *    exceed, and widen it by all that the roughness can have cost.
 * 3. Measure the few rows within the bound in doubles, and keep the nearest; of
 *    equally near ones the older.
 *
 * How wide: let D be a row's distance and S its rough squared distance. Values
 * are off by at most 2^-24 of themselves, as is each difference, so the vector
 * of differences is off by less than E = 2^-22 (|q| + |x|), and squares and sums
 * of n terms by a factor within 1 +- r, r = (n + 4) 2^-24:
 *     (D - E) (1 - r) <= sqrt(S) <= (D + E) (1 + r)
 * What falls below the least normal float is covered by a constant in E. Where
 * values are so large that floats could overflow, all rows are taken.
 */
#include <endian.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "learn/knn_internal.h"

#define VEC      16                /* floats in a vector */
#define VECS     (KNN_LANES / VEC) /* vectors in a block */
#define CHUNK    2048              /* rows searched at once */
#define LOW_BITS 0x0101010101010101u
#define NORM_MAX 1e15 /* squares of larger values may overflow */

/*
 * The same code for each type of CPU, only wider. Not under a sanitizer, whose
 * runtime is not up when the choice is made.
 */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define WIDEST __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define WIDEST
#endif

typedef float vec __attribute__((vector_size(VEC * sizeof(float))));
typedef int32_t mask __attribute__((vector_size(VEC * sizeof(int32_t))));
typedef int8_t bytes __attribute__((vector_size(VEC)));

/* The sample that is searched for. */
struct query {
    float rough[MODEL_MAX_WIDTH];    /* missing features as 0 */
    double q[MODEL_MAX_WIDTH];       /* features that are there, then the others, as 0 */
    uint32_t order[MODEL_MAX_WIDTH]; /* which feature each of q is */
    double error;                    /* E */
    double factor;                   /* 1 + r */
    bool all;                        /* rough distances are of no use */
};

/* Some rows of the ring, whole blocks but for the last of the ring. */
struct chunk {
    size_t from; /* a multiple of KNN_LANES */
    size_t to;
    vec s[CHUNK / VEC];           /* rough squared distances */
    vec least[CHUNK / KNN_LANES]; /* of a block's rows lane, lane + VEC, lane + 2 VEC, ... */
    vec least_of_all;             /* the same over all blocks that are whole */
};

static void prepare(const struct knn *knn, const double *x, struct query *query)
{
    size_t n = knn->base.n;
    double norm = sqrt(knn->norm2[0] > knn->norm2[1] ? knn->norm2[0] : knn->norm2[1]);
    double norm2 = 0;
    size_t at = 0;

    /* River sums over the features of the sample, then over those that only the row has. */
    for (size_t j = 0; j < n; j++) {
        bool there = !isnan(x[j]);

        query->rough[j] = there ? (float)x[j] : 0;
        query->q[at] = x[j];
        query->order[at] = (uint32_t)j;
        at += there;
        norm2 += there ? x[j] * x[j] : 0;
    }
    for (size_t j = 0; at < n; j++) {
        query->q[at] = 0;
        query->order[at] = (uint32_t)j;
        at += isnan(x[j]) ? 1 : 0;
    }
    norm += sqrt(norm2);
    query->error = 0x1p-22 * norm + 1e-16;
    query->factor = 1 + (double)(n + 4) * 0x1p-24;
    query->all = !(norm < NORM_MAX);
}

/* The rough squared distance that a row within `dist` of the sample does not exceed. */
static float widen(const struct query *query, double dist)
{
    double root = (dist + query->error) * query->factor;

    return root < 1e19 ? (float)(root * root * (1 + 1e-6)) : FLT_MAX;
}

/* Lowers each of `a` to that of `b`, where it is less; neither is NaN. */
static inline __attribute__((always_inline)) void lower(vec *a, const vec *b)
{
    mask first = (mask)(*a - *b) >> 31;

    *a = (vec)(((mask)*a & first) | ((mask)*b & ~first));
}

WIDEST static void measure(const struct knn *knn, const struct query *query, struct chunk *chunk)
{
    size_t n = knn->base.n;
    vec least_of_all = (vec){0} + FLT_MAX;

    for (size_t row = chunk->from; row < chunk->to; row += KNN_LANES) {
        const vec *x = (const vec *)(const void *)(knn->rough + row * n);
        vec *s = &chunk->s[(row - chunk->from) / VEC];
        vec sum[VECS] = {{0}};
        vec least;

        for (size_t j = 0; j < n; j++, x += VECS) {
            float q = query->rough[j];

            for (size_t v = 0; v < VECS; v++) {
                vec d = q - x[v];

                sum[v] += d * d;
            }
        }
        for (size_t v = 0; v < VECS; v++)
            s[v] = sum[v];
        least = sum[0];
        for (size_t v = 1; v < VECS; v++)
            lower(&least, &sum[v]);
        chunk->least[(row - chunk->from) / KNN_LANES] = least;
        /* What lies behind the last row must not lower anything. */
        if (row + KNN_LANES <= knn->count)
            lower(&least_of_all, &least);
    }
    chunk->least_of_all = least_of_all;
}

/* The k-th least of VEC values, k at most VEC. */
WIDEST static float kth_of_lanes(const vec *least, size_t k)
{
    mask below = {0}; /* for each value, how many are less */
    float values[VEC];

    for (size_t i = 0; i < VEC; i++)
        below -= (mask)((*least)[i] - *least) >> 31;
    below = (mask)*least & (below - (int32_t)k) >> 31; /* 0 for those that are beyond the k-th */
    memcpy(values, &below, sizeof(values));
    for (size_t half = VEC / 2; half; half /= 2) {
        for (size_t i = 0; i < half; i++)
            values[i] = values[i] < values[i + half] ? values[i + half] : values[i];
    }
    return values[0];
}

/* Keeps the k least values, least first; returns how many there are then. */
static size_t keep_least(float *kept, size_t n, size_t k, float v)
{
    size_t at = n;

    if (n == k) {
        if (!(v < kept[n - 1]))
            return n;
        at--;
    } else {
        n++;
    }
    for (; at > 0 && v < kept[at - 1]; at--)
        kept[at] = kept[at - 1];
    kept[at] = v;
    return n;
}

/* The k-th least of the least of all whole blocks; FLT_MAX where there are fewer. */
static float kth_of_blocks(const struct knn *knn, const struct chunk *chunk, size_t k)
{
    float kept[KNN_NEIGHBORS_MAX];
    size_t n = 0;

    for (size_t row = chunk->from; row + KNN_LANES <= knn->count && row < chunk->to;
         row += KNN_LANES) {
        for (size_t lane = 0; lane < VEC; lane++)
            n = keep_least(kept, n, k, chunk->least[(row - chunk->from) / KNN_LANES][lane]);
    }
    return n == k ? kept[k - 1] : FLT_MAX;
}

/* A distance that is not a number, after an overflow, is farther than any. */
static bool nearer(const struct neighbor *a, const struct neighbor *b)
{
    if (a->dist < b->dist)
        return true;
    if (a->dist == b->dist || (isnan(a->dist) && isnan(b->dist)))
        return a->age < b->age;
    return isnan(b->dist) && !isnan(a->dist);
}

/* Measures the row in doubles, in River's order, and keeps it when it is among the k nearest. */
static void offer(const struct knn *knn, const struct query *query, size_t row, struct search *s)
{
    const double *x = knn->x + row * knn->base.n;
    struct neighbor found = {.y = knn->y[row], .age = knn_age_of_row(knn, row)};
    size_t at = s->n;
    double sum = 0;

    for (size_t i = 0; i < knn->base.n; i++) {
        double d = query->q[i] - x[query->order[i]];

        sum += d * d;
    }
    found.dist = sqrt(sum);
    if (at < s->k)
        s->n++;
    else if (nearer(&found, &s->found[at - 1]))
        at--;
    else
        return;
    for (; at > 0 && nearer(&found, &s->found[at - 1]); at--)
        s->found[at] = s->found[at - 1];
    s->found[at] = found;
}

/* For each lane a byte: 1 where it is not above the bound, otherwise 0. */
static inline void near_lanes(const vec *least, float bound, uint64_t ret[2])
{
    /* Farther is where the difference has its sign bit set. */
    bytes near = __builtin_convertvector(~((mask)(bound - *least) >> 31), bytes);

    memcpy(ret, &near, 2 * sizeof(*ret));
    ret[0] = le64toh(ret[0]) & LOW_BITS;
    ret[1] = le64toh(ret[1]) & LOW_BITS;
}

/* Writes the rows within the bound; returns how many there are. */
WIDEST static size_t collect(const struct chunk *chunk, float bound, uint32_t *rows)
{
    size_t n = 0;

    for (size_t block = 0; chunk->from + block < chunk->to; block += KNN_LANES) {
        const float *rough = (const float *)&chunk->s[block / VEC];
        uint64_t lanes[2];

        near_lanes(&chunk->least[block / KNN_LANES], bound, lanes);
        for (size_t half = 0; half < 2; half++) {
            for (uint64_t left = lanes[half]; left; left &= left - 1) {
                size_t lane = half * 8 + (size_t)__builtin_ctzll(left) / 8;

                /* Without a branch: which of the rows it is cannot be foreseen. */
                for (size_t at = lane; at < KNN_LANES; at += VEC) {
                    rows[n] = (uint32_t)(block + at);
                    n += rough[at] <= bound;
                }
            }
        }
    }
    return n;
}

static void search_chunk(const struct knn *knn, const struct query *query, size_t from, size_t to,
                         struct search *s)
{
    struct chunk chunk;
    uint32_t rows[CHUNK + 1]; /* the last for the write that does not count */
    float bound;
    double dist;
    size_t n;

    chunk.from = from;
    chunk.to = to;
    measure(knn, query, &chunk);
    bound =
        s->k <= VEC ? kth_of_lanes(&chunk.least_of_all, s->k) : kth_of_blocks(knn, &chunk, s->k);
    dist = sqrt((double)bound) * query->factor * query->factor + query->error;
    if (s->n == s->k && s->found[s->k - 1].dist < dist)
        dist = s->found[s->k - 1].dist;
    n = collect(&chunk, widen(query, dist), rows);
    for (size_t i = 0; i < n; i++) {
        if (from + rows[i] < to)
            offer(knn, query, from + rows[i], s);
    }
}

void knn_search(const struct knn *knn, const double *x, struct search *s)
{
    struct query query;

    s->k = (size_t)knn->params->n_neighbors;
    s->n = 0;
    prepare(knn, x, &query);
    for (size_t row = 0; query.all && row < knn->count; row++)
        offer(knn, &query, row, s);
    for (size_t from = 0; !query.all && from < knn->count; from += CHUNK)
        search_chunk(knn, &query, from, knn->count - from < CHUNK ? knn->count : from + CHUNK, s);
}
