#!/usr/bin/env python3
"""Records what River's aggregated Mondrian forests predict.

    python tests/golden/record_amf.py        (with River 0.26.1; after record.py, whose streams it replays)

Writes beside itself, as record_families.py does:
    amf.json, amf.bin.gz                      over the taxi stream
    amf_come_and_go.json, ~.bin.gz            over one where a feature goes, another comes, and some are missing
"""

from river import forest, preprocessing

from record import CATEGORIES, categories
from record_families import record_all

SCALER = "min_max_scaler"
CLASSES = {"amf_regressor": forest.AMFRegressor, "amf_classifier": forest.AMFClassifier}


def trace(name, learner, scaled=True, **parameters):
    made = CLASSES[learner](**parameters)
    described = {learner: parameters} if parameters else learner
    pipeline = [SCALER, described] if scaled else [described]
    return name, pipeline, preprocessing.MinMaxScaler() | made if scaled else made, False


def regressors():
    def of(name, **parameters):
        return trace(name, "amf_regressor", **parameters)

    yield of("regressor", seed=1)
    yield of("regressor, small steps", seed=42, n_estimators=4, step=1e-6)
    yield of("regressor, no scaler", scaled=False, seed=3, n_estimators=5, step=1e-5)
    yield of("regressor, leaves alone", seed=0, n_estimators=6, use_aggregation=False)
    yield of("regressor, full", seed=7, n_estimators=5, max_nodes=100, step=1e-4)


def classifiers():
    def of(name, **parameters):
        return trace(name, "amf_classifier", **parameters)

    yield of("classifier", seed=1)
    yield of("classifier, pure nodes too", seed=42, n_estimators=4, split_pure=True, dirichlet=0.1, step=0.5)
    yield of("classifier, no scaler", scaled=False, seed=3, n_estimators=5, step=0.1)
    yield of("classifier, leaves alone", seed=5, n_estimators=6, use_aggregation=False)
    yield of("classifier, full", seed=7, n_estimators=5, max_nodes=51, split_pure=True, dirichlet=2)


FAMILIES = {"regressors": regressors, "classifiers": classifiers}

if __name__ == "__main__":
    record_all(FAMILIES, "amf", n=2000)
    record_all(FAMILIES, "amf_come_and_go", source=categories, names=CATEGORIES, n=3500)
