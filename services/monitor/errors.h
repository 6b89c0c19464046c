/*
 * The newest labelled rows with each model's error, as its prediction was
 * served: the windowed scores, and the rows that breakdown.h sorts into bars.
 *
 * An error is prediction minus label; NaN where the row has no prediction of
 * that model. n is the number of rows in the window, W its size, M the models.
 * Memory: (M + few) doubles a row.
 */
#ifndef OXBOW_MONITOR_ERRORS_H
#define OXBOW_MONITOR_ERRORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define ERRORS_KEPT_MIN   10000   /* rows kept for the bars, however small the window */
#define ERRORS_CELLS_MAX  4000000 /* errors kept in all: above it the window is cut */
#define ERRORS_SLICES_MAX 8       /* boolean and categorical features that are kept beside them */

struct errors_row {
    int64_t predicted_ms; /* wall; TIME_UNKNOWN */
    int64_t event_ms;     /* when the request was made; TIME_UNKNOWN */
    double label;
    double slice[ERRORS_SLICES_MAX]; /* values of those features; NaN: missing */
};

struct errors;

/* `window` rows for the scores. */
struct errors *errors_new(size_t n_models, size_t window);
void errors_free(struct errors *e); /* NULL is fine */
void errors_clear(struct errors *e);

/* `error` has n_models values; both are copied. */
void errors_add(struct errors *e, const struct errors_row *row, const double *error);

size_t errors_window_size(const struct errors *e); /* W, cut where it was too large */

/* Over the window. */
struct errors_score {
    size_t n;
    double mae; /* NaN without rows, like all below */
    double
        low; /* 95 % interval of the mean absolute error, by its standard error: rows are taken */
    double high; /* as independent, so that it is rather too narrow than too wide */
    double rmse;
    double bias; /* mean error */
};
void errors_score(const struct errors *e, size_t model, struct errors_score *ret);

/* All rows that are kept, oldest first. */
size_t errors_kept(const struct errors *e);
const struct errors_row *errors_row(const struct errors *e, size_t i);
double errors_at(const struct errors *e, size_t i, size_t model);

/* For keeping the newest rows over a restart, at most `max`. False when `data` is not what was
 * saved of as many models; nothing is added then. */
void errors_save(const struct errors *e, size_t max, struct buf *out);
bool errors_load(struct errors *e, const void *data, size_t len);

/*
 * Mean absolute error and its 95 % interval over any set of rows: zero-initialise, add, ask.
 * Sums are kept about the first value, so that they stay exact for errors that are alike.
 */
struct errors_mean {
    size_t n;
    double first, sum, squares;
};
void errors_mean_add(struct errors_mean *m, double absolute);
double errors_mean_value(const struct errors_mean *m); /* NaN without rows */
double errors_mean_half(const struct errors_mean *m);  /* half the interval; NaN below two */

#endif
