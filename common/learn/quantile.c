/*
 * A quantile without keeping the values: the P2 algorithm (Jain and Chlamtac 1985), as River's
 * stats.Quantile has it. Five markers whose heights are the least value, the quantile, the greatest
 * and two between move towards where they ought to be by a parabola, or else by a line. Until there
 * are more than five values, it is the nearest rank among them.
 *
 * State: how many of the first five values there are, whether they are sorted, then five heights,
 * five positions, and five positions as they ought to be.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learn/classes.h"
#include "learn/component.h"
#include "learn/statistic.h"

#define MARKERS 5

enum { SEEN, SORTED, HEIGHTS, POSITIONS = HEIGHTS + MARKERS, DESIRED = POSITIONS + MARKERS };

struct quantile_params {
    double q;
};

static double q_of(const void *params)
{
    return ((const struct quantile_params *)params)->q;
}

static size_t quantile_size(const void *params)
{
    (void)params;
    return DESIRED + MARKERS;
}

static void quantile_init(const void *params, double *s)
{
    double q = q_of(params);

    for (size_t i = 0; i < MARKERS; i++)
        s[POSITIONS + i] = (double)(i + 1);
    s[DESIRED] = 1;
    s[DESIRED + 1] = 1 + 2 * q;
    s[DESIRED + 2] = 1 + 4 * q;
    s[DESIRED + 3] = 3 + 2 * q;
    s[DESIRED + 4] = 5;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Moves the outermost heights out to v; the first marker whose position it moves on. */
static size_t first_above(double *height, double v)
{
    if (v < height[0]) {
        height[0] = v;
        return 1;
    }
    for (size_t i = 1; i < MARKERS; i++) {
        if (height[i - 1] <= v && v < height[i])
            return i;
    }
    if (height[MARKERS - 1] < v)
        height[MARKERS - 1] = v;
    return MARKERS - 1;
}

/* The height of marker i at its position + d, by the parabola through its neighbours. */
static double parabola(const double *height, const double *position, size_t i, double d)
{
    double n = position[i];
    double above = position[i + 1];
    double below = position[i - 1];
    double outer = d / (above - below);
    double left = (n - below + d) * (height[i + 1] - height[i]) / (above - n);
    double right = (above - n - d) * (height[i] - height[i - 1]) / (n - below);

    return height[i] + outer * (left + right);
}

static void adjust(double *height, double *position, const double *desired)
{
    for (size_t i = 1; i < MARKERS - 1; i++) {
        double n = position[i];
        double off = desired[i] - n;
        double d = copysign(1, off);
        size_t towards = d > 0 ? i + 1 : i - 1;
        double next;

        if (!(off >= 1 && position[i + 1] - n > 1) && !(off <= -1 && position[i - 1] - n < -1))
            continue;
        next = parabola(height, position, i, d);
        if (!(height[i - 1] < next && next < height[i + 1]))
            next = height[i] + d * (height[towards] - height[i]) / (position[towards] - n);
        /* At an overflow the marker stays, where River's would never come back. */
        if (!isfinite(next))
            continue;
        height[i] = next;
        position[i] = n + d;
    }
}

static void quantile_update(const void *params, double *s, double v)
{
    double *height = s + HEIGHTS;
    double *position = s + POSITIONS;
    double *desired = s + DESIRED;
    double q = q_of(params);
    const double step[MARKERS] = {0, q / 2, q, (1 + q) / 2, 1};

    if (s[SEEN] < MARKERS) {
        height[(size_t)s[SEEN]] = v;
        s[SEEN] += 1;
        return;
    }
    if (s[SORTED] == 0) {
        qsort(height, MARKERS, sizeof(*height), by_value);
        s[SORTED] = 1;
    }
    for (size_t i = first_above(height, v); i < MARKERS; i++)
        position[i] += 1;
    for (size_t i = 0; i < MARKERS; i++)
        desired[i] += step[i];
    adjust(height, position, desired);
}

static double quantile_get(const void *params, const double *s)
{
    size_t n = (size_t)s[SEEN];
    double first[MARKERS];

    if (s[SORTED] != 0)
        return s[HEIGHTS + 2];
    if (n == 0)
        return (double)NAN;
    memcpy(first, s + HEIGHTS, sizeof(first));
    qsort(first, n, sizeof(*first), by_value);
    return first[(size_t)fmin((double)n - 1, (double)n * q_of(params))];
}

static bool quantile_is_sound(const void *params, const double *s)
{
    (void)params;
    return s[SEEN] >= 0 && s[SEEN] <= MARKERS && s[SEEN] == floor(s[SEEN]) &&
           (s[SORTED] == 0 || (s[SORTED] == 1 && s[SEEN] == MARKERS));
}

static const struct statistic_ops ops = {
    .size = quantile_size,
    .init = quantile_init,
    .update = quantile_update,
    .get = quantile_get,
    .is_sound = quantile_is_sound,
    .of_numbers = true,
};

static const char *quantile_check(const void *params)
{
    return q_of(params) < 1 ? NULL : "q is below 1: 0.5 is the median";
}

static const struct learn_param params[] = {
    {.name = "q",
     .type = PARAM_REAL,
     .offset = offsetof(struct quantile_params, q),
     .fallback = 0.5,
     .max = 1,
     .above_min = true,
     .help = "Which one: 0.5 is the median. Below 1."},
};

const struct learn_class quantile_statistic_class = {
    .name = "quantile",
    .river = "stats.Quantile",
    .help = "A quantile, estimated without keeping the values.",
    .kind = LEARN_STATISTIC,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct quantile_params),
    .check = quantile_check,
    .statistic = &ops,
};
