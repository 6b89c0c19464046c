#!/usr/bin/env python3
"""Records River's metrics over two small streams, for tests/unit/learn/test_metric_set.c.

    python tests/golden/record_metrics.py        (with River 0.26.1)

Writes metrics.json beside itself: per stream its kind, the samples [label, prediction] and, after each of the
steps named, every metric of River that ours follows; null where River raises an error. Where predictions are
equal, River's RollingROCAUC depends on the order in which they came, and is null.
"""

import json
import math
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


def hostile_regression(rng):
    """What is constant, equal, zero, huge, tiny, or of any sign."""
    some = [round(rng.gauss(0, 1), 3) for _ in range(60)]
    yield "constant labels", [(5.0, 5.0 + v) for v in some]
    yield "constant predictions", [(v, 0.25) for v in some]
    yield "constant both", [(5.0, 4.0)] * 60
    yield "right", [(v, v) for v in some]
    yield "zeros", [(0.0, 0.0)] * 30 + [(0.0, 1.0), (1.0, 0.0)] * 15
    yield "huge", [(v * 1e150, v * -1e150) for v in some]
    yield "largest", [(1e308, -1e307), (-1e308, 1e307)] * 10
    yield "tiny", [(v * 1e-310, v * 3e-310) for v in some]
    yield "far off", [(1e9 + v, 1e9 - v) for v in some]
    yield "above -1", [(-1 + abs(v) + 1e-9, -1 + abs(v) / 2 + 1e-9) for v in some]
    yield "two", [(1.0, 2.0), (1.0, 3.0)]


def hostile_binary(rng):
    """One label only, certain, undecided, and on the thresholds."""
    labels = [rng.random() < 0.5 for _ in range(60)]
    some = [rng.random() for _ in range(60)]
    yield "positives only", [(True, p) for p in some]
    yield "negatives only", [(False, p) for p in some]
    yield "always no", [(y, 0.0) for y in labels]
    yield "always yes", [(y, 1.0) for y in labels]
    yield "undecided", [(y, 0.5) for y in labels]
    yield "right", [(y, float(y)) for y in labels]
    yield "wrong", [(y, float(not y)) for y in labels]
    yield "nearly wrong", [(y, 1e-16 if y else 1 - 1e-16) for y in labels]
    yield "thresholds", [(y, k % 10 / 9) for k, y in enumerate(labels)]
    yield "beside the thresholds", [(y, min(1, max(0, k % 10 / 9 + rng.choice((-1, 1)) * 1e-8)))
                                    for k, y in enumerate(labels)]
    yield "alternating", [(k % 2 == 0, p) for k, p in enumerate(some)]
    yield "one positive", [(k == 0, p) for k, p in enumerate(some)]
    yield "last positive", [(k == 59, p) for k, p in enumerate(some)]


def updated(metric, y, p):
    """False once River has raised an error."""
    try:
        metric.update(y, p > 0.5 if isinstance(y, bool) and metric.requires_labels else p)
        return True
    except (ValueError, OverflowError, ZeroDivisionError):
        return False


def value(metric):
    try:
        found = metric.get()
    except (ValueError, OverflowError, ZeroDivisionError):
        return None
    return found if math.isfinite(found) else None


def record(kind, known, samples):
    running = {name: make() for name, make in known.items()}
    if len({p for _, p in samples}) < len(samples) and "roc_auc_exact" in running:
        del running["roc_auc_exact"]
    failed = set(known) - set(running)
    steps = {}
    for n, (y, p) in enumerate(samples, 1):
        failed |= {name for name, metric in running.items() if not updated(metric, y, p)}
        if n in STEPS or n == len(samples):
            steps[n] = {name: None if name in failed else value(running[name]) for name in known}
    return {"kind": kind, "samples": [[float(y), p] for y, p in samples], "steps": steps}


def main():
    rng = random.Random(11)
    out = {"regression": record("regression", REGRESSION, list(regression(rng))),
           "binary": record("binary", BINARY, list(binary(rng)))}
    for name, samples in hostile_regression(rng):
        out["regression: " + name] = record("regression", REGRESSION, samples)
    for name, samples in hostile_binary(rng):
        out["binary: " + name] = record("binary", BINARY, samples)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(stream)}" for name, stream in out.items())
    (HERE / "metrics.json").write_text("{" + lines + "}\n")


if __name__ == "__main__":
    main()
