/* What the learner tells about each model: docs/metrics.md has the list. */
#include <math.h>

#include "base/clock.h"
#include "learner/learning_internal.h"

/* The gauges of one model; their order is that of `gauge` in struct learning_model. */
static const struct {
    const char *name;
    const char *help;
} gauges[LEARNING_N_GAUGES] = {
    [LEARNING_POSITION] = {"ml_model_position",
                           "Number of the last row of learning-queue that it has learned."},
    [LEARNING_PUBLISHED] = {"ml_model_published_position",
                            "The same of its newest version in the store."},
    [LEARNING_BYTES] = {"ml_model_bytes", "Size of its newest version in the store."},
    [LEARNING_MAE] = {"ml_model_mae", "Mean absolute error over all rows, each predicted just "
                                      "before it was learned, in the label's unit."},
    [LEARNING_MAE_WINDOW] = {"ml_model_mae_window", "The same over the newest score_window rows."},
    [LEARNING_MAE_SERVED] = {"ml_model_mae_served",
                             "Mean absolute error of the predictions that went out."},
    [LEARNING_LOG_LOSS] = {"ml_model_log_loss",
                           "Log loss over all rows, each predicted just before it was learned."},
    [LEARNING_LOG_LOSS_WINDOW] = {"ml_model_log_loss_window",
                                  "The same over the newest score_window rows."},
    [LEARNING_LOG_LOSS_SERVED] = {"ml_model_log_loss_served",
                                  "Log loss of the predictions that went out."},
    [LEARNING_COVERAGE] = {"ml_interval_coverage",
                           "Part of the labels that lay within the interval that went out, of all "
                           "that had one."},
    [LEARNING_COVERAGE_WINDOW] = {"ml_interval_coverage_window",
                                  "The same of the newest score_window of them."},
    [LEARNING_WIDTH] = {"ml_interval_width",
                        "Mean width of the intervals that went out, in the label's unit."},
};

/* Whether model `i` has gauge `k`. */
static bool has_gauge(const struct task *task, size_t i, size_t k)
{
    if (k >= LEARNING_COVERAGE)
        return task->models[i].has_intervals;
    return task->is_binary || k < LEARNING_LOG_LOSS;
}

void learning_metrics_init(struct learning *l)
{
    struct telemetry *tm = l->o.tm;

    l->lag_time = telemetry_hist(tm, "oxbow_learning_lag_seconds",
                                 "Time from the outcome's arrival on the bus until its row is "
                                 "learned by all models.");
    for (size_t i = 0; i < l->task->n_models; i++) {
        struct learning_model *m = &l->models[i];
        const struct telemetry_label label[] = {{"model", l->task->models[i].name}};

        m->c_learned = telemetry_counter_of(tm, "ml_model_learned_total",
                                            "Rows that it has learned.", label, 1);
        m->c_alarms = telemetry_counter_of(tm, "ml_drift_alarms_total",
                                           "Alarms that its drift detector has raised.", label, 1);
        for (size_t k = 0; k < LEARNING_N_GAUGES; k++) {
            if (!has_gauge(l->task, i, k))
                continue;
            m->gauge[k] = telemetry_gauge_of(tm, gauges[k].name, gauges[k].help, label, 1);
            *m->gauge[k] = (double)NAN;
        }
    }
}

static double known(double value, double n)
{
    return n > 0 ? value : (double)NAN;
}

static void observe_scores(const struct scores *s, double *const *gauge)
{
    *gauge[LEARNING_MAE] = known(metrics_mae(&s->all), s->all.n);
    *gauge[LEARNING_MAE_WINDOW] = known(metrics_window_mae(&s->window), (double)s->window.count);
    *gauge[LEARNING_MAE_SERVED] = known(metrics_mae(&s->served), s->served.n);
    if (gauge[LEARNING_COVERAGE]) {
        *gauge[LEARNING_COVERAGE] = scores_coverage(s);
        *gauge[LEARNING_COVERAGE_WINDOW] = scores_coverage_window(s);
        *gauge[LEARNING_WIDTH] = known(s->intervals.width, s->intervals.n);
    }
    if (!s->is_binary)
        return;
    *gauge[LEARNING_LOG_LOSS] = known(s->labels.log_loss, s->labels.n);
    *gauge[LEARNING_LOG_LOSS_WINDOW] =
        known(metrics_window_mae(&s->log_losses), (double)s->log_losses.count);
    *gauge[LEARNING_LOG_LOSS_SERVED] = known(s->labels_served.log_loss, s->labels_served.n);
}

void learning_observe(void *ctx)
{
    struct learning *l = ctx;

    for (size_t i = 0; i < l->task->n_models; i++) {
        struct learning_model *m = &l->models[i];

        if (!m->fold)
            continue;
        *m->c_learned = fold_learned(m->fold);
        *m->c_alarms = fold_drift(m->fold)->alarms;
        *m->gauge[LEARNING_POSITION] = (double)fold_position(m->fold);
        observe_scores(fold_scores(m->fold), m->gauge);
        if (m->n_recent) {
            const struct store_version *v = &m->recent[(m->n_recent - 1) % LEARNING_RECENT].version;
            *m->gauge[LEARNING_PUBLISHED] = (double)v->position;
            *m->gauge[LEARNING_BYTES] = (double)v->blob_len;
        }
    }
}

/* Only of rows that no model had seen before: one that is learned again, after a restart or by a
 * new model, says nothing of how far behind we are. */
void learning_metrics_lag(struct learning *l, uint64_t seen)
{
    const struct learning_batch *b = &l->batch;
    int64_t now_ms = clock_wall_ms();

    for (size_t k = 0; k < b->n; k++)
        if (b->seq[k] > seen && b->readable[k] && b->at_ms[k] > 0)
            hist_add(l->lag_time, (now_ms - b->at_ms[k]) * 1000000);
}
