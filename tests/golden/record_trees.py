#!/usr/bin/env python3
"""Records River's trees with what they have besides the most common parameters, for tests/unit/learn/test_golden.c to replay.

    python tests/golden/record_trees.py        (with River 0.26.1; after record.py, whose streams it replays)

Writes, beside itself:
    trees.json          as traces.json of record.py, over the first ROWS rows
    trees-<name>.bin.gz River's prediction of each of them, before it learned it, as doubles
"""

import json
import pathlib
import platform

import river
from river import drift, dummy, linear_model, stats, tree

import record
from record import HATC, HATR, HTC, HTR, NOMINAL, SCALER, hatc, hatr, htc, htr, linear, scaled

HERE = pathlib.Path(__file__).parent
ROWS = 2000

EBST = {"splitter": "ebst_splitter"}


def qo(radius):
    return tree.splitter.QOSplitter(radius)


def ebst():
    return tree.splitter.EBSTSplitter()


REGRESSORS = {
    # Features whose splits are much worse than the best are given up.
    "trees-poor": (
        [SCALER, {HTR: {"remove_poor_attrs": True, "grace_period": 40, "delta": 0.01}}],
        lambda: scaled(htr(remove_poor_attrs=True, grace_period=40, delta=0.01)),
        False,
    ),
    "trees-poor-nominal": (
        [{HTR: {"remove_poor_attrs": True, "grace_period": 30, "delta": 0.5, "tau": 0, "binary_split": True,
                "min_samples_split": 1, "leaf_prediction": "mean"}}],
        lambda: htr(remove_poor_attrs=True, grace_period=30, delta=0.5, tau=0.0, binary_split=True,
                    min_samples_split=1, leaf_prediction="mean", nominal_attributes=NOMINAL),
        True,
        "categories",
    ),
    "trees-poor-adaptive": (
        [SCALER, {HATR: {"seed": 4, "remove_poor_attrs": True, "grace_period": 20, "delta": 0.5, "tau": 0}}],
        lambda: scaled(hatr(seed=4, remove_poor_attrs=True, grace_period=20, delta=0.5, tau=0.0)),
        False,
    ),
    # One feature, and nothing to compare it with: it splits whenever it is looked at.
    "trees-no-prune-one": (
        [{"select": {"keys": ["l1_distance"]}}, {HTR: {"merit_preprune": False, "grace_period": 50, "max_depth": 4}}],
        lambda: Only("l1_distance") | htr(merit_preprune=False, grace_period=50, max_depth=4),
        False,
    ),
    "trees-ebst": (
        [SCALER, {HTR: {**EBST, "grace_period": 50, "delta": 0.01, "tau": 0.1}}],
        lambda: scaled(htr(splitter=ebst(), grace_period=50, delta=0.01, tau=0.1)),
        True,
    ),
    "trees-ebst-adaptive": (
        [SCALER, {HATR: {**EBST, "seed": 6, "grace_period": 50, "delta": 0.01, "leaf_prediction": "mean",
                         "leaf_model": {"linear_regression": {"l2": 0.01}}}}],
        lambda: scaled(hatr(splitter=ebst(), seed=6, grace_period=50, delta=0.01, leaf_prediction="mean",
                            leaf_model=linear(l2=0.01))),
        False,
    ),
    # Models that take no weight learn a sample as often as it weighs, rounded down.
    "trees-leaf-pa": (
        [SCALER, {HTR: {"leaf_model": "pa_regressor", "leaf_prediction": "model", "grace_period": 60, "delta": 0.01}}],
        lambda: scaled(htr(leaf_model=linear_model.PARegressor(), leaf_prediction="model", grace_period=60,
                           delta=0.01)),
        True,
    ),
    "trees-leaf-mean": (
        [SCALER, {HATR: {"leaf_model": {"statistic_regressor": {"statistic": "mean"}}, "leaf_prediction": "model",
                         "seed": 2, "grace_period": 60, "delta": 0.01}}],
        lambda: scaled(hatr(leaf_model=dummy.StatisticRegressor(stats.Mean()), leaf_prediction="model", seed=2,
                            grace_period=60, delta=0.01)),
        True,
    ),
    "trees-qo": (
        [SCALER, {HTR: {"splitter": "qo_splitter", "grace_period": 50, "delta": 0.01, "tau": 0.1}}],
        lambda: scaled(htr(splitter=qo(0.25), grace_period=50, delta=0.01, tau=0.1)),
        True,
    ),
    "trees-qo-nominal": (
        [{HTR: {"splitter": {"qo_splitter": {"radius": 0.1}}, "grace_period": 60, "delta": 0.05, "tau": 0.1,
                "leaf_prediction": "mean", "binary_split": True}}],
        lambda: htr(splitter=qo(0.1), grace_period=60, delta=0.05, tau=0.1, leaf_prediction="mean",
                    binary_split=True, nominal_attributes=NOMINAL),
        True,
        "categories",
    ),
    "trees-qo-adaptive": (
        [SCALER, {HATR: {"splitter": {"qo_splitter": {"radius": 0.05}}, "seed": 9, "grace_period": 50, "delta": 0.1,
                         "drift_detector": {"adwin": {"delta": 0.3}}}}],
        lambda: scaled(hatr(splitter=qo(0.05), seed=9, grace_period=50, delta=0.1,
                            drift_detector=drift.ADWIN(delta=0.3))),
        False,
    ),
}

CLASSIFIERS = {
    "trees-classes-poor": (
        [SCALER, {HTC: {"remove_poor_attrs": True, "leaf_prediction": "mc", "grace_period": 20, "delta": 0.9, "tau": 0}}],
        lambda: scaled(htc(remove_poor_attrs=True, leaf_prediction="mc", grace_period=20, delta=0.9, tau=0.0)),
        False,
    ),
    "trees-classes-poor-nominal": (
        [{HTC: {"remove_poor_attrs": True, "leaf_prediction": "mc", "grace_period": 20, "delta": 0.9,
                "tau": 0, "split_criterion": "hellinger"}}],
        lambda: htc(remove_poor_attrs=True, leaf_prediction="mc", grace_period=20, delta=0.9, tau=0.0,
                    split_criterion="hellinger", nominal_attributes=NOMINAL),
        True,
        "categories",
    ),
    # Naive Bayes needs every feature: the parameter does nothing then.
    "trees-classes-poor-bayes": (
        [{HTC: {"remove_poor_attrs": True, "grace_period": 50, "delta": 0.01}}],
        lambda: htc(remove_poor_attrs=True, grace_period=50, delta=0.01),
        False,
    ),
    # The same, as River has all leaves of the adaptive tree derived from those with naive Bayes.
    "trees-classes-poor-adaptive": (
        [{HATC: {"seed": 3, "remove_poor_attrs": True, "leaf_prediction": "mc", "grace_period": 40, "delta": 0.05,
                 "drift_detector": {"adwin": {"delta": 0.1}}}}],
        lambda: hatc(seed=3, remove_poor_attrs=True, leaf_prediction="mc", grace_period=40, delta=0.05,
                     drift_detector=drift.ADWIN(delta=0.1)),
        False,
    ),
    # An alternate of the root that is pruned stays so.
    "trees-classes-alternate": (
        [{HATC: {"seed": 52, "grace_period": 25, "delta": 0.9, "tau": 0.2, "binary_split": True, "split_criterion": "gini",
                 "leaf_prediction": "nb", "nb_threshold": 30, "min_branch_fraction": 0.2, "max_share_to_split": 0.6,
                 "drift_window_threshold": 30, "switch_significance": 0.5,
                 "drift_detector": {"adwin": {"delta": 0.3, "clock": 8}}}}],
        lambda: hatc(seed=52, grace_period=25, delta=0.9, tau=0.2, binary_split=True, split_criterion="gini",
                     leaf_prediction="nb", nb_threshold=30, min_branch_fraction=0.2, max_share_to_split=0.6,
                     drift_window_threshold=30, switch_significance=0.5,
                     drift_detector=drift.ADWIN(delta=0.3, clock=8), nominal_attributes=NOMINAL),
        False,
        "categories",
    ),
    "trees-classes-no-prune": (
        [{HTC: {"merit_preprune": False, "grace_period": 40, "delta": 0.01, "max_share_to_split": 0.9}}],
        lambda: htc(merit_preprune=False, grace_period=40, delta=0.01, max_share_to_split=0.9,
                    nominal_attributes=NOMINAL),
        True,
        "categories",
    ),
    "trees-classes-no-prune-one": (
        [{"select": {"keys": ["l1_distance"]}}, {HTC: {"merit_preprune": False, "grace_period": 60, "max_depth": 5}}],
        lambda: Only("l1_distance") | htc(merit_preprune=False, grace_period=60, max_depth=5),
        False,
    ),
}


class Only(river.base.Transformer):
    def __init__(self, name):
        self.name = name

    def transform_one(self, x):
        return {k: v for k, v in x.items() if k == self.name}


def main():
    if river.__version__ != record.RIVER:
        raise SystemExit(f"River {river.__version__}: the traces are those of {record.RIVER}")
    record.TRACES = {**REGRESSORS, **CLASSIFIERS}
    record.CLASSIFIERS = CLASSIFIERS
    streams = {"stream": list(record.stream())[:ROWS], "categories": list(record.categories())[:ROWS]}
    traces = {
        "river": river.__version__,
        "python": platform.python_version(),
        "rows": ROWS,
        "streams": {name: [{"name": f, "nominal": f in nominal} for f in features]
                    for name, (features, nominal) in record.STREAMS.items()},
        "traces": [record.record(name, streams) for name in record.TRACES],
    }
    lines = ",\n".join("  " + json.dumps(t) for t in traces.pop("traces"))
    (HERE / "trees.json").write_text(f'{json.dumps(traces)[:-1]}, "traces": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
