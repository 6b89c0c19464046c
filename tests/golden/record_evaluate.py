#!/usr/bin/env python3
"""Records River's progressive validation, for tests/unit/evaluate/test_river.c to repeat.

    python tests/golden/record_evaluate.py        (with River 0.26.1)

Writes, beside itself:
    evaluate.csv     a stream with missing values, equal moments, equal due times, labels that come
                     before earlier ones, and one that comes when the next question is asked
    evaluate.json    by case: the columns that it uses, and every 50 answers and at the end what
                     River's evaluate.iter_progressive_val_score() says
"""

import csv
import datetime as dt
import json
import pathlib
import random

from river import compose, evaluate, linear_model, metrics, optim, preprocessing

HERE = pathlib.Path(__file__).parent
ROWS = 430
FEATURES = ["a", "b", "c"]
COLUMNS = ["second", "time", "label_second", "label_time", *FEATURES, "y", "above"]
START = dt.datetime(2024, 2, 28, 23, 0)


def rows():
    rng = random.Random(5)
    second = 0
    for _ in range(ROWS):
        second += rng.choice((0, 0, 1, 5, 60))
        delay = rng.choice((0, 1, 5, 60, 60, 300, 7200))
        x = {"a": round(rng.gauss(3, 1), 4), "b": float(rng.randrange(4)), "c": round(rng.random(), 4)}
        y = round(3 * x["a"] - 5 * x["b"] + 20 * x["c"] * x["b"] + rng.gauss(0, 1), 3)
        for name in FEATURES:
            if rng.random() < 0.04:
                del x[name]
        yield {"second": second, "label_second": second + delay, **x, "y": y, "above": y > 20,
               "time": START + dt.timedelta(seconds=second),
               "label_time": START + dt.timedelta(seconds=second + delay)}


def chosen(x):
    return {name: x[name] for name in FEATURES if name in x}


def regression():
    return (compose.FuncTransformer(chosen) | preprocessing.StandardScaler()
            | linear_model.LinearRegression(optimizer=optim.SGD(0.05)))


def binary():
    return (compose.FuncTransformer(chosen) | preprocessing.StandardScaler()
            | linear_model.LogisticRegression())


# case: moment, delay in seconds, label's time
CASES = {
    "at once": (None, None, None),
    "fixed": ("second", 60, None),
    "fixed, of times": ("time", 60, None),
    "zero": ("second", 0, None),
    "label": ("second", None, "label_second"),
    "label, of times": ("time", None, "label_time"),
    "longer than the stream": ("second", 10**7, None),
}


def record(stream, kind, case):
    moment, delay, label = CASES[case]
    if label:
        delay_of = lambda x, y: x[label] - x[moment]  # noqa: E731
    elif delay is not None and moment == "time":
        delay_of = dt.timedelta(seconds=delay)
    else:
        delay_of = delay
    target = "y" if kind == "regression" else "above"
    metric = metrics.MAE() + metrics.RMSE() if kind == "regression" else metrics.LogLoss() + metrics.Accuracy()
    names = ["mae", "rmse"] if kind == "regression" else ["log_loss", "accuracy"]
    data = [({k: v for k, v in row.items() if k not in ("y", "above")}, row[target]) for row in stream]
    steps = {}
    for state in evaluate.iter_progressive_val_score(data, regression() if kind == "regression" else binary(),
                                                     metric, moment=moment, delay=delay_of, step=50):
        steps[state["Step"]] = {name: m.get() for name, m in zip(names, metric)}
    return {"kind": kind, "case": case, "moment": moment, "label_delay": delay, "label_time": label,
            "target": target, "steps": steps}


def main():
    stream = list(rows())
    with open(HERE / "evaluate.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for row in stream:
            out.writerow(["" if name not in row else str(row[name]) for name in COLUMNS])
    cases = [record(stream, kind, case) for kind in ("regression", "binary") for case in CASES]
    (HERE / "evaluate.json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
