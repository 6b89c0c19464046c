/* Due times of events. */
#include "simulator/pace.h"

#include <time.h>

#define NS_PER_S 1000000000
#define FAR_NS   4e18 /* more than a century, less than INT64_MAX */

/* anchor_ns + ns, for any `ns`. */
static int64_t after_anchor(const struct pace *p, double ns)
{
    if (ns > FAR_NS)
        ns = FAR_NS;
    if (ns < -FAR_NS)
        ns = -FAR_NS;
    return p->anchor_ns + (int64_t)ns;
}

void pace_anchor(struct pace *p, struct schedule *s, int64_t now_ns)
{
    const struct event *next = schedule_peek(s);

    p->anchor_ns = now_ns;
    p->anchor_ms = next ? next->time_ms : 0;
    p->anchor_at = *schedule_at(s);
    p->in_tail = false;
}

int64_t pace_due(struct pace *p, struct schedule *s)
{
    const struct event *next = schedule_peek(s);
    const struct cursor *at = schedule_at(s);

    if (!next)
        return INT64_MAX;
    if (p->rate <= 0)
        return after_anchor(p, (double)(next->time_ms - p->anchor_ms) * 1e6 / p->speed);

    if (schedule_in_tail(s) && !p->in_tail) {
        p->in_tail = true;
        p->tail_outcomes = at->outcomes;
    }
    /* Signed: after a server has lost its last moments the place lies before the anchor. */
    int64_t slot = (int64_t)(at->requests - p->anchor_at.requests);
    if (schedule_in_tail(s))
        slot += (int64_t)(at->outcomes - p->tail_outcomes);
    return after_anchor(p, (double)slot * NS_PER_S / p->rate);
}

void pace_sleep_until(int64_t mono_ns)
{
    struct timespec until = {.tv_sec = mono_ns / NS_PER_S, .tv_nsec = mono_ns % NS_PER_S};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}
