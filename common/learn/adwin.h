/*
 * ADWIN (Bifet and Gavaldà, 2007: "Learning from time-changing data with
 * adaptive windowing"): a window over a stream of numbers that is as long as
 * their mean has not changed. Wherever it can be cut into an older and a newer
 * part whose means differ by more than chance allows (at significance δ), the
 * oldest values are dropped, and that is a drift. Parameters, defaults and
 * order of operations are those of River 0.26's drift.ADWIN, so the detections
 * are the same, at the same values.
 *
 * The window is kept as sums. Row i holds up to `max_buckets` buckets, the oldest
 * first; a bucket is the total of 2^i values and the sum S of their squared
 * differences from their own mean. One bucket too many in a row, and its two
 * oldest become one of the next row: memory is O(max_buckets · log width).
 *
 *     row 0   [1][1][1]      newest
 *     row 1   [2][2]
 *     row 2   [4][4][4]      its first bucket is the oldest of all
 *
 * As in River, the update after a drift begins with an empty window. Unlike
 * River, so does one after sums that a double cannot hold.
 *
 * A plain struct: several in one allocation are fine, and it may be moved.
 */
#ifndef OXBOW_LEARN_ADWIN_H
#define OXBOW_LEARN_ADWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "learn/blob.h"

#define ADWIN_MAX_BUCKETS 64 /* the largest max_buckets */
#define ADWIN_MAX_ROWS    53 /* 2^53 values: as many as a double can count */

struct adwin_params {
    double delta;               /* significance, above 0 and below 1 */
    uint64_t clock;             /* looks for a cut at each clock-th value; from 1 */
    uint64_t max_buckets;       /* from 2 to ADWIN_MAX_BUCKETS */
    uint64_t min_window_length; /* of either part of a cut; from 1 */
    uint64_t grace_period;      /* no cut until the window is longer than this */
};

/* River's defaults. */
#define ADWIN_DEFAULTS                                                                             \
    {                                                                                              \
        .delta = 0.002, .clock = 32, .max_buckets = 5, .min_window_length = 5, .grace_period = 10  \
    }

struct adwin_bucket {
    double total;
    double s; /* sum of squared differences from the mean */
};

/* The place in the window at which the means of both sides differ most for what chance allows. */
struct adwin_cut {
    double mean_before;
    double mean_after;
    double n_after; /* values behind it */
};

struct adwin {
    struct adwin_params params;
    struct adwin_bucket *bucket; /* n_rows rows of max_buckets + 1 */
    uint32_t *count;             /* n_rows: buckets in use of each row */
    size_t n_rows;               /* at least 1 */
    double width;                /* values in the window */
    double total;                /* of all of them */
    double s;                    /* sum of squared differences from their mean */
    uint64_t tick;               /* updates since the window was begun */
    bool is_drift;               /* the last update found a drift */

    struct adwin_cut cut; /* where the last update found a drift; not saved */
};

/* Lifecycle */

void adwin_init(struct adwin *a, const struct adwin_params *params);
void adwin_release(struct adwin *a);
void adwin_clear(struct adwin *a); /* as from _init */

/* Use */

/* Takes in one value; true when that showed a drift. A value that is not finite is passed over. */
bool adwin_update(struct adwin *a, double v);

/* 0 for an empty window. */
double adwin_mean(const struct adwin *a);
/* S, the sum of squared differences from the mean: what River calls ADWIN.variance. */
static inline double adwin_s(const struct adwin *a)
{
    return a->s;
}
/* S / width, which the cut is tested with; 0 for an empty window. */
double adwin_variance(const struct adwin *a);
static inline double adwin_width(const struct adwin *a)
{
    return a->width;
}
size_t adwin_bytes(const struct adwin *a);                 /* of memory, the struct included */
size_t adwin_bytes_max(const struct adwin_params *params); /* the most that it comes to */

/* Saving: the state without the parameters; what it goes on from is the same to the last bit. */

void adwin_save(const struct adwin *a, struct buf *out);
/* Into one from _init with the parameters that it was saved with; marks `in` when it cannot be. */
void adwin_load(struct adwin *a, struct blob_reader *in);

#endif
