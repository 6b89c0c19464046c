#!/usr/bin/env python3
"""Records what River predicts with streaming random patches, for tests/unit/learn/test_srp.c to replay.

    python tests/golden/record_srp.py        (with River 0.26.1; after record.py, whose stream it replays)

Writes srp.json and srp.bin.gz beside itself, as record_families.py does; with each trace the warnings and drifts that
River counted. The same of two more streams, whose rows are in <stem>-stream.bin.gz:
    srp-wide     24 features, more than River tries all combinations of
    srp-changes  two of the features are categories; one goes after a third and is back for the last quarter; two
                 abrupt drifts
Every feature is there in the first row: River's members only ever get those that they have seen there or when they
are replaced, ours those of the schema.
"""

import functools
import json
import math
import random
import struct

import river
from river import drift, ensemble, forest, linear_model, naive_bayes, neighbors, optim, tree
from river.ensemble import streaming_random_patches

import record_families
from record_families import EVERY, HERE, LIN, LOG, LONG, NAMES, RIVER, SCALER, scaled, stream, write

NEVER = {"memory_estimate_period": 10**12}  # River's own memory management is switched off
BASE = {"grace_period": 50, "delta": 0.01}  # of the tree that both classes have by default
HTR = "hoeffding_tree_regressor"
HTC = "hoeffding_tree_classifier"
EAGER = {"drift_detector": {"adwin": {"delta": 0.3}}, "warning_detector": {"adwin": {"delta": 0.6}}}
LONE = {"drift_detector": {"adwin": {"delta": 0.3}}, "disable_detector": "warning"}


def detector(given):
    (name, params), = given.items()
    return {"adwin": drift.ADWIN, "ddm": drift.binary.DDM, "page_hinkley": drift.PageHinkley}[name](**params)


def made(cls, model, given):
    """River's class; drift_detection_criteria is given to its members, which River forgets."""
    values = {k: detector(v) if k.endswith("_detector") and k != "disable_detector" else v for k, v in given.items()}
    criterion = values.get("drift_detection_criteria", "prediction")
    it = cls(model=model, **values)
    if cls is ensemble.SRPRegressor and criterion == "error":
        it._base_learner_class = functools.partial(streaming_random_patches.BaseSRPRegressor,
                                                   drift_detection_criteria=criterion)
    return it


def trace(name, cls, model_json, model, scales=False, **given):
    metric = given.pop("metric", None)
    it = made(cls, model, given)
    if metric:
        it.metric = getattr(river.metrics, {"f1": "F1", "r2": "R2", "rmse": "RMSE", "mcc": "MCC"}[metric])()
        given["metric"] = metric
    known = "srp_regressor" if cls is ensemble.SRPRegressor else "srp_classifier"
    params = {**({"model": model_json} if model_json else {}), **given}
    return name, ([SCALER] if scales else []) + [{known: params}], scaled(it) if scales else it, False


def regressor(name, model_json=None, model=None, **given):
    if model is None:  # an ensemble without members is false
        model = tree.HoeffdingTreeRegressor(**BASE, **NEVER)
    return trace(name, ensemble.SRPRegressor, model_json, model, **given)


def classifier(name, model_json=None, model=None, **given):
    if model is None:
        model = tree.HoeffdingTreeClassifier(**BASE, **NEVER)
    return trace(name, ensemble.SRPClassifier, model_json, model, **given)


def regressors():
    yield regressor("tree", n_models=3, seed=42)
    yield regressor("tree weighted", n_models=4, seed=1, scales=True, disable_weighted_vote=False, **EAGER)
    yield regressor("tree median", n_models=4, seed=2, scales=True, aggregation_method="median",
                    training_method="resampling", lam=1.5)
    yield regressor("tree error", n_models=3, seed=3, scales=True, drift_detection_criteria="error", **EAGER)
    yield regressor("tree alone", n_models=5, seed=4, training_method="subspaces", subspace_size="sqrt", metric="r2",
                    disable_weighted_vote=False, drift_detection_criteria="error", **LONE)
    linear = linear_model.LinearRegression()
    yield regressor("linear", LIN, linear, n_models=10, seed=5, scales=True, subspace_size=3, lam=0.7,
                    disable_detector="drift")
    page = {"page_hinkley": {"threshold": 2000, "delta": 5}}
    yield regressor("linear patches", LIN, linear, n_models=3, seed=6, scales=True, subspace_size=4, metric="rmse",
                    disable_weighted_vote=False, drift_detector=page, drift_detection_criteria="error",
                    warning_detector={"page_hinkley": {"threshold": 1000, "delta": 5}})
    yield regressor("neighbours", {"knn_regressor": {"window_size": 100}},
                    neighbors.KNNRegressor(engine=neighbors.LazySearch(window_size=100)), n_models=2, seed=7, lam=1,
                    scales=True, subspace_size="rmsqrt")


def classifiers():
    yield classifier("tree", n_models=3, seed=42)
    yield classifier("tree eager", n_models=4, seed=1, scales=True, **EAGER)
    yield classifier("tree unweighted", n_models=3, seed=2, training_method="resampling", lam=2,
                     disable_weighted_vote=True, **EAGER)
    yield classifier("tree alone", n_models=4, seed=3, training_method="subspaces", subspace_size=0.3, metric="f1",
                     **LONE)
    yield classifier("bayes", "gaussian_nb", naive_bayes.GaussianNB(), n_models=10, seed=4, lam=0.5,
                     subspace_size="sqrt", drift_detector={"ddm": {}}, warning_detector={"adwin": {"delta": 0.3}})
    yield classifier("logistic", {LOG: {"optimizer": {"sgd": {"lr": 0.1}}}},
                     linear_model.LogisticRegression(optimizer=optim.SGD(0.1)), n_models=6, seed=5, scales=True,
                     subspace_size=4, metric="mcc", **EAGER)
    small = {"n_models": 2, "seed": 3, "lam": 1}
    yield classifier("in patches", {"srp_classifier": {"model": "gaussian_nb", **small}},
                     ensemble.SRPClassifier(naive_bayes.GaussianNB(), **small), n_models=2, seed=6, lam=2)


def categories():
    nominal = {"nominal_attributes": NAMES[:1]}
    # A linear model in a leaf would see the category's number.
    mean = {**BASE, "leaf_prediction": "mean"}
    yield regressor("categories regressor", {HTR: mean}, tree.HoeffdingTreeRegressor(**mean, **nominal, **NEVER),
                    n_models=3, seed=8, **EAGER)
    yield classifier("categories classifier", {HTC: BASE}, tree.HoeffdingTreeClassifier(**BASE, **nominal, **NEVER),
                     n_models=3, seed=9, **EAGER)


def wide():
    rng = random.Random(11)
    for _ in range(600):
        x = [float(rng.randrange(4 + j)) for j in range(24)]
        yield x, 300 + 100 * x[0] + 40 * x[5] * (x[9] > 3) - 10 * x[20], 1.0


def changes():
    rng = random.Random(12)
    for i in range(1500):
        zone, vendor, hour = rng.randrange(8), rng.choice((1, 2, 2)), rng.randrange(24)
        distance = round(rng.lognormvariate(0, 0.7), 2)
        rain = float(rng.random() < 0.3)
        toll = float(rng.randrange(5))
        pace = 300 if 600 <= i < 1100 else 120
        y = 100 + distance * pace + 60 * (zone if i < 600 else 7 - zone) * vendor + 200 * rain + 30 * toll
        x = [float(zone), float(vendor), float(hour), distance, rain, toll]
        if 500 <= i < 1125:
            x[4] = math.nan
        if i:
            x = [math.nan if rng.random() < 0.03 else v for v in x]
        yield x, round(y + rng.gauss(0, 30)), 1.0


def on_wide():
    yield regressor("wide regressor", n_models=4, seed=10, subspace_size="sqrt")
    yield classifier("wide classifier", n_models=4, seed=11, **EAGER)
    # Forests draw among their features by name: members are told those of their own.
    small = {"n_estimators": 2, "seed": 1}
    clocked = {name: {"adwin": {"delta": delta, "clock": 1}}
               for name, delta in (("drift_detector", 0.8), ("warning_detector", 0.9))}
    yield classifier("wide forests", {"amf_classifier": small}, forest.AMFClassifier(**small), n_models=2, seed=5,
                     lam=1, **clocked)


def on_changes():
    nominal = {"nominal_attributes": ["zone", "vendor"]}
    mean = {**BASE, "leaf_prediction": "mean"}
    yield regressor("changes regressor", {HTR: mean}, tree.HoeffdingTreeRegressor(**mean, **nominal, **NEVER),
                    n_models=5, seed=13, drift_detection_criteria="error", **EAGER)
    yield classifier("changes classifier", {HTC: BASE}, tree.HoeffdingTreeClassifier(**BASE, **nominal, **NEVER),
                     n_models=5, seed=14, **EAGER)


# stem: (rows, None for those of record.py; features; categories among them; families)
FILES = {
    "srp": (None, NAMES, [], {"regressors": regressors, "classifiers": classifiers, "categories": categories}),
    "srp-wide": (wide, [f"f{j}" for j in range(24)], [], {"wide": on_wide}),
    "srp-changes": (changes, ["zone", "vendor", "hour", "distance", "rain", "toll"], ["zone", "vendor"],
                    {"changes": on_changes}),
}


def counted(model):
    patches = record_families.last_of(model)
    return {"warnings": sum(m.n_warnings_detected for m in patches),
            "drifts": sum(m.n_drifts_detected for m in patches)}


def record_file(stem, make_rows, features, nominal, families):
    rows = list((make_rows or stream)())
    head = {"river": river.__version__, "every": EVERY, "long": LONG}
    if make_rows:
        head |= {"stream": f"{stem}-stream", "features": features, "categories": nominal}
        write(f"{stem}-stream.bin.gz", struct.pack("<QQ", len(rows), len(features)) +
              b"".join(struct.pack(f"<{len(x) + 2}d", *x, y, w) for x, y, w in rows))
    traces, predictions = [], []
    for family, make in families.items():
        for one in make():
            described, recorded = record_families.record(family, *one, rows, features)
            traces.append({**described, "counts": counted(one[2])})
            predictions += recorded
    lines = ",\n".join("  " + json.dumps(t) for t in traces)
    (HERE / f"{stem}.json").write_text(f'{json.dumps(head)[:-1]}, "traces": [\n{lines}\n]}}\n')
    write(f"{stem}.bin.gz", struct.pack(f"<{len(predictions)}d", *predictions))


def main():
    if river.__version__ != RIVER:
        raise SystemExit(f"River {river.__version__}: the traces are those of {RIVER}")
    for stem, given in FILES.items():
        record_file(stem, *given)


if __name__ == "__main__":
    main()
