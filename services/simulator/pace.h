/*
 * When an event is due, as an absolute time of the monotonic clock: a schedule
 * that does not depend on how long publishing takes. An event that is late is
 * published at once and the next one is due when it always was, so that a slow
 * server is seen as lateness and never as fewer events.
 *
 * By speed: event time runs `speed` times as fast as the clock. By rate: so
 * many requests a second, whatever their own times; an outcome is due together
 * with the request that it comes before, and those after the last request take
 * the place of requests.
 */
#ifndef OXBOW_SIMULATOR_PACE_H
#define OXBOW_SIMULATOR_PACE_H

#include "simulator/schedule.h"

struct pace {
    double speed; /* used when rate is 0 */
    double rate;  /* requests a second, or 0 */

    /* private */
    int64_t anchor_ns;       /* the monotonic clock at the anchor */
    int64_t anchor_ms;       /* event time at the anchor */
    struct cursor anchor_at; /* what was published before it */
    bool in_tail;
    uint64_t tail_outcomes; /* outcomes published before the tail began */
};

/* Makes the schedule's next event due now. */
void pace_anchor(struct pace *p, struct schedule *s, int64_t now_ns);

/* When the schedule's next event is due; INT64_MAX when there is none. */
int64_t pace_due(struct pace *p, struct schedule *s);

/* Sleeps until that time of the monotonic clock; a signal ends it early. */
void pace_sleep_until(int64_t mono_ns);

#endif
