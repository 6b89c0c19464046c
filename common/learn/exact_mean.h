/* The mean of numbers as Python's statistics.mean() has it: of their exact sum, rounded once. */
#ifndef OXBOW_LEARN_EXACT_MEAN_H
#define OXBOW_LEARN_EXACT_MEAN_H

#include <stddef.h>

#define EXACT_MEAN_MAX 1000

/* Of `n` numbers, from 1 to EXACT_MEAN_MAX; the order of them does not matter. NaN or infinite when
 * one of them is. */
double exact_mean(const double *v, size_t n);

#endif
