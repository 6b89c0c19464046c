/* Feature drift and skew as metrics: see drift_metrics.h. */
#include "monitor/drift_metrics.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "monitor/drift.h"

struct feature_gauges {
    double *psi;
    double *ks;
    double *drifting;
};

struct drift_metrics {
    size_t n;                      /* features that have gauges */
    struct feature_gauges *gauges; /* n */
    struct watch_figures *figures; /* of all features */
    uint64_t *compared;
    uint64_t *differing;
};

struct drift_metrics *drift_metrics_new(struct telemetry *tm, const struct task *task)
{
    struct drift_metrics *dm = mem_zalloc(1, sizeof(*dm));
    size_t n = schema_size(task->features);

    dm->n = n < DRIFT_METRICS_FEATURES ? n : DRIFT_METRICS_FEATURES;
    dm->gauges = mem_zalloc(dm->n, sizeof(*dm->gauges));
    dm->figures = mem_zalloc(n, sizeof(*dm->figures));
    for (size_t i = 0; i < dm->n; i++) {
        const struct telemetry_label of[] = {{"feature", schema_name(task->features, i)}};
        struct feature_gauges *g = &dm->gauges[i];

        g->psi = telemetry_gauge_of(
            tm, "ml_feature_psi",
            "Population stability index of the newest window against the reference.", of, 1);
        g->ks = telemetry_gauge_of(
            tm, "ml_feature_ks",
            "Kolmogorov-Smirnov distance of the newest window from the reference.", of, 1);
        g->drifting = telemetry_gauge_of(
            tm, "ml_feature_drifting", "1 while the feature has an alarm of drift, else 0.", of, 1);
        *g->psi = (double)NAN;
        *g->ks = (double)NAN;
    }
    dm->compared = telemetry_counter(
        tm, "ml_skew_compared_total",
        "Feature values that were served, compared with what was learned of the same key.");
    dm->differing = telemetry_counter(tm, "ml_skew_differing_total",
                                      "Of those, values that were not the same.");
    return dm;
}

void drift_metrics_free(struct drift_metrics *dm)
{
    if (!dm)
        return;
    free(dm->gauges);
    free(dm->figures);
    free(dm);
}

void drift_metrics_update(struct drift_metrics *dm, struct monitor *m)
{
    monitor_drift_figures(m, dm->figures, dm->compared, dm->differing);
    for (size_t i = 0; i < dm->n; i++) {
        *dm->gauges[i].psi = dm->figures[i].psi;
        *dm->gauges[i].ks = dm->figures[i].ks;
        *dm->gauges[i].drifting = dm->figures[i].drifting;
    }
}
