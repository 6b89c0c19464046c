/* What inference counts about each model: docs/metrics.md has the list. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "inference/inference_internal.h"

#define NS_A_SECOND 1e9

void inference_metrics_init(struct inference *inf)
{
    const struct task *task = inf->task;
    struct telemetry *tm = inf->o.tm;
    size_t n = telemetry_bounds_for(task->n_models);
    double latency[VALUE_HIST_BOUNDS];
    double score[VALUE_HIST_BOUNDS];

    telemetry_latency_bounds(n, latency);
    value_hist_bounds(task->label_min, task->label_max, n, score);
    inf->lag_ns = mem_zalloc(INFERENCE_BATCH, sizeof(*inf->lag_ns));
    for (size_t i = 0; i < task->n_models; i++) {
        struct inference_model *m = &inf->models[i];
        const struct telemetry_label label[] = {{"model", m->name}};

        m->c_predictions =
            telemetry_counter_of(tm, "ml_predictions_total", "Answers of a model.", label, 1);
        m->h_latency = telemetry_values_of(
            tm, "ml_prediction_latency_seconds",
            "Time from the request's arrival on the bus to this model's answer.", label, 1, latency,
            n);
        m->h_score = telemetry_values_of(
            tm, "ml_prediction_score",
            "What was answered, clipped as it went out, in the label's unit.", label, 1, score, n);
        m->g_version = telemetry_gauge_of(
            tm, "ml_model_version_seq",
            "Number of the last row of learning-queue that the version that answers has learned.",
            label, 1);
        m->g_age =
            telemetry_gauge_of(tm, "ml_model_age_seconds",
                               "Time since the version that answers was published.", label, 1);
        *m->g_version = (double)NAN;
        *m->g_age = (double)NAN;
    }
}

/* How long each row had waited when its batch was answered; NaN where that is not known. */
static void measure_lags(struct inference *inf)
{
    for (size_t j = 0; j < inf->n_good; j++) {
        const struct json_value *at = &inf->good[j].requested_at;
        int64_t requested_ms;

        inf->lag_ns[j] = (double)NAN;
        if (!at->text || at->len <= 2 || clock_parse(at->text + 1, at->len - 2, &requested_ms) != 0)
            continue;
        int64_t lag_ns = (inf->predicted_ms - requested_ms) * 1000000;
        hist_add(inf->h_lag, lag_ns);
        inf->lag_ns[j] = lag_ns > 0 ? (double)lag_ns : 0;
    }
}

void inference_metrics_count(struct inference *inf)
{
    measure_lags(inf);
    hist_add_many(inf->h_durable, clock_mono_ns() - inf->predicted_ns, inf->n_good);
    for (size_t i = 0; i < inf->task->n_models; i++) {
        struct inference_model *m = &inf->models[i];
        /* The models answer one after the other: it was done before the batch was. */
        double sooner_ns = (double)(inf->predicted_ns - m->answered_ns);
        const double *out = &inf->out[i * INFERENCE_BATCH];

        *m->c_predictions += inf->n_good;
        for (size_t j = 0; j < inf->n_good; j++) {
            double lag_ns = inf->lag_ns[j] - sooner_ns;
            value_hist_add(m->h_latency, lag_ns < 0 ? 0 : lag_ns / NS_A_SECOND);
            value_hist_add(m->h_score, task_clip(inf->task, out[j]));
        }
    }
}

/* The number at the end of "<generation>-<seq>". */
static double version_seq(const char *version)
{
    const char *dash = strrchr(version, '-');
    int64_t seq;

    if (!dash || num_parse_int(dash + 1, strlen(dash + 1), &seq) != 0)
        return (double)NAN;
    return (double)seq;
}

void inference_observe(void *ctx)
{
    struct inference *inf = ctx;
    int64_t now_ms = clock_wall_ms();

    for (size_t i = 0; i < inf->task->n_models; i++) {
        struct inference_model *m = &inf->models[i];

        if (!m->model)
            continue;
        *m->g_version = version_seq(buf_str(&m->version));
        *m->g_age = (double)(now_ms - m->time_ms) / 1000;
    }
}
