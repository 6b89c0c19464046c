/* Scalers by a window: see windowed_scaler.h. */
#include "learn/windowed_scaler.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/root.h"

enum { STATS = 3 };

/* The last values of a feature, a ring, and what they come to. */
struct column {
    size_t count;
    size_t next;
    double
        stat[STATS]; /* of a mean: values, mean, sum of squares; least and greatest; or greatest */
    double *values;  /* in the scaler's */
};

enum { MEAN_N, MEAN, SQUARES };
enum { LEAST, GREATEST };

struct windowed {
    struct preprocessor base;
    enum windowed_kind kind;
    size_t size; /* of the windows */
    double *values;
    struct column columns[]; /* n_in */
};

static const struct preprocessor_ops ops;

struct preprocessor *windowed_scaler_new(enum windowed_kind kind, size_t n_in, size_t window_size)
{
    struct windowed *w = mem_zalloc(1, sizeof(*w) + n_in * sizeof(w->columns[0]));

    w->base.ops = &ops;
    w->base.n_in = n_in;
    w->base.n_out = n_in;
    w->kind = kind;
    w->size = window_size;
    w->values = mem_zalloc(n_in * window_size + 1, sizeof(*w->values));
    for (size_t i = 0; i < n_in; i++)
        w->columns[i].values = w->values + i * window_size;
    return &w->base;
}

static void windowed_free(struct preprocessor *pre)
{
    free(((struct windowed *)pre)->values);
    free(pre);
}

/* Means */

static void mean_add(double *stat, double v)
{
    double before = stat[MEAN];

    stat[MEAN_N] += 1;
    stat[MEAN] += 1 / stat[MEAN_N] * (v - stat[MEAN]);
    stat[SQUARES] += (v - before) * (v - stat[MEAN]);
}

static void mean_drop(double *stat, double v)
{
    double before = stat[MEAN];

    stat[MEAN_N] -= 1;
    if (stat[MEAN_N] > 0)
        stat[MEAN] -= 1 / stat[MEAN_N] * (v - stat[MEAN]);
    else
        stat[MEAN] = 0;
    stat[SQUARES] -= (v - before) * (v - stat[MEAN]);
}

static double standard(const struct column *column, double v)
{
    const double *stat = column->stat;
    double var = stat[MEAN_N] > 0 ? stat[SQUARES] / stat[MEAN_N] : 0;

    return var > 0 || isnan(v) ? (v - stat[MEAN]) / root_of(var) : 0;
}

/* Extremes */

static void extremes(struct column *column)
{
    column->stat[LEAST] = (double)INFINITY;
    column->stat[GREATEST] = -(double)INFINITY;
    for (size_t k = 0; k < column->count; k++) {
        column->stat[LEAST] = fmin(column->stat[LEAST], column->values[k]);
        column->stat[GREATEST] = fmax(column->stat[GREATEST], column->values[k]);
    }
}

static double min_max(const struct column *column, double v)
{
    double range = column->stat[GREATEST] - column->stat[LEAST];

    if (column->count == 0)
        return (double)NAN;
    return range != 0 || isnan(v) ? (v - column->stat[LEAST]) / range : 0;
}

static double max_abs(const struct column *column, double v)
{
    double greatest =
        column->count ? fmax(fabs(column->stat[LEAST]), fabs(column->stat[GREATEST])) : 0;

    return greatest != 0 || isnan(v) ? v / greatest : 0;
}

/* The slots */

/* Takes in `v`; the oldest value goes when the window is full. */
static void push(const struct windowed *w, struct column *column, double v)
{
    bool is_mean = w->kind == WINDOWED_STANDARD || w->kind == WINDOWED_CENTRED;
    double old = column->values[column->next];
    bool is_full = column->count == w->size;

    if (is_full && is_mean)
        mean_drop(column->stat, old);
    column->values[column->next] = v;
    column->next = column->next + 1 == w->size ? 0 : column->next + 1;
    column->count += !is_full;
    if (is_mean) {
        mean_add(column->stat, v);
    } else if (column->count == 1 ||
               (is_full && (old <= column->stat[LEAST] || old >= column->stat[GREATEST]))) {
        extremes(column);
    } else {
        column->stat[LEAST] = fmin(column->stat[LEAST], v);
        column->stat[GREATEST] = fmax(column->stat[GREATEST], v);
    }
}

static void windowed_learn(struct preprocessor *pre, const double *x)
{
    struct windowed *w = (struct windowed *)pre;

    for (size_t i = 0; i < pre->n_in; i++) {
        if (!isnan(x[i]))
            push(w, &w->columns[i], x[i]);
    }
}

static void windowed_transform(const struct preprocessor *pre, const double *x, double *out)
{
    const struct windowed *w = (const struct windowed *)pre;

    for (size_t i = 0; i < pre->n_in; i++) {
        const struct column *column = &w->columns[i];

        switch (w->kind) {
        case WINDOWED_STANDARD:
            out[i] = standard(column, x[i]);
            break;
        case WINDOWED_CENTRED:
            out[i] = x[i] - column->stat[MEAN];
            break;
        case WINDOWED_MIN_MAX:
            out[i] = min_max(column, x[i]);
            break;
        case WINDOWED_MAX_ABS:
            out[i] = max_abs(column, x[i]);
            break;
        }
    }
}

/* Of each feature how many values there are, they, the oldest first, and what they come to. */
static void windowed_save(const struct preprocessor *pre, struct buf *out)
{
    const struct windowed *w = (const struct windowed *)pre;

    for (size_t i = 0; i < pre->n_in; i++) {
        const struct column *column = &w->columns[i];
        size_t oldest = column->count < w->size ? 0 : column->next;

        blob_write_u64(out, column->count);
        blob_write_f64s(out, column->values + oldest, column->count - oldest);
        blob_write_f64s(out, column->values, oldest);
        blob_write_f64s(out, column->stat, STATS);
    }
}

static void windowed_load(struct preprocessor *pre, struct blob_reader *in)
{
    struct windowed *w = (struct windowed *)pre;

    for (size_t i = 0; i < pre->n_in; i++) {
        struct column *column = &w->columns[i];

        column->count = blob_read_count(in, sizeof(double), w->size);
        column->next = column->count == w->size ? 0 : column->count;
        blob_read_f64s(in, column->values, column->count);
        blob_read_f64s(in, column->stat, STATS);
    }
}

static size_t windowed_bytes(const struct preprocessor *pre)
{
    const struct windowed *w = (const struct windowed *)pre;

    return sizeof(*w) + pre->n_in * (sizeof(struct column) + w->size * sizeof(double));
}

static const struct preprocessor_ops ops = {
    .free = windowed_free,
    .learn = windowed_learn,
    .transform = windowed_transform,
    .save = windowed_save,
    .load = windowed_load,
    .bytes = windowed_bytes,
};
