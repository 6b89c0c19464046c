/*
 * Running scores of a regressor, by River's formulas and in its order of
 * operations: metrics.MAE, RMSE and R2, and a windowed MAE.
 *
 * Plain structs whose fields are their whole state: a checkpoint stores the
 * fields and restores them. All zero is the empty score.
 */
#ifndef OXBOW_LEARN_METRICS_H
#define OXBOW_LEARN_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* Over everything ever seen. */
struct metrics {
    double n;      /* samples */
    double mae;    /* mean absolute error; 0 when n is 0 */
    double mse;    /* mean squared error */
    double y_mean; /* mean label */
    double y_s;    /* sum of squared differences of the labels from their mean */
    double rss;    /* sum of squared errors */
};

void metrics_update(struct metrics *m, double y_true, double y_pred);
double metrics_mae(const struct metrics *m);  /* 0 before the first sample */
double metrics_rmse(const struct metrics *m); /* 0 before the first sample */
double metrics_r2(const struct metrics *m); /* 0 below two samples, or when all labels are equal */

/* Over the last samples. The errors themselves are the state: sums would drift. */
struct metrics_window {
    double *errors; /* a ring of absolute errors */
    size_t size;    /* of the ring */
    size_t count;   /* errors in it */
    size_t next;    /* where the next one goes */
};

void metrics_window_init(struct metrics_window *w, size_t size); /* size > 0 */
void metrics_window_release(struct metrics_window *w);

void metrics_window_update(struct metrics_window *w, double y_true, double y_pred);
double metrics_window_mae(const struct metrics_window *w); /* 0 when empty; O(size) */

/*
 * To save: for i below w->count, metrics_window_error(w, i), oldest first. To
 * restore: _init, then metrics_window_push each in that order.
 */
double metrics_window_error(const struct metrics_window *w, size_t i);
void metrics_window_push(struct metrics_window *w, double error);

#endif
