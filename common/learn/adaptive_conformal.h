/*
 * Prediction intervals around any regressor: adaptive conformal inference (Gibbs and Candes,
 * "Adaptive Conformal Inference Under Distribution Shift", NeurIPS 2021), over the absolute
 * residuals of the last window_size labels. River has no such class; its nearest is
 * conf.RegressionJackknife, which keeps its quantiles where they are.
 *
 * The interval around a value is value - q to value + q. q is the ceil((n + 1) (1 - alpha_t))-th
 * smallest of the n residuals that are kept: split conformal prediction at level alpha_t. With the
 * label comes what was issued, and
 *
 *     alpha_t+1 = alpha_t + gamma ((alpha_issued - alpha_t) + (alpha - missed))
 *
 * where alpha is 1 - coverage, missed is 1 when the label lay outside of the issued interval and
 * else 0, and alpha_issued is the alpha_t that the interval was made with, which goes out with it.
 * Of an interval that this state would give itself that is alpha_t, and the step is that of Gibbs
 * and Candes: alpha_t + gamma (alpha - missed). (An interval that came without its alpha counts as
 * the share of the residuals kept now that are wider.)
 *
 * That alpha_issued comes in is ours. Labels come late: between an interval and its label lie all
 * labels that were learned meanwhile, thousands where models are published every half minute. The
 * step of the paper, which corrects alpha_t by what another alpha did, then swings from
 * intervals that are far too narrow to ones that are far too wide. Taken from what the issued
 * interval was made with, alpha_t is a moving average of what would have been right then, and
 * settles whatever the delay (docs/intervals.md). The average reaches as far back as the delay, at
 * least: gamma is divided by 1 + gamma age, where age is how many labels were learned meanwhile.
 *
 * Two more things are ours. Where the paper has alpha_t <= 0, the interval is the whole line: here
 * it is that of the largest residual kept, since an interval has to be written as two numbers;
 * alpha_t stays within [0, 1]. And there is no interval before (n + 1) coverage <= n.
 *
 * What is answered is the regressor's own prediction, to the last bit, whatever the interval.
 * A sample's weight is the regressor's; a residual counts once.
 */
#ifndef OXBOW_LEARN_ADAPTIVE_CONFORMAL_H
#define OXBOW_LEARN_ADAPTIVE_CONFORMAL_H

#include <stddef.h>

#include "learn/learner_backend.h"

#define CONFORMAL_WINDOW_MAX 100000

struct conformal_params {
    struct component *regressor;
    double coverage;
    uint64_t window_size;
    double gamma;
};

/* The residuals that are kept: a ring in the order of their labels, and the same in order of size.
 */
struct residuals {
    size_t window; /* at most so many */
    size_t count;
    size_t next; /* place of the next in the ring: of the oldest, when it is full */
    size_t cap;  /* allocated */
    double *ring;
    double *sorted;
};

/* residuals.c */

void residuals_release(struct residuals *r);

/* Takes the place of the oldest when the window is full: O(window). `v` is finite and not negative.
 */
void residuals_push(struct residuals *r, double v);

/* Of those kept, 0 is the oldest. */
double residuals_at(const struct residuals *r, size_t age);

/* How many of those kept are above v: O(log window). */
size_t residuals_above(const struct residuals *r, double v);

/* Another window, of at least 1: the newest stay. */
void residuals_resize(struct residuals *r, size_t window);

/* Takes the newest of n that came in this order; O(n log n). There are none yet. */
void residuals_fill(struct residuals *r, const double *v, size_t n);

static inline size_t residuals_bytes_each(void)
{
    return 2 * sizeof(double);
}

#endif
