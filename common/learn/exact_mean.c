/*
 * The exact sum is kept as numbers that do not overlap (Shewchuk 1997: "Adaptive precision
 * floating-point arithmetic", GROW-EXPANSION). A first quotient is near the mean; what it lacks is
 * exact again, so that adding its share gives the mean rounded once, but for the cases in which
 * that lies within 2^-53 of a unit of the middle between two doubles without being there.
 */
#include "learn/exact_mean.h"

#include <math.h>

#define HUGE_NUMBER 0x1p1000 /* sums of larger ones may not be doubles */
#define SCALE       0x1p-64

struct expansion {
    double part[EXACT_MEAN_MAX + 2]; /* from the smallest on; none is 0 */
    size_t n;
};

static void add(struct expansion *e, double v)
{
    size_t kept = 0;

    for (size_t i = 0; i < e->n; i++) {
        double b = e->part[i];
        double sum = v + b;
        double rest = sum - v;
        double lost = (v - (sum - rest)) + (b - rest);

        if (lost != 0)
            e->part[kept++] = lost;
        v = sum;
    }
    if (v != 0)
        e->part[kept++] = v;
    e->n = kept;
}

static double total(const struct expansion *e)
{
    double sum = 0;

    for (size_t i = 0; i < e->n; i++)
        sum += e->part[i];
    return sum;
}

double exact_mean(const double *v, size_t n)
{
    struct expansion e;
    double plain = 0;
    double largest = 0;

    for (size_t i = 0; i < n; i++) {
        plain += v[i];
        largest = fmax(largest, fabs(v[i]));
    }
    if (!isfinite(largest) || isnan(plain))
        return plain;

    e.n = 0;
    double scale = largest > HUGE_NUMBER ? SCALE : 1;
    for (size_t i = 0; i < n; i++)
        add(&e, v[i] * scale);
    double near = total(&e) / (double)n;
    double product = near * (double)n;
    add(&e, -product);
    add(&e, -fma(near, (double)n, -product));
    return (near + total(&e) / (double)n) / scale;
}
