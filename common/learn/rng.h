/*
 * The random generator of CPython's `random` module, number for number: seeded
 * learners of River can be followed exactly.
 *
 * MT19937 (Matsumoto and Nishimura 1998), seeded as random.Random(int) is. The
 * state belongs to whoever uses it and is saved with the model; there is no
 * global generator.
 */
#ifndef OXBOW_LEARN_RNG_H
#define OXBOW_LEARN_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "learn/blob.h"

#define RNG_WORDS 624

struct rng {
    uint32_t state[RNG_WORDS];
    uint32_t index;    /* of the next word, RNG_WORDS: make new ones first */
    bool has_gauss;    /* a second normal deviate is waiting */
    double next_gauss; /* 0 when there is none */
};

/* As random.seed(seed), for an int that is not negative. */
void rng_seed(struct rng *rng, uint64_t seed);

/* As numpy.random.RandomState(seed), whose words are the same generator's. */
void rng_seed_numpy(struct rng *rng, uint32_t seed);

double rng_random(struct rng *rng);                         /* random(): [0, 1), 53 bits */
uint64_t rng_getrandbits(struct rng *rng, unsigned bits);   /* getrandbits(bits), 1 to 64 */
uint64_t rng_below(struct rng *rng, uint64_t n);            /* randrange(n), n > 0 */
double rng_gauss(struct rng *rng, double mu, double sigma); /* gauss(mu, sigma) */
double rng_uniform(struct rng *rng, double a, double b);    /* uniform(a, b) */
uint64_t rng_poisson(struct rng *rng, double rate);         /* River's utils.random.poisson() */

/* shuffle(items), on the indices or items of the caller. */
void rng_shuffle(struct rng *rng, size_t *items, size_t n);

/* sample(range(n), k), k <= n: k distinct indices into `ret`, in the order of selection. */
void rng_sample(struct rng *rng, size_t n, size_t k, size_t *ret);

/* choices(range(n), weights)[0]: n > 0, weights >= 0, their sum finite and above 0. */
size_t rng_choice(struct rng *rng, const double *weights, size_t n);

void rng_save(const struct rng *rng, struct buf *out);
void rng_load(struct rng *rng, struct blob_reader *in);

#endif
