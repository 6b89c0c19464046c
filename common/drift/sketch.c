/* What is remembered of one feature: see sketch.h. */
#include "drift/sketch.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "drift/kll.h"
#include "drift/tally.h"

#define COUNT_MAX ((uint64_t)1 << 53) /* of missing values, in what is loaded */

struct sketch {
    enum feature_kind kind;
    uint64_t missing;
    double n; /* of the mean */
    double mean;
    struct kll kll;       /* of a numeric feature */
    struct kll_view view; /* of it, while it is frozen; else empty */
    struct tally *tally;  /* of another one, else NULL */
};

/* Shares of the reference and of a window, in as many values. */
struct bins {
    size_t size;
    double reference[SKETCH_BINS];
    double window[SKETCH_BINS];
};

struct sketch *sketch_new(enum feature_kind kind)
{
    struct sketch *s = mem_zalloc(1, sizeof(*s));

    s->kind = kind;
    if (kind == FEATURE_NUMERIC)
        kll_init(&s->kll);
    else
        s->tally = mem_zalloc(1, sizeof(*s->tally));
    return s;
}

void sketch_free(struct sketch *s)
{
    if (!s)
        return;
    kll_view_release(&s->view);
    kll_release(&s->kll);
    free(s->tally);
    free(s);
}

void sketch_freeze(struct sketch *s)
{
    if (!s->tally && !s->view.v)
        kll_view_init(&s->view, &s->kll);
}

/* It changes: what it was frozen as is of no more use. */
static void thaw(struct sketch *s)
{
    if (s->view.v)
        kll_view_release(&s->view);
}

void sketch_clear(struct sketch *s)
{
    thaw(s);
    s->missing = 0;
    s->n = 0;
    s->mean = 0;
    if (s->tally)
        *s->tally = (struct tally){0};
    else
        kll_clear(&s->kll);
}

void sketch_add(struct sketch *s, double v)
{
    thaw(s);
    if (!isfinite(v)) {
        s->missing++;
        return;
    }
    s->n += 1;
    s->mean += (v - s->mean) / s->n;
    if (s->tally)
        tally_add(s->tally, v);
    else
        kll_add(&s->kll, v);
}

void sketch_merge(struct sketch *s, const struct sketch *other)
{
    thaw(s);
    s->missing += other->missing;
    if (other->n > 0) {
        s->n += other->n;
        s->mean += (other->mean - s->mean) * (other->n / s->n);
    }
    if (s->tally)
        tally_merge(s->tally, other->tally);
    else
        kll_merge(&s->kll, &other->kll);
}

/* Looking */

uint64_t sketch_n(const struct sketch *s)
{
    return s->tally ? s->tally->n : s->kll.n;
}

uint64_t sketch_missing(const struct sketch *s)
{
    return s->missing;
}

double sketch_mean(const struct sketch *s)
{
    return sketch_n(s) ? s->mean : (double)NAN;
}

size_t sketch_bytes(const struct sketch *s)
{
    if (s->tally)
        return sizeof(*s) + sizeof(*s->tally);
    return sizeof(*s) - sizeof(s->kll) + kll_bytes(&s->kll) + kll_view_bytes(&s->view);
}

/* What it was frozen as, or `own`, made for this once. */
static const struct kll_view *view_of(const struct sketch *s, struct kll_view *own)
{
    if (s->view.v)
        return &s->view;
    kll_view_init(own, &s->kll);
    return own;
}

/* Of a boolean feature: how many values are not above x. */
static uint64_t tally_below(const struct tally *t, double x)
{
    uint64_t below = 0;

    for (uint32_t i = 0; i < t->size && t->entries[i].category <= x; i++)
        below += t->entries[i].n;
    return below;
}

static double tally_quantile(const struct tally *t, double q)
{
    uint64_t below = 0;

    for (uint32_t i = 0; i < t->size; i++) {
        below += t->entries[i].n;
        if ((double)below >= q * (double)t->n || i + 1 == t->size)
            return t->entries[i].category;
    }
    return (double)NAN;
}

void sketch_deciles(const struct sketch *s, double ret[SKETCH_DECILES])
{
    struct kll_view own = {.v = NULL};
    const struct kll_view *view;

    if (s->tally) {
        for (size_t i = 0; i < SKETCH_DECILES; i++)
            ret[i] = s->kind == FEATURE_CATEGORICAL ? (double)NAN
                                                    : tally_quantile(s->tally, (double)i / 10);
        return;
    }
    view = view_of(s, &own);
    for (size_t i = 1; i + 1 < SKETCH_DECILES; i++)
        ret[i] = kll_view_quantile(view, (double)i / 10);
    ret[0] = s->kll.min;
    ret[SKETCH_DECILES - 1] = s->kll.max;
    kll_view_release(&own);
}

/* Distances */

/* A bin that is empty on both sides says nothing, and is none. */
static void add_bin(struct bins *bins, uint64_t reference, uint64_t window)
{
    if (reference == 0 && window == 0)
        return;
    bins->reference[bins->size] = (double)reference;
    bins->window[bins->size++] = (double)window;
}

/* Bins between cuts that rise: up to the first, between each two, above the last. */
static void numeric_bins(const struct sketch *reference, const struct kll_view *r,
                         const struct kll_view *w, struct bins *bins)
{
    double cut = (double)NAN;
    uint64_t r_before = 0;
    uint64_t w_before = 0;
    uint64_t w_n = w->size ? w->below[w->size - 1] : 0;

    for (size_t i = 0; i < 10; i++) {
        double before = cut;

        if (i == 0) {
            /* Below the minimum, where many values are the minimum. */
            if (!(kll_view_quantile(r, 0.1) <= reference->kll.min))
                continue;
            cut = nextafter(reference->kll.min, -(double)INFINITY);
        } else {
            cut = kll_view_quantile(r, (double)i / 10);
        }
        if (cut == before || isnan(cut))
            continue;
        add_bin(bins, kll_view_below(r, cut) - r_before, kll_view_below(w, cut) - w_before);
        r_before = kll_view_below(r, cut);
        w_before = kll_view_below(w, cut);
    }
    add_bin(bins, reference->kll.n - r_before, w_n - w_before);
}

static int compare_entries(const void *a, const void *b)
{
    const struct tally_entry *ea = a;
    const struct tally_entry *eb = b;

    if (ea->n != eb->n)
        return ea->n < eb->n ? 1 : -1;
    return (ea->category > eb->category) - (ea->category < eb->category);
}

static void category_bins(const struct tally *r, const struct tally *w, struct bins *bins)
{
    struct tally_entry top[TALLY_MAX];
    uint64_t r_left = r->n;
    uint64_t w_left = w->n;
    uint64_t w_rest = 0; /* in categories that the reference has, but not at the top */

    for (uint32_t i = 0; i < r->size; i++)
        top[i] = r->entries[i];
    qsort(top, r->size, sizeof(top[0]), compare_entries);
    for (uint32_t i = 0; i < r->size; i++) {
        uint64_t n = tally_count(w, top[i].category);

        w_left -= n;
        if (i >= SKETCH_TOP) {
            w_rest += n;
            continue;
        }
        r_left -= top[i].n;
        add_bin(bins, top[i].n, n);
    }
    if (r->n > tally_counted(r)) {
        /* The reference could not count them all: what it does not know may not be new. */
        add_bin(bins, r_left, w_rest + w_left);
        return;
    }
    add_bin(bins, r_left, w_rest);
    add_bin(bins, 0, w_left);
}

static double psi_of(const struct bins *bins)
{
    double r_n = 0.5 * (double)bins->size;
    double w_n = r_n;
    double psi = 0;

    for (size_t i = 0; i < bins->size; i++) {
        r_n += bins->reference[i];
        w_n += bins->window[i];
    }
    for (size_t i = 0; i < bins->size; i++) {
        double r = (bins->reference[i] + 0.5) / r_n;
        double w = (bins->window[i] + 0.5) / w_n;

        psi += (w - r) * log(w / r);
    }
    return psi;
}

/* Both shares change only at the views' values: the largest difference is behind one of those. */
static double ks_of(const struct kll_view *r, const struct kll_view *w)
{
    double r_n = (double)r->below[r->size - 1];
    double w_n = (double)w->below[w->size - 1];
    double r_share = 0;
    double w_share = 0;
    double ks = 0;
    size_t i = 0;
    size_t j = 0;

    while (i < r->size && j < w->size) {
        double x = fmin(r->v[i], w->v[j]);

        if (r->v[i] == x)
            r_share = (double)r->below[i++] / r_n;
        if (w->v[j] == x)
            w_share = (double)w->below[j++] / w_n;
        ks = fmax(ks, fabs(r_share - w_share));
    }
    return ks;
}

static double boolean_ks(const struct tally *r, const struct tally *w)
{
    return fabs((double)tally_below(r, 0) / (double)r->n -
                (double)tally_below(w, 0) / (double)w->n);
}

struct sketch_distance sketch_compare(const struct sketch *reference, const struct sketch *window)
{
    struct sketch_distance d = {.psi = 0, .ks = (double)NAN, .ks_error = (double)NAN};
    bool both = sketch_n(reference) > 0 && sketch_n(window) > 0;
    struct bins bins = {.size = 0};

    if (reference->tally) {
        category_bins(reference->tally, window->tally, &bins);
        if (both && reference->kind == FEATURE_BOOLEAN) {
            d.ks = boolean_ks(reference->tally, window->tally);
            d.ks_error = 0;
        }
    } else {
        struct kll_view own_r = {.v = NULL};
        struct kll_view own_w = {.v = NULL};
        const struct kll_view *r = view_of(reference, &own_r);
        const struct kll_view *w = view_of(window, &own_w);

        numeric_bins(reference, r, w, &bins);
        if (both) {
            d.ks = ks_of(r, w);
            d.ks_error = kll_error(&reference->kll, SKETCH_DELTA / 2) +
                         kll_error(&window->kll, SKETCH_DELTA / 2);
        }
        kll_view_release(&own_r);
        kll_view_release(&own_w);
    }
    add_bin(&bins, reference->missing, window->missing);
    if (sketch_n(reference) + reference->missing > 0 && sketch_n(window) + window->missing > 0)
        d.psi = psi_of(&bins);
    return d;
}

/* Keeping: 8 missing, 8 mean, then the sketch of its kind */

void sketch_save(const struct sketch *s, struct buf *out)
{
    blob_write_u64(out, s->missing);
    blob_write_f64(out, s->mean);
    if (s->tally)
        tally_save(s->tally, out);
    else
        kll_save(&s->kll, out);
}

void sketch_load(struct sketch *s, struct blob_reader *in)
{
    thaw(s);
    s->missing = blob_read_u64(in);
    if (s->missing > COUNT_MAX)
        blob_fail(in, "a sketch missed more values than there can have been");
    s->mean = blob_read_f64(in);
    if (s->tally)
        tally_load(s->tally, in);
    else
        kll_load(&s->kll, in);
    s->n = (double)sketch_n(s);
    if (blob_failed(in))
        sketch_clear(s);
}
