#!/usr/bin/env python3
"""Records what River predicts with bagging, for tests/unit/learn/test_bagging.c to replay.

    python tests/golden/record_bagging.py        (with River 0.26.1; after record.py, whose stream it replays)

Writes beside itself, as record_families.py does:
    bagging.json, bagging.bin.gz              over the taxi stream; in family "categories" passenger_count is a category
    bagging_come_and_go.json, ~.bin.gz        over one where a feature goes, another comes, and some are missing
"""

import random

from river import ensemble, linear_model, naive_bayes, neighbors, optim, preprocessing, tree

from record import CATEGORIES
from record import categories as come_and_go
from record_families import LIN, LOG, NAMES, SCALER, record_all, scaled

NEVER = {"memory_estimate_period": 10**12}  # River's own memory management is switched off
GROWS = {"grace_period": 60, "tau": 0.3}
SLOW = {"grace_period": 400, "leaf_prediction": "mc"}
NB = "gaussian_nb"
HTR = "hoeffding_tree_regressor"
HTC = "hoeffding_tree_classifier"
KNN = "knn_classifier"


def logistic(lr=0.1):
    return linear_model.LogisticRegression(optimizer=optim.SGD(lr))


def logistic_json(lr=0.1):
    return {LOG: {"optimizer": {"sgd": {"lr": lr}}}}


def knn(window):
    return neighbors.KNNClassifier(engine=neighbors.LazySearch(window_size=window))


def classifier_tree(**kwargs):
    return tree.HoeffdingTreeClassifier(**NEVER, **GROWS, **kwargs)


def regressor_tree(**kwargs):
    return tree.HoeffdingTreeRegressor(**NEVER, **GROWS, **kwargs)


def described(name, model, given):
    return {name: {"model": model, **given}}


def regressors():
    def trace(name, model_json, model, weighted=False, scales=True, **given):
        bag = ensemble.BaggingRegressor(model=model, **given)
        last = described("bagging_regressor", model_json, given)
        return name, [SCALER, last] if scales else [last], scaled(bag) if scales else bag, weighted

    yield trace("linear", LIN, linear_model.LinearRegression(), True, n_models=3, seed=42)
    yield trace("linear ten", LIN, linear_model.LinearRegression(), seed=0)
    yield trace("tree", {HTR: GROWS}, regressor_tree(), True, False, n_models=5, seed=7)
    yield trace("adaptive tree", {"hoeffding_adaptive_tree_regressor": {**GROWS, "seed": 3}},
                tree.HoeffdingAdaptiveTreeRegressor(**NEVER, **GROWS, seed=3), False, False, n_models=3, seed=11)
    yield trace("target", {"target_standard_scaler": {"regressor": LIN}},
                preprocessing.TargetStandardScaler(linear_model.LinearRegression()), n_models=4, seed=5)
    yield trace("in bagging", {"bagging_regressor": {"model": LIN, "n_models": 2, "seed": 9}},
                ensemble.BaggingRegressor(linear_model.LinearRegression(), n_models=2, seed=9), n_models=3, seed=1)


def classifiers():
    def trace(name, model_json, model, weighted=False, scales=True, **given):
        bag = ensemble.BaggingClassifier(model=model, **given)
        last = described("bagging_classifier", model_json, given)
        return name, [SCALER, last] if scales else [last], scaled(bag) if scales else bag, weighted

    yield trace("logistic", logistic_json(), logistic(), True, n_models=3, seed=42)
    yield trace("bayes", NB, naive_bayes.GaussianNB(), scales=False, n_models=6, seed=0)
    yield trace("knn", {KNN: {"window_size": 100}}, knn(100), n_models=4, seed=2)
    yield trace("tree", {HTC: GROWS}, classifier_tree(), True, False, seed=6)


def watched():
    def trace(name, model_json, model, scales=False, **given):
        bag = ensemble.ADWINBaggingClassifier(model=model, **given)
        last = described("adwin_bagging_classifier", model_json, given)
        return name, [SCALER, last] if scales else [last], scaled(bag) if scales else bag, False

    yield trace("bayes", NB, naive_bayes.GaussianNB(), n_models=5, seed=3)
    yield trace("logistic", logistic_json(0.003), logistic(0.003), True, n_models=4, seed=8)
    yield trace("tree", {HTC: SLOW}, tree.HoeffdingTreeClassifier(**NEVER, **SLOW), seed=0)


class Draws(random.Random):
    """With the two methods of NumPy's generator that River calls, and its own lacks."""

    rand = random.Random.random
    randint = random.Random.randrange


def leveraging():
    def trace(name, model_json, model, scales=False, **given):
        bag = ensemble.LeveragingBaggingClassifier(model=model, **given)
        if given.get("bagging_method") in ("me", "half"):
            bag._rng = Draws(given["seed"])
        last = described("leveraging_bagging_classifier", model_json, given)
        return name, [SCALER, last] if scales else [last], scaled(bag) if scales else bag, False

    yield trace("bag", NB, naive_bayes.GaussianNB(), n_models=5, seed=3)
    yield trace("bag tree", {HTC: GROWS}, classifier_tree(), n_models=3, w=2.5, adwin_delta=0.95, seed=4)
    for seed, method in enumerate(("me", "half", "wt", "subag")):
        yield trace(method, logistic_json(), logistic(), True, n_models=4, adwin_delta=0.95, bagging_method=method,
                    seed=seed)


def categories():
    nominal = {"nominal_attributes": NAMES[:1]}
    # A linear model in a leaf would see the category's number.
    yield ("regressor", [{"bagging_regressor": {"model": {HTR: {**GROWS, "leaf_prediction": "mean"}}, "seed": 42}}],
           ensemble.BaggingRegressor(regressor_tree(leaf_prediction="mean", **nominal), seed=42), False)
    yield ("adwin", [{"adwin_bagging_classifier": {"model": {HTC: SLOW}, "n_models": 4, "seed": 1}}],
           ensemble.ADWINBaggingClassifier(
               tree.HoeffdingTreeClassifier(**NEVER, **SLOW, **nominal), n_models=4, seed=1), False)
    given = {"n_models": 4, "adwin_delta": 0.95, "seed": 2}
    yield ("leveraging", [{"leveraging_bagging_classifier": {"model": {HTC: GROWS}, **given}}],
           ensemble.LeveragingBaggingClassifier(classifier_tree(**nominal), **given), False)


def changing():
    yield ("regressor", [SCALER, {"bagging_regressor": {"n_models": 4, "seed": 1}}],
           scaled(ensemble.BaggingRegressor(linear_model.LinearRegression(), n_models=4, seed=1)), True)
    yield ("classifier", [{"bagging_classifier": {"model": {HTC: GROWS}, "n_models": 4, "seed": 2}}],
           ensemble.BaggingClassifier(classifier_tree(), n_models=4, seed=2), True)
    yield ("adwin", [{"adwin_bagging_classifier": {"model": {HTC: SLOW}, "n_models": 4, "seed": 3}}],
           ensemble.ADWINBaggingClassifier(tree.HoeffdingTreeClassifier(**NEVER, **SLOW), n_models=4, seed=3), False)
    given = {"n_models": 4, "adwin_delta": 0.95, "seed": 4}
    yield ("leveraging", [{"leveraging_bagging_classifier": {"model": NB, **given}}],
           ensemble.LeveragingBaggingClassifier(naive_bayes.GaussianNB(), **given), False)


FAMILIES = {"regressors": regressors, "classifiers": classifiers, "adwin": watched, "leveraging": leveraging,
            "categories": categories}

if __name__ == "__main__":
    record_all(FAMILIES, "bagging")
    record_all({"changing": changing}, "bagging_come_and_go", source=come_and_go, names=CATEGORIES)
