/*
 * How fast a counter grows: what it has gained over the last seconds, by the
 * clock of the one who counts. A counter that goes back has begun anew.
 */
#ifndef OXBOW_MONITOR_RATES_H
#define OXBOW_MONITOR_RATES_H

#include <stddef.h>
#include <stdint.h>

#define RATE_SPAN_MS 5000
#define RATE_POINTS  8

/* Zero-initialise. */
struct rate {
    int64_t time_ms[RATE_POINTS]; /* oldest first */
    uint64_t value[RATE_POINTS];
    size_t n;
};

/* The counter's value at `time_ms`; one that is not after the last is left out. */
void rate_add(struct rate *r, int64_t time_ms, uint64_t value);

/* A second, over the last RATE_SPAN_MS before `now_ms`; NaN until two values are known, 0 when the
 * newest is older than that. */
double rate_per_second(const struct rate *r, int64_t now_ms);

#endif
