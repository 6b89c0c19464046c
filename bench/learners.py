#!/usr/bin/env python3
"""Races the learners against River's on the same rows, taking turns.

    python learners.py path/to/bench_learners [--rows 20000] [--runs 5] [--only NAME] [--markdown]

Run it with a Python that has River. Each row is predicted, then learned. The
runs alternate; the figure is the median of the CPU times, which on a busy
machine say more than the clock. The program `oxbow` beside bench_learners says
which learners there are: one without a race is named.
"""

import argparse
import json
import math
import pathlib
import platform
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import typing

import river
from river import base, dummy, ensemble, forest, linear_model, naive_bayes, neighbors, preprocessing, stats, tree

LONG = 700  # seconds: what a classifier is asked about
# passenger_count, is_weekend, l1_distance, avg_speed_by_hour, hour_cos, hour_sin: as bench_learners calls them, because
# forests draw among features in the order of their names.
NAMES = ["f0", "f1", "f2", "f3", "f4", "f5"]
NO_RACE = dict.fromkeys(("adaptive_conformal", "calibrated_classifier"), "River has no such class")


class Race(typing.NamedTuple):
    """A learner behind a scaler, ours and River's."""
    make: typing.Callable  # River's learner
    parameters: dict = {}  # ours, beside the defaults
    floor: int = 0  # the ratio that is asked for; 0: none, it is reported
    share: float = 1.0  # of the rows: less where River would take minutes
    scaler: str | None = "standard_scaler"


SCALERS = {"standard_scaler": preprocessing.StandardScaler, "min_max_scaler": preprocessing.MinMaxScaler}
SEED = {"seed": 1}
FEW = 0.2  # also: Mondrian trees have no bound in River, and ours reach 16 MiB after some 5,000 rows


def lazy():
    return neighbors.LazySearch(window_size=1000)


# One line a learner.
RACES = {
    "linear_regression": Race(linear_model.LinearRegression, floor=150),
    "logistic_regression": Race(linear_model.LogisticRegression, floor=150),
    "hoeffding_tree_regressor": Race(tree.HoeffdingTreeRegressor, floor=60),
    "hoeffding_tree_classifier": Race(tree.HoeffdingTreeClassifier, floor=60),
    "hoeffding_adaptive_tree_regressor": Race(lambda: tree.HoeffdingAdaptiveTreeRegressor(seed=1), SEED, floor=40),
    "hoeffding_adaptive_tree_classifier": Race(lambda: tree.HoeffdingAdaptiveTreeClassifier(seed=1), SEED, floor=40),
    "knn_regressor": Race(lambda: neighbors.KNNRegressor(engine=lazy()), floor=200, share=0.25),
    "knn_classifier": Race(lambda: neighbors.KNNClassifier(engine=lazy()), floor=200, share=0.25),
    "arf_regressor": Race(lambda: forest.ARFRegressor(seed=1), SEED, floor=30, share=FEW),
    "arf_classifier": Race(lambda: forest.ARFClassifier(seed=1), SEED, floor=30, share=FEW),
    "mean": Race(lambda: dummy.StatisticRegressor(stats.Mean()), scaler=None),
    "statistic_regressor": Race(lambda: dummy.StatisticRegressor(stats.Mean()), scaler=None),
    "prior": Race(dummy.PriorClassifier, scaler=None),
    "no_change_classifier": Race(dummy.NoChangeClassifier, scaler=None),
    "pa_regressor": Race(linear_model.PARegressor),
    "pa_classifier": Race(linear_model.PAClassifier),
    "softmax_regression": Race(linear_model.SoftmaxRegression),
    "target_standard_scaler": Race(lambda: preprocessing.TargetStandardScaler(linear_model.LinearRegression())),
    "gaussian_nb": Race(naive_bayes.GaussianNB, scaler=None),
    "amf_regressor": Race(lambda: forest.AMFRegressor(seed=1), SEED, share=FEW, scaler="min_max_scaler"),
    "amf_classifier": Race(lambda: forest.AMFClassifier(seed=1), SEED, share=FEW, scaler="min_max_scaler"),
    "bagging_regressor": Race(lambda: ensemble.BaggingRegressor(linear_model.LinearRegression(), seed=1), SEED, share=FEW),
    "bagging_classifier": Race(lambda: ensemble.BaggingClassifier(linear_model.LogisticRegression(), seed=1), SEED,
                               share=FEW),
    "adwin_bagging_classifier": Race(
        lambda: ensemble.ADWINBaggingClassifier(linear_model.LogisticRegression(), seed=1), SEED, share=FEW),
    "leveraging_bagging_classifier": Race(
        lambda: ensemble.LeveragingBaggingClassifier(linear_model.LogisticRegression(), seed=1), SEED, share=FEW),
    "srp_regressor": Race(lambda: ensemble.SRPRegressor(seed=1), SEED, share=FEW),
    "srp_classifier": Race(lambda: ensemble.SRPClassifier(seed=1), SEED, share=FEW),
}


def ours(name, race):
    learner = {name: race.parameters} if race.parameters else name
    return [race.scaler, learner] if race.scaler else [learner]


def rivers(race):
    return SCALERS[race.scaler]() | race.make() if race.scaler else race.make()


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
    started = time.process_time()
    for x, y in samples:
        p = model.predict_proba_one(x)
        if p:
            error += abs(y - p.get(True, 0.0))
            n += 1
        model.learn_one(x, y)
    return (time.process_time() - started) / len(samples) * 1e9, error / n


def run_river(race, rows):
    model = rivers(race)
    if is_classifier(model):
        return run_river_classifier(model, rows)
    samples = [(dict(zip(NAMES, x)), y) for x, y in rows]
    error = n = 0
    started = time.process_time()
    for x, y in samples:
        p = model.predict_one(x)
        if p is not None:  # as some answer before the first label
            error += abs(y - p)
            n += 1
        model.learn_one(x, y)
    return (time.process_time() - started) / len(samples) * 1e9, error / n


def run_ours(program, pipeline, path, n, *above):
    out = subprocess.run([program, json.dumps(pipeline), path, str(n), *above], check=True, capture_output=True)
    result = json.loads(out.stdout)
    return result["ns"], result["mae"]


def classes(program):
    """{learner: whether it is a classifier} of the registry."""
    listing = subprocess.run([pathlib.Path(program).with_name("oxbow"), "learners", "--json"], check=True,
                             capture_output=True)
    return {c["name"]: c["kind"] == "classifier" for c in json.loads(listing.stdout)
            if c["kind"] in ("regressor", "classifier")}


def race_one(args, name, is_classifier_, rows, path):
    race = RACES[name]
    rows = rows[:int(len(rows) * race.share)]
    above = [str(LONG)] if is_classifier_ else []  # labels of classifiers
    theirs, mine = [], []
    for _ in range(args.runs):
        theirs.append(run_river(race, rows))
        mine.append(run_ours(args.program, ours(name, race), path, len(rows), *above))
    a = statistics.median(t for t, _ in theirs)
    b = statistics.median(t for t, _ in mine)
    same = abs(theirs[0][1] - mine[0][1]) <= 1e-9 * max(1, abs(theirs[0][1]))
    floor = f"{race.floor} {'met' if a / b >= race.floor else 'MISSED'}" if race.floor else "-"
    if args.markdown:
        pipeline = ", ".join(filter(None, (race.scaler, name)))
        print(f"| {pipeline} | {a / 1e3:.2f} | {b / 1e3:.3f} | {a / b:.0f} | {race.floor or '-'} | "
              f"{'equal' if same else 'not equal'} |", flush=True)
        return
    print(f"{name:36} {len(rows):6} {a / 1e3:9.2f} {b / 1e3:9.3f} {a / b:7.0f} {floor:>11}  {mine[0][1]:.6f} "
          f"{'equal' if same else f'River {theirs[0][1]:.6f}'}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("program")
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="only the learners whose name has this in it")
    parser.add_argument("--markdown", action="store_true", help="as the table of docs/benchmarks.md")
    args = parser.parse_args()
    rows = list(taxi_rows(args.rows))
    known = classes(args.program)

    print(f"River {river.__version__}, Python {platform.python_version()}, CPU time, median of {args.runs}")
    if args.markdown:
        print("| pipeline | River | oxbow | ratio | floor | MAE |\n| --- | --- | --- | --- | --- | --- |")
    else:
        print(f"{'learner':36} {'rows':>6} {'River us':>9} {'ours us':>9} {'ratio':>7} {'floor':>11}  MAE")
    with tempfile.NamedTemporaryFile() as file:
        file.write(struct.pack("<Q", len(NAMES)))
        for x, y in rows:
            file.write(struct.pack(f"<{len(NAMES) + 1}d", *x, y))
        file.flush()
        for name in (name for name in RACES if name in known and args.only in name):
            race_one(args, name, known[name], rows, file.name)
    for name in sorted(set(known) - set(RACES)) if not args.only else ():
        print(f"{name}: no race: {NO_RACE.get(name, 'add it to RACES')}")


if __name__ == "__main__":
    sys.exit(main())
