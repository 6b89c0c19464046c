/*
 * The first value of a linear model's weight, when its feature is first learned
 * (river.optim.initializers).
 *
 *     zeros      0
 *     constant   the same for each
 *     normal     a normal deviate each, as numpy.random.RandomState(seed) draws them: by the polar
 *                method (Marsaglia and Bray 1964), a pair at a time
 *
 * Nothing is kept: the weight of the k-th feature that comes is the k-th deviate from the seed on.
 */
#ifndef OXBOW_LEARN_INITIALIZER_H
#define OXBOW_LEARN_INITIALIZER_H

#include <stdbool.h>
#include <stddef.h>

struct component;

/* Of kind LEARN_INITIALIZER: zeros, or a constant 0. */
bool initializer_is_zeros(const struct component *component);

/* The weight of the feature before which `k` others have come. O(k) for normal. */
double initializer_weight(const struct component *component, size_t k);

#endif
