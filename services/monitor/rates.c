/* Rates out of counters. */
#include "monitor/rates.h"

#include <math.h>
#include <string.h>

static void drop_oldest(struct rate *r)
{
    r->n--;
    memmove(r->time_ms, r->time_ms + 1, r->n * sizeof(r->time_ms[0]));
    memmove(r->value, r->value + 1, r->n * sizeof(r->value[0]));
}

void rate_add(struct rate *r, int64_t time_ms, uint64_t value)
{
    if (r->n && time_ms <= r->time_ms[r->n - 1])
        return;
    if (r->n && value < r->value[r->n - 1])
        r->n = 0;
    /* The oldest of those kept is the last that is at least the span ago. */
    while (r->n == RATE_POINTS || (r->n > 1 && time_ms - r->time_ms[1] >= RATE_SPAN_MS))
        drop_oldest(r);
    r->time_ms[r->n] = time_ms;
    r->value[r->n] = value;
    r->n++;
}

double rate_per_second(const struct rate *r, int64_t now_ms)
{
    if (r->n && now_ms - r->time_ms[r->n - 1] > RATE_SPAN_MS)
        return 0;
    if (r->n < 2)
        return (double)NAN;
    return (double)(r->value[r->n - 1] - r->value[0]) * 1000.0 /
           (double)(r->time_ms[r->n - 1] - r->time_ms[0]);
}
