/*
 * The Page-Hinkley test (Page, 1954: "Continuous inspection schemes"): the sum of
 * what each value lies above the mean so far falls while the mean holds, and
 * climbs from its lowest point once the mean has risen; a climb of more than
 * λ (threshold) is a drift. The same the other way round for a mean that falls.
 * Parameters, defaults and order of operations are those of River 0.26's
 * drift.PageHinkley.
 *
 *     m  = mean of x_1..x_n                 up   = α·up   + (x - m) - δ
 *                                           down = α·down + (x - m) + δ
 *     drift when n >= min_instances and (up - min(up) > λ or max(down) - down > λ)
 *
 * As in River, the update after a drift begins anew. Beyond River, and without
 * any effect on when a drift is found: the values since the lowest (highest)
 * point are counted and added up, since that point is where the change began.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/detector_backend.h"
#include "learn/stat.h"

enum { MODE_UP, MODE_DOWN, MODE_BOTH };

static const char *const modes[] = {
    [MODE_UP] = "up", [MODE_DOWN] = "down", [MODE_BOTH] = "both", NULL};

struct page_hinkley_params {
    uint64_t min_instances;
    double delta;     /* δ */
    double threshold; /* λ */
    double alpha;     /* α */
    int mode;
};

/* One of the two sums. */
struct climb {
    double sum;
    double turn;  /* its lowest, or highest, so far */
    double n;     /* values since then */
    double total; /* of those */
};

struct page_hinkley {
    struct detector base;
    struct page_hinkley_params params;
    struct stat_mean mean;
    struct climb up;
    struct climb down;
    bool is_drift;
};

static void clear(struct page_hinkley *p)
{
    p->mean = (struct stat_mean){0};
    p->up = (struct climb){.turn = (double)INFINITY};
    p->down = (struct climb){.turn = -1};
    p->is_drift = false;
}

static struct detector *ph_create(const struct component *component)
{
    struct page_hinkley *p = mem_zalloc(1, sizeof(*p));

    p->params = *(const struct page_hinkley_params *)component->params;
    clear(p);
    return &p->base;
}

static void ph_free(struct detector *d)
{
    free(d);
}

static void follow(struct climb *c, double sum, bool is_turn, double v)
{
    c->sum = sum;
    if (is_turn) {
        c->turn = sum;
        c->n = c->total = 0;
    } else {
        c->n += 1;
        c->total += v;
    }
}

static struct detector_change change_at(const struct page_hinkley *p, const struct climb *c)
{
    double before = p->mean.n - c->n;

    return (struct detector_change){
        .mean_before = before > 0 ? (p->mean.mean * p->mean.n - c->total) / before : (double)NAN,
        .mean_after = c->total / c->n,
        .n = c->n,
    };
}

static bool is_lost(const struct page_hinkley *p)
{
    return !isfinite(p->mean.mean) || !isfinite(p->up.sum) || !isfinite(p->down.sum);
}

static bool ph_update(struct detector *d, double v, struct detector_change *ret)
{
    struct page_hinkley *p = (struct page_hinkley *)d;
    const struct page_hinkley_params *k = &p->params;

    if (p->is_drift || is_lost(p))
        clear(p);
    stat_mean_update(&p->mean, v, 1);
    double deviation = v - p->mean.mean;
    double up = k->alpha * p->up.sum + deviation - k->delta;
    double down = k->alpha * p->down.sum + deviation + k->delta;
    follow(&p->up, up, up < p->up.turn, v);
    follow(&p->down, down, down > p->down.turn, v);
    if (p->mean.n < (double)k->min_instances)
        return false;

    bool is_up = k->mode != MODE_DOWN && p->up.sum - p->up.turn > k->threshold;
    bool is_down = k->mode != MODE_UP && p->down.turn - p->down.sum > k->threshold;
    p->is_drift = is_up || is_down;
    if (p->is_drift)
        *ret = change_at(p, is_up ? &p->up : &p->down);
    return p->is_drift;
}

static void save_climb(const struct climb *c, struct buf *out)
{
    blob_write_f64(out, c->sum);
    blob_write_f64(out, c->turn);
    blob_write_f64(out, c->n);
    blob_write_f64(out, c->total);
}

static void load_climb(struct climb *c, struct blob_reader *in)
{
    c->sum = blob_read_f64(in);
    c->turn = blob_read_f64(in);
    c->n = blob_read_f64(in);
    c->total = blob_read_f64(in);
}

static void ph_save(const struct detector *d, struct buf *out)
{
    const struct page_hinkley *p = (const struct page_hinkley *)d;

    blob_write_u8(out, p->is_drift);
    blob_write_f64(out, p->mean.n);
    blob_write_f64(out, p->mean.mean);
    save_climb(&p->up, out);
    save_climb(&p->down, out);
}

static void ph_load(struct detector *d, struct blob_reader *in)
{
    struct page_hinkley *p = (struct page_hinkley *)d;
    uint8_t is_drift = blob_read_u8(in);

    p->mean.n = blob_read_f64(in);
    p->mean.mean = blob_read_f64(in);
    load_climb(&p->up, in);
    load_climb(&p->down, in);
    if (is_drift > 1 || !(p->mean.n >= 0) || !(p->up.n >= 0) || !(p->down.n >= 0) ||
        p->up.n > p->mean.n || p->down.n > p->mean.n)
        blob_fail(in, "its counts contradict each other");
    p->is_drift = is_drift == 1;
}

static double ph_mean(const struct detector *d)
{
    return ((const struct page_hinkley *)d)->mean.mean;
}

static double ph_width(const struct detector *d)
{
    return ((const struct page_hinkley *)d)->mean.n;
}

static size_t ph_bytes(const struct detector *d)
{
    (void)d;
    return sizeof(struct page_hinkley);
}

static const struct detector_ops ops = {
    .create = ph_create,
    .free = ph_free,
    .update = ph_update,
    .save = ph_save,
    .load = ph_load,
    .mean = ph_mean,
    .width = ph_width,
    .bytes = ph_bytes,
};

static const struct learn_param params[] = {
    {.name = "min_instances",
     .type = PARAM_COUNT,
     .offset = offsetof(struct page_hinkley_params, min_instances),
     .fallback = 30,
     .min = 1,
     .max = 1e9,
     .help = "No change is found before so many values."},
    {.name = "delta",
     .type = PARAM_REAL,
     .offset = offsetof(struct page_hinkley_params, delta),
     .fallback = 0.005,
     .min = 0,
     .max = 1e300,
     .help = "A difference from the mean that is no change, in the unit of the values."},
    {.name = "threshold",
     .type = PARAM_REAL,
     .offset = offsetof(struct page_hinkley_params, threshold),
     .fallback = 50,
     .min = 0,
     .max = 1e300,
     .above_min = true,
     .help = "The summed difference that is one, in the unit of the values."},
    {.name = "alpha",
     .type = PARAM_REAL,
     .offset = offsetof(struct page_hinkley_params, alpha),
     .fallback = 1 - 0.0001,
     .min = 0,
     .max = 1,
     .above_min = true,
     .help = "How much of the sums is kept from one value to the next."},
    {.name = "mode",
     .type = PARAM_CHOICE,
     .offset = offsetof(struct page_hinkley_params, mode),
     .fallback = MODE_BOTH,
     .choices = modes,
     .help = "Which changes of the mean count: up, down or both."},
};

const struct learn_class page_hinkley_class = {
    .name = "page_hinkley",
    .river = "drift.PageHinkley",
    .help = "Sums of differences from the mean, which climb once it has changed.",
    .kind = LEARN_DETECTOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct page_hinkley_params),
    .detector = &ops,
};
