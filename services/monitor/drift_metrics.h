/*
 * Feature drift and skew as metrics: gauges ml_feature_psi, ml_feature_ks and
 * ml_feature_drifting by feature, counters ml_skew_compared_total and
 * ml_skew_differing_total.
 */
#ifndef OXBOW_MONITOR_DRIFT_METRICS_H
#define OXBOW_MONITOR_DRIFT_METRICS_H

#include "monitor/monitor.h"
#include "task/task.h"
#include "telemetry/telemetry.h"

#define DRIFT_METRICS_FEATURES 100 /* the first ones of the task file: series are bounded */

struct drift_metrics;

/* Registers them in `tm`, which outlives it. */
struct drift_metrics *drift_metrics_new(struct telemetry *tm, const struct task *task);
void drift_metrics_free(struct drift_metrics *dm); /* NULL is fine */

void drift_metrics_update(struct drift_metrics *dm, struct monitor *m);

#endif
