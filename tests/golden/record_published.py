#!/usr/bin/env python3
"""Runs River's progressive validation on its own data sets and generators, for docs/learners.py.

    python tests/golden/record_published.py        (with River 0.26.1)

Writes, beside itself:
    published.json            per row the data set, the pipeline, the metric, the figure that River's benchmark page or the
                              documentation of the class has (null where neither has one that its own code gives again), and
                              what this release gives
    published-NAME.csv.gz     the streams of River's generators in those examples
"""

import csv
import gzip
import io
import json
import pathlib

import river
from river import (datasets, dummy, ensemble, evaluate, forest, linear_model, metrics, naive_bayes, neighbors, optim,
                   preprocessing, stats, tree)
from river.datasets import synth

HERE = pathlib.Path(__file__).parent
RIVER = "0.26.1"

DATA = {"trump": datasets.TrumpApproval, "chick": datasets.ChickWeights, "phishing": datasets.Phishing,
        "bananas": datasets.Bananas}
METRICS = {"mae": metrics.MAE, "mse": metrics.MSE, "rmse": metrics.RMSE, "r2": metrics.R2, "accuracy": metrics.Accuracy,
           "log_loss": metrics.LogLoss, "f1": metrics.F1}


def drifting(width):
    return synth.ConceptDriftStream(seed=42, position=500, width=width)


# The streams of the examples in the classes' documentation, as those write them.
GENERATED = {
    "agrawal": lambda: synth.Agrawal(classification_function=0, seed=42),
    "agrawal-drift-40": lambda: drifting(40),
    "agrawal-drift-50": lambda: drifting(50),
    "sea-drift": lambda: synth.ConceptDriftStream(stream=synth.SEA(seed=42, variant=0),
                                                  drift_stream=synth.SEA(seed=42, variant=1), seed=1, position=500,
                                                  width=50),
    "friedman-drift": lambda: synth.FriedmanDrift(drift_type="gsg", position=(350, 750), transition_window=200, seed=42),
}
GENERATED_ROWS = 1000
S = "standard_scaler"


def scaled(model):
    return preprocessing.StandardScaler() | model


def linear(**kwargs):
    return scaled(linear_model.LinearRegression(**kwargs))


def knn(kind):
    return scaled(kind(engine=neighbors.LazySearch(window_size=1000)))


def logistic():
    return scaled(linear_model.LogisticRegression(optimizer=optim.SGD(0.005)))


def bagged(kind, model):
    return scaled(kind(model=model, n_models=3, seed=42))


def logistic_by(name, **kwargs):
    """The example of an optimizer's documentation."""
    return [S, {"logistic_regression": {"optimizer": {name: kwargs} if kwargs else name}}]


def river_logistic_by(optimizer):
    return lambda: scaled(linear_model.LogisticRegression(optimizer()))


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
    # From here on: the examples of the classes' documentation.
    ([S, {"linear_regression": {"intercept_lr": 0.1}}], lambda: linear(intercept_lr=0.1), {"trump": {"mae": 0.558735}}),
    ([S, {"target_standard_scaler": {"regressor": {"linear_regression": {"intercept_lr": 0.15}}}}],
     lambda: scaled(preprocessing.TargetStandardScaler(regressor=linear_model.LinearRegression(intercept_lr=0.15))),
     {"trump": {"mse": 2.005999}}),
    ([S, "logistic_regression"], lambda: scaled(linear_model.LogisticRegression()), {"phishing": {"accuracy": 0.8928}}),
    (logistic_by("sgd", lr=0.1), river_logistic_by(lambda: optim.SGD(0.1)),
     {"phishing": {"accuracy": 0.8896, "f1": 0.8785}}),
    (logistic_by("momentum"), river_logistic_by(optim.Momentum), {"phishing": {"f1": 0.8409}}),
    (logistic_by("nesterov_momentum"), river_logistic_by(optim.NesterovMomentum), {"phishing": {"f1": 0.8422}}),
    (logistic_by("ada_grad"), river_logistic_by(optim.AdaGrad), {"phishing": {"f1": 0.8801}}),
    (logistic_by("adam"), river_logistic_by(optim.Adam), {"phishing": {"f1": 0.8652}}),
    (logistic_by("rms_prop"), river_logistic_by(optim.RMSProp), {"phishing": {"f1": 0.8724}}),
    (logistic_by("ftrl_proximal"), river_logistic_by(optim.FTRLProximal), {"phishing": {"f1": 0.8756}}),
    ([S, {HTR: {"grace_period": 100, "model_selector_decay": 0.9}}],
     lambda: scaled(tree.HoeffdingTreeRegressor(grace_period=100, model_selector_decay=0.9)), {"trump": {"mae": 0.793345}}),
    ([S, {HATR: {"grace_period": 50, "model_selector_decay": 0.3, "seed": 0}}],
     lambda: scaled(tree.HoeffdingAdaptiveTreeRegressor(grace_period=50, model_selector_decay=0.3, seed=0)),
     {"trump": {"mae": 0.917576}}),
    ([{"hoeffding_tree_classifier": {"grace_period": 100, "delta": 1e-5}}],
     lambda: tree.HoeffdingTreeClassifier(grace_period=100, delta=1e-5, nominal_attributes=["elevel", "car", "zipcode"]),
     {"agrawal": {"accuracy": 0.8458}}, "elevel,car,zipcode"),
    ([{"hoeffding_adaptive_tree_classifier": {"grace_period": 100, "delta": 1e-5, "leaf_prediction": "nb",
                                              "nb_threshold": 10, "seed": 0}}],
     lambda: tree.HoeffdingAdaptiveTreeClassifier(grace_period=100, delta=1e-5, leaf_prediction="nb", nb_threshold=10,
                                                  seed=0),
     {"sea-drift": {"accuracy": 0.9149}}),
    (["min_max_scaler", {"amf_regressor": {"seed": 42}}],
     lambda: preprocessing.MinMaxScaler() | forest.AMFRegressor(seed=42), {"trump": {"mae": 0.427341}}),
    (["min_max_scaler", {"amf_classifier": {"n_estimators": 10, "dirichlet": 0.5, "seed": 1}}],
     lambda: preprocessing.MinMaxScaler() | forest.AMFClassifier(n_estimators=10, use_aggregation=True, dirichlet=0.5,
                                                                 seed=1),
     {"bananas": {"accuracy": 0.8405}}),
    ([S, {"arf_regressor": {"seed": 42}}], lambda: scaled(forest.ARFRegressor(seed=42)), {"trump": {"mae": 0.772113}}),
    ([{"arf_classifier": {"leaf_prediction": "mc", "seed": 8}}],
     lambda: forest.ARFClassifier(seed=8, leaf_prediction="mc"), {"agrawal-drift-40": {"accuracy": 0.6797}}),
    ([S, {"bagging_regressor": {"model": {"linear_regression": {"intercept_lr": 0.1}}, "n_models": 3, "seed": 42}}],
     lambda: bagged(ensemble.BaggingRegressor, linear_model.LinearRegression(intercept_lr=0.1)),
     {"trump": {"mae": 0.677586}}),
    # River's examples have a scaler in each member, which ours cannot have: theirs are run with one scaler before all.
    *(([S, {f"{name}_classifier": {"model": "logistic_regression", "n_models": 3, "seed": 42}}],
       lambda kind=kind: bagged(kind, linear_model.LogisticRegression()), {"phishing": {"f1": None}})
      for name, kind in (("bagging", ensemble.BaggingClassifier), ("adwin_bagging", ensemble.ADWINBaggingClassifier),
                         ("leveraging_bagging", ensemble.LeveragingBaggingClassifier))),
    ([{"srp_regressor": {"model": {HTR: {"grace_period": 50}}, "training_method": "patches", "n_models": 3, "seed": 42}}],
     lambda: ensemble.SRPRegressor(model=tree.HoeffdingTreeRegressor(grace_period=50), training_method="patches",
                                   n_models=3, seed=42),
     {"friedman-drift": {"r2": 0.571117}}),
    ([{"srp_classifier": {"model": {"hoeffding_tree_classifier": {"grace_period": 50, "delta": 0.01}}, "n_models": 3,
                          "seed": 42}}],
     lambda: ensemble.SRPClassifier(
         model=tree.HoeffdingTreeClassifier(grace_period=50, delta=0.01, nominal_attributes=["age", "car", "zipcode"]),
         n_models=3, seed=42),
     {"agrawal-drift-50": {"accuracy": 0.7267}}, "age,car,zipcode"),
]


def rows_of(name):
    return DATA[name]() if name in DATA else GENERATED[name]().take(GENERATED_ROWS)


def write_stream(name):
    """As bytes that are the same whenever they are made."""
    rows = list(rows_of(name))
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow([*map(str, rows[0][0]), "y"])
    out.writerows([*map(repr, x.values()), repr(float(y))] for x, y in rows)
    with open(HERE / f"published-{name}.csv.gz", "wb") as file:
        file.write(gzip.compress(text.getvalue().encode(), mtime=0))


def main():
    assert river.__version__ == RIVER, river.__version__
    rows = []
    for pipeline, make, figures, *categorical in ROWS:
        for data, wanted in figures.items():
            for metric, published in wanted.items():
                found = evaluate.progressive_val_score(rows_of(data), make(), METRICS[metric]())
                rows.append({"data": data, "pipeline": pipeline, "metric": metric, "published": published,
                             "river": found.get()})
                if categorical:
                    rows[-1]["categorical"] = categorical[0]
                print(rows[-1], flush=True)
    for name in GENERATED:
        write_stream(name)
    out = {"river": RIVER, "data": {name: columns(name) for name in [*DATA, *GENERATED]}, "rows": rows}
    (HERE / "published.json").write_text(json.dumps(out, indent=1) + "\n")


def columns(name):
    """What the data set has, in its order."""
    x, _ = next(iter(rows_of(name)))
    return [str(column) for column in x]


if __name__ == "__main__":
    main()
