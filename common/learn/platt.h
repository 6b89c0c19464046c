/*
 * Platt scaling (Platt 1999: "Probabilistic outputs for support vector machines and comparisons to
 * regularized likelihood methods"): a sigmoid that turns a classifier's scores into probabilities,
 *
 *     P(1 | f) = 1 / (1 + exp(-(slope f + intercept)))
 *
 * and that makes the log loss of a window of scores and labels least. The labels are smoothed as
 * there: of n1 positive and n0 negative ones, to (n1 + 1) / (n1 + 2) and 1 / (n0 + 2), so that a
 * window whose labels the scores tell apart has a slope, too. The loss is convex; it is gone down
 * by Newton's method with halved steps (Lin, Lin and Weng 2007: "A note on Platt's probabilistic
 * outputs for support vector machines").
 *
 * The same window and start give the same bits.
 */
#ifndef OXBOW_LEARN_PLATT_H
#define OXBOW_LEARN_PLATT_H

#include <stdbool.h>
#include <stddef.h>

#include "learn/blob.h"

#define PLATT_STEPS 10 /* of Newton's method; the next fit goes on from there */

struct platt_sample {
    double score; /* finite */
    bool positive;
};

/* The last scores and labels. All zero but for `size` is an empty one. */
struct platt_window {
    struct platt_sample *at; /* a ring of `capacity`; NULL when that is 0 */
    size_t capacity;
    size_t first; /* the oldest */
    size_t n;
    size_t n_positive;
    size_t size; /* at most so many, from 1 */
};

struct platt {
    double slope;
    double intercept;
};

/* Window */

void platt_window_release(struct platt_window *w);
void platt_window_push(struct platt_window *w, double score, bool positive);
void platt_window_resize(struct platt_window *w,
                         size_t size); /* drops the oldest that do not fit */

size_t platt_window_bytes(size_t n); /* of n samples */

/* Oldest first: the same samples give the same bytes. */
void platt_window_save(const struct platt_window *w, struct buf *out);
void platt_window_load(struct platt_window *w, struct blob_reader *in); /* into an empty one */

/* Fitting */

/*
 * The score of a probability: its log-odds, within those of 1e-6 and 1 - 1e-6. A classifier that is
 * more certain than that and errs would by itself pull the slope of a whole window to 0.
 */
double platt_score(double p);

/* From where `fit` is; the window is not empty. */
void platt_fit(struct platt *fit, const struct platt_window *w);

double platt_probability(const struct platt *fit, double score);

#endif
