#!/usr/bin/env python3
"""Runs River's progressive validation on its own small data sets, for docs/learners.py.

    python tests/golden/record_published.py        (with River 0.26.1; after record_families.py)

Writes published.json beside itself: per row the data set, the pipeline, the metric, the figure that River's
benchmark page has (null where it has none that its own code gives again), and what this release gives.
"""

import json
import pathlib

import river
from river import (datasets, dummy, evaluate, linear_model, metrics, naive_bayes, neighbors, optim, preprocessing,
                   stats, tree)

HERE = pathlib.Path(__file__).parent
RIVER = "0.26.1"

DATA = {"trump": datasets.TrumpApproval, "chick": datasets.ChickWeights, "phishing": datasets.Phishing,
        "bananas": datasets.Bananas}
METRICS = {"mae": metrics.MAE, "rmse": metrics.RMSE, "accuracy": metrics.Accuracy, "log_loss": metrics.LogLoss}
S = "standard_scaler"


def scaled(model):
    return preprocessing.StandardScaler() | model


def linear(**kwargs):
    return scaled(linear_model.LinearRegression(**kwargs))


def knn(kind):
    return scaled(kind(engine=neighbors.LazySearch(window_size=1000)))


def logistic():
    return scaled(linear_model.LogisticRegression(optimizer=optim.SGD(0.005)))


HTR = "hoeffding_tree_regressor"
HATR = "hoeffding_adaptive_tree_regressor"
LOGISTIC = [S, {"logistic_regression": {"optimizer": {"sgd": {"lr": 0.005}}}}]
PERIOD = {"memory_estimate_period": 10**12}  # River's memory management is out of reach

# pipeline, River's, {data: {metric: published}}
ROWS = [
    ([S, "linear_regression"], linear,
     {"trump": {"mae": 1.314548, "rmse": 3.91198}, "chick": {"mae": 23.758657, "rmse": 37.03767}}),
    ([S, {"linear_regression": {"l2": 1}}], lambda: linear(l2=1.0),
     {"trump": {"mae": 1.871511}, "chick": {"mae": 25.273805}}),
    ([S, "pa_regressor"], lambda: scaled(linear_model.PARegressor()),
     {"trump": {"mae": None}, "chick": {"mae": None}}),
    ([S, HTR], lambda: scaled(tree.HoeffdingTreeRegressor(**PERIOD)), {"trump": {"mae": None}, "chick": {"mae": None}}),
    ([S, {HATR: {"seed": 42}}], lambda: scaled(tree.HoeffdingAdaptiveTreeRegressor(seed=42, **PERIOD)),
     {"trump": {"mae": None}, "chick": {"mae": None}}),
    ([S, "knn_regressor"], lambda: knn(neighbors.KNNRegressor), {"trump": {"mae": None}, "chick": {"mae": None}}),
    (["mean"], lambda: dummy.StatisticRegressor(stats.Mean()), {"trump": {"mae": None}, "chick": {"mae": None}}),
    (LOGISTIC, logistic, {"phishing": {"accuracy": 0.8872}, "bananas": {"accuracy": 0.543208}}),
    ([S, "pa_classifier"], lambda: scaled(linear_model.PAClassifier()),
     {"phishing": {"accuracy": None}, "bananas": {"accuracy": None}}),
    (["gaussian_nb"], naive_bayes.GaussianNB,
     {"phishing": {"accuracy": 0.884708}, "bananas": {"accuracy": 0.615210}}),
    ([S, "knn_classifier"], lambda: knn(neighbors.KNNClassifier),
     {"phishing": {"accuracy": None}, "bananas": {"accuracy": None}}),
    ([S, "hoeffding_tree_classifier"], lambda: scaled(tree.HoeffdingTreeClassifier(**PERIOD)),
     {"phishing": {"accuracy": None}, "bananas": {"accuracy": None}}),
    ([S, {"hoeffding_adaptive_tree_classifier": {"seed": 42}}],
     lambda: scaled(tree.HoeffdingAdaptiveTreeClassifier(seed=42, **PERIOD)),
     {"phishing": {"accuracy": None}, "bananas": {"accuracy": None}}),
]


def main():
    assert river.__version__ == RIVER, river.__version__
    rows = []
    for pipeline, make, figures in ROWS:
        for data, wanted in figures.items():
            for metric, published in wanted.items():
                found = evaluate.progressive_val_score(DATA[data](), make(), METRICS[metric]())
                rows.append({"data": data, "pipeline": pipeline, "metric": metric, "published": published,
                             "river": found.get()})
                print(rows[-1], flush=True)
    out = {"river": RIVER, "data": {name: sorted_names(make) for name, make in DATA.items()}, "rows": rows}
    (HERE / "published.json").write_text(json.dumps(out, indent=1) + "\n")


def sorted_names(make):
    """What data-<name>.bin.gz holds, in its order."""
    x, _ = next(iter(make()))
    return [str(name) for name in x]


if __name__ == "__main__":
    main()
