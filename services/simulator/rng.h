/*
 * Random numbers from a counter: a stream is named by (seed, purpose, counter) and needs no state
 * from the streams before it, so that any minute of the city can be made again by itself.
 *
 * The generator is SplitMix64: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number
 * generators" (2014).
 */
#ifndef OXBOW_SIMULATOR_RNG_H
#define OXBOW_SIMULATOR_RNG_H

#include <math.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t rng_next(struct rng *rng)
{
    rng->state += UINT64_C(0x9e3779b97f4a7c15);
    return rng_mix(rng->state);
}

static inline struct rng rng_stream(uint64_t seed, uint64_t purpose, uint64_t counter)
{
    struct rng rng = {seed};

    rng.state = rng_next(&rng) ^ purpose;
    rng.state = rng_next(&rng) ^ counter;
    rng.state = rng_next(&rng);
    return rng;
}

/* Uniform in (0, 1), never an end. */
static inline double rng_unit(struct rng *rng)
{
    return ((double)(rng_next(rng) >> 12) + 0.5) * 0x1p-52;
}

/* Two independent standard normal numbers (G. Box, M. Muller, 1958). */
static inline void rng_normals(struct rng *rng, double *ret_a, double *ret_b)
{
    double radius = sqrt(-2 * log(rng_unit(rng)));
    double angle = 2 * M_PI * rng_unit(rng);

    *ret_a = radius * cos(angle);
    *ret_b = radius * sin(angle);
}

#endif
