/*
 * A quantile sketch of bounded size: KLL (Karnin, Lang and Liberty, "Optimal
 * Quantile Approximation in Streams", FOCS 2016).
 *
 * Chosen because its error is one of ranks, the same everywhere in the
 * distribution: that is what shares of deciles and the Kolmogorov-Smirnov
 * distance are made of. (A t-digest is finer at the tails, but promises nothing;
 * histograms need the range beforehand.) It merges without losing its bound, and
 * up to KLL_EXACT values it is exact.
 *
 * Layout: level h holds values that each stand for 2^h of the stream. A level that
 * is full is sorted, and every second value of it, from the first or the second by the
 * toss of a coin, goes up a level; the others are dropped. The highest level has room
 * for KLL_K values, each one below for two thirds of that, but for KLL_LEAST at least.
 *
 * The error: one compaction on level h moves the rank of any value by 2^h or not at all, up
 * or down by the coin. So the rank's error is a sum of independent terms with mean 0, and
 * by Hoeffding's inequality it exceeds t with a probability of at most
 * 2 exp(-t^2 / (2 sum of 4^h)). The sketch keeps that sum: its bound is what was done
 * to it, not a guess. The coins come from a generator whose state is part of the
 * sketch: the same values in the same order give the same bits.
 */
#ifndef OXBOW_DRIFT_KLL_H
#define OXBOW_DRIFT_KLL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "learn/blob.h"

#define KLL_K      512u
#define KLL_LEAST  8u
#define KLL_LEVELS 40u   /* enough for 2^48 values */
#define KLL_EXACT  511u  /* so many values are all kept */
#define KLL_ITEMS  1850u /* never are there more: K (1 + 2/3 + 4/9 + ...) and the lowest levels */

struct kll_level {
    double *v;
    uint32_t n;
    uint32_t cap;
};

struct kll {
    uint64_t n;      /* values seen */
    double err2;     /* sum of 4^h over all compactions */
    uint64_t random; /* state of the coins */
    double min;      /* of all values; NaN when there are none */
    double max;
    uint32_t n_levels;
    uint32_t items; /* values kept, over all levels */
    uint32_t room;  /* when so many are kept a level is full */
    struct kll_level levels[KLL_LEVELS];
};

/* Lifecycle, in the caller's storage */

void kll_init(struct kll *s);
void kll_release(struct kll *s);
void kll_clear(struct kll *s); /* as after kll_init() */

/* Use */

void kll_add(struct kll *s, double v);                  /* finite */
void kll_merge(struct kll *s, const struct kll *other); /* as if it had seen those values too */
double kll_error(const struct kll *s, double delta);    /* see below */
void kll_save(const struct kll *s, struct buf *out);
void kll_load(struct kll *s, struct blob_reader *in); /* into an empty one; hostile bytes */
size_t kll_bytes(const struct kll *s);

/*
 * kll_error(): with a probability of 1 - delta the share of values not above x, for all x at once,
 * is off by at most so much (a share of n; 0 while exact). The union over the n possible x is in
 * it.
 */

/* All that the sketch says, sorted: `below[i]` of n values are not above `v[i]`; v[i] < v[i + 1].
 */
struct kll_view {
    double *v;
    uint64_t *below;
    size_t size;
};

void kll_view_init(struct kll_view *view, const struct kll *s);
void kll_view_release(struct kll_view *view);

size_t kll_view_bytes(const struct kll_view *view); /* on the heap */

/* How many values are not above x. */
uint64_t kll_view_below(const struct kll_view *view, double x);

/* The least value that at least a share q of all is not above; NaN when there are none. */
double kll_view_quantile(const struct kll_view *view, double q);

#endif
