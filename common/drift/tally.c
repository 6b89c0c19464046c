/* Counts of categories in bounded memory: see tally.h. */
#include "drift/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX ((uint64_t)1 << 53) /* of values, in what is loaded */

/* The first entry that is not below `category`. */
static uint32_t find(const struct tally *t, double category)
{
    uint32_t low = 0;
    uint32_t high = t->size;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (t->entries[mid].category < category)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Takes `n` from each count; those that are used up go. */
static void take_away(struct tally_entry *entries, uint32_t *size, uint64_t n)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < *size; i++) {
        if (entries[i].n > n)
            entries[kept++] = (struct tally_entry){entries[i].category, entries[i].n - n};
    }
    *size = kept;
}

void tally_add(struct tally *t, double category)
{
    uint32_t at = find(t, category);

    t->n++;
    if (at < t->size && t->entries[at].category == category) {
        t->entries[at].n++;
        return;
    }
    if (t->size == TALLY_MAX) {
        take_away(t->entries, &t->size, 1);
        return;
    }
    memmove(&t->entries[at + 1], &t->entries[at], (t->size - at) * sizeof(t->entries[0]));
    t->entries[at] = (struct tally_entry){category, 1};
    t->size++;
}

static int compare_counts(const void *a, const void *b)
{
    uint64_t na = *(const uint64_t *)a;
    uint64_t nb = *(const uint64_t *)b;

    return (na < nb) - (na > nb);
}

void tally_merge(struct tally *t, const struct tally *other)
{
    struct tally_entry all[2 * TALLY_MAX];
    uint64_t counts[2 * TALLY_MAX];
    uint32_t n = 0;
    uint32_t i = 0;
    uint32_t j = 0;

    while (i < t->size || j < other->size) {
        const struct tally_entry *a = i < t->size ? &t->entries[i] : NULL;
        const struct tally_entry *b = j < other->size ? &other->entries[j] : NULL;
        bool same = a && b && a->category == b->category;

        if (same)
            all[n] = (struct tally_entry){a->category, a->n + b->n};
        else
            all[n] = !b || (a && a->category < b->category) ? *a : *b;
        i += same || (a && all[n].category == a->category);
        j += same || (b && all[n].category == b->category);
        counts[n] = all[n].n;
        n++;
    }
    if (n > TALLY_MAX) {
        qsort(counts, n, sizeof(counts[0]), compare_counts);
        take_away(all, &n, counts[TALLY_MAX]);
    }
    memcpy(t->entries, all, n * sizeof(all[0]));
    t->size = n;
    t->n += other->n;
}

uint64_t tally_count(const struct tally *t, double category)
{
    uint32_t at = find(t, category);

    return at < t->size && t->entries[at].category == category ? t->entries[at].n : 0;
}

uint64_t tally_counted(const struct tally *t)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < t->size; i++)
        sum += t->entries[i].n;
    return sum;
}

uint64_t tally_error(const struct tally *t)
{
    return (t->n - tally_counted(t)) / (TALLY_MAX + 1);
}

/* Keeping: 8 values seen, 4 entries, each 8 category and 8 count */

void tally_save(const struct tally *t, struct buf *out)
{
    blob_write_u64(out, t->n);
    blob_write_u32(out, t->size);
    for (uint32_t i = 0; i < t->size; i++) {
        blob_write_f64(out, t->entries[i].category);
        blob_write_u64(out, t->entries[i].n);
    }
}

void tally_load(struct tally *t, struct blob_reader *in)
{
    uint64_t left = blob_read_u64(in);
    uint32_t size = blob_read_u32(in);

    t->n = left;
    if (left > COUNT_MAX)
        blob_fail(in, "a tally has seen more than there can have been");
    if (size > TALLY_MAX)
        blob_fail(in, "a tally has more categories than it may");
    for (uint32_t i = 0; i < size && !blob_failed(in); i++) {
        double category = blob_read_f64(in);
        uint64_t n = blob_read_u64(in);

        if (!isfinite(category) || (i && !(category > t->entries[i - 1].category)))
            blob_fail(in, "categories of a tally are not in order");
        if (n == 0 || n > left)
            blob_fail(in, "a tally counts more than it has seen, or nothing");
        left -= n;
        t->entries[i] = (struct tally_entry){category, n};
        t->size = i + 1;
    }
    if (blob_failed(in))
        *t = (struct tally){0};
}
