/* Losses in bars. Each bar is a mean over its rows with a 95 % interval. */
#include "monitor/breakdown.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "monitor/reliability.h"
#include "monitor/text.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  INT64_C(86400000)

#define STEP_ROWS 2000 /* newest rows that the width of the bins is found from */

/* ---- Bars ---- */

/* Which bar a row belongs to; -1: none. */
typedef int (*bar_fn)(const void *ctx, const struct errors_row *row);

struct bars {
    bar_fn bar;
    const void *ctx;
    size_t n;
    char (*label)[48];
};

/* What a bar says of one model. */
struct cell {
    struct errors_mean mean;
    size_t positives, found, alerts; /* of classes; found: positives that were alerts */
};

static void cell_add(struct cell *cell, const struct errors *e, size_t i, size_t model)
{
    double said = errors_at(e, i, model);
    bool is_positive = errors_row(e, i)->label == 1;

    if (isnan(said))
        return;
    errors_mean_add(&cell->mean, errors_loss_at(e, i, model));
    cell->positives += is_positive;
    cell->alerts += errors_is_alert(e, said);
    cell->found += is_positive && errors_is_alert(e, said);
}

static const char *metric_of(const struct breakdown_names *names)
{
    return names->is_classes ? "log_loss" : "mae";
}

static void write_cell(const struct cell *cell, const struct breakdown_names *names,
                       struct buf *out)
{
    double loss = errors_mean_value(&cell->mean);
    double half = errors_mean_half(&cell->mean);

    text_next(out);
    buf_byte(out, '{');
    text_put_count(out, "n", cell->mean.n);
    text_put_number(out, metric_of(names), loss);
    text_put_number(out, "low", loss - half > 0 ? loss - half : isnan(half) ? half : 0);
    text_put_number(out, "high", loss + half);
    if (names->is_classes) {
        /* 0 / 0 is NaN */
        text_put_number(out, "recall", (double)cell->found / (double)cell->positives);
        text_put_count(out, "alerts", cell->alerts);
    }
    buf_byte(out, '}');
}

static void write_bars(const struct errors *e, const struct breakdown_names *names,
                       const struct bars *bars, struct buf *out)
{
    size_t n = names->n_models;
    struct cell *cell = mem_zalloc(bars->n * n + 1, sizeof(*cell));

    for (size_t i = 0; i < errors_kept(e); i++) {
        int at = bars->bar(bars->ctx, errors_row(e, i));

        for (size_t k = 0; at >= 0 && k < n; k++)
            cell_add(&cell[(size_t)at * n + k], e, i, k);
    }
    buf_text(out, "{\"labels\":[");
    for (size_t i = 0; i < bars->n; i++) {
        text_next(out);
        text_string(out, bars->label[i]);
    }
    buf_byte(out, ']');
    text_put_name(out, "models");
    buf_byte(out, '{');
    for (size_t k = 0; k < n; k++) {
        text_put_name(out, names->models[k]);
        buf_byte(out, '[');
        for (size_t i = 0; i < bars->n; i++)
            write_cell(&cell[i * n + k], names, out);
        buf_byte(out, ']');
    }
    buf_text(out, "}}");
    free(cell);
}

/* ---- Hours and weekdays ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int hour_of(const void *ctx, const struct errors_row *row)
{
    (void)ctx;
    if (row->event_ms == TIME_UNKNOWN)
        return -1;
    return (int)(floor_div(row->event_ms, HOUR_MS) - 24 * floor_div(row->event_ms, DAY_MS));
}

/* Monday is 0: day 0 of Unix time was a Thursday. */
static int weekday_of(const void *ctx, const struct errors_row *row)
{
    (void)ctx;
    if (row->event_ms == TIME_UNKNOWN)
        return -1;
    int64_t day = floor_div(row->event_ms, DAY_MS) + 3;
    return (int)(day - 7 * floor_div(day, 7));
}

static void write_hours(const struct errors *e, const struct breakdown_names *names,
                        struct buf *out)
{
    char label[24][48];

    for (int i = 0; i < 24; i++)
        snprintf(label[i], sizeof(label[i]), "%d", i);
    write_bars(e, names, &(struct bars){.bar = hour_of, .n = 24, .label = label}, out);
}

static void write_weekdays(const struct errors *e, const struct breakdown_names *names,
                           struct buf *out)
{
    char label[7][48] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

    write_bars(e, names, &(struct bars){.bar = weekday_of, .n = 7, .label = label}, out);
}

/* ---- Deciles of the label ---- */

struct deciles {
    double bound[BREAKDOWN_DECILES + 1]; /* least, then the end of each, strictly growing */
    size_t n;                            /* ranges: fewer when many labels are equal */
};

static int decile_of(const void *ctx, const struct errors_row *row)
{
    const struct deciles *d = ctx;
    size_t i = 0;

    while (i + 1 < d->n && row->label > d->bound[i + 1])
        i++;
    return (int)i;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void find_deciles(const struct errors *e, struct deciles *ret)
{
    size_t n = errors_kept(e);
    double *label = mem_zalloc(n + 1, sizeof(*label));

    *ret = (struct deciles){.n = 0};
    for (size_t i = 0; i < n; i++)
        label[i] = errors_row(e, i)->label;
    qsort(label, n, sizeof(*label), compare);
    if (n)
        ret->bound[0] = label[0];
    for (size_t i = 1; n && i <= BREAKDOWN_DECILES; i++) {
        double bound = label[(n - 1) * i / BREAKDOWN_DECILES];

        if (bound > ret->bound[ret->n])
            ret->bound[++ret->n] = bound;
    }
    if (n && !ret->n) {
        ret->bound[1] = ret->bound[0]; /* all labels are equal */
        ret->n = 1;
    }
    free(label);
}

static void write_deciles(const struct errors *e, const struct breakdown_names *names,
                          struct buf *out)
{
    struct deciles deciles;
    char label[BREAKDOWN_DECILES][48];

    find_deciles(e, &deciles);
    for (size_t i = 0; i < deciles.n; i++)
        snprintf(label[i], sizeof(label[i]), "%.4g–%.4g", deciles.bound[i], deciles.bound[i + 1]);
    write_bars(e, names,
               &(struct bars){.bar = decile_of, .ctx = &deciles, .n = deciles.n, .label = label},
               out);
}

/* ---- Values of a feature ---- */

struct values {
    size_t slice;
    double value[BREAKDOWN_VALUES];
    size_t n;
};

static int value_of(const void *ctx, const struct errors_row *row)
{
    const struct values *v = ctx;

    for (size_t i = 0; i < v->n; i++)
        if (row->slice[v->slice] == v->value[i])
            return (int)i;
    return -1;
}

static void write_slice(const struct errors *e, const struct breakdown_names *names, size_t slice,
                        struct buf *out)
{
    struct values values = {.slice = slice};
    char label[BREAKDOWN_VALUES][48];

    for (size_t i = 0; i < errors_kept(e) && values.n < BREAKDOWN_VALUES; i++) {
        const struct errors_row *row = errors_row(e, i);

        if (!isnan(row->slice[slice]) && value_of(&values, row) < 0)
            values.value[values.n++] = row->slice[slice];
    }
    qsort(values.value, values.n, sizeof(values.value[0]), compare);
    for (size_t i = 0; i < values.n; i++)
        snprintf(label[i], sizeof(label[i]), "%.6g", values.value[i]);
    write_bars(e, names,
               &(struct bars){.bar = value_of, .ctx = &values, .n = values.n, .label = label}, out);
}

/* ---- Sizes of errors ---- */

/* A step of 1, 2, 5 times a power of ten, such that 15 of them hold nearly all errors. */
static double bin_step(const struct errors *e, const struct breakdown_names *names)
{
    size_t n = errors_kept(e);
    size_t first = n > STEP_ROWS ? n - STEP_ROWS : 0;
    double *size = mem_zalloc(n - first + 1, sizeof(*size));
    double spread = 0;

    for (size_t k = 0; k < names->n_models; k++) {
        size_t found = 0;

        for (size_t i = first; i < n; i++)
            if (!isnan(errors_at(e, i, k)))
                size[found++] = fabs(errors_at(e, i, k));
        qsort(size, found, sizeof(*size), compare);
        /* Of the best model: one that is far off must not decide. */
        double p95 = found ? size[(found - 1) * 95 / 100] : 0;
        if (p95 > 0 && (spread == 0 || p95 < spread))
            spread = p95;
    }
    free(size);
    if (spread <= 0)
        return 1;
    double wanted = 1.5 * spread / (BREAKDOWN_BINS / 2);
    double power = pow(10, floor(log10(wanted)));
    double steps[] = {1, 2, 5, 10};
    size_t i = 0;
    while (i < 3 && steps[i] * power < wanted)
        i++;
    return steps[i] * power;
}

static double bin_bound(double step, int i)
{
    return step * (i - (BREAKDOWN_BINS - 1) / 2 + 0.5);
}

static void write_sizes(const struct errors *e, const struct breakdown_names *names,
                        struct buf *out)
{
    double step = bin_step(e, names);

    text_put_name(out, "error_bounds");
    buf_byte(out, '[');
    for (int i = 0; i < BREAKDOWN_BINS - 1; i++) {
        text_next(out);
        text_number(out, bin_bound(step, i));
    }
    buf_byte(out, ']');
    text_put_name(out, "errors");
    buf_byte(out, '{');
    for (size_t k = 0; k < names->n_models; k++) {
        uint64_t count[BREAKDOWN_BINS] = {0};

        for (size_t i = 0; i < errors_kept(e); i++) {
            double error = errors_at(e, i, k);
            double at = error / step + BREAKDOWN_BINS / 2.0;

            if (!isnan(error))
                count[at < 0 ? 0 : at >= BREAKDOWN_BINS ? BREAKDOWN_BINS - 1 : (int)at]++;
        }
        text_put_name(out, names->models[k]);
        buf_byte(out, '[');
        for (int i = 0; i < BREAKDOWN_BINS; i++) {
            text_next(out);
            json_write_int(out, (int64_t)count[i]);
        }
        buf_byte(out, ']');
    }
    buf_byte(out, '}');
}

/* ---- Cohorts ---- */

void cohorts_init(struct cohorts *c, size_t n_models)
{
    *c = (struct cohorts){.n_models = n_models};
    for (size_t i = 0; i < COHORTS_MAX; i++)
        c->cohort[i].mean = mem_zalloc(n_models + 1, sizeof(struct errors_mean));
}

void cohorts_release(struct cohorts *c)
{
    for (size_t i = 0; i < COHORTS_MAX; i++)
        free(c->cohort[i].mean);
}

static void cohort_begin(struct cohorts *c, struct cohort *of, int64_t from_ms)
{
    struct errors_mean *mean = of->mean;

    memset(mean, 0, c->n_models * sizeof(*mean));
    *of = (struct cohort){.from_ms = from_ms, .mean = mean};
}

void cohorts_clear(struct cohorts *c)
{
    for (size_t i = 0; i < COHORTS_MAX; i++)
        cohort_begin(c, &c->cohort[i], 0);
}

static struct cohort *cohort_at(struct cohorts *c, int64_t predicted_ms, int64_t *ret_from)
{
    int64_t minute = predicted_ms / COHORT_MS;

    *ret_from = minute * COHORT_MS;
    return &c->cohort[minute % COHORTS_MAX];
}

void cohorts_predicted(struct cohorts *c, int64_t predicted_ms)
{
    int64_t from_ms;

    if (predicted_ms <= 0)
        return;
    struct cohort *of = cohort_at(c, predicted_ms, &from_ms);
    if (of->from_ms < from_ms)
        cohort_begin(c, of, from_ms);
    if (of->from_ms == from_ms)
        of->predicted++;
}

void cohorts_labelled(struct cohorts *c, int64_t predicted_ms, const double *loss)
{
    int64_t from_ms;

    if (predicted_ms <= 0)
        return;
    struct cohort *of = cohort_at(c, predicted_ms, &from_ms);
    /* Labels of predictions that were not counted are left out: no cohort is more than complete. */
    if (of->from_ms != from_ms || of->labelled >= of->predicted)
        return;
    of->labelled++;
    for (size_t k = 0; k < c->n_models; k++)
        if (!isnan(loss[k]))
            errors_mean_add(&of->mean[k], loss[k]);
}

static void write_cohort(const struct cohort *of, const struct breakdown_names *names,
                         struct buf *out)
{
    text_next(out);
    buf_byte(out, '{');
    text_put_time(out, "from_ms", of->from_ms);
    text_put_count(out, "predicted", of->predicted);
    text_put_count(out, "labelled", of->labelled);
    text_put_number(out, "completeness", (double)of->labelled / (double)of->predicted);
    text_put_name(out, metric_of(names));
    buf_byte(out, '{');
    for (size_t k = 0; k < names->n_models; k++)
        text_put_number(out, names->models[k], errors_mean_value(&of->mean[k]));
    buf_text(out, "}}");
}

static void write_cohorts(const struct cohorts *c, const struct breakdown_names *names,
                          struct buf *out)
{
    int64_t last = names->now_ms / COHORT_MS;

    text_put_name(out, "cohorts");
    buf_byte(out, '[');
    for (int64_t minute = last - COHORTS_MAX + 1; minute <= last; minute++) {
        const struct cohort *of = &c->cohort[minute % COHORTS_MAX];

        if (of->from_ms == minute * COHORT_MS && of->predicted)
            write_cohort(of, names, out);
    }
    buf_byte(out, ']');
}

/* ---- All of it ---- */

void breakdown_write(const struct errors *e, const struct cohorts *c,
                     const struct breakdown_names *names, struct buf *out)
{
    buf_byte(out, '{');
    text_put_count(out, "rows", errors_kept(e));
    if (names->is_classes)
        reliability_write(e, names->models, names->n_models, out);
    else
        write_sizes(e, names, out);
    text_put_name(out, "hour");
    write_hours(e, names, out);
    text_put_name(out, "weekday");
    write_weekdays(e, names, out);
    if (!names->is_classes) {
        text_put_name(out, "label");
        write_deciles(e, names, out);
    }
    text_put_name(out, "features");
    buf_byte(out, '{');
    for (size_t i = 0; i < names->n_slices; i++) {
        text_put_name(out, names->slices[i]);
        write_slice(e, names, i, out);
    }
    buf_byte(out, '}');
    write_cohorts(c, names, out);
    buf_byte(out, '}');
}
