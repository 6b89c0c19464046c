#!/usr/bin/env python3
"""Records what River's adaptive random forests predict, for tests/unit/learn/test_arf.c to replay.

    python tests/golden/record_arf.py        (with River 0.26.1; after record.py, whose streams it replays)

Writes arf.json and arf.bin.gz beside itself, as record_families.py does, with what each forest counted at the end; and
arf-categories.json and .bin.gz, the same over categories.bin.gz, where a trip of more than 600 s is a long one.
Each has a seed: River's forests draw from Python's random.Random.
"""

import json
import math
import struct

import river
from river import drift, forest, linear_model, metrics

from record import CATEGORIES, NAMES, NOMINAL, RIVER, categories, stream
from record_families import EVERY, HERE, LONG, predict, scaled, write

# {stream: (file, names, rows, above which a label is positive, what the file says of that)}
STREAMS = {
    "stream": ("arf", NAMES, stream, LONG, {}),
    "categories": ("arf-categories", CATEGORIES, categories, 600,
                   {"stream": "categories", "features": CATEGORIES, "categories": NOMINAL}),
}

ARFR = "arf_regressor"
ARFC = "arf_classifier"
UNMANAGED = {"memory_estimate_period": 10**12}  # River's own memory management, out of reach


def regressor(**kwargs):
    return forest.ARFRegressor(**UNMANAGED, **kwargs)


def classifier(**kwargs):
    return forest.ARFClassifier(**UNMANAGED, **kwargs)


def adwin(delta, clock=32):
    return {"adwin": {"delta": delta, "clock": clock}}, drift.ADWIN(delta=delta, clock=clock)


def traces():
    """(family, name, stream, pipeline, River's)"""
    quick, quick_river = adwin(0.05, 8)
    quicker, quicker_river = adwin(0.3, 4)
    scaler = "standard_scaler"
    yield "regressor", "defaults", "stream", [scaler, {ARFR: {"seed": 42}}], scaled(regressor(seed=42))
    yield ("regressor", "mean of three", "stream",
           [scaler, {ARFR: {"seed": 1, "n_models": 3, "aggregation_method": "mean", "max_features": 1,
                            "leaf_prediction": "mean", "lambda_value": 2, "grace_period": 30, "tau": 0.2,
                            "drift_detector": quick, "warning_detector": quicker}}],
           scaled(regressor(seed=1, n_models=3, aggregation_method="mean", max_features=1.0, leaf_prediction="mean",
                            lambda_value=2, grace_period=30, tau=0.2, drift_detector=quick_river,
                            warning_detector=quicker_river)))
    yield ("regressor", "weighed by mae", "stream",
           [{ARFR: {"seed": 7, "n_models": 9, "aggregation_method": "mean", "disable_weighted_vote": False,
                    "metric": "mae", "max_features": "log2", "leaf_prediction": "mean", "max_depth": 3,
                    "warning_detector": "no_drift"}}],
           regressor(seed=7, n_models=9, aggregation_method="mean", disable_weighted_vote=False,
                     metric=metrics.MAE(), max_features="log2", leaf_prediction="mean", max_depth=3,
                     warning_detector=drift.NoDrift()))
    yield ("regressor", "models in the leaves", "stream",
           [scaler, {ARFR: {"seed": 3, "n_models": 4, "max_features": 0.5, "leaf_prediction": "model",
                            "leaf_model": {"linear_regression": {"clip_gradient": 100}}, "delta": 0.1,
                            "drift_detector": {"page_hinkley": {"threshold": 5}}, "warning_detector": quick}}],
           scaled(regressor(seed=3, n_models=4, max_features=0.5, leaf_prediction="model",
                            leaf_model=linear_model.LinearRegression(clip_gradient=100), delta=0.1,
                            drift_detector=drift.PageHinkley(threshold=5), warning_detector=quick_river)))
    yield ("regressor", "poor attributes", "stream",
           [{ARFR: {"seed": 4, "n_models": 3, "max_features": 4, "leaf_prediction": "mean", "remove_poor_attrs": True,
                    "merit_preprune": False, "delta": 0.2, "warning_detector": quick}}],
           regressor(seed=4, n_models=3, max_features=4, leaf_prediction="mean", remove_poor_attrs=True,
                     merit_preprune=False, delta=0.2, warning_detector=quick_river))
    yield ("regressor", "categories", "categories",
           [{ARFR: {"seed": 11, "n_models": 6, "max_features": 3, "leaf_prediction": "mean",
                    "drift_detector": quick, "warning_detector": quicker}}],
           regressor(seed=11, n_models=6, max_features=3, leaf_prediction="mean", nominal_attributes=NOMINAL,
                     drift_detector=quick_river, warning_detector=quicker_river))
    yield ("regressor", "categories in two", "categories",
           [{ARFR: {"seed": 5, "n_models": 5, "leaf_prediction": "mean", "binary_split": True,
                    "drift_detector": "no_drift", "warning_detector": "no_drift", "lambda_value": 1}}],
           regressor(seed=5, n_models=5, leaf_prediction="mean", binary_split=True, nominal_attributes=NOMINAL,
                     drift_detector=drift.NoDrift(), warning_detector=drift.NoDrift(), lambda_value=1))
    yield "classifier", "defaults", "stream", [{ARFC: {"seed": 42}}], classifier(seed=42)
    yield ("classifier", "eager", "stream",
           [scaler, {ARFC: {"seed": 1, "n_models": 5, "max_features": 1, "leaf_prediction": "mc", "metric": "f1",
                            "grace_period": 20, "tau": 0.2, "split_criterion": "gini", "lambda_value": 1,
                            "drift_detector": quick, "warning_detector": quicker}}],
           scaled(classifier(seed=1, n_models=5, max_features=1.0, leaf_prediction="mc", metric=metrics.F1(),
                             grace_period=20, tau=0.2, split_criterion="gini", lambda_value=1,
                             drift_detector=quick_river, warning_detector=quicker_river)))
    yield ("classifier", "no warning", "stream",
           [{ARFC: {"seed": 9, "n_models": 4, "max_features": "log2", "leaf_prediction": "nb", "nb_threshold": 20,
                    "metric": "cohen_kappa", "delta": 0.001, "lambda_value": 0.7, "split_criterion": "hellinger",
                    "drift_detector": {"ddm": {"warm_start": 50}}, "warning_detector": "no_drift"}}],
           classifier(seed=9, n_models=4, max_features="log2", leaf_prediction="nb", nb_threshold=20,
                      metric=metrics.CohenKappa(), delta=0.001, lambda_value=0.7, split_criterion="hellinger",
                      drift_detector=drift.binary.DDM(warm_start=50), warning_detector=drift.NoDrift()))
    yield ("classifier", "equal votes", "stream",
           [{ARFC: {"seed": 2, "n_models": 3, "disable_weighted_vote": True, "max_depth": 2, "lambda_value": 3,
                    "splitter": {"gaussian_splitter": {"n_splits": 25}}, "drift_detector": quick}}],
           classifier(seed=2, n_models=3, disable_weighted_vote=True, max_depth=2, lambda_value=3,
                      splitter=river.tree.splitter.GaussianSplitter(25), drift_detector=quick_river))
    for metric, made in (("balanced_accuracy", metrics.BalancedAccuracy()), ("precision", metrics.Precision()),
                         ("recall", metrics.Recall()), ("mcc", metrics.MCC())):
        yield ("classifier", f"weighed by {metric}", "stream",
               [{ARFC: {"seed": 6, "n_models": 3, "metric": metric, "max_depth": 1, "lambda_value": 1,
                        "warning_detector": "no_drift", "drift_detector": quicker}}],
               classifier(seed=6, n_models=3, metric=made, max_depth=1, lambda_value=1,
                          warning_detector=drift.NoDrift(), drift_detector=quicker_river.clone()))
    yield ("classifier", "poor attributes", "stream",
           [{ARFC: {"seed": 4, "n_models": 3, "max_features": 4, "leaf_prediction": "mc", "remove_poor_attrs": True,
                    "merit_preprune": False, "delta": 0.2, "warning_detector": quick}}],
           classifier(seed=4, n_models=3, max_features=4, leaf_prediction="mc", remove_poor_attrs=True,
                      merit_preprune=False, delta=0.2, warning_detector=quick_river))
    yield ("classifier", "categories", "categories",
           [{ARFC: {"seed": 8, "n_models": 6, "max_features": 3, "drift_detector": quick,
                    "warning_detector": quicker}}],
           classifier(seed=8, n_models=6, max_features=3, nominal_attributes=NOMINAL, drift_detector=quick_river,
                      warning_detector=quicker_river))
    yield ("classifier", "categories in two", "categories",
           [{ARFC: {"seed": 13, "n_models": 5, "binary_split": True, "min_branch_fraction": 0.05,
                    "max_share_to_split": 0.9, "lambda_value": 2}}],
           classifier(seed=13, n_models=5, binary_split=True, min_branch_fraction=0.05, max_share_to_split=0.9,
                      lambda_value=2, nominal_attributes=NOMINAL))


def counts_of(model):
    model = model[list(model.steps)[-1]] if hasattr(model, "steps") else model
    trees = list(model) + [tree for tree in model._background or [] if tree is not None]
    return {"drifts": model.n_drifts_detected(), "warnings": model.n_warnings_detected(),
            "background_trees": len(trees) - len(model),
            # A tree that has learned nothing is a leaf here, and nothing at all in River.
            "leaves": sum(tree.n_leaves or 1 for tree in trees)}


def record(family, name, of, pipeline, model):
    _, names, make_rows, long_is, _ = STREAMS[of]
    classifies = family == "classifier"
    rows = list(make_rows())
    predictions = []
    error = 0.0
    for i, (x, y, _) in enumerate(rows):
        x = {k: v for k, v in zip(names, x) if not math.isnan(v)}
        y = y > long_is if classifies else y
        p = predict(model, x, classifies)
        if i % EVERY == 0:
            predictions.append(p)
        error += abs(y - p) if not math.isnan(p) else 0
        model.learn_one(x, y)
    counts = counts_of(model)
    print(f"{family:12} {name:28} mean absolute error {error / len(rows):10.4f} {counts}", flush=True)
    return {"family": family, "name": name, "pipeline": pipeline, "weighted": False, "counts": counts}, predictions


def main():
    if river.__version__ != RIVER:
        raise SystemExit(f"River {river.__version__}: the traces are those of {RIVER}")
    for of, (file, _, _, long_is, more) in STREAMS.items():
        described, predictions = [], []
        for trace in (t for t in traces() if t[2] == of):
            about, recorded = record(*trace)
            described.append(about)
            predictions += recorded
        head = json.dumps({"river": river.__version__, "every": EVERY, "long": long_is, **more})[:-1]
        lines = ",\n".join("  " + json.dumps(t) for t in described)
        (HERE / f"{file}.json").write_text(f'{head}, "traces": [\n{lines}\n]}}\n')
        write(f"{file}.bin.gz", struct.pack(f"<{len(predictions)}d", *predictions))


if __name__ == "__main__":
    main()
