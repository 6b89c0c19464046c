#!/usr/bin/env python3
"""Records River's progressive validation, for tests/unit/evaluate/test_river.c to repeat.

    python tests/golden/record_evaluate.py        (with River 0.26.1)

Writes, beside itself:
    evaluate.csv     a stream with missing values, equal moments, equal due times, labels that come
                     before earlier ones, and one that comes when the next question is asked
    evaluate.json    by case: the columns that it uses, and every 50 answers and at the end what
                     River's evaluate.iter_progressive_val_score() says, and utils.Rolling and
                     utils.TimeRolling of the same answers (..._window, ..._time_window)
"""

import csv
import datetime as dt
import json
import pathlib
import random

from river import compose, evaluate, linear_model, metrics, optim, preprocessing, stream as streams, utils

HERE = pathlib.Path(__file__).parent
ROWS = 430
WINDOW = 40
WINDOW_SECONDS = 300
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


def windows(data, kind, names, moment, delay_of):
    """By answers so far: each metric over the last WINDOW of them, and over those of the last WINDOW_SECONDS."""
    model = regression() if kind == "regression" else binary()
    makes = {"mae": metrics.MAE, "rmse": metrics.RMSE, "log_loss": metrics.LogLoss, "accuracy": metrics.Accuracy}
    rolling = {f"{name}_window": utils.Rolling(makes[name], window_size=WINDOW) for name in names}
    timed = {f"{name}_time_window": utils.TimeRolling(makes[name], period=dt.timedelta(seconds=WINDOW_SECONDS))
             for name in names} if moment else {}
    asked, steps = {}, {}
    for i, x, y in streams.simulate_qa(data, moment, delay_of):
        if y is None:
            asked[i] = model.predict_one(x) if kind == "regression" else model.predict_proba_one(x)
            continue
        for name, metric in (rolling | timed).items():
            p = asked[i]
            if name.startswith("accuracy"):
                p = max(p, key=p.get)
            if name in rolling:
                metric.update(y, p)
            else:
                due = x[moment] + (delay_of(x, y) if callable(delay_of) else delay_of)
                metric.update(y, p, t=due if isinstance(due, dt.datetime) else START + dt.timedelta(seconds=due))
        model.learn_one(x, y)
        steps[len(steps) + 1] = {name: metric.get() for name, metric in (rolling | timed).items()}
    return steps


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
    rolling = windows(data, kind, names, moment, delay_of)
    for state in evaluate.iter_progressive_val_score(data, regression() if kind == "regression" else binary(),
                                                     metric, moment=moment, delay=delay_of, step=50):
        steps[state["Step"]] = {name: m.get() for name, m in zip(names, metric)} | rolling[state["Step"]]
    return {"kind": kind, "case": case, "moment": moment, "label_delay": delay, "label_time": label,
            "target": target, "window": WINDOW, "window_seconds": WINDOW_SECONDS if moment else None, "steps": steps}


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
