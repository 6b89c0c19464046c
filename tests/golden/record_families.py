#!/usr/bin/env python3
"""Records what River predicts with whole families of classes, for tests/unit/learn/golden.h to replay.

    python tests/golden/record_families.py        (with River 0.26.1; after record.py, whose stream it replays)

Writes, beside itself:
    families.json     each trace's family, pipeline, and what is fed to it
    families.bin.gz   River's prediction, before it learned, of each 10th row of each trace, one trace behind the
                      other, as doubles; of a classifier P(true), NaN where River says nothing

A classifier's label is whether a trip lasts longer than 700 s.
"""

import gzip
import itertools
import json
import math
import pathlib
import struct

import river
from river import base, compose, dummy, linear_model, naive_bayes, neighbors, optim, preprocessing, stats, tree
from river.forest import AMFClassifier, AMFRegressor
from river.optim import losses, schedulers

from record import NAMES, RIVER, stream

HERE = pathlib.Path(__file__).parent
EVERY = 10
LONG = 700

SCALER = "standard_scaler"
LIN = "linear_regression"
LOG = "logistic_regression"


def scaled(model):
    return preprocessing.StandardScaler() | model


OPTIMIZERS = {
    "sgd": ("sgd", lambda: optim.SGD()),
    "momentum": ({"momentum": {"lr": 0.001}}, lambda: optim.Momentum(0.001)),
    "ada_grad": ({"ada_grad": {"lr": 1}}, lambda: optim.AdaGrad(1.0)),
    "adam": ("adam", lambda: optim.Adam()),
    "rms_prop": ({"rms_prop": {"rho": 0.95}}, lambda: optim.RMSProp(rho=0.95)),
    "ftrl_proximal": ({"ftrl_proximal": {"l1": 0.5, "alpha": 0.5}}, lambda: optim.FTRLProximal(l1=0.5, alpha=0.5)),
}

REGRESSION_LOSSES = {
    "squared": ("squared", losses.Squared),
    "absolute": ("absolute", losses.Absolute),
    "huber": ({"huber": {"epsilon": 20}}, lambda: losses.Huber(20)),
    "quantile": ({"quantile": {"alpha": 0.9}}, lambda: losses.Quantile(0.9)),
    "epsilon_insensitive_hinge": (
        {"epsilon_insensitive_hinge": {"eps": 5}}, lambda: losses.EpsilonInsensitiveHinge(5)),
}

BINARY_LOSSES = {
    "log": ({"log": {"weight_pos": 2}}, lambda: losses.Log(weight_pos=2.0)),
    "hinge": ({"hinge": {"threshold": 0.5}}, lambda: losses.Hinge(0.5)),
}

SCHEDULERS = {
    "inverse": ({"inverse_scaling": {"learning_rate": 0.5, "power": 0.3}},
                lambda: schedulers.InverseScaling(0.5, 0.3)),
    "optimal": ({"optimal": {"alpha": 0.001}}, lambda: schedulers.Optimal(losses.Log(), 0.001)),
}


def linear_traces():
    """(name, pipeline, River's, weighted)"""
    for loss, (loss_json, make_loss) in REGRESSION_LOSSES.items():
        for opt, (opt_json, make_opt) in OPTIMIZERS.items():
            # The gradients of all but the squared loss are small: the intercept hurries to where the kinks are.
            more = {} if loss == "squared" else {"intercept_init": 500, "intercept_lr": 5}
            yield (f"linear {loss} {opt}", [SCALER, {LIN: {"loss": loss_json, "optimizer": opt_json, **more}}],
                   scaled(linear_model.LinearRegression(optimizer=make_opt(), loss=make_loss(), **more)), False)
    for loss, (loss_json, make_loss) in BINARY_LOSSES.items():
        for opt, (opt_json, make_opt) in OPTIMIZERS.items():
            yield (f"logistic {loss} {opt}", [SCALER, {LOG: {"loss": loss_json, "optimizer": opt_json}}],
                   scaled(linear_model.LogisticRegression(optimizer=make_opt(), loss=make_loss())), True)
    for name, (rate_json, make) in SCHEDULERS.items():
        for opt, cls in (("sgd", optim.SGD), ("adam", optim.Adam)):
            yield (f"logistic {name} {opt}",
                   [SCALER, {LOG: {"optimizer": {opt: {"lr": rate_json}}, "intercept_lr": rate_json}}],
                   scaled(linear_model.LogisticRegression(optimizer=cls(make()), intercept_lr=make())), False)
    yield ("logistic l1", [SCALER, {LOG: {"l1": 0.01, "optimizer": {"sgd": {"lr": SCHEDULERS["inverse"][0]}}}}],
           scaled(linear_model.LogisticRegression(l1=0.01, optimizer=optim.SGD(SCHEDULERS["inverse"][1]()))), True)
    yield ("logistic l2 adam", [SCALER, {LOG: {"l2": 0.05, "optimizer": "adam", "clip_gradient": 0.3}}],
           scaled(linear_model.LogisticRegression(l2=0.05, optimizer=optim.Adam(), clip_gradient=0.3)), True)
    yield ("linear l2 momentum", [SCALER, {LIN: {"l2": 0.05, "optimizer": {"momentum": {"lr": 0.0005, "rho": 0.8}}}}],
           scaled(linear_model.LinearRegression(l2=0.05, optimizer=optim.Momentum(0.0005, 0.8))), True)
    for mode in (0, 1, 2):
        # Unscaled: mode 0 makes 1e-8 of the last bit in which the scaler's root is not River's var ** 0.5.
        yield (f"pa regressor {mode}", [{"pa_regressor": {"mode": mode, "C": 0.5, "eps": 3}}],
               linear_model.PARegressor(mode=mode, C=0.5, eps=3), False)
        yield (f"pa classifier {mode}", [SCALER, {"pa_classifier": {"mode": mode, "C": 0.1}}],
               scaled(linear_model.PAClassifier(mode=mode, C=0.1)), False)
    yield ("pa classifier no intercept", [SCALER, {"pa_classifier": {"learn_intercept": False}}],
           scaled(linear_model.PAClassifier(learn_intercept=False)), False)


class Declared(base.Transformer):
    """Features that are not there are None: what StatImputer, which wants every feature, fills in."""

    def transform_one(self, x):
        return {name: x.get(name) for name in NAMES}


def imputed(make, model):
    return compose.Pipeline(Declared(), preprocessing.StatImputer(*((name, make()) for name in NAMES)), model)


def preprocessing_traces():
    logistic = [{LOG: {"optimizer": {"sgd": {"lr": 0.1}}}}]

    def learner():
        return linear_model.LogisticRegression(optimizer=optim.SGD(0.1))

    scalers = {
        "min_max_scaler": ("min_max_scaler", preprocessing.MinMaxScaler),
        "max_abs_scaler": ("max_abs_scaler", preprocessing.MaxAbsScaler),
        "adaptive_standard_scaler": ("adaptive_standard_scaler", preprocessing.AdaptiveStandardScaler),
        "adaptive_standard_scaler 0.05": ({"adaptive_standard_scaler": {"fading_factor": 0.05}},
                                          lambda: preprocessing.AdaptiveStandardScaler(0.05)),
        "normalizer": ("normalizer", preprocessing.Normalizer),
        "normalizer 1": ({"normalizer": {"order": 1}}, lambda: preprocessing.Normalizer(1)),
        "normalizer 3": ({"normalizer": {"order": 3}}, lambda: preprocessing.Normalizer(3)),
    }
    for name, (described, make) in scalers.items():
        yield name, [described] + logistic, make() | learner(), True
        yield f"{name} knn", [described, "knn_regressor"], make() | neighbors.KNNRegressor(
            engine=neighbors.LazySearch(window_size=1000)), False
    yield ("two scalers", ["standard_scaler", "min_max_scaler"] + logistic,
           preprocessing.StandardScaler() | preprocessing.MinMaxScaler() | learner(), False)
    for name, (described, make) in {
        "mean": ("stat_imputer", stats.Mean),
        "min": ({"stat_imputer": {"statistic": "min"}}, stats.Min),
        "max": ({"stat_imputer": {"statistic": "max"}}, stats.Max),
        "constant": ({"stat_imputer": {"statistic": "constant", "value": 0.5}}, lambda: 0.5),
    }.items():
        yield f"imputer {name}", [described] + logistic, imputed(make, learner()), False
    target = preprocessing.TargetStandardScaler
    yield ("target linear", [SCALER, {"target_standard_scaler": {"regressor": LIN}}],
           preprocessing.StandardScaler() | target(linear_model.LinearRegression()), False)
    yield ("target knn", [SCALER, {"target_standard_scaler": {"regressor": "knn_regressor"}}],
           preprocessing.StandardScaler() | target(neighbors.KNNRegressor(
               engine=neighbors.LazySearch(window_size=1000))), False)
    yield ("target tree", [SCALER, {"target_standard_scaler": {"regressor": {"hoeffding_tree_regressor": {
        "grace_period": 50, "tau": 0.2}}}}],
           preprocessing.StandardScaler() | target(tree.HoeffdingTreeRegressor(
               memory_estimate_period=10**12, grace_period=50, tau=0.2)), False)


def classifier_traces():
    def knn(window=1000, **kwargs):
        return neighbors.KNNClassifier(engine=neighbors.LazySearch(window_size=window), **kwargs)

    yield "prior", ["prior"], dummy.PriorClassifier(), False
    yield "gaussian_nb", ["gaussian_nb"], naive_bayes.GaussianNB(), False
    yield "gaussian_nb scaled", [SCALER, "gaussian_nb"], scaled(naive_bayes.GaussianNB()), False
    yield "knn", [SCALER, "knn_classifier"], scaled(knn()), False
    yield ("knn votes", [SCALER, {"knn_classifier": {"n_neighbors": 8, "window_size": 300, "weighted": False}}],
           scaled(knn(300, n_neighbors=8, weighted=False)), False)


def one_hot_traces():
    """passenger_count as a category; the record says so by "categorical"."""
    name = NAMES[0]
    others = NAMES[1:]

    def category():
        return compose.FuncTransformer(lambda x: {name: str(x[name])} if name in x else {})

    def rest():
        return compose.FuncTransformer(lambda x: {k: v for k, v in x.items() if k != name})

    def learner():
        return linear_model.LogisticRegression(optimizer=optim.SGD(0.1), l2=0.001)

    logistic = {LOG: {"optimizer": {"sgd": {"lr": 0.1}}, "l2": 0.001}}
    yield ("one_hot", ["one_hot_encoder", logistic],
           ((category() | preprocessing.OneHotEncoder()) + rest()) | learner(), False)
    yield ("one_hot drop_zeros", [{"one_hot_encoder": {"drop_zeros": True, "max_categories": 9}}, logistic],
           ((category() | preprocessing.OneHotEncoder(drop_zeros=True)) + rest()) | learner(), False)
    yield ("discard", [{"discard": {"keys": [name]}}, SCALER, "knn_regressor"],
           rest() | preprocessing.StandardScaler() | neighbors.KNNRegressor(
               engine=neighbors.LazySearch(window_size=1000)), False)
    some = others[1:3]
    yield ("select", [{"select": {"keys": some}}, SCALER, LIN],
           compose.FuncTransformer(lambda x: {k: v for k, v in x.items() if k in some})
           | preprocessing.StandardScaler() | linear_model.LinearRegression(), False)


FAMILIES = {"linear": linear_traces, "preprocessing": preprocessing_traces, "classifiers": classifier_traces,
            "categories": one_hot_traces}


def last_of(model):
    return model[list(model.steps)[-1]] if hasattr(model, "steps") else model


def predict(model, x, classifies):
    if not classifies:
        p = model.predict_one(x)
        return math.nan if p is None else float(p)
    p = model.predict_proba_one(x)
    return float(p.get(True, 0.0)) if p else math.nan


def counted(model):
    """What a trace says besides: how many members were replaced, or the nodes of a forest of Mondrian trees at the end."""
    last = last_of(model)
    if hasattr(last, "n_detected_changes"):
        return {"counts": {"replaced": last.n_detected_changes}}
    return {"nodes": sum(t._n_nodes for t in last)} if isinstance(last, (AMFClassifier, AMFRegressor)) else {}


def record(family, name, pipeline, model, weighted, rows, names):
    classifies = isinstance(last_of(model), base.Classifier)
    predictions = []
    error = 0.0
    for i, (x, y, w) in enumerate(rows):
        x = {k: v for k, v in zip(names, x) if not math.isnan(v)}
        y = y > LONG if classifies else y
        p = predict(model, x, classifies)
        if i % EVERY == 0:
            predictions.append(p)
        error += abs(y - p) if not math.isnan(p) else 0
        model.learn_one(x, y, **({"w": w} if weighted else {}))
    print(f"{family:14} {name:44} mean absolute error {error / len(rows):10.4f}")
    return {"family": family, "name": name, "pipeline": pipeline, "weighted": weighted,
            **({"categorical": True} if family.startswith("categories") else {}),
            **({"texts": True} if family == "categories: texts" else {}), **counted(model)}, predictions


def write(name, data):
    (HERE / name).write_bytes(gzip.compress(data, compresslevel=9, mtime=0))


def record_all(families, stem, source=stream, names=None, n=None):
    """Writes <stem>.json and <stem>.bin.gz of all traces of the families, over the first n rows of a stream of record.py;
    `names` are its features, if they are not the taxi task's."""
    if river.__version__ != RIVER:
        raise SystemExit(f"River {river.__version__}: the traces are those of {RIVER}")
    rows = list(itertools.islice(source(), n))
    traces, predictions = [], []
    for family, make in families.items():
        for trace in make():
            described, recorded = record(family, *trace, rows, names or NAMES)
            traces.append(described)
            predictions += recorded
    lines = ",\n".join("  " + json.dumps(t) for t in traces)
    head = json.dumps({"river": river.__version__, "every": EVERY, "long": LONG,
                       **({"rows": n} if n else {}),
                       **({"stream": source.__name__, "features": names} if names else {})})[:-1]
    (HERE / f"{stem}.json").write_text(f'{head}, "traces": [\n{lines}\n]}}\n')
    write(f"{stem}.bin.gz", struct.pack(f"<{len(predictions)}d", *predictions))


if __name__ == "__main__":
    record_all(FAMILIES, "families")
