/* A window of residuals that is kept in order: see adaptive_conformal.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "learn/adaptive_conformal.h"

#define FIRST_CAP 64

void residuals_release(struct residuals *r)
{
    free(r->ring);
    free(r->sorted);
    r->ring = NULL;
    r->sorted = NULL;
    r->cap = 0;
    r->count = 0;
    r->next = 0;
}

/* How many of the sorted are below v or, with `or_equal`, not above it. */
static size_t rank_of(const struct residuals *r, double v, bool or_equal)
{
    size_t low = 0;
    size_t high = r->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool is_before = or_equal ? r->sorted[middle] <= v : r->sorted[middle] < v;

        if (is_before)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void reserve(struct residuals *r, size_t n)
{
    size_t cap = r->cap ? r->cap : FIRST_CAP;

    if (n <= r->cap)
        return;
    while (cap < n)
        cap *= 2;
    if (cap > r->window)
        cap = r->window;
    r->ring = mem_realloc(r->ring, cap, sizeof(*r->ring));
    r->sorted = mem_realloc(r->sorted, cap, sizeof(*r->sorted));
    r->cap = cap;
}

/* Takes `old` out of the sorted, and puts v in: only what lies between them moves. */
static void replace(struct residuals *r, double old, double v)
{
    size_t from = rank_of(r, old, false);
    size_t to = rank_of(r, v, false);

    if (to > from) {
        to--; /* the place is counted without `old` */
        memmove(r->sorted + from, r->sorted + from + 1, (to - from) * sizeof(double));
    } else {
        memmove(r->sorted + to + 1, r->sorted + to, (from - to) * sizeof(double));
    }
    r->sorted[to] = v;
}

void residuals_push(struct residuals *r, double v)
{
    if (r->count == r->window) {
        replace(r, r->ring[r->next], v);
    } else {
        size_t at = rank_of(r, v, false);

        reserve(r, r->count + 1);
        memmove(r->sorted + at + 1, r->sorted + at, (r->count - at) * sizeof(double));
        r->sorted[at] = v;
        r->count++;
    }
    r->ring[r->next] = v;
    r->next = r->next + 1 == r->window ? 0 : r->next + 1;
}

double residuals_at(const struct residuals *r, size_t age)
{
    size_t at = (r->count < r->window ? 0 : r->next) + age;

    return r->ring[at < r->window ? at : at - r->window];
}

size_t residuals_above(const struct residuals *r, double v)
{
    return r->count - rank_of(r, v, true);
}

static int compare(const void *a, const void *b)
{
    double da = *(const double *)a;
    double db = *(const double *)b;

    return (da > db) - (da < db);
}

void residuals_fill(struct residuals *r, const double *v, size_t n)
{
    size_t keep = n < r->window ? n : r->window;

    if (!keep)
        return;
    reserve(r, keep);
    memcpy(r->ring, v + (n - keep), keep * sizeof(double));
    memcpy(r->sorted, r->ring, keep * sizeof(double));
    qsort(r->sorted, keep, sizeof(double), compare);
    r->count = keep;
    r->next = keep == r->window ? 0 : keep;
}

void residuals_resize(struct residuals *r, size_t window)
{
    size_t n = r->count;
    double *kept;

    if (window == r->window)
        return;
    kept = mem_alloc((n + 1) * sizeof(*kept));
    for (size_t i = 0; i < n; i++)
        kept[i] = residuals_at(r, i);
    residuals_release(r);
    r->window = window;
    residuals_fill(r, kept, n);
    free(kept);
}
