#!/usr/bin/env python3
"""Races the learners against River's on the same rows, taking turns.

    python learners.py path/to/bench_learners [--rows 20000] [--runs 5] [--only NAME]

Run it with a Python that has River. Each row is predicted, then learned. The
runs alternate, so that a busy machine slows both; the figure is the median.
"""

import argparse
import json
import math
import platform
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import river
from river import base, dummy, forest, linear_model, naive_bayes, neighbors, preprocessing, stats, tree

LONG = 700  # seconds: what a classifier is asked about
# passenger_count, is_weekend, l1_distance, avg_speed_by_hour, hour_cos, hour_sin: as bench_learners calls them, because
# forests draw among features in the order of their names.
NAMES = ["f0", "f1", "f2", "f3", "f4", "f5"]


def scaled(model):
    return preprocessing.StandardScaler() | model


def lazy(window):
    return neighbors.LazySearch(window_size=window)


RACES = {
    "mean": (["mean"], lambda: dummy.StatisticRegressor(stats.Mean()), 1.0),
    "standard_scaler + linear_regression": (
        ["standard_scaler", "linear_regression"],
        lambda: scaled(linear_model.LinearRegression()),
        1.0,
    ),
    "standard_scaler + hoeffding_tree_regressor": (
        ["standard_scaler", "hoeffding_tree_regressor"],
        lambda: scaled(tree.HoeffdingTreeRegressor()),
        1.0,
    ),
    "standard_scaler + hoeffding_adaptive_tree_regressor": (
        ["standard_scaler", {"hoeffding_adaptive_tree_regressor": {"seed": 1}}],
        lambda: scaled(tree.HoeffdingAdaptiveTreeRegressor(seed=1)),
        1.0,
    ),
    "standard_scaler + knn_regressor": (
        ["standard_scaler", "knn_regressor"],
        lambda: scaled(neighbors.KNNRegressor(engine=lazy(1000))),
        0.25,
    ),
    "standard_scaler + logistic_regression": (
        ["standard_scaler", "logistic_regression"],
        lambda: scaled(linear_model.LogisticRegression()),
        1.0,
    ),
    "standard_scaler + pa_classifier": (
        ["standard_scaler", "pa_classifier"],
        lambda: scaled(linear_model.PAClassifier()),
        1.0,
    ),
    "gaussian_nb": (["gaussian_nb"], naive_bayes.GaussianNB, 1.0),
    "standard_scaler + knn_classifier": (
        ["standard_scaler", "knn_classifier"],
        lambda: scaled(neighbors.KNNClassifier(engine=lazy(1000))),
        0.25,
    ),
    # As long as neither is at its bound: River's trees have none, ours reach 16 MiB after some 5,000 rows.
    "min_max_scaler + amf_regressor": (
        ["min_max_scaler", {"amf_regressor": {"seed": 1}}],
        lambda: preprocessing.MinMaxScaler() | forest.AMFRegressor(seed=1),
        0.2,
    ),
    "min_max_scaler + amf_classifier": (
        ["min_max_scaler", {"amf_classifier": {"seed": 1}}],
        lambda: preprocessing.MinMaxScaler() | forest.AMFClassifier(seed=1),
        0.2,
    ),
}


def taxi_rows(n, seed=7):
    """A synthetic city: six features as the taxi task has them, and a duration in seconds."""
    rng = random.Random(seed)
    speed = [18 - 9 * math.exp(-((h - 17) ** 2) / 18) - 6 * math.exp(-((h - 8) ** 2) / 8) for h in range(24)]
    for _ in range(n):
        hour = rng.randrange(24)
        weekend = 1.0 if rng.random() < 2 / 7 else 0.0
        distance = min(rng.lognormvariate(-3.6, 0.8), 0.5)
        pace = speed[hour] * (1.25 if weekend else 1.0) * rng.lognormvariate(0, 0.25)
        x = [
            float(rng.choice((1, 1, 1, 1, 2, 2, 3, 4, 5, 6))),
            weekend,
            distance,
            speed[hour] / 111.0 / 3600.0,
            math.cos(2 * math.pi * hour / 24),
            math.sin(2 * math.pi * hour / 24),
        ]
        yield x, 60.0 + distance * 111.0 / pace * 3600.0


def is_classifier(model):
    last = model[list(model.steps)[-1]] if hasattr(model, "steps") else model
    return isinstance(last, base.Classifier)


def run_river_classifier(model, rows):
    samples = [(dict(zip(NAMES, x)), y > LONG) for x, y in rows]
    error = n = 0
    started = time.perf_counter()
    for x, y in samples:
        p = model.predict_proba_one(x)
        if p:
            error += abs(y - p.get(True, 0.0))
            n += 1
        model.learn_one(x, y)
    return (time.perf_counter() - started) / len(samples) * 1e9, error / n


def run_river(make, rows):
    model = make()
    if is_classifier(model):
        return run_river_classifier(model, rows)
    samples = [(dict(zip(NAMES, x)), y) for x, y in rows]
    error = 0.0
    n = 0
    started = time.perf_counter()
    for x, y in samples:
        p = model.predict_one(x)
        if p is not None:
            error += abs(y - p)
            n += 1
        model.learn_one(x, y)
    return (time.perf_counter() - started) / len(samples) * 1e9, error / n


def run_ours(program, pipeline, path, n, *above):
    out = subprocess.run([program, json.dumps(pipeline), path, str(n), *above], check=True, capture_output=True)
    result = json.loads(out.stdout)
    return result["ns"], result["mae"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="only the races whose name has this in it")
    args = parser.parse_args()
    rows = list(taxi_rows(args.rows))

    print(f"River {river.__version__}, Python {platform.python_version()}, {args.rows} rows, "
          f"median of {args.runs}")
    print(f"{'pipeline':52} {'River us':>9} {'ours us':>9} {'ratio':>7}  MAE")
    with tempfile.NamedTemporaryFile() as file:
        file.write(struct.pack("<Q", len(NAMES)))
        for x, y in rows:
            file.write(struct.pack(f"<{len(NAMES) + 1}d", *x, y))
        file.flush()
        for name, (pipeline, make, share) in RACES.items():
            if args.only not in name:
                continue
            n = int(len(rows) * share)
            above = [str(LONG)] if is_classifier(make()) else []  # labels of classifiers
            theirs, ours = [], []
            for _ in range(args.runs):
                theirs.append(run_river(make, rows[:n]))
                ours.append(run_ours(args.program, pipeline, file.name, n, *above))
            a = statistics.median(t for t, _ in theirs)
            b = statistics.median(t for t, _ in ours)
            same = abs(theirs[0][1] - ours[0][1]) <= 1e-9 * abs(theirs[0][1])
            print(f"{name:52} {a / 1e3:9.2f} {b / 1e3:9.3f} {a / b:7.0f}  {ours[0][1]:.6f} "
                  f"{'equal' if same else f'River {theirs[0][1]:.6f}'}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
