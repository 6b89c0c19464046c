/* Histograms of values: few bounds, found by going through them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "telemetry/telemetry.h"

#define EVEN_UP_TO 20.0 /* times: a range that spans more is cut in even ratios */

void value_hist_add(struct value_hist *h, double v)
{
    size_t i = 0;

    if (isnan(v))
        return;
    while (i < h->n_bounds && v > h->bound[i])
        i++;
    h->count[i]++;
    h->sum += v;
}

/* The nearest number of two digits. */
static double rounded(double v)
{
    char text[32];

    snprintf(text, sizeof(text), "%.1e", v);
    return strtod(text, NULL);
}

static void round_all(double *bounds, size_t n)
{
    double before = bounds[0];

    for (size_t i = 1; i + 1 < n; i++) {
        double short_one = rounded(bounds[i]);
        if (short_one > before && short_one < bounds[i + 1])
            bounds[i] = short_one;
        before = bounds[i];
    }
}

void value_hist_bounds(double low, double high, size_t n, double ret[VALUE_HIST_BOUNDS])
{
    if (!isfinite(low) || !isfinite(high) || low >= high) {
        for (size_t i = 0; i < n; i++)
            ret[i] = pow(10, (double)i - 3);
        return;
    }

    bool by_ratio = low > 0 && high / low >= EVEN_UP_TO;
    for (size_t i = 0; i < n; i++) {
        double part = (double)i / (double)(n - 1);
        ret[i] = by_ratio ? low * pow(high / low, part) : low + (high - low) * part;
    }
    ret[n - 1] = high;
    round_all(ret, n);
}

/* Bounds by number of models */

static const double latency[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                 0.05,   0.1,   0.25,   1,     5,    60};
/* The place from which on a bound is there: with so many bounds or more. */
static const size_t latency_with[] = {12, 3, 8, 8, 8, 12, 3, 12, 8, 8, 3, 12};

#define N_LATENCY (sizeof(latency) / sizeof(latency[0]))

size_t telemetry_bounds_for(size_t n_models)
{
    if (n_models <= 16)
        return N_LATENCY;
    return n_models <= 32 ? 8 : 3;
}

void telemetry_latency_bounds(size_t n, double ret[VALUE_HIST_BOUNDS])
{
    size_t k = 0;

    for (size_t i = 0; i < N_LATENCY; i++)
        if (latency_with[i] <= n)
            ret[k++] = latency[i];
}
