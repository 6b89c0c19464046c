/*
 * What is remembered of one feature: how its values are distributed, in bounded
 * memory, and how far two such memories are from each other.
 *
 * A numeric feature keeps a quantile sketch (kll.h), a boolean or categorical one
 * counts of its values (tally.h). Missing values are counted apart; the mean is exact.
 *
 * Two distances, of a window from a reference:
 *
 * PSI, the population stability index: the sum over bins of (w - r) ln(w / r), where r
 * and w are the shares of the reference and of the window in a bin. It is the
 * symmetrised Kullback-Leibler divergence; below 0.1 is called stable, above 0.2
 * shifted. Bins of a numeric feature lie between the reference's deciles (equal
 * deciles are one; where the lowest is the minimum itself, what lies below it is a
 * bin of its own). Bins of a categorical one are its SKETCH_TOP most frequent
 * categories, its other ones, and those that it did not have. Missing values are a
 * bin. Half a value is added to each bin, so that an empty one has a logarithm.
 *
 * KS, the Kolmogorov-Smirnov distance: the largest difference of the two shares of
 * values not above x, over all x; of a boolean feature the difference of the shares of
 * 1. Categories have no order, and no KS. Missing values are left out.
 */
#ifndef OXBOW_DRIFT_SKETCH_H
#define OXBOW_DRIFT_SKETCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "learn/blob.h"
#include "learn/schema.h"

#define SKETCH_TOP     9     /* categories that have a bin each */
#define SKETCH_BINS    13    /* at most */
#define SKETCH_DELTA   0.001 /* how seldom an error exceeds what is said */
#define SKETCH_DECILES 11    /* minimum, nine deciles, maximum */

struct sketch;

/* Lifecycle */

struct sketch *sketch_new(enum feature_kind kind);
void sketch_free(struct sketch *s); /* NULL is fine */
void sketch_clear(struct sketch *s);

/* Use */

void sketch_add(struct sketch *s, double v); /* what is not finite counts as missing */

/* As if `s` had seen what `other`, of the same kind, has seen. */
void sketch_merge(struct sketch *s, const struct sketch *other);

/* Makes what is asked of it cheaper, until it changes: for one that is compared often. */
void sketch_freeze(struct sketch *s);

/* Looking */

uint64_t sketch_n(const struct sketch *s); /* values, without those that were missing */
uint64_t sketch_missing(const struct sketch *s);
double sketch_mean(const struct sketch *s); /* NaN when there are none */
size_t sketch_bytes(const struct sketch *s);

/*
 * Minimum, deciles and maximum of a numeric or boolean feature, NaN when there are no values and
 * for categories.
 */
void sketch_deciles(const struct sketch *s, double ret[SKETCH_DECILES]);

struct sketch_distance {
    double psi;      /* 0 when one of them has seen nothing at all */
    double ks;       /* NaN where there is none, or no values on one side */
    double ks_error; /* ks is off by more in less than SKETCH_DELTA of all cases */
};

struct sketch_distance sketch_compare(const struct sketch *reference, const struct sketch *window);

/* Keeping. The kind is not part of it. */

void sketch_save(const struct sketch *s, struct buf *out);
void sketch_load(struct sketch *s, struct blob_reader *in); /* into an empty one; hostile bytes */

#endif
