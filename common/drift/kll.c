/* A quantile sketch of bounded size: see kll.h. */
#include "drift/kll.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SEED 0x9e3779b97f4a7c15u

/* splitmix64 (Steele, Lea and Flood 2014) */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += SEED;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int compare(const void *a, const void *b)
{
    double va = *(const double *)a;
    double vb = *(const double *)b;

    return (va > vb) - (va < vb);
}

static uint32_t room_of(uint32_t n_levels, uint32_t h)
{
    double room = KLL_K;

    for (uint32_t depth = n_levels - 1 - h; depth > 0 && room > KLL_LEAST; depth--)
        room = room * 2 / 3;
    return room > KLL_LEAST ? (uint32_t)ceil(room) : KLL_LEAST;
}

static void set_levels(struct kll *s, uint32_t n)
{
    s->n_levels = n;
    s->room = 0;
    for (uint32_t h = 0; h < n; h++)
        s->room += room_of(n, h);
}

void kll_init(struct kll *s)
{
    memset(s, 0, sizeof(*s));
    s->random = SEED;
    s->min = (double)NAN;
    s->max = (double)NAN;
    set_levels(s, 1);
}

void kll_release(struct kll *s)
{
    for (uint32_t h = 0; h < KLL_LEVELS; h++)
        free(s->levels[h].v);
    memset(s, 0, sizeof(*s));
}

void kll_clear(struct kll *s)
{
    kll_release(s);
    kll_init(s);
}

static double *push_room(struct kll_level *level, uint32_t more)
{
    if (level->n + more > level->cap) {
        level->cap = level->n + more > 2 * level->cap ? level->n + more : 2 * level->cap;
        level->v = mem_realloc(level->v, level->cap, sizeof(double));
    }
    return level->v + level->n;
}

static void push(struct kll *s, uint32_t h, double v)
{
    *push_room(&s->levels[h], 1) = v;
    s->levels[h].n++;
    s->items++;
}

/* Halves a level into the one above it; of an odd number the largest stays. */
static void compact(struct kll *s, uint32_t h)
{
    struct kll_level *level = &s->levels[h];
    uint32_t even = level->n & ~1u;
    uint32_t coin = (uint32_t)(next_random(&s->random) >> 63);

    qsort(level->v, level->n, sizeof(double), compare);
    (void)push_room(&s->levels[h + 1], even / 2);
    for (uint32_t i = coin; i < even; i += 2)
        push(s, h + 1, level->v[i]);
    if (level->n > even)
        level->v[0] = level->v[even];
    s->items -= even;
    level->n -= even;
    s->err2 += ldexp(1, 2 * (int)h);
}

/* Until there is room, the lowest level that is full is halved. */
static void make_room(struct kll *s)
{
    while (s->items >= s->room) {
        uint32_t h = 0;

        while (s->levels[h].n < room_of(s->n_levels, h))
            h++;
        if (h + 1 == s->n_levels) {
            if (s->n_levels == KLL_LEVELS)
                return; /* 2^48 values: no stream gets there */
            set_levels(s, s->n_levels + 1);
        }
        compact(s, h);
    }
}

void kll_add(struct kll *s, double v)
{
    s->n++;
    s->min = v >= s->min ? s->min : v;
    s->max = v <= s->max ? s->max : v;
    push(s, 0, v);
    make_room(s);
}

void kll_merge(struct kll *s, const struct kll *other)
{
    if (other->n == 0)
        return;
    s->n += other->n;
    s->min = other->min >= s->min ? s->min : other->min;
    s->max = other->max <= s->max ? s->max : other->max;
    s->err2 += other->err2;
    if (other->n_levels > s->n_levels)
        set_levels(s, other->n_levels);
    for (uint32_t h = 0; h < other->n_levels; h++) {
        const struct kll_level *from = &other->levels[h];

        if (from->n == 0)
            continue;
        memcpy(push_room(&s->levels[h], from->n), from->v, from->n * sizeof(double));
        s->levels[h].n += from->n;
        s->items += from->n;
    }
    make_room(s);
}

double kll_error(const struct kll *s, double delta)
{
    if (s->err2 == 0)
        return 0;
    return fmin(1, sqrt(2 * s->err2 * log(2 * (double)s->n / delta)) / (double)s->n);
}

size_t kll_bytes(const struct kll *s)
{
    size_t bytes = sizeof(*s);

    for (uint32_t h = 0; h < s->n_levels; h++)
        bytes += s->levels[h].cap * sizeof(double);
    return bytes;
}

/* Keeping: 8 values seen, 8 err2, 8 coins, 16 least and largest, 4 levels; of each 4 n, n values */

void kll_save(const struct kll *s, struct buf *out)
{
    blob_write_u64(out, s->n);
    blob_write_f64(out, s->err2);
    blob_write_u64(out, s->random);
    blob_write_f64(out, s->min);
    blob_write_f64(out, s->max);
    blob_write_u32(out, s->n_levels);
    for (uint32_t h = 0; h < s->n_levels; h++) {
        blob_write_u32(out, s->levels[h].n);
        blob_write_f64s(out, s->levels[h].v, s->levels[h].n);
    }
}

/* Reads one level; `stood_for` grows by what its values stand for. */
static void load_level(struct kll *s, uint32_t h, struct blob_reader *in, uint64_t *stood_for)
{
    uint32_t n = blob_read_u32(in);

    if (n > KLL_ITEMS - s->items) {
        blob_fail(in, "a sketch keeps more values than it may");
        return;
    }
    *stood_for += (uint64_t)n << h;
    for (uint32_t i = 0; i < n && !blob_failed(in); i++) {
        double v = blob_read_f64(in);

        if (!(v >= s->min && v <= s->max))
            blob_fail(in, "a sketch has a value outside of its range");
        push(s, h, v);
    }
}

void kll_load(struct kll *s, struct blob_reader *in)
{
    uint64_t stood_for = 0;
    uint32_t n_levels;

    s->n = blob_read_u64(in);
    s->err2 = blob_read_f64(in);
    s->random = blob_read_u64(in);
    s->min = blob_read_f64(in);
    s->max = blob_read_f64(in);
    n_levels = blob_read_u32(in);
    if (n_levels == 0 || n_levels > KLL_LEVELS)
        blob_fail(in, "a sketch has no levels, or too many");
    if (!(s->err2 >= 0 && isfinite(s->err2)))
        blob_fail(in, "a sketch has an error that is no number");
    if (s->n && !(isfinite(s->min) && isfinite(s->max)))
        blob_fail(in, "a sketch has no range");
    for (uint32_t h = 0; h < n_levels && !blob_failed(in); h++)
        load_level(s, h, in, &stood_for);
    if (stood_for != s->n)
        blob_fail(in, "a sketch does not stand for as many values as it says");
    if (blob_failed(in)) {
        kll_clear(s);
        return;
    }
    set_levels(s, n_levels);
    make_room(s);
}

/* Looking */

struct weighted {
    double v;
    uint64_t weight;
};

static int compare_weighted(const void *a, const void *b)
{
    return compare(&((const struct weighted *)a)->v, &((const struct weighted *)b)->v);
}

void kll_view_init(struct kll_view *view, const struct kll *s)
{
    struct weighted *all = mem_alloc(s->items * sizeof(*all));
    uint64_t below = 0;
    size_t n = 0;

    for (uint32_t h = 0; h < s->n_levels; h++) {
        for (uint32_t i = 0; i < s->levels[h].n; i++)
            all[n++] = (struct weighted){s->levels[h].v[i], (uint64_t)1 << h};
    }
    qsort(all, n, sizeof(*all), compare_weighted);
    *view = (struct kll_view){
        .v = mem_alloc(n * sizeof(*view->v)),
        .below = mem_alloc(n * sizeof(*view->below)),
    };
    for (size_t i = 0; i < n; i++) {
        below += all[i].weight;
        if (i + 1 < n && all[i + 1].v == all[i].v)
            continue;
        view->v[view->size] = all[i].v;
        view->below[view->size++] = below;
    }
    free(all);
}

void kll_view_release(struct kll_view *view)
{
    free(view->v);
    free(view->below);
    *view = (struct kll_view){.v = NULL};
}

size_t kll_view_bytes(const struct kll_view *view)
{
    return view->size * (sizeof(*view->v) + sizeof(*view->below));
}

uint64_t kll_view_below(const struct kll_view *view, double x)
{
    size_t low = 0;
    size_t high = view->size;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (view->v[mid] <= x)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? view->below[low - 1] : 0;
}

double kll_view_quantile(const struct kll_view *view, double q)
{
    uint64_t n = view->size ? view->below[view->size - 1] : 0;
    double wanted = q * (double)n;
    size_t low = 0;
    size_t high = view->size;

    if (n == 0)
        return (double)NAN;
    while (low + 1 < high) {
        size_t mid = low + (high - low) / 2;

        if ((double)view->below[mid - 1] >= wanted)
            high = mid;
        else
            low = mid;
    }
    return view->v[low];
}
