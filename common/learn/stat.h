/*
 * Running mean and variance with weights, in the order of operations that River
 * uses (West 1979; Chan, Golub and LeVeque 1983 for adding and taking away).
 */
#ifndef OXBOW_LEARN_STAT_H
#define OXBOW_LEARN_STAT_H

#include <stddef.h>

struct stat_mean {
    double n;    /* sum of weights */
    double mean; /* 0 when n is 0 */
};

struct stat_var {
    struct stat_mean mean;
    double s; /* weighted sum of squared differences from the mean */
};

static inline void stat_mean_update(struct stat_mean *m, double v, double w)
{
    m->n += w;
    m->mean += w / m->n * (v - m->mean);
}

static inline void stat_var_update(struct stat_var *var, double v, double w)
{
    double before = var->mean.mean;

    stat_mean_update(&var->mean, v, w);
    var->s += w * (v - before) * (v - var->mean.mean);
}

/* The sample variance; 0 until the weights exceed 1. */
static inline double stat_var_get(const struct stat_var *var)
{
    return var->mean.n > 1 ? var->s / (var->mean.n - 1) : 0.0;
}

/* Of n > 0 values, which it sorts; NaN when one of them is. */
double stat_median(double *values, size_t n);

#endif
