#!/usr/bin/env python3
"""Records what River predicts with preprocessors, baselines and parameters that record_families.py does not have.

    python tests/golden/record_parameters.py        (with River 0.26.1; after record.py, whose stream it replays)

Writes parameters.json and parameters.bin.gz beside itself, as record_families.py does.
"""

import math

from river import dummy, neighbors, stats

from record_families import SCALER, record_all, scaled


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


FAMILIES = {"neighbours": neighbour_traces, "baselines": baseline_traces}

if __name__ == "__main__":
    record_all(FAMILIES, "parameters")
