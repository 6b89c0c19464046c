/*
 * Learning rates that change with the number of steps t taken so far
 * (river.optim.schedulers).
 *
 *     constant          the rate
 *     inverse_scaling   rate / (t + 1)^power
 *     optimal           1 / (alpha (t0 + t)); t0 from alpha and a loss (Bottou 2012)
 */
#ifndef OXBOW_LEARN_SCHEDULER_H
#define OXBOW_LEARN_SCHEDULER_H

struct component;

enum scheduler_kind { SCHEDULER_CONSTANT, SCHEDULER_INVERSE_SCALING, SCHEDULER_OPTIMAL };

/* Plain values: copied with what holds it. */
struct scheduler {
    enum scheduler_kind kind;
    double a; /* the rate; optimal's alpha */
    double b; /* the power; optimal's t0 */
};

/* From a component of kind LEARN_SCHEDULER. */
struct scheduler scheduler_of(const struct component *component);

double scheduler_later(const struct scheduler *s, double t); /* of any kind */

static inline double scheduler_rate(const struct scheduler *s, double t)
{
    return s->kind == SCHEDULER_CONSTANT ? s->a : scheduler_later(s, t);
}

#endif
