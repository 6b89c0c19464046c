/* The adaptive window, and the class that makes a detector of it: see adwin.h, detector.h. */
#include "learn/adwin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/detector_backend.h"

static double row_size(size_t row)
{
    return (double)((uint64_t)1 << row);
}

static size_t row_stride(const struct adwin *a)
{
    return (size_t)a->params.max_buckets + 1;
}

static struct adwin_bucket *row_of(const struct adwin *a, size_t row)
{
    return a->bucket + row * row_stride(a);
}

static void add_row(struct adwin *a)
{
    a->bucket = mem_realloc(a->bucket, (a->n_rows + 1) * row_stride(a), sizeof(*a->bucket));
    a->count = mem_realloc(a->count, a->n_rows + 1, sizeof(*a->count));
    a->count[a->n_rows++] = 0;
}

static void push(struct adwin *a, size_t row, double total, double s)
{
    row_of(a, row)[a->count[row]++] = (struct adwin_bucket){total, s};
}

/* Takes away the `n` oldest buckets of a row. */
static void shift(struct adwin *a, size_t row, uint32_t n)
{
    struct adwin_bucket *b = row_of(a, row);

    a->count[row] -= n;
    memmove(b, b + n, a->count[row] * sizeof(*b));
}

/* Makes one bucket of the two oldest of each row that has one too many. */
static void merge(struct adwin *a)
{
    for (size_t row = 0; a->count[row] == row_stride(a) && row + 1 < ADWIN_MAX_ROWS; row++) {
        if (row + 1 == a->n_rows)
            add_row(a);
        const struct adwin_bucket *b = row_of(a, row);
        double n = row_size(row);
        double d = b[0].total / n - b[1].total / n;

        push(a, row + 1, b[0].total + b[1].total, b[0].s + b[1].s + n * 0.5 * d * d);
        shift(a, row, 2);
    }
}

static void insert(struct adwin *a, double v)
{
    a->width += 1;
    if (a->width > 1) {
        double before = a->width - 1;
        double d = v - a->total / before;

        a->s += before * d * d / a->width;
    }
    a->total += v;
    push(a, 0, v, 0);
    merge(a);
}

static void drop_oldest(struct adwin *a)
{
    size_t row = a->n_rows - 1;
    struct adwin_bucket oldest = row_of(a, row)[0];
    double n = row_size(row);

    a->width -= n;
    a->total -= oldest.total;
    double d = oldest.total / n - a->total / a->width;
    a->s -= oldest.s + n * a->width * d * d / (n + a->width);
    shift(a, row, 1);
    if (a->count[row] == 0 && row > 0)
        a->n_rows--;
}

/* ε: by how much the means of an older part of n0 and a newer part of n1 values may differ. */
static double allowed(const struct adwin *a, double n0, double n1)
{
    double least = (double)a->params.min_window_length;

    if (n0 < least || n1 < least)
        return (double)INFINITY;
    double d = log(2 * log(a->width) / a->params.delta);
    double m = 1 / (n0 - least + 1) + 1 / (n1 - least + 1);
    return sqrt(2 * m * (a->s / a->width) * d) + 2.0 / 3.0 * d * m;
}

/*
 * Is there a place between two buckets to cut the window at? `ret` NULL: any will do, and the first
 * that there is ends the search; else all are looked at for the clearest.
 */
static bool find_cut(const struct adwin *a, struct adwin_cut *ret)
{
    double n0 = 0;
    double n1 = a->width;
    double u0 = 0;
    double u1 = a->total;
    double clearest = 0;

    for (size_t row = a->n_rows; row-- > 0;) {
        const struct adwin_bucket *b = row_of(a, row);
        double n = row_size(row);

        for (uint32_t k = 0; k < a->count[row]; k++) {
            n0 += n;
            n1 -= n;
            u0 += b[k].total;
            u1 -= b[k].total;
            if (n1 <= 0)
                break;
            double difference = fabs(u0 / n0 - u1 / n1);
            double epsilon = allowed(a, n0, n1);
            if (!(difference > epsilon))
                continue;
            if (!ret)
                return true;
            if (difference / epsilon > clearest) {
                clearest = difference / epsilon;
                *ret = (struct adwin_cut){u0 / n0, u1 / n1, n1};
            }
        }
    }
    return clearest > 0;
}

/* Public functions */

void adwin_init(struct adwin *a, const struct adwin_params *params)
{
    *a = (struct adwin){.params = *params};
    add_row(a);
}

void adwin_release(struct adwin *a)
{
    free(a->bucket);
    free(a->count);
    *a = (struct adwin){.params = a->params};
}

void adwin_clear(struct adwin *a)
{
    a->n_rows = 1;
    a->count[0] = 0;
    a->width = a->total = a->s = 0;
    a->tick = 0;
    a->is_drift = false;
    a->cut = (struct adwin_cut){0};
}

bool adwin_update(struct adwin *a, double v)
{
    if (!isfinite(v))
        return false;
    if (a->is_drift || !isfinite(a->total) || !isfinite(a->s))
        adwin_clear(a);
    insert(a, v);
    a->tick++;
    if (a->tick % a->params.clock == 0 && a->width > (double)a->params.grace_period) {
        a->is_drift = find_cut(a, NULL) && find_cut(a, &a->cut);
        while (find_cut(a, NULL))
            drop_oldest(a);
    }
    return a->is_drift;
}

double adwin_mean(const struct adwin *a)
{
    return a->width > 0 ? a->total / a->width : 0;
}

double adwin_variance(const struct adwin *a)
{
    return a->width > 0 ? a->s / a->width : 0;
}

size_t adwin_bytes(const struct adwin *a)
{
    return sizeof(*a) + a->n_rows * (row_stride(a) * sizeof(*a->bucket) + sizeof(*a->count));
}

size_t adwin_bytes_max(const struct adwin_params *params)
{
    struct adwin longest = {.params = *params, .n_rows = ADWIN_MAX_ROWS};

    return adwin_bytes(&longest);
}

void adwin_save(const struct adwin *a, struct buf *out)
{
    blob_write_u64(out, a->tick);
    blob_write_u8(out, a->is_drift);
    blob_write_f64(out, a->total);
    blob_write_f64(out, a->s);
    blob_write_u64(out, a->n_rows);
    for (size_t row = 0; row < a->n_rows; row++) {
        const struct adwin_bucket *b = row_of(a, row);

        blob_write_u32(out, a->count[row]);
        for (uint32_t k = 0; k < a->count[row]; k++) {
            blob_write_f64(out, b[k].total);
            blob_write_f64(out, b[k].s);
        }
    }
}

/* The width is not stored: the buckets say it. */
static void load_row(struct adwin *a, size_t row, struct blob_reader *in)
{
    uint32_t n = blob_read_u32(in);

    if (n > a->params.max_buckets || (n == 0 && a->n_rows > 1)) {
        blob_fail(in, "a row of its window has an impossible number of buckets");
        return;
    }
    for (uint32_t k = 0; k < n; k++) {
        double total = blob_read_f64(in);
        double s = blob_read_f64(in);

        push(a, row, total, s);
        a->width += row_size(row);
    }
}

void adwin_load(struct adwin *a, struct blob_reader *in)
{
    adwin_clear(a);
    a->tick = blob_read_u64(in);
    uint8_t is_drift = blob_read_u8(in);
    a->total = blob_read_f64(in);
    a->s = blob_read_f64(in);
    size_t n_rows = blob_read_count(in, sizeof(uint32_t), ADWIN_MAX_ROWS);

    if (is_drift > 1 || n_rows == 0) {
        blob_fail(in, "its window has no rows");
        return;
    }
    a->is_drift = is_drift;
    while (a->n_rows < n_rows)
        add_row(a);
    for (size_t row = 0; row < n_rows && !blob_failed(in); row++)
        load_row(a, row, in);
}

/* The detector */

struct adwin_detector {
    struct detector base;
    struct adwin adwin;
};

static struct detector *detector_create(const struct component *component)
{
    struct adwin_detector *d = mem_zalloc(1, sizeof(*d));

    adwin_init(&d->adwin, component->params);
    return &d->base;
}

static void detector_destroy(struct detector *base)
{
    adwin_release(&((struct adwin_detector *)base)->adwin);
    free(base);
}

static bool detector_take(struct detector *base, double v, struct detector_change *ret)
{
    struct adwin *a = &((struct adwin_detector *)base)->adwin;

    if (!adwin_update(a, v))
        return false;
    *ret = (struct detector_change){
        .mean_before = a->cut.mean_before,
        .mean_after = a->cut.mean_after,
        .n = a->cut.n_after,
    };
    return true;
}

static void detector_write(const struct detector *base, struct buf *out)
{
    adwin_save(&((const struct adwin_detector *)base)->adwin, out);
}

static void detector_read(struct detector *base, struct blob_reader *in)
{
    adwin_load(&((struct adwin_detector *)base)->adwin, in);
}

static double detector_level(const struct detector *base)
{
    return adwin_mean(&((const struct adwin_detector *)base)->adwin);
}

static double detector_count(const struct detector *base)
{
    return adwin_width(&((const struct adwin_detector *)base)->adwin);
}

static size_t detector_size(const struct detector *base)
{
    const struct adwin_detector *d = (const struct adwin_detector *)base;

    return sizeof(*d) - sizeof(d->adwin) + adwin_bytes(&d->adwin);
}

static const struct detector_ops ops = {
    .create = detector_create,
    .free = detector_destroy,
    .update = detector_take,
    .save = detector_write,
    .load = detector_read,
    .mean = detector_level,
    .width = detector_count,
    .bytes = detector_size,
};

static const char *check(const void *values)
{
    const struct adwin_params *p = values;

    return p->delta < 1 ? NULL : "delta: write a number above 0 and below 1";
}

static const struct learn_param params[] = {
    {.name = "delta",
     .type = PARAM_REAL,
     .offset = offsetof(struct adwin_params, delta),
     .fallback = 0.002,
     .min = 0,
     .max = 1,
     .above_min = true,
     .help = "Significance: the smaller, the rarer a false alarm, and the later a true one."},
    {.name = "clock",
     .type = PARAM_COUNT,
     .offset = offsetof(struct adwin_params, clock),
     .fallback = 32,
     .min = 1,
     .max = 1e6,
     .help = "Looks for a change at each so many values."},
    {.name = "max_buckets",
     .type = PARAM_COUNT,
     .offset = offsetof(struct adwin_params, max_buckets),
     .fallback = 5,
     .min = 2,
     .max = ADWIN_MAX_BUCKETS,
     .help = "Buckets of one size before two of them become one: more give finer cuts."},
    {.name = "min_window_length",
     .type = PARAM_COUNT,
     .offset = offsetof(struct adwin_params, min_window_length),
     .fallback = 5,
     .min = 1,
     .max = 1e6,
     .help = "Values that either side of a change must have."},
    {.name = "grace_period",
     .type = PARAM_COUNT,
     .offset = offsetof(struct adwin_params, grace_period),
     .fallback = 10,
     .min = 0,
     .max = 1e9,
     .help = "No change is looked for until there are more values than this."},
};

const struct learn_class adwin_class = {
    .name = "adwin",
    .river = "drift.ADWIN",
    .help = "A window that is cut where its mean has changed.",
    .kind = LEARN_DETECTOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct adwin_params),
    .check = check,
    .detector = &ops,
};
