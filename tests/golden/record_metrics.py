#!/usr/bin/env python3
"""Records River's metrics over two small streams, for tests/unit/learn/test_metric_set.c.

    python tests/golden/record_metrics.py        (with River 0.26.1)

Writes metrics.json beside itself: per kind the samples [label, prediction] and, after each of the
steps named, every metric of River that ours follows. Predictions are all different: with equal ones
River's RollingROCAUC depends on the order in which they came.
"""

import json
import pathlib
import random

from river import metrics

HERE = pathlib.Path(__file__).parent
STEPS = (1, 2, 3, 10, 100, 1500)

REGRESSION = {"mae": metrics.MAE, "mse": metrics.MSE, "rmse": metrics.RMSE, "rmsle": metrics.RMSLE,
              "smape": metrics.SMAPE, "mape": metrics.MAPE, "r2": metrics.R2}
BINARY = {"accuracy": metrics.Accuracy, "balanced_accuracy": metrics.BalancedAccuracy,
          "precision": metrics.Precision, "recall": metrics.Recall, "f1": metrics.F1,
          "log_loss": metrics.LogLoss, "roc_auc": metrics.ROCAUC,
          "roc_auc_exact": lambda: metrics.RollingROCAUC(window_size=1000),
          "pr_auc": lambda: metrics.RollingPRAUC(window_size=1000),
          "mcc": metrics.MCC, "cohen_kappa": metrics.CohenKappa}


def regression(rng):
    for i in range(STEPS[-1]):
        y = 0.0 if i % 50 == 7 else round(rng.lognormvariate(2, 1), 3)
        yield y, 0.0 if i % 100 == 7 else round(max(-0.9, y + rng.gauss(0, 3)), 3)


def binary(rng):
    p_before = set()
    for _ in range(STEPS[-1]):
        y = rng.random() < 0.2
        p = min(1.0, max(0.0, rng.betavariate(3, 2) if y else rng.betavariate(1.2, 4)))
        assert p not in p_before
        p_before.add(p)
        yield y, p


def record(known, samples):
    running = {name: make() for name, make in known.items()}
    steps = {}
    for n, (y, p) in enumerate(samples, 1):
        for metric in running.values():
            if isinstance(y, bool) and metric.requires_labels:
                metric.update(y, p > 0.5)
            else:
                metric.update(y, p)
        if n in STEPS:
            steps[n] = {name: metric.get() for name, metric in running.items()}
    return {"samples": [[float(y), p] for y, p in samples], "steps": steps}


def main():
    rng = random.Random(11)
    out = {"regression": record(REGRESSION, list(regression(rng))),
           "binary": record(BINARY, list(binary(rng)))}
    (HERE / "metrics.json").write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
