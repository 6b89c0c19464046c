/*
 * The newest labelled rows with what each model said of them, as it was served:
 * the windowed scores, and the rows that breakdown.h sorts into bars.
 *
 * Of a number it is the error, prediction minus label, and a row's loss is its
 * size. Of two classes, whose labels are 1 (positive) and 0, it is P(positive),
 * and the loss is River's log loss. NaN where the row has no prediction of that
 * model: it counts for nothing. n is the number of rows in the window, W its size,
 * M the models. Memory: (M + few) doubles a row.
 */
#ifndef OXBOW_MONITOR_ERRORS_H
#define OXBOW_MONITOR_ERRORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define ERRORS_KEPT_MIN   10000   /* rows kept for the bars, however small the window */
#define ERRORS_CELLS_MAX  4000000 /* values kept in all: above it the window is cut */
#define ERRORS_SLICES_MAX 8       /* boolean and categorical features that are kept beside them */
#define ERRORS_RANKED_MAX 10000   /* newest rows of the window that PR-AUC ranks */

struct errors_row {
    int64_t predicted_ms; /* wall; TIME_UNKNOWN */
    int64_t event_ms;     /* when the request was made; TIME_UNKNOWN */
    double label;
    double slice[ERRORS_SLICES_MAX]; /* values of those features; NaN: missing */
};

struct errors;

/* `window` rows for the scores. */
struct errors *errors_new(size_t n_models, size_t window);
/* The same of two classes; an answer above `threshold` is an alert. */
struct errors *errors_new_classes(size_t n_models, size_t window, double threshold);
void errors_free(struct errors *e); /* NULL is fine */
void errors_clear(struct errors *e);

/* `said` has n_models values; both are copied. */
void errors_add(struct errors *e, const struct errors_row *row, const double *said);

/* Whether a model's interval held the row's label. */
enum errors_cover { ERRORS_NO_INTERVAL, ERRORS_OUTSIDE, ERRORS_INSIDE };

/* Of the row that was added last, once: n_models of them, copied. Without it there was none. */
void errors_cover(struct errors *e, const enum errors_cover *cover);

size_t errors_window_size(const struct errors *e); /* W, cut where it was too large */

/* Over the window. */
struct errors_score {
    size_t n;
    double loss; /* the mean: MAE, or log loss. NaN without rows, like all below */
    double low;  /* 95 % interval of that mean, by its standard error: rows are taken as */
    double high; /* independent, so that it is rather too narrow than too wide */

    /* of numbers */
    double rmse;
    double bias; /* mean error */

    double coverage; /* of the rows with an interval, how many held the label; NaN: none has one */

    /* of classes; those at the threshold are NaN where they would divide by zero */
    size_t alerts;
    double base_rate; /* the share of positive labels */
    double accuracy, precision, recall, f1;
};
void errors_score(const struct errors *e, size_t model, struct errors_score *ret);

/* The area under precision over recall (metrics_binary.h), over the window's newest
 * ERRORS_RANKED_MAX rows at most; NaN while one of the two labels is missing. O(n log n). */
double errors_pr_auc(const struct errors *e, size_t model);

/* All rows that are kept, oldest first. */
size_t errors_kept(const struct errors *e);
const struct errors_row *errors_row(const struct errors *e, size_t i);
double errors_at(const struct errors *e, size_t i, size_t model); /* what was said */
double errors_loss_at(const struct errors *e, size_t i, size_t model);
/* The loss of what is said of a label, as a row of it would have. */
double errors_loss(const struct errors *e, double label, double said);
bool errors_is_alert(const struct errors *e, double said);

/* For keeping the newest rows over a restart, at most `max`. False when `data` is not what was
 * saved of as many models; nothing is added then. */
void errors_save(const struct errors *e, size_t max, struct buf *out);
bool errors_load(struct errors *e, const void *data, size_t len);

/*
 * Mean loss and its 95 % interval over any set of rows: zero-initialise, add, ask.
 * Sums are kept about the first value, so that they stay exact for losses that are alike.
 */
struct errors_mean {
    size_t n;
    double first, sum, squares;
};
void errors_mean_add(struct errors_mean *m, double loss);
double errors_mean_value(const struct errors_mean *m); /* NaN without rows */
double errors_mean_half(const struct errors_mean *m);  /* half the interval; NaN below two */

#endif
