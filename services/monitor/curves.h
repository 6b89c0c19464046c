/*
 * What is drawn over time: named series in three tiers, a point a second for
 * an hour, every 10 s for 12 hours, every minute for 7 days. A point of a
 * coarser tier is the mean of the seconds in it. No I/O: recorder.h keeps them.
 *
 * A value is a float (seven digits are more than a chart shows); NaN is "not
 * known". Memory: 18,000 floats a series, CURVES_MAX_SERIES at most.
 */
#ifndef OXBOW_MONITOR_CURVES_H
#define OXBOW_MONITOR_CURVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define CURVES_TIERS      3
#define CURVES_MAX_SERIES 512
#define CURVES_MAX_POINTS 600 /* of an answer */

struct curves;

struct curves_tier {
    int64_t step_ms;
    int64_t kept_ms;
};
extern const struct curves_tier CURVES_TIER[CURVES_TIERS];

struct curves *curves_new(void);
void curves_free(struct curves *c); /* NULL is fine */

/* The series' number, made when there is none yet; -1 when there are too many. */
int curves_series(struct curves *c, const char *name);
size_t curves_n_series(const struct curves *c);
const char *curves_name(const struct curves *c, size_t series);

/* One point of a tier; `value` has `n` numbers by series, those behind are not known. */
struct curves_point {
    int tier;
    int64_t time_ms;
    int64_t event_ms; /* TIME_UNKNOWN */
    const float *value;
    size_t n;
};

/*
 * Adds the point of a second; one that is not after the last is left out. `keep` (may be NULL) is
 * called with it and with each point of a coarser tier that is whole now.
 */
typedef void (*curves_keep_fn)(void *ctx, const struct curves_point *point);
void curves_add(struct curves *c, int64_t time_ms, int64_t event_ms, const float *value, size_t n,
                curves_keep_fn keep, void *ctx);

/* Puts back a point that was kept, in order of time within its tier; before the first
 * curves_add(). */
void curves_restore(struct curves *c, const struct curves_point *point);

/* The time of the newest point of a tier; TIME_UNKNOWN when it has none. */
int64_t curves_newest(const struct curves *c, int tier);

struct curves_query {
    int64_t range_ms;
    int64_t now_ms;
    bool by_event;     /* points are spaced by event time, and those without it left out */
    const char *names; /* with commas between them; NULL: all */
};

/* "5m", "1h", "12h", "7d"; false for another. */
bool curves_range(const char *name, int64_t *ret_ms);

/*
 * Appends `"step_s":..,"time_ms":[..],"event_ms":[..],"series":{..},"gaps":[..]`, at most
 * CURVES_MAX_POINTS points. A gap is a time of more than three steps without a point; in each a
 * point of nulls breaks the line.
 */
void curves_write(const struct curves *c, const struct curves_query *query, struct buf *out);
/* The same points as CSV: time, event time, then a column a series. */
void curves_write_csv(const struct curves *c, const struct curves_query *query, struct buf *out);

#endif
