/* Windowed errors: a ring of rows, and running sums over its newest part. */
#include "monitor/errors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define Z95 1.959963984540054 /* of the normal distribution */

/* Running sums over the window; made anew from the rows once a round, so that they cannot drift. */
struct sums {
    double n, absolute, squares, signed_;
};

struct errors {
    size_t n_models;
    size_t window;
    size_t size; /* of the ring */
    uint64_t n;  /* rows ever added */
    struct errors_row *row;
    double *error; /* [size][n_models] */
    struct sums *sums;
};

struct errors *errors_new(size_t n_models, size_t window)
{
    struct errors *e = mem_zalloc(1, sizeof(*e));
    size_t most = ERRORS_CELLS_MAX / (n_models ? n_models : 1);

    e->n_models = n_models;
    e->window = window < most ? window : most;
    e->size = e->window > ERRORS_KEPT_MIN ? e->window : ERRORS_KEPT_MIN;
    e->row = mem_zalloc(e->size, sizeof(*e->row));
    e->error = mem_zalloc(e->size * n_models, sizeof(*e->error));
    e->sums = mem_zalloc(n_models, sizeof(*e->sums));
    return e;
}

void errors_free(struct errors *e)
{
    if (!e)
        return;
    free(e->row);
    free(e->error);
    free(e->sums);
    free(e);
}

void errors_clear(struct errors *e)
{
    e->n = 0;
    memset(e->sums, 0, e->n_models * sizeof(*e->sums));
}

size_t errors_window_size(const struct errors *e)
{
    return e->window;
}

static const double *errors_of(const struct errors *e, uint64_t n)
{
    return e->error + (n % e->size) * e->n_models;
}

static void count(struct errors *e, uint64_t n, double sign)
{
    const double *error = errors_of(e, n);

    for (size_t i = 0; i < e->n_models; i++) {
        if (isnan(error[i]))
            continue;
        e->sums[i].n += sign;
        e->sums[i].absolute += sign * fabs(error[i]);
        e->sums[i].squares += sign * error[i] * error[i];
        e->sums[i].signed_ += sign * error[i];
    }
}

static uint64_t window_first(const struct errors *e)
{
    return e->n > e->window ? e->n - e->window : 0;
}

void errors_add(struct errors *e, const struct errors_row *row, const double *error)
{
    bool is_full = e->n - window_first(e) == e->window;

    if (is_full)
        count(e, e->n - e->window, -1);
    e->row[e->n % e->size] = *row;
    if (e->n_models)
        memcpy(e->error + (e->n % e->size) * e->n_models, error, e->n_models * sizeof(*error));
    count(e, e->n++, 1);

    if (e->n % e->window == 0) {
        memset(e->sums, 0, e->n_models * sizeof(*e->sums));
        for (uint64_t i = window_first(e); i < e->n; i++)
            count(e, i, 1);
    }
}

void errors_score(const struct errors *e, size_t model, struct errors_score *ret)
{
    const struct sums *s = &e->sums[model];
    double nan = (double)NAN;

    *ret = (struct errors_score){
        .n = (size_t)s->n, .mae = nan, .low = nan, .high = nan, .rmse = nan, .bias = nan};
    if (s->n < 1)
        return;
    ret->mae = s->absolute / s->n;
    ret->rmse = sqrt(s->squares > 0 ? s->squares / s->n : 0);
    ret->bias = s->signed_ / s->n;
    if (s->n < 2)
        return;
    double variance = (s->squares - s->absolute * s->absolute / s->n) / (s->n - 1);
    double half = Z95 * sqrt((variance > 0 ? variance : 0) / s->n);
    ret->low = ret->mae - half > 0 ? ret->mae - half : 0;
    ret->high = ret->mae + half;
}

/* ---- Rows ---- */

size_t errors_kept(const struct errors *e)
{
    return e->n < e->size ? (size_t)e->n : e->size;
}

static uint64_t number(const struct errors *e, size_t i)
{
    return e->n - errors_kept(e) + i;
}

const struct errors_row *errors_row(const struct errors *e, size_t i)
{
    return &e->row[number(e, i) % e->size];
}

double errors_at(const struct errors *e, size_t i, size_t model)
{
    return errors_of(e, number(e, i))[model];
}

/* ---- Keeping ---- */

void errors_save(const struct errors *e, size_t max, struct buf *out)
{
    size_t kept = errors_kept(e);

    for (size_t i = kept > max ? kept - max : 0; i < kept; i++) {
        buf_append(out, errors_row(e, i), sizeof(struct errors_row));
        buf_append(out, errors_of(e, number(e, i)), e->n_models * sizeof(double));
    }
}

bool errors_load(struct errors *e, const void *data, size_t len)
{
    size_t size = sizeof(struct errors_row) + e->n_models * sizeof(double);
    double *error = mem_zalloc(e->n_models + 1, sizeof(*error));
    bool is_good = len % size == 0;

    for (size_t at = 0; is_good && at < len; at += size) {
        struct errors_row row;

        memcpy(&row, (const char *)data + at, sizeof(row));
        memcpy(error, (const char *)data + at + sizeof(row), e->n_models * sizeof(*error));
        errors_add(e, &row, error);
    }
    free(error);
    return is_good;
}

/* ---- Means ---- */

void errors_mean_add(struct errors_mean *m, double absolute)
{
    if (m->n++ == 0)
        m->first = absolute;
    m->sum += absolute - m->first;
    m->squares += (absolute - m->first) * (absolute - m->first);
}

double errors_mean_value(const struct errors_mean *m)
{
    return m->n ? m->first + m->sum / (double)m->n : (double)NAN;
}

double errors_mean_half(const struct errors_mean *m)
{
    double n = (double)m->n;

    if (m->n < 2)
        return (double)NAN;
    double variance = (m->squares - m->sum * m->sum / n) / (n - 1);
    return Z95 * sqrt((variance > 0 ? variance : 0) / n);
}
