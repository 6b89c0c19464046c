/*
 * Running statistics of numbers that come one by one (River's module stats): what a baseline
 * answers, and what an imputer fills in.
 *
 *     s = statistic_of(component)                     of kind LEARN_STATISTIC
 *     statistic_init(&s, state)                       s.size doubles, the caller's
 *     statistic_update(&s, state, v)*, statistic_get(&s, state)
 *
 * The state is those doubles and nothing else: it is copied, saved and loaded as they are, and
 * never grows.
 *
 *     mean       stats.Mean                      0 before the first value, as in River
 *     ew_mean    stats.EWMean (Finch 2009)       likewise
 *     min, max   stats.Min, stats.Max            NaN before it, where River's is infinite
 *     mode       stats.Mode                      of equally frequent values the first that came
 *     quantile   stats.Quantile: the P2 algorithm (Jain and Chlamtac 1985)
 *     shift      stats.Shift
 *     constant   a number by itself; category: a category by its text
 */
#ifndef OXBOW_LEARN_STATISTIC_H
#define OXBOW_LEARN_STATISTIC_H

#include <stdbool.h>
#include <stddef.h>

struct component;

struct statistic {
    const struct statistic_ops *ops;
    const void *params; /* the component's */
    size_t size;        /* doubles of state */
};

/* What a class of LEARN_STATISTIC is made of. */
struct statistic_ops {
    size_t (*size)(const void *params);
    void (*init)(const void *params, double *s); /* (optional) of zeros; NULL: they are it */
    void (*update)(const void *params, double *s, double v);
    double (*get)(const void *params, const double *s);
    /* (optional) Whether doubles that were read from anywhere may be used. */
    bool (*is_sound)(const void *params, const double *s);
    bool of_numbers;    /* numeric and boolean features have it */
    bool of_categories; /* categorical ones do */
};

struct statistic statistic_of(const struct component *component);

void statistic_init(const struct statistic *st, double *s);

/* v is not NaN. */
static inline void statistic_update(const struct statistic *st, double *s, double v)
{
    st->ops->update(st->params, s, v);
}

/* NaN: nothing to tell yet. */
static inline double statistic_get(const struct statistic *st, const double *s)
{
    return st->ops->get(st->params, s);
}

bool statistic_is_sound(const struct statistic *st, const double *s);

#endif
