#!/usr/bin/env python3
"""Records what River predicts with preprocessors, baselines and parameters that record_families.py does not have.

    python tests/golden/record_parameters.py        (with River 0.26.1; after record.py, whose stream it replays)

Writes parameters.json and parameters.bin.gz beside itself, as record_families.py does, and parameters_coming.*: over
the stream with features that come and go, under the names of the other.
"""

import math

from river import base, compose, dummy, linear_model, neighbors, optim, preprocessing, stats, tree

from record import NAMES, categories
from record_families import LIN, LOG, SCALER, Declared, record_all, scaled

CATEGORY = NAMES[0]
OTHERS = NAMES[1:]


def neighbour_traces():
    def knn(window=1000, **kwargs):
        return neighbors.KNNClassifier(engine=neighbors.LazySearch(window_size=window), **kwargs)

    yield "knn softmax", [SCALER, {"knn_classifier": {"softmax": True}}], scaled(knn(softmax=True)), False
    # So short a window has, now and then, no row of one of the labels.
    yield ("knn softmax short", [SCALER, {"knn_classifier": {
        "softmax": True, "weighted": False, "n_neighbors": 3, "window_size": 4}}],
           scaled(knn(4, softmax=True, weighted=False, n_neighbors=3)), False)


STATISTICS = {
    "mean": ("mean", stats.Mean),
    "ew_mean": ("ew_mean", stats.EWMean),
    "ew_mean 0.05": ({"ew_mean": {"fading_factor": 0.05}}, lambda: stats.EWMean(0.05)),
    "min": ("min", stats.Min),
    "max": ("max", stats.Max),
    "mode": ("mode", stats.Mode),
    "mode 3": ({"mode": {"k": 3}}, lambda: stats.Mode(3)),
    "median": ("quantile", stats.Quantile),
    "quantile 0.9": ({"quantile": {"q": 0.9}}, lambda: stats.Quantile(0.9)),
    "quantile 0.01": ({"quantile": {"q": 0.01}}, lambda: stats.Quantile(0.01)),
    "shift": ("shift", stats.Shift),
    "last": ({"shift": {"amount": 0}}, lambda: stats.Shift(0)),
    "shift 7": ({"shift": {"amount": 7, "fill_value": 3.5}}, lambda: stats.Shift(7, 3.5)),
}


class Ready(dummy.StatisticRegressor):
    """0 where River's statistic has nothing to say, or infinity."""

    def predict_one(self, x):
        p = super().predict_one(x)
        return 0 if p is None or math.isinf(p) else p


def baseline_traces():
    for name, (described, make) in STATISTICS.items():
        yield name, [{"statistic_regressor": {"statistic": described}}], Ready(make()), False
    yield "last class", ["no_change_classifier"], dummy.NoChangeClassifier(), False


def logistic(**kwargs):
    described = {LOG: {"optimizer": {"sgd": {"lr": 0.1}}, **kwargs}}
    return described, linear_model.LogisticRegression(optimizer=optim.SGD(0.1), **kwargs)


class Known(base.Transformer):
    """Without features that are None."""

    def transform_one(self, x):
        return {k: v for k, v in x.items() if v is not None}


def imputer_traces():
    """Imputers by name; those of River need every feature that they name to be there, or None."""
    for name, (described, make) in STATISTICS.items():
        if name in ("min", "max", "shift", "shift 7", "quantile 0.01"):
            continue
        model, theirs = logistic()
        some = OTHERS[1:3]
        yield (f"imputer {name}", [{"stat_imputer": {"imputers": {some[0]: described, some[1]: 0.25}}}, SCALER, model],
               compose.Pipeline(Declared(), preprocessing.StatImputer((some[0], make()), (some[1], 0.25)), Known(),
                                preprocessing.StandardScaler(), theirs), False)


def category_traces():
    """The first feature is a category, whose numbers only differ; here they are texts."""
    def split(imputer, model):
        texts = compose.FuncTransformer(lambda x: {
            k: str(int(v)) if k == CATEGORY and v is not None else v for k, v in x.items()})
        one_hot = compose.FuncTransformer(
            lambda x: {CATEGORY: x[CATEGORY]} if CATEGORY in x else {}) | preprocessing.OneHotEncoder()
        rest = compose.FuncTransformer(lambda x: {k: v for k, v in x.items() if k != CATEGORY})
        return compose.Pipeline(Declared(), texts, imputer, Known(), one_hot + rest, preprocessing.StandardScaler(), model)

    for name, described, statistic in (
            ("mode", "mode", stats.Mode()), ("mode 2", {"mode": {"k": 2}}, stats.Mode(2)),
            ("shift", {"shift": {"amount": 0}}, stats.Shift(0)), ("constant", {"category": {"value": "none"}}, "none")):
        model, theirs = logistic(l2=0.001)
        imputer = preprocessing.StatImputer((CATEGORY, statistic), (OTHERS[1], stats.Mean()))
        yield (f"imputer of categories {name}",
               [{"stat_imputer": {"imputers": {CATEGORY: described, OTHERS[1]: "mean"}}}, "one_hot_encoder", SCALER,
                model], split(imputer, theirs), False)


def windowed_tree_traces():
    """Behind a scaler by its last values a tree, which minds the last bit."""
    yield ("tree", [{SCALER: {"window_size": 100}}, {"hoeffding_tree_regressor": {"grace_period": 50, "tau": 0.2}}],
           Real(True, 100) | tree.HoeffdingTreeRegressor(memory_estimate_period=10**12, grace_period=50, tau=0.2), False)


def one_hot_traces():
    """Categories that are said beforehand; the category's text is its number's, as golden.h reads it."""
    for name, given, more in (("", ["1", "2", "3"], {}), ("drop_zeros", ["1", "5", "9"], {"drop_zeros": True}),
                              ("drop_first", ["6", "2", "1", "5"], {"drop_first": True})):
        model, theirs = logistic(l2=0.001)
        one_hot = compose.FuncTransformer(lambda x: {CATEGORY: str(int(x[CATEGORY]))} if CATEGORY in x else {}) \
            | preprocessing.OneHotEncoder(categories={CATEGORY: set(given)}, **more)
        rest = compose.FuncTransformer(lambda x: {k: v for k, v in x.items() if k != CATEGORY})
        yield (f"one_hot categories {name}".strip(),
               [{"one_hot_encoder": {"categories": {CATEGORY: given}, **more}}, SCALER, model],
               (one_hot + rest) | preprocessing.StandardScaler() | theirs, False)


def hasher_traces():
    """A category is hashed as the text of its number."""
    texts = compose.FuncTransformer(lambda x: {k: str(int(v)) if k == CATEGORY else v for k, v in x.items()})
    for name, given in (("many", {"n_features": 20, "seed": 42}), ("few", {"n_features": 3, "seed": 7}),
                        ("positive", {"n_features": 6, "seed": 4294967295, "alternate_sign": False})):
        model, theirs = logistic(l2=0.01)
        yield (f"hasher {name}", [{"feature_hasher": given}, SCALER, model],
               texts | preprocessing.FeatureHasher(**given) | preprocessing.StandardScaler() | theirs, False)


class Seen(base.Transformer):
    """A scaler by a window, which fails on a feature that it has not learned: that is missing then, as ours is."""

    def __init__(self, scaler, known):
        self.scaler = scaler
        self.known = known

    def learn_one(self, x):
        self.scaler.learn_one(x)

    def transform_one(self, x):
        return self.scaler.transform_one({k: v for k, v in x.items() if k in self.known(self.scaler)})


class Real(preprocessing.StandardScaler):
    """Its variance by a window falls below 0 by rounding, whose root is complex: 0 here, as in ours."""

    def transform_one(self, x):
        if not self.with_std:
            return super().transform_one(x)
        out = {}
        for k, v in x.items():
            var = self.vars[k].get()
            out[k] = (v - self.means[k].get()) / var**0.5 if var > 0 else 0.0
        return out


def window_traces():
    for size in (1, 5, 200):
        for with_std in (True, False):
            model, theirs = logistic()
            yield (f"standard_scaler {size} {'' if with_std else 'centred'}",
                   [{SCALER: {"window_size": size, "with_std": with_std}}, model],
                   Real(with_std, size) | theirs, False)
        model, theirs = logistic()
        yield (f"min_max_scaler {size}", [{"min_max_scaler": {"window_size": size}}, model],
               Seen(preprocessing.MinMaxScaler(size), lambda s: s.min) | theirs, False)
        model, theirs = logistic()
        yield (f"max_abs_scaler {size}", [{"max_abs_scaler": {"window_size": size}}, model],
               preprocessing.MaxAbsScaler(size) | theirs, False)


def linear_traces():
    """First weights, and Nesterov's momentum."""
    init = optim.initializers
    for name, described, make in (
            ("constant", {"constant": {"value": 0.5}}, lambda: init.Constant(0.5)),
            ("normal", {"normal": {"seed": 42}}, lambda: init.Normal(seed=42)),
            ("normal 0", {"normal": {"mu": 1, "sigma": 0.1, "seed": 0}}, lambda: init.Normal(1, 0.1, 0))):
        yield (f"logistic {name}", [SCALER, {LOG: {"initializer": described, "l2": 0.01}}],
               scaled(linear_model.LogisticRegression(initializer=make(), l2=0.01)), True)
        yield (f"linear {name} l1", [SCALER, {LIN: {"initializer": described, "l1": 0.1, "optimizer": "ada_grad"}}],
               scaled(linear_model.LinearRegression(initializer=make(), l1=0.1, optimizer=optim.AdaGrad())), False)
    yield ("logistic nesterov", [SCALER, {LOG: {"optimizer": "nesterov_momentum"}}],
           scaled(linear_model.LogisticRegression(optimizer=optim.NesterovMomentum())), True)
    yield ("linear nesterov l2", [SCALER, {LIN: {"l2": 0.05, "initializer": {"normal": {"seed": 3}}, "optimizer": {
        "nesterov_momentum": {"lr": 0.0005, "rho": 0.8}}}}],
           scaled(linear_model.LinearRegression(l2=0.05, initializer=init.Normal(seed=3),
                                                optimizer=optim.NesterovMomentum(0.0005, 0.8))), False)


FAMILIES = {"neighbours": neighbour_traces, "baselines": baseline_traces,
            "imputers": imputer_traces, "categories: imputers": category_traces,
            "categories: hasher": hasher_traces, "categories: texts": one_hot_traces,
            "windows": window_traces, "windowed trees": windowed_tree_traces, "linear": linear_traces}

def coming_traces():
    """Over the stream of record.py whose fifth feature goes and whose last one comes."""
    gone, comes = NAMES[4:]
    for name, described, make in (("mean", "mean", stats.Mean), ("median", "quantile", stats.Quantile),
                                  ("mode", "mode", stats.Mode), ("shift", "shift", stats.Shift)):
        model, theirs = logistic()
        yield (f"imputer {name}", [{"stat_imputer": {"imputers": {gone: described, comes: described}}}, SCALER, model],
               compose.Pipeline(Declared(), preprocessing.StatImputer((gone, make()), (comes, make())), Known(),
                                preprocessing.StandardScaler(), theirs), False)
    model, theirs = logistic()
    yield ("min_max_scaler", [{"min_max_scaler": {"window_size": 50}}, model],
           Seen(preprocessing.MinMaxScaler(50), lambda s: s.min) | theirs, False)
    model, theirs = logistic()
    yield "max_abs_scaler", [{"max_abs_scaler": {"window_size": 50}}, model], preprocessing.MaxAbsScaler(50) | theirs, False
    model, theirs = logistic()
    yield "standard_scaler", [{SCALER: {"window_size": 50}}, model], Real(True, 50) | theirs, False
    yield ("normal", [SCALER, {LOG: {"initializer": {"normal": {"seed": 5}}, "optimizer": "nesterov_momentum"}}],
           scaled(linear_model.LogisticRegression(initializer=optim.initializers.Normal(seed=5),
                                                  optimizer=optim.NesterovMomentum())), True)
    yield ("softmax", [SCALER, {"knn_classifier": {"softmax": True}}], scaled(neighbors.KNNClassifier(
        engine=neighbors.LazySearch(window_size=1000), softmax=True)), False)


COMING = {"coming": coming_traces, "categories: imputers": category_traces, "categories: hasher": hasher_traces,
          "categories: texts": one_hot_traces}

if __name__ == "__main__":
    record_all(FAMILIES, "parameters")
    record_all(COMING, "parameters_coming", source=categories, names=NAMES)
