/*
 * Kolmogorov-Smirnov windowing (Raab, Heusinger and Schleif 2020: "Reactive soft
 * prototype computing for concept drift streams"): the newest stat_size values of a
 * window are compared with as many drawn from the rest; when the two-sample test
 * of Kolmogorov and Smirnov tells them apart at significance alpha, and their
 * distributions differ by more than 0.1, it is a drift. Parameters, defaults, order
 * of operations and random numbers are those of River 0.26's drift.KSWIN.
 *
 * The test is exact: with samples of one size n the distributions differ by h / n,
 * and the probability of h or more is a sum over paths in a square (Hodges 1958; the
 * recursion is that of SciPy's ks_2samp).
 *
 * As in River, the update after a drift begins anew, with the random numbers too.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/detector_backend.h"
#include "learn/rng.h"

#define LEAST_DISTANCE 0.1
#define WINDOW_MAX     10000

struct kswin_params {
    double alpha;
    uint64_t window_size;
    uint64_t stat_size;
    uint64_t seed; /* PARAM_NONE: 0 */
};

struct kswin {
    struct detector base;
    struct kswin_params params;
    struct rng rng;
    bool is_drift;
    size_t n;      /* values in the window */
    double *value; /* the oldest first; room for window_size, and two samples behind them */
    size_t *drawn; /* stat_size */
};

static void clear(struct kswin *k)
{
    rng_seed(&k->rng, k->params.seed == PARAM_NONE ? 0 : k->params.seed);
    k->is_drift = false;
    k->n = 0;
}

static struct detector *kswin_create(const struct component *component)
{
    struct kswin *k = mem_zalloc(1, sizeof(*k));

    k->params = *(const struct kswin_params *)component->params;
    k->value =
        mem_zalloc((size_t)(k->params.window_size + 2 * k->params.stat_size), sizeof(*k->value));
    k->drawn = mem_zalloc((size_t)k->params.stat_size, sizeof(*k->drawn));
    clear(k);
    return &k->base;
}

static void kswin_free(struct detector *base)
{
    struct kswin *k = (struct kswin *)base;

    free(k->value);
    free(k->drawn);
    free(k);
}

static int compare(const void *a, const void *b)
{
    double va = *(const double *)a;
    double vb = *(const double *)b;

    return (va > vb) - (va < vb);
}

/* The largest difference of the counts of values up to v, over all v; both are sorted. */
static size_t distance(const double *a, const double *b, size_t n)
{
    size_t most = 0;
    size_t i = 0;
    size_t j = 0;

    while (i < n && j < n) {
        double v = a[i] < b[j] ? a[i] : b[j];

        while (i < n && a[i] <= v)
            i++;
        while (j < n && b[j] <= v)
            j++;
        most = i > j + most ? i - j : j > i + most ? j - i : most;
    }
    return most;
}

/* The probability of such a distance, or a larger one, between samples of one distribution. */
static double probability(size_t n, size_t h)
{
    double p = 0;

    if (h == 0)
        return 1;
    for (size_t k = n / h + 1; k-- > 0;) {
        double term = 1;

        for (size_t j = 0; j < h; j++)
            term = ((double)n - (double)(k * h) - (double)j) * term / (double)(n + k * h + j + 1);
        p = term * (1 - p);
    }
    return fmin(1, 2 * p);
}

static double mean_of(const double *v, size_t n)
{
    double mean = 0;

    for (size_t i = 0; i < n; i++)
        mean += (v[i] - mean) / (double)(i + 1);
    return mean;
}

static bool differs(struct kswin *k)
{
    size_t n = (size_t)k->params.stat_size;
    size_t older = k->n - n;
    double *drawn = k->value + k->params.window_size;
    double *newest = drawn + n;
    size_t h;

    rng_sample(&k->rng, older, n, k->drawn);
    for (size_t i = 0; i < n; i++)
        drawn[i] = k->value[k->drawn[i]];
    memcpy(newest, k->value + older, n * sizeof(*newest));
    qsort(drawn, n, sizeof(*drawn), compare);
    qsort(newest, n, sizeof(*newest), compare);
    h = distance(drawn, newest, n);
    return probability(n, h) <= k->params.alpha && (double)h / (double)n > LEAST_DISTANCE;
}

static bool kswin_update(struct detector *base, double v, struct detector_change *ret)
{
    struct kswin *k = (struct kswin *)base;
    size_t size = (size_t)k->params.window_size;
    size_t newest = (size_t)k->params.stat_size;

    if (k->is_drift)
        clear(k);
    if (k->n == size)
        memmove(k->value, k->value + 1, --k->n * sizeof(*k->value));
    k->value[k->n++] = v;
    if (k->n < size || !differs(k))
        return false;

    k->is_drift = true;
    *ret = (struct detector_change){
        .mean_before = mean_of(k->value, size - newest),
        .mean_after = mean_of(k->value + size - newest, newest),
        .n = (double)newest,
    };
    memmove(k->value, k->value + size - newest, newest * sizeof(*k->value));
    k->n = newest;
    return true;
}

static void kswin_save(const struct detector *base, struct buf *out)
{
    const struct kswin *k = (const struct kswin *)base;

    blob_write_u8(out, k->is_drift);
    rng_save(&k->rng, out);
    blob_write_u64(out, k->n);
    blob_write_f64s(out, k->value, k->n);
}

static void kswin_load(struct detector *base, struct blob_reader *in)
{
    struct kswin *k = (struct kswin *)base;
    uint8_t is_drift = blob_read_u8(in);

    rng_load(&k->rng, in);
    k->n = blob_read_count(in, sizeof(double), (size_t)k->params.window_size);
    blob_read_f64s(in, k->value, k->n);
    for (size_t i = 0; i < k->n; i++) {
        if (!isfinite(k->value[i]))
            blob_fail(in, "its window has a value that is none");
    }
    if (is_drift > 1)
        blob_fail(in, "it says neither that there is a drift nor that there is none");
    k->is_drift = is_drift == 1;
}

static double kswin_mean(const struct detector *base)
{
    const struct kswin *k = (const struct kswin *)base;

    return mean_of(k->value, k->n);
}

static double kswin_width(const struct detector *base)
{
    return (double)((const struct kswin *)base)->n;
}

static size_t kswin_bytes(const struct detector *base)
{
    const struct kswin_params *p = &((const struct kswin *)base)->params;

    return sizeof(struct kswin) + (size_t)(p->window_size + 2 * p->stat_size) * sizeof(double) +
           (size_t)p->stat_size * sizeof(size_t);
}

static const struct detector_ops ops = {
    .create = kswin_create,
    .free = kswin_free,
    .update = kswin_update,
    .save = kswin_save,
    .load = kswin_load,
    .mean = kswin_mean,
    .width = kswin_width,
    .bytes = kswin_bytes,
};

static const char *check(const void *values)
{
    const struct kswin_params *p = values;

    return 2 * p->stat_size <= p->window_size ? NULL
                                              : "stat_size: write at most half of window_size";
}

static const struct learn_param params[] = {
    {.name = "alpha",
     .type = PARAM_REAL,
     .offset = offsetof(struct kswin_params, alpha),
     .fallback = 0.005,
     .max = 1,
     .help = "Significance: the smaller, the rarer a false alarm, and the later a true one."},
    {.name = "window_size",
     .type = PARAM_COUNT,
     .offset = offsetof(struct kswin_params, window_size),
     .fallback = 100,
     .min = 2,
     .max = WINDOW_MAX,
     .help = "Values that are kept."},
    {.name = "stat_size",
     .type = PARAM_COUNT,
     .offset = offsetof(struct kswin_params, stat_size),
     .fallback = 30,
     .min = 1,
     .max = WINDOW_MAX / 2,
     .help = "How many of the newest are compared with as many of the others."},
    {.name = "seed",
     .type = PARAM_COUNT,
     .offset = offsetof(struct kswin_params, seed),
     .optional = true,
     .max = 9007199254740992.0,
     .help = "Of the random numbers, which are Python's; null is 0."},
};

const struct learn_class kswin_class = {
    .name = "kswin",
    .river = "drift.KSWIN",
    .help = "The newest values of a window against some of the others, by their distributions.",
    .kind = LEARN_DETECTOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct kswin_params),
    .check = check,
    .detector = &ops,
};
