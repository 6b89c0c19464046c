/* Windowed errors: a ring of rows, and running sums over its newest part. */
#include "monitor/errors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "learn/metrics_binary.h"

#define Z95 1.959963984540054 /* of the normal distribution */

/* Running sums over the window; made anew from the rows once a round, so that they cannot drift. */
struct sums {
    double n, loss, squares;
    double signed_;        /* of numbers: the errors */
    double tp, fp, tn, fn; /* of classes: rows, by label and threshold */
    double inside, intervals;
};

struct errors {
    size_t n_models;
    size_t window;
    bool is_classes;
    double threshold; /* of classes */
    size_t size;      /* of the ring */
    uint64_t n;       /* rows ever added */
    struct errors_row *row;
    double *said;         /* [size][n_models] */
    unsigned char *cover; /* [size][n_models]: enum errors_cover */
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
    e->said = mem_zalloc(e->size * n_models, sizeof(*e->said));
    e->cover = mem_zalloc(e->size * n_models, sizeof(*e->cover));
    e->sums = mem_zalloc(n_models, sizeof(*e->sums));
    return e;
}

struct errors *errors_new_classes(size_t n_models, size_t window, double threshold)
{
    struct errors *e = errors_new(n_models, window);

    e->is_classes = true;
    e->threshold = threshold;
    return e;
}

void errors_free(struct errors *e)
{
    if (!e)
        return;
    free(e->row);
    free(e->said);
    free(e->cover);
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

static const double *said_of(const struct errors *e, uint64_t n)
{
    return e->said + (n % e->size) * e->n_models;
}

static unsigned char *cover_of(const struct errors *e, uint64_t n)
{
    return e->cover + (n % e->size) * e->n_models;
}

double errors_loss(const struct errors *e, double label, double said)
{
    if (isnan(said))
        return said;
    return e->is_classes ? metrics_log_loss_of(label == 1, said) : fabs(said);
}

bool errors_is_alert(const struct errors *e, double said)
{
    return e->is_classes && said > e->threshold;
}

static void count_class(const struct errors *e, struct sums *s, double label, double said,
                        double sign)
{
    if (errors_is_alert(e, said))
        *(label == 1 ? &s->tp : &s->fp) += sign;
    else
        *(label == 1 ? &s->fn : &s->tn) += sign;
}

static void count_cover(struct errors *e, uint64_t n, double sign)
{
    const unsigned char *cover = cover_of(e, n);

    for (size_t i = 0; i < e->n_models; i++) {
        e->sums[i].intervals += cover[i] != ERRORS_NO_INTERVAL ? sign : 0;
        e->sums[i].inside += cover[i] == ERRORS_INSIDE ? sign : 0;
    }
}

static void count(struct errors *e, uint64_t n, double sign)
{
    const double *said = said_of(e, n);
    double label = e->row[n % e->size].label;

    count_cover(e, n, sign);
    for (size_t i = 0; i < e->n_models; i++) {
        struct sums *s = &e->sums[i];

        if (isnan(said[i]))
            continue;
        double loss = errors_loss(e, label, said[i]);
        s->n += sign;
        s->loss += sign * loss;
        s->squares += sign * loss * loss;
        if (e->is_classes)
            count_class(e, s, label, said[i], sign);
        else
            s->signed_ += sign * said[i];
    }
}

static uint64_t window_first(const struct errors *e)
{
    return e->n > e->window ? e->n - e->window : 0;
}

void errors_add(struct errors *e, const struct errors_row *row, const double *said)
{
    bool is_full = e->n - window_first(e) == e->window;

    if (is_full)
        count(e, e->n - e->window, -1);
    e->row[e->n % e->size] = *row;
    if (e->n_models) {
        memcpy(e->said + (e->n % e->size) * e->n_models, said, e->n_models * sizeof(*said));
        memset(cover_of(e, e->n), ERRORS_NO_INTERVAL, e->n_models);
    }
    count(e, e->n++, 1);

    if (e->n % e->window == 0) {
        memset(e->sums, 0, e->n_models * sizeof(*e->sums));
        for (uint64_t i = window_first(e); i < e->n; i++)
            count(e, i, 1);
    }
}

void errors_cover(struct errors *e, const enum errors_cover *cover)
{
    for (size_t i = 0; i < e->n_models; i++)
        cover_of(e, e->n - 1)[i] = (unsigned char)cover[i];
    count_cover(e, e->n - 1, 1);
}

static void score_numbers(const struct sums *s, struct errors_score *ret)
{
    ret->rmse = sqrt(s->squares > 0 ? s->squares / s->n : 0);
    ret->bias = s->signed_ / s->n;
}

static void score_classes(const struct sums *s, struct errors_score *ret)
{
    ret->alerts = (size_t)(s->tp + s->fp);
    ret->base_rate = (s->tp + s->fn) / s->n;
    ret->accuracy = (s->tp + s->tn) / s->n;
    ret->precision = s->tp / (s->tp + s->fp); /* 0 / 0 is NaN */
    ret->recall = s->tp / (s->tp + s->fn);
    ret->f1 = 2 * s->tp / (2 * s->tp + s->fp + s->fn);
}

void errors_score(const struct errors *e, size_t model, struct errors_score *ret)
{
    const struct sums *s = &e->sums[model];
    double nan = (double)NAN;

    *ret = (struct errors_score){.n = (size_t)s->n,
                                 .loss = nan,
                                 .low = nan,
                                 .high = nan,
                                 .rmse = nan,
                                 .bias = nan,
                                 .coverage = s->inside / s->intervals, /* 0 / 0 is NaN */
                                 .base_rate = nan,
                                 .accuracy = nan,
                                 .precision = nan,
                                 .recall = nan,
                                 .f1 = nan};
    if (s->n < 1)
        return;
    ret->loss = s->loss / s->n;
    if (e->is_classes)
        score_classes(s, ret);
    else
        score_numbers(s, ret);
    if (s->n < 2)
        return;
    double variance = (s->squares - s->loss * s->loss / s->n) / (s->n - 1);
    double half = Z95 * sqrt((variance > 0 ? variance : 0) / s->n);
    ret->low = ret->loss - half > 0 ? ret->loss - half : 0;
    ret->high = ret->loss + half;
}

double errors_pr_auc(const struct errors *e, size_t model)
{
    const struct sums *s = &e->sums[model];
    size_t max = e->window < ERRORS_RANKED_MAX ? e->window : ERRORS_RANKED_MAX;
    uint64_t first = e->n > max ? e->n - max : 0;
    struct metrics_ranked ranked;
    size_t positives = 0;

    if (!e->is_classes || s->n < 2)
        return (double)NAN;
    metrics_ranked_init(&ranked, max);
    for (uint64_t i = first; i < e->n; i++) {
        bool is_positive = e->row[i % e->size].label == 1;
        double p = said_of(e, i)[model];

        if (isnan(p))
            continue;
        metrics_ranked_update(&ranked, is_positive, p);
        positives += is_positive;
    }
    bool has_both = positives > 0 && positives < ranked.count;
    double area = has_both ? metrics_ranked_pr_auc(&ranked) : (double)NAN;
    metrics_ranked_release(&ranked);
    return area;
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
    return said_of(e, number(e, i))[model];
}

double errors_loss_at(const struct errors *e, size_t i, size_t model)
{
    return errors_loss(e, errors_row(e, i)->label, errors_at(e, i, model));
}

/* ---- Keeping ---- */

/* A row as bytes: itself, what was said, whether the intervals held its label. */
static size_t saved_size(const struct errors *e)
{
    return sizeof(struct errors_row) + e->n_models * (sizeof(double) + sizeof(unsigned char));
}

void errors_save(const struct errors *e, size_t max, struct buf *out)
{
    size_t kept = errors_kept(e);

    for (size_t i = kept > max ? kept - max : 0; i < kept; i++) {
        buf_append(out, errors_row(e, i), sizeof(struct errors_row));
        buf_append(out, said_of(e, number(e, i)), e->n_models * sizeof(double));
        buf_append(out, cover_of(e, number(e, i)), e->n_models);
    }
}

static void load_row(struct errors *e, const char *at, double *said, enum errors_cover *cover)
{
    struct errors_row row;

    memcpy(&row, at, sizeof(row));
    at += sizeof(row);
    memcpy(said, at, e->n_models * sizeof(*said));
    at += e->n_models * sizeof(*said);
    for (size_t i = 0; i < e->n_models; i++)
        cover[i] = (enum errors_cover)(unsigned char)at[i];
    errors_add(e, &row, said);
    errors_cover(e, cover);
}

bool errors_load(struct errors *e, const void *data, size_t len)
{
    size_t size = saved_size(e);
    double *said = mem_zalloc(e->n_models + 1, sizeof(*said));
    enum errors_cover *cover = mem_zalloc(e->n_models + 1, sizeof(*cover));
    bool is_good = len % size == 0;

    for (size_t at = 0; is_good && at < len; at += size)
        load_row(e, (const char *)data + at, said, cover);
    free(said);
    free(cover);
    return is_good;
}

/* ---- Means ---- */

void errors_mean_add(struct errors_mean *m, double loss)
{
    if (m->n++ == 0)
        m->first = loss;
    m->sum += loss - m->first;
    m->squares += (loss - m->first) * (loss - m->first);
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
