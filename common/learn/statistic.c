/* Running statistics: see statistic.h. */
#include "learn/statistic.h"

#include <math.h>
#include <string.h>

#include "learn/classes.h"
#include "learn/component.h"
#include "learn/schema.h"
#include "learn/stat.h"

#define MOST_KEPT 200 /* values of a mode or a shift */

struct statistic statistic_of(const struct component *component)
{
    const struct statistic_ops *ops = component->class->statistic;

    return (struct statistic){
        .ops = ops,
        .params = component->params,
        .size = ops->size(component->params),
    };
}

void statistic_init(const struct statistic *st, double *s)
{
    memset(s, 0, st->size * sizeof(*s));
    if (st->ops->init)
        st->ops->init(st->params, s);
}

bool statistic_is_sound(const struct statistic *st, const double *s)
{
    return !st->ops->is_sound || st->ops->is_sound(st->params, s);
}

static bool is_count(double v, double most)
{
    return v >= 0 && v <= most && v == floor(v);
}

/* Those of a count and a value. */

enum { COUNT, VALUE, PAIR };

static size_t pair_size(const void *params)
{
    (void)params;
    return PAIR;
}

static double pair_get(const void *params, const double *s)
{
    (void)params;
    return s[VALUE];
}

static void mean_update(const void *params, double *s, double v)
{
    struct stat_mean mean = {s[COUNT], s[VALUE]};

    (void)params;
    stat_mean_update(&mean, v, 1);
    s[COUNT] = mean.n;
    s[VALUE] = mean.mean;
}

static void nothing_init(const void *params, double *s)
{
    (void)params;
    s[VALUE] = (double)NAN;
}

static void min_update(const void *params, double *s, double v)
{
    (void)params;
    s[COUNT] += 1;
    s[VALUE] = fmin(s[VALUE], v); /* of NaN and a number the number */
}

static void max_update(const void *params, double *s, double v)
{
    (void)params;
    s[COUNT] += 1;
    s[VALUE] = fmax(s[VALUE], v);
}

struct ew_mean_params {
    double fading_factor;
};

/* COUNT is 1 once there was a value. */
static void ew_mean_update(const void *params, double *s, double v)
{
    double alpha = ((const struct ew_mean_params *)params)->fading_factor;

    s[VALUE] = s[COUNT] != 0 ? alpha * v + (1 - alpha) * s[VALUE] : v;
    s[COUNT] = 1;
}

struct constant_params {
    double value;
};

static void constant_init(const void *params, double *s)
{
    s[VALUE] = ((const struct constant_params *)params)->value;
}

static void constant_update(const void *params, double *s, double v)
{
    (void)params;
    (void)v;
    s[COUNT] += 1;
}

struct category_params {
    char *value;
};

static void category_init(const void *params, double *s)
{
    const char *text = ((const struct category_params *)params)->value;

    s[VALUE] = schema_category(text, strlen(text));
}

/* Mode: how many values there are, then they, in the order in which they came, then their counts.
 */

struct mode_params {
    uint64_t k;
};

static size_t mode_k(const void *params)
{
    return (size_t)((const struct mode_params *)params)->k;
}

static size_t mode_size(const void *params)
{
    return 1 + 2 * mode_k(params);
}

static void mode_update(const void *params, double *s, double v)
{
    size_t k = mode_k(params);
    size_t n = (size_t)s[0];
    double *values = s + 1;
    double *counts = values + k;
    size_t i = 0;

    while (i < n && values[i] != v)
        i++;
    if (i == k)
        return;
    if (i == n) {
        values[i] = v;
        s[0] += 1;
    }
    counts[i] += 1;
}

static double mode_get(const void *params, const double *s)
{
    size_t n = (size_t)s[0];
    const double *values = s + 1;
    const double *counts = values + mode_k(params);
    size_t best = 0;

    for (size_t i = 1; i < n; i++) {
        if (counts[i] > counts[best])
            best = i;
    }
    return n ? values[best] : (double)NAN;
}

static bool mode_is_sound(const void *params, const double *s)
{
    return is_count(s[0], (double)mode_k(params));
}

/* Shift: how many values there are, then they, the oldest first. */

struct shift_params {
    uint64_t amount;
    double fill_value;
};

static size_t shift_kept(const void *params)
{
    return (size_t)((const struct shift_params *)params)->amount + 1;
}

static size_t shift_size(const void *params)
{
    return 1 + shift_kept(params);
}

static void shift_update(const void *params, double *s, double v)
{
    size_t n = (size_t)s[0];

    if (n < shift_kept(params)) {
        s[0] += 1;
    } else {
        n--;
        memmove(s + 1, s + 2, n * sizeof(*s));
    }
    s[1 + n] = v;
}

static double shift_get(const void *params, const double *s)
{
    return (size_t)s[0] == shift_kept(params) ? s[1]
                                              : ((const struct shift_params *)params)->fill_value;
}

static bool shift_is_sound(const void *params, const double *s)
{
    return is_count(s[0], (double)shift_kept(params));
}

/* The classes */

#define NUMBERS(name_of, size_of, get_of)                                                          \
    {                                                                                              \
        .size = (size_of), .update = name_of##_update, .get = (get_of), .of_numbers = true         \
    }
#define PARAMS(list, type_of)                                                                      \
    .params = (list), .n_params = sizeof(list) / sizeof((list)[0]),                                \
    .params_size = sizeof(struct type_of)

static const struct statistic_ops mean_ops = NUMBERS(mean, pair_size, pair_get);

const struct learn_class mean_statistic_class = {
    .name = "mean",
    .river = "stats.Mean",
    .help = "The mean of all values.",
    .kind = LEARN_STATISTIC,
    .statistic = &mean_ops,
};

static const struct statistic_ops min_ops = {
    .size = pair_size,
    .init = nothing_init,
    .update = min_update,
    .get = pair_get,
    .of_numbers = true,
};

const struct learn_class min_class = {
    .name = "min",
    .river = "stats.Min",
    .help = "The least value.",
    .kind = LEARN_STATISTIC,
    .statistic = &min_ops,
};

static const struct statistic_ops max_ops = {
    .size = pair_size,
    .init = nothing_init,
    .update = max_update,
    .get = pair_get,
    .of_numbers = true,
};

const struct learn_class max_class = {
    .name = "max",
    .river = "stats.Max",
    .help = "The greatest value.",
    .kind = LEARN_STATISTIC,
    .statistic = &max_ops,
};

static const struct statistic_ops ew_mean_ops = NUMBERS(ew_mean, pair_size, pair_get);

static const struct learn_param ew_mean_params[] = {
    {.name = "fading_factor",
     .type = PARAM_REAL,
     .offset = offsetof(struct ew_mean_params, fading_factor),
     .fallback = 0.5,
     .max = 1,
     .help = "The closer to 1, the more the newest values count."},
};

const struct learn_class ew_mean_class = {
    .name = "ew_mean",
    .river = "stats.EWMean",
    .help = "An exponentially weighted mean.",
    .kind = LEARN_STATISTIC,
    PARAMS(ew_mean_params, ew_mean_params),
    .statistic = &ew_mean_ops,
};

static const struct statistic_ops mode_ops = {
    .size = mode_size,
    .update = mode_update,
    .get = mode_get,
    .is_sound = mode_is_sound,
    .of_numbers = true,
    .of_categories = true,
};

static const struct learn_param mode_params[] = {
    {.name = "k",
     .type = PARAM_COUNT,
     .offset = offsetof(struct mode_params, k),
     .fallback = 25,
     .min = 1,
     .max = MOST_KEPT,
     .help = "How many different values are counted: the first that come. River's -1, all, is not "
             "taken: what a model keeps is bounded."},
};

const struct learn_class mode_class = {
    .name = "mode",
    .river = "stats.Mode",
    .help = "The most frequent value.",
    .kind = LEARN_STATISTIC,
    PARAMS(mode_params, mode_params),
    .statistic = &mode_ops,
};

static const struct statistic_ops shift_ops = {
    .size = shift_size,
    .update = shift_update,
    .get = shift_get,
    .is_sound = shift_is_sound,
    .of_numbers = true,
    .of_categories = true,
};

static const struct learn_param shift_params[] = {
    {.name = "amount",
     .type = PARAM_COUNT,
     .offset = offsetof(struct shift_params, amount),
     .fallback = 1,
     .max = MOST_KEPT,
     .help = "How many values before the last one: 0 is the last."},
    {.name = "fill_value",
     .type = PARAM_REAL,
     .offset = offsetof(struct shift_params, fill_value),
     .min = -1e300,
     .max = 1e300,
     .optional = true,
     .help = "What it is before there are so many."},
};

const struct learn_class shift_class = {
    .name = "shift",
    .river = "stats.Shift",
    .help = "A value of before.",
    .kind = LEARN_STATISTIC,
    PARAMS(shift_params, shift_params),
    .statistic = &shift_ops,
};

static const struct statistic_ops constant_ops = {
    .size = pair_size,
    .init = constant_init,
    .update = constant_update,
    .get = pair_get,
    .of_numbers = true,
};

static const struct learn_param constant_params[] = {
    {.name = "value",
     .type = PARAM_REAL,
     .offset = offsetof(struct constant_params, value),
     .min = -1e300,
     .max = 1e300,
     .help = "The number."},
};

const struct learn_class constant_statistic_class = {
    .name = "constant",
    .river = "preprocessing.impute.Constant",
    .help = "Always the same number; a number by itself means this.",
    .kind = LEARN_STATISTIC,
    PARAMS(constant_params, constant_params),
    .statistic = &constant_ops,
};

static const struct statistic_ops category_ops = {
    .size = pair_size,
    .init = category_init,
    .update = constant_update,
    .get = pair_get,
    .of_categories = true,
};

static const struct learn_param category_params[] = {
    {.name = "value",
     .type = PARAM_TEXT,
     .offset = offsetof(struct category_params, value),
     .help = "The category's text."},
};

const struct learn_class category_class = {
    .name = "category",
    .river = "preprocessing.impute.Constant",
    .help = "Always the same category.",
    .kind = LEARN_STATISTIC,
    PARAMS(category_params, category_params),
    .statistic = &category_ops,
};
