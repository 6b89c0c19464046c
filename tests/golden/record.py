#!/usr/bin/env python3
"""Records what River predicts, for tests/unit/learn/test_golden.c to replay.

    python tests/golden/record.py        (with River 0.26.1)

Writes, beside itself:
    stream.bin.gz     rows and features as two u64, then for each row its features
                      (NaN: missing), label and weight as doubles, little-endian
    categories.bin.gz the same with categories, new ones half-way, and features that come and go
    <trace>.bin.gz    River's prediction of each row, before it learned it, as doubles
    traces.json       each trace's pipeline, its River equivalent, and of trees the
                      nodes, leaves, height and splits at the end, in preorder

The stream is a synthetic city with the taxi task's six features: pace depends on
the hour and the day, some values are missing, and half-way the city slows down.
"""

import gzip
import json
import math
import pathlib
import platform
import random
import struct

import river
from river import drift, dummy, linear_model, neighbors, optim, preprocessing, stats, tree

HERE = pathlib.Path(__file__).parent
ROWS = 5000
NAMES = ["passenger_count", "is_weekend", "l1_distance", "avg_speed_by_hour", "hour_cos", "hour_sin"]
RIVER = "0.26.1"


def stream(seed=42):
    rng = random.Random(seed)
    seen = [[] for _ in range(24)]
    for i in range(ROWS):
        hour = rng.randrange(24)
        weekend = rng.random() < 2 / 7
        distance = round(min(rng.lognormvariate(-3.6, 0.8), 0.6), 6)
        pace = 18 - 9 * math.exp(-((hour - 17) ** 2) / 18) - 6 * math.exp(-((hour - 8) ** 2) / 8)
        pace *= (1.25 if weekend else 1.0) * (0.7 if i > ROWS // 2 else 1.0)
        duration = round(60 + distance * 111 / (pace * rng.lognormvariate(0, 0.2)) * 3600)
        history = seen[hour][-50:]
        x = [
            float(rng.choice((1, 1, 1, 1, 2, 2, 3, 5, 6))),
            float(weekend),
            distance,
            sum(history) / len(history) if history else 4e-5,
            math.cos(2 * math.pi * hour / 24),
            math.sin(2 * math.pi * hour / 24),
        ]
        for j in range(len(x)):
            if rng.random() < 0.02:
                x[j] = math.nan
        seen[hour].append(distance / duration)
        yield x, float(duration), rng.choice((0.5, 1.0, 1.0, 2.0, 3.25))


CATEGORIES = ["zone", "hour", "vendor", "distance", "rain", "toll"]
NOMINAL = ["zone", "hour", "vendor"]


def categories(seed=7):
    """Zones 6 and up are there from half-way on; rain goes after a third, toll comes after a half."""
    rng = random.Random(seed)
    for i in range(ROWS):
        zone = rng.randrange(6 if i < ROWS // 2 else 9)
        hour = rng.randrange(24)
        vendor = rng.choice((1, 2, 2))
        distance = round(rng.lognormvariate(0, 0.7), 3)
        rain = float(rng.random() < 0.3)
        toll = float(rng.random() < 0.2)
        duration = 100 + distance * (200 if 7 <= hour <= 18 else 90) + (400 if zone in (2, 7) else 50 * zone)
        duration += 150 * rain * (vendor == 1) + 300 * toll + rng.gauss(0, 40)
        x = [float(zone), float(hour), float(vendor), distance,
             rain if i < ROWS // 3 else math.nan, toll if i > ROWS // 2 else math.nan]
        for j in range(len(x)):
            if rng.random() < 0.02:
                x[j] = math.nan
        yield x, duration, rng.choice((0.5, 1.0, 2.0))


def scaled(model):
    return preprocessing.StandardScaler() | model


def linear(**kwargs):
    return linear_model.LinearRegression(**kwargs)


def htr(**kwargs):
    # River's own memory management starts after a million rows: put out of reach, for the record.
    return tree.HoeffdingTreeRegressor(memory_estimate_period=10**12, **kwargs)


def hatr(**kwargs):
    return tree.HoeffdingAdaptiveTreeRegressor(memory_estimate_period=10**12, **kwargs)


def htc(**kwargs):
    return tree.HoeffdingTreeClassifier(memory_estimate_period=10**12, **kwargs)


def hatc(**kwargs):
    return tree.HoeffdingAdaptiveTreeClassifier(memory_estimate_period=10**12, **kwargs)


def knn(window=1000, **kwargs):
    return neighbors.KNNRegressor(engine=neighbors.LazySearch(window_size=window), **kwargs)


SCALER = "standard_scaler"
HTR = "hoeffding_tree_regressor"
HATR = "hoeffding_adaptive_tree_regressor"
HTC = "hoeffding_tree_classifier"
HATC = "hoeffding_adaptive_tree_classifier"

# name: (pipeline, River's, weighted)
TRACES = {
    "mean": (["mean"], lambda: dummy.StatisticRegressor(stats.Mean()), False),
    "linear": ([SCALER, "linear_regression"], lambda: scaled(linear()), False),
    "linear-weighted": ([SCALER, "linear_regression"], lambda: scaled(linear()), True),
    "linear-l2": (
        [SCALER, {"linear_regression": {"l2": 0.1, "intercept_lr": 0.1}}],
        lambda: scaled(linear(l2=0.1, intercept_lr=0.1)),
        False,
    ),
    "linear-l1": (
        [SCALER, {"linear_regression": {"l1": 1, "intercept_init": 500}}],
        lambda: scaled(linear(l1=1.0, intercept_init=500.0)),
        False,
    ),
    "linear-clip": (
        [SCALER, {"linear_regression": {"clip_gradient": 200, "optimizer": {"sgd": {"lr": 0.05}}}}],
        lambda: scaled(linear(clip_gradient=200, optimizer=optim.SGD(0.05))),
        False,
    ),
    "linear-centred": (
        [{SCALER: {"with_std": False}}, {"linear_regression": {"optimizer": {"sgd": {"lr": 0.001}}}}],
        lambda: preprocessing.StandardScaler(with_std=False) | linear(optimizer=optim.SGD(0.001)),
        False,
    ),
    "tree": ([SCALER, HTR], lambda: scaled(htr()), False),
    "tree-weighted": ([SCALER, HTR], lambda: scaled(htr()), True),
    "tree-mean": (
        [SCALER, {HTR: {"leaf_prediction": "mean", "grace_period": 50}}],
        lambda: scaled(htr(leaf_prediction="mean", grace_period=50)),
        False,
    ),
    "tree-model": (
        [SCALER, {HTR: {"leaf_prediction": "model", "grace_period": 100, "delta": 1e-3}}],
        lambda: scaled(htr(leaf_prediction="model", grace_period=100, delta=1e-3)),
        False,
    ),
    "tree-eager": (
        [SCALER, {HTR: {"grace_period": 20, "delta": 0.1, "tau": 0.3, "min_samples_split": 2,
                        "model_selector_decay": 0.8}}],
        lambda: scaled(htr(grace_period=20, delta=0.1, tau=0.3, min_samples_split=2,
                           model_selector_decay=0.8)),
        False,
    ),
    "tree-shallow": (
        [SCALER, {HTR: {"grace_period": 50, "tau": 0.2, "max_depth": 3}}],
        lambda: scaled(htr(grace_period=50, tau=0.2, max_depth=3)),
        False,
    ),
    "tree-digits": (
        [{HTR: {"grace_period": 50, "tau": 0.2, "leaf_prediction": "mean",
                "splitter": {"tebst_splitter": {"digits": 3}}}}],
        lambda: htr(grace_period=50, tau=0.2, leaf_prediction="mean",
                    splitter=tree.splitter.TEBSTSplitter(digits=3)),
        False,
    ),
    "tree-leaf-linear": (
        [SCALER, {HTR: {"grace_period": 50, "tau": 0.2,
                        "leaf_model": {"linear_regression": {"l2": 0.01, "intercept_lr": 0.1}}}}],
        lambda: scaled(htr(grace_period=50, tau=0.2, leaf_model=linear(l2=0.01, intercept_lr=0.1))),
        False,
    ),
    "adaptive": ([SCALER, {HATR: {"seed": 1}}], lambda: scaled(hatr(seed=1)), False),
    "adaptive-weighted": (
        [SCALER, {HATR: {"seed": 42, "grace_period": 50, "delta": 0.01,
                         "drift_detector": {"adwin": {"delta": 0.05}}}}],
        lambda: scaled(hatr(seed=42, grace_period=50, delta=0.01,
                            drift_detector=drift.ADWIN(delta=0.05))),
        True,
    ),
    # No bootstrap, and quick to grow, to doubt and to switch: alternates are begun, compared and dropped.
    "adaptive-eager": (
        [SCALER, {HATR: {"seed": 7, "bootstrap_sampling": False, "grace_period": 20, "delta": 0.1,
                         "tau": 0.3, "drift_window_threshold": 30, "leaf_prediction": "mean",
                         "drift_detector": {"adwin": {"delta": 0.3, "clock": 4}}}}],
        lambda: scaled(hatr(seed=7, bootstrap_sampling=False, grace_period=20, delta=0.1, tau=0.3,
                            drift_window_threshold=30, leaf_prediction="mean",
                            drift_detector=drift.ADWIN(delta=0.3, clock=4))),
        False,
    ),
    # Alternates as long as a branch: they seldom split, and the test decides.
    "adaptive-shallow": (
        [SCALER, {HATR: {"seed": 3, "grace_period": 50, "tau": 0.2, "max_depth": 2,
                         "drift_window_threshold": 40, "switch_significance": 0.4,
                         "drift_detector": {"adwin": {"delta": 0.4, "clock": 1}}}}],
        lambda: scaled(hatr(seed=3, grace_period=50, tau=0.2, max_depth=2, drift_window_threshold=40,
                            switch_significance=0.4, drift_detector=drift.ADWIN(delta=0.4, clock=1))),
        False,
    ),
    # Alternates that win by the test: below the root, and at the root, which is another path in River.
    "adaptive-switch": (
        [SCALER, {HATR: {"seed": 34, "bootstrap_sampling": False, "grace_period": 30, "delta": 0.0001,
                         "tau": 0.1, "drift_window_threshold": 20, "switch_significance": 0.4,
                         "leaf_prediction": "mean",
                         "drift_detector": {"adwin": {"delta": 0.05, "clock": 1}}}}],
        lambda: scaled(hatr(seed=34, bootstrap_sampling=False, grace_period=30, delta=0.0001, tau=0.1,
                            drift_window_threshold=20, switch_significance=0.4,
                            leaf_prediction="mean", drift_detector=drift.ADWIN(delta=0.05, clock=1))),
        False,
    ),
    "adaptive-root": (
        [SCALER, {HATR: {"seed": 13, "grace_period": 30, "delta": 0.01, "tau": 0.05, "max_depth": 1,
                         "drift_window_threshold": 10, "switch_significance": 1,
                         "leaf_prediction": "mean",
                         "drift_detector": {"adwin": {"delta": 0.9, "clock": 1}}}}],
        lambda: scaled(hatr(seed=13, grace_period=30, delta=0.01, tau=0.05, max_depth=1,
                            drift_window_threshold=10, switch_significance=1.0,
                            leaf_prediction="mean", drift_detector=drift.ADWIN(delta=0.9, clock=1))),
        False,
    ),
    "adaptive-page-hinkley": (
        [SCALER, {HATR: {"seed": 9, "grace_period": 60, "tau": 0.3, "leaf_prediction": "model",
                         "leaf_model": {"linear_regression": {"clip_gradient": 100}},
                         "drift_window_threshold": 20,
                         "drift_detector": {"page_hinkley": {"threshold": 500}}}}],
        lambda: scaled(hatr(seed=9, grace_period=60, tau=0.3, leaf_prediction="model",
                            leaf_model=linear(clip_gradient=100), drift_window_threshold=20,
                            drift_detector=drift.PageHinkley(threshold=500))),
        False,
    ),
    # Categories: a branch for each of them, or only in two; a leaf's model never sees one, so means.
    "nominal": (
        [{HTR: {"grace_period": 100, "delta": 0.001, "leaf_prediction": "mean"}}],
        lambda: htr(grace_period=100, delta=0.001, leaf_prediction="mean", nominal_attributes=NOMINAL),
        False,
        "categories",
    ),
    "nominal-binary": (
        [{HTR: {"grace_period": 50, "delta": 0.01, "tau": 0.1, "leaf_prediction": "mean",
                "binary_split": True, "min_samples_split": 3}}],
        lambda: htr(grace_period=50, delta=0.01, tau=0.1, leaf_prediction="mean", binary_split=True,
                    min_samples_split=3, nominal_attributes=NOMINAL),
        True,
        "categories",
    ),
    "nominal-adaptive": (
        [{HATR: {"seed": 5, "grace_period": 50, "delta": 0.01, "leaf_prediction": "mean",
                 "drift_window_threshold": 50, "drift_detector": {"adwin": {"delta": 0.3, "clock": 4}}}}],
        lambda: hatr(seed=5, grace_period=50, delta=0.01, leaf_prediction="mean",
                     drift_window_threshold=50, drift_detector=drift.ADWIN(delta=0.3, clock=4),
                     nominal_attributes=NOMINAL),
        False,
        "categories",
    ),
    "knn": ([SCALER, "knn_regressor"], lambda: scaled(knn()), False),
    "knn-median": (
        [SCALER, {"knn_regressor": {"n_neighbors": 8, "window_size": 300,
                                    "aggregation_method": "median"}}],
        lambda: scaled(knn(300, n_neighbors=8, aggregation_method="median")),
        False,
    ),
    "knn-weighted-mean": (
        [SCALER, {"knn_regressor": {"n_neighbors": 3, "window_size": 50,
                                    "aggregation_method": "weighted_mean"}}],
        lambda: scaled(knn(50, n_neighbors=3, aggregation_method="weighted_mean")),
        False,
    ),
    # Whole numbers: many rows are equally far, and some are the same.
    "knn-ties": (
        [{"knn_regressor": {"n_neighbors": 40, "window_size": 200}}],
        lambda: knn(200, n_neighbors=40),
        False,
    ),
}


def write(name, data):
    (HERE / name).write_bytes(gzip.compress(data, compresslevel=9, mtime=0))


def split_of(node):
    if hasattr(node, "threshold"):
        return [node.feature, node.threshold]
    return [node.feature, node.value if hasattr(node, "value") else list(node._mapping)]


def shape_of(model):
    found = model.root if hasattr(model, "root") else model._root
    splits = [split_of(node) for node in found.iter_dfs() if hasattr(node, "children")]
    shape = {"nodes": model.n_nodes, "leaves": model.n_leaves, "height": model.height, "splits": splits}
    if hasattr(model, "n_alternate_trees"):
        shape["alternate_trees"] = model.n_alternate_trees
        shape["switched_trees"] = model.n_switch_alternate_trees
        shape["pruned_trees"] = model.n_pruned_alternate_trees
    return shape


def ties(x):
    return [math.nan if math.isnan(v) else float(round(v)) for v in x]


# Of a classifier: whether the label is above ABOVE.
CLASSIFIERS = {
    "classes": ([HTC], lambda: htc(), False),
    "classes-weighted": (
        [{HTC: {"grace_period": 50, "delta": 0.01, "tau": 0.1}}],
        lambda: htc(grace_period=50, delta=0.01, tau=0.1),
        True,
    ),
    "classes-majority": (
        [SCALER, {HTC: {"grace_period": 50, "delta": 0.001, "leaf_prediction": "mc", "split_criterion": "gini",
                        "max_depth": 4}}],
        lambda: scaled(htc(grace_period=50, delta=0.001, leaf_prediction="mc", split_criterion="gini",
                           max_depth=4)),
        False,
    ),
    "classes-bayes": (
        [SCALER, {HTC: {"grace_period": 30, "delta": 0.01, "tau": 0.2, "leaf_prediction": "nb",
                        "nb_threshold": 40, "split_criterion": "hellinger", "max_share_to_split": 0.9,
                        "splitter": {"gaussian_splitter": {"n_splits": 25}}}}],
        lambda: scaled(htc(grace_period=30, delta=0.01, tau=0.2, leaf_prediction="nb", nb_threshold=40,
                           split_criterion="hellinger", max_share_to_split=0.9,
                           splitter=tree.splitter.GaussianSplitter(25))),
        False,
    ),
    "classes-nominal": (
        [{HTC: {"grace_period": 50, "delta": 0.001}}],
        lambda: htc(grace_period=50, delta=0.001, nominal_attributes=NOMINAL),
        False,
        "categories",
    ),
    "classes-nominal-binary": (
        [{HTC: {"grace_period": 50, "delta": 0.01, "binary_split": True, "split_criterion": "gini",
                "min_branch_fraction": 0.05}}],
        lambda: htc(grace_period=50, delta=0.01, binary_split=True, split_criterion="gini",
                    min_branch_fraction=0.05, nominal_attributes=NOMINAL),
        True,
        "categories",
    ),
    "classes-adaptive": ([{HATC: {"seed": 1}}], lambda: hatc(seed=1), False),
    "classes-adaptive-eager": (
        [SCALER, {HATC: {"seed": 42, "grace_period": 30, "delta": 0.01, "tau": 0.1, "bootstrap_sampling": False,
                         "leaf_prediction": "mc", "drift_window_threshold": 20, "switch_significance": 0.9,
                         "drift_detector": {"adwin": {"delta": 0.5, "clock": 4}}}}],
        lambda: scaled(hatc(seed=42, grace_period=30, delta=0.01, tau=0.1, bootstrap_sampling=False,
                            leaf_prediction="mc", drift_window_threshold=20, switch_significance=0.9,
                            drift_detector=drift.ADWIN(delta=0.5, clock=4))),
        True,
    ),
    "classes-adaptive-shallow": (
        [{HATC: {"seed": 5, "grace_period": 50, "delta": 0.01, "tau": 0.2, "max_depth": 2,
                 "leaf_prediction": "nb", "drift_window_threshold": 10, "switch_significance": 1,
                 "drift_detector": {"adwin": {"delta": 0.9, "clock": 1}}}}],
        lambda: hatc(seed=5, grace_period=50, delta=0.01, tau=0.2, max_depth=2, leaf_prediction="nb",
                     drift_window_threshold=10, switch_significance=1.0,
                     drift_detector=drift.ADWIN(delta=0.9, clock=1)),
        False,
    ),
    "classes-adaptive-nominal": (
        [{HATC: {"seed": 8, "grace_period": 50, "delta": 0.001, "drift_window_threshold": 50,
                 "drift_detector": {"adwin": {"delta": 0.3, "clock": 4}}}}],
        lambda: hatc(seed=8, grace_period=50, delta=0.001, drift_window_threshold=50,
                     drift_detector=drift.ADWIN(delta=0.3, clock=4), nominal_attributes=NOMINAL),
        False,
        "categories",
    ),
}
TRACES.update(CLASSIFIERS)
ABOVE = {"stream": 700, "categories": 600}

STREAMS = {"stream": (NAMES, []), "categories": (CATEGORIES, NOMINAL)}


def record(name, streams):
    pipeline, make, weighted, *of = TRACES[name]
    of = of[0] if of else "stream"
    rows = streams[of]
    model = make()
    predictions = []
    for x, y, w in rows:
        x = {k: v for k, v in zip(STREAMS[of][0], ties(x) if name == "knn-ties" else x) if not math.isnan(v)}
        if name in CLASSIFIERS:
            y = int(y > ABOVE[of])
            predictions.append(model.predict_proba_one(x).get(1, 0.0) if predictions else math.nan)
        else:
            predictions.append(float(model.predict_one(x)))
        if weighted:
            model.learn_one(x, y, w=w)
        else:
            model.learn_one(x, y)
    write(f"{name}.bin.gz", struct.pack(f"<{len(rows)}d", *predictions))
    trace = {"name": name, "pipeline": pipeline, "stream": of, "weighted": weighted,
             "rounded": name == "knn-ties"}
    if name in CLASSIFIERS:
        trace["above"] = ABOVE[of]
    last = model[list(model.steps)[-1]] if hasattr(model, "steps") else model
    if hasattr(last, "n_branches"):
        trace["tree"] = shape_of(last)
    labels = [int(y > ABOVE[of]) if name in CLASSIFIERS else y for _, y, _ in rows]
    error = sum(abs(y - p) for y, p in zip(labels, predictions) if not math.isnan(p)) / len(rows)
    shape = {k: v for k, v in trace.get("tree", {}).items() if k != "splits"}
    print(f"{name:22} MAE {error:10.4f} {shape or ''}")
    return trace


def write_stream(name, rows):
    width = len(STREAMS[name][0])
    data = struct.pack("<QQ", len(rows), width)
    data += b"".join(struct.pack(f"<{width + 2}d", *x, y, w) for x, y, w in rows)
    write(f"{name}.bin.gz", data)


def main():
    if river.__version__ != RIVER:
        raise SystemExit(f"River {river.__version__}: the traces are those of {RIVER}")
    streams = {"stream": list(stream()), "categories": list(categories())}
    for name, rows in streams.items():
        write_stream(name, rows)
    traces = {
        "river": river.__version__,
        "python": platform.python_version(),
        "streams": {name: [{"name": f, "nominal": f in nominal} for f in features]
                    for name, (features, nominal) in STREAMS.items()},
        "traces": [record(name, streams) for name in TRACES],
    }
    (HERE / "traces.json").write_text(json.dumps(traces, indent=1) + "\n")


if __name__ == "__main__":
    main()
