/*
 * Counts of categories in bounded memory (Misra and Gries, "Finding repeated
 * elements", 1982; merged as by Agarwal and others, "Mergeable summaries", PODS
 * 2012).
 *
 * Up to TALLY_MAX different categories the counts are exact. With more, each count
 * falls short of the truth by at most tally_error(): what was taken away, over
 * TALLY_MAX + 1; a category of which there are more than that is never missing.
 *
 * A category is a double: 0 and 1 of a boolean feature, the interned number of a
 * category. Entries are kept sorted by it.
 */
#ifndef OXBOW_DRIFT_TALLY_H
#define OXBOW_DRIFT_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "learn/blob.h"

#define TALLY_MAX 128u /* categories counted one by one */

struct tally_entry {
    double category;
    uint64_t n;
};

/* All zero: nothing counted yet; nothing to release. */
struct tally {
    uint64_t n; /* values seen; the counts' sum unless more than TALLY_MAX were there */
    uint32_t size;
    struct tally_entry entries[TALLY_MAX];
};

void tally_add(struct tally *t, double category); /* finite */
void tally_merge(struct tally *t, const struct tally *other);
uint64_t tally_count(const struct tally *t, double category); /* 0 when it has none */
uint64_t tally_counted(const struct tally *t);                /* the sum of all counts */
uint64_t tally_error(const struct tally *t);
void tally_save(const struct tally *t, struct buf *out);
void tally_load(struct tally *t, struct blob_reader *in); /* into an empty one; hostile bytes */

#endif
