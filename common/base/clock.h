/*
 * Time: one unit a purpose. Wall time is int64_t milliseconds since 1970 UTC
 * (`_ms`), spans are measured on the monotonic clock in nanoseconds (`_ns`).
 */
#ifndef OXBOW_BASE_CLOCK_H
#define OXBOW_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CLOCK_TEXT_LEN 24 /* YYYY-MM-DDTHH:MM:SS.mmmZ */

int64_t clock_wall_ms(void);
int64_t clock_mono_ns(void);
static inline int64_t clock_mono_ms(void)
{
    return clock_mono_ns() / 1000000;
}

/* Sleeps for `ms`, or until a signal arrives. */
void clock_sleep_ms(int64_t ms);

/* Writes `YYYY-MM-DDTHH:MM:SS.mmmZ` and a NUL. Years 0000 to 9999; others are clamped. */
void clock_format(int64_t wall_ms, char out[CLOCK_TEXT_LEN + 1]);

/*
 * Reads exactly that form; also `YYYY-MM-DD HH:MM:SS` as Kaggle's files have it (taken as UTC).
 * ERR_INVALID for anything else, a 31st of April included. Touches no time zone data.
 */
int clock_parse(const char *s, size_t len, int64_t *ret_ms) MUST_CHECK;

/*
 * Waiting longer after each failure: 100 ms, doubled up to 5 s, with no sleep
 * at all before the first. Zero-initialise; backoff_reset() after a success.
 */
struct backoff {
    int64_t wait_ms; /* what the next backoff_wait() sleeps; 0 at first */
};
void backoff_wait(struct backoff *b);
static inline void backoff_reset(struct backoff *b)
{
    b->wait_ms = 0;
}

#endif
