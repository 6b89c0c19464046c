/* Running scores of a regressor: see metrics.h. */
#include "learn/metrics.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

void metrics_update(struct metrics *m, double y_true, double y_pred)
{
    double error = y_true - y_pred;
    double squared = error * error;
    double y_before = m->y_mean;

    m->n += 1;
    m->mae += 1 / m->n * (fabs(error) - m->mae);
    m->mse += 1 / m->n * (squared - m->mse);
    m->y_mean += 1 / m->n * (y_true - m->y_mean);
    m->y_s += (y_true - y_before) * (y_true - m->y_mean);
    m->rss += squared;
}

double metrics_mae(const struct metrics *m)
{
    return m->mae;
}

double metrics_rmse(const struct metrics *m)
{
    return sqrt(m->mse);
}

double metrics_r2(const struct metrics *m)
{
    double total;

    if (m->n <= 1)
        return 0;
    /* River divides by n - 1 for the variance and multiplies again: so do we. */
    total = (m->n - 1) * (m->y_s / (m->n - 1));
    return total != 0 ? 1 - m->rss / total : 0;
}

void metrics_window_init(struct metrics_window *w, size_t size)
{
    w->errors = mem_zalloc(size, sizeof(*w->errors));
    w->size = size;
    w->count = 0;
    w->next = 0;
}

void metrics_window_release(struct metrics_window *w)
{
    free(w->errors);
    w->errors = NULL;
    w->count = 0;
}

void metrics_window_push(struct metrics_window *w, double error)
{
    w->errors[w->next] = error;
    w->next = (w->next + 1) % w->size;
    if (w->count < w->size)
        w->count++;
}

void metrics_window_update(struct metrics_window *w, double y_true, double y_pred)
{
    metrics_window_push(w, fabs(y_true - y_pred));
}

double metrics_window_error(const struct metrics_window *w, size_t i)
{
    return w->errors[(w->next + w->size - w->count + i) % w->size];
}

double metrics_window_mae(const struct metrics_window *w)
{
    double sum = 0;

    for (size_t i = 0; i < w->count; i++)
        sum += metrics_window_error(w, i);
    return w->count ? sum / (double)w->count : 0;
}
