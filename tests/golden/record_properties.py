#!/usr/bin/env python3
"""Records where River answers a number to rows that nobody should send, for tests/unit/learn/test_properties.c.

    python tests/golden/record_properties.py OXBOW        (with River 0.26.1; OXBOW is the program, for its registry)

Writes, beside itself:
    properties.bin.gz  ROWS rows of each stream, one stream behind the other, as record.py writes rows: four features (NaN:
                       missing), the label of a regressor, and that of a classifier (0 or 1) where the weight would be
    properties.json    for each learner and preprocessor, with its defaults and by itself (a preprocessor before
                       linear_regression; lists of names are feature_1 and feature_3), what River answers, before it learned the row: n a number, x NaN or nothing,
                       e from where on River has stopped with an error; each with how often: "x1n199"

A class that River cannot make without more than its defaults is in SPECIAL; one that is in neither is printed as not recorded.
"""

import importlib
import inspect
import itertools
import json
import math
import pathlib
import random
import subprocess
import sys
import warnings

import river
from river import base, compose, dummy, ensemble, linear_model, preprocessing, stats

import record

HERE = pathlib.Path(__file__).parent
ROWS = 200
NAMES = ["feature_0", "feature_1", "feature_2", "feature_3"]
NAN = math.nan
HOSTILE = [0.0, -0.0, NAN, 1e308, -1e308, 5e-324, 1.0, 1e15, 0.05]


def varied(i):
    rng = random.Random(i)
    return [round(rng.gauss(0, 1 + j), 3) for j in range(4)]


def hostile(i):
    rng = random.Random(1000 + i)
    return [rng.choice(HOSTILE) for _ in range(4)]


# features, label, class of row i
STREAMS = {
    "missing": lambda i: ([NAN] * 4, float(i % 5), i % 2),
    "huge": lambda i: ([1e308, -1e308, 1e300 * (i % 3), 1e308 if i % 2 else -1e308], 1e308 if i % 3 else -1e308, i % 2),
    "zeros": lambda i: ([0.0, -0.0, 0.0 if i % 2 else -0.0, 0.0], -0.0 if i % 3 else 0.0, i % 2),
    "denormal": lambda i: ([5e-324 * (i % 7), -5e-324, 2.3e-308, 5e-324 * i], 5e-324 * (i % 5), int(i % 5 > 2)),
    "constant": lambda i: ([0.5, 1.0, 0.0, -1.0], 3.0, 1),
    "one_class": lambda i: (varied(i), 7.0, 1),
    "other_class": lambda i: (varied(i), -7.0, 0),
    "alternating": lambda i: ([0.5, 1.0, 0.0, -1.0], 1.0 if i % 2 else -1.0, i % 2),
    "appearing": lambda i: (varied(i)[:2] + (varied(i)[2:] if i > 100 else [NAN, NAN]), sum(varied(i)), int(varied(i)[0] > 0)),
    "rising": lambda i: ([1e15 + i, float(i), -float(i), i / 1e9], float(i), int(i > 100)),
    "hostile": lambda i: (hostile(i), HOSTILE[(i * 5) % 9] if (i * 5) % 9 != 2 else 1.0, int(i % 3 == 0)),
}

SPECIAL = {
    "statistic_regressor": lambda: dummy.StatisticRegressor(stats.Mean()),
    "select": lambda: compose.Select("feature_1", "feature_3"),
    "discard": lambda: compose.Discard("feature_1", "feature_3"),
    "one_hot_encoder": lambda: compose.FuncTransformer(lambda x: x),  # ours leaves numbers as they are
    "stat_imputer": lambda: preprocessing.StatImputer(*((name, stats.Mean()) for name in NAMES)),
    "bagging_regressor": lambda: ensemble.BaggingRegressor(linear_model.LinearRegression(), seed=0),
    "bagging_classifier": lambda: ensemble.BaggingClassifier(linear_model.LogisticRegression(), seed=0),
    "adwin_bagging_classifier": lambda: ensemble.ADWINBaggingClassifier(linear_model.LogisticRegression(), seed=0),
    "leveraging_bagging_classifier": lambda: ensemble.LeveragingBaggingClassifier(
        linear_model.LogisticRegression(), seed=0),
    "target_standard_scaler": lambda: preprocessing.TargetStandardScaler(linear_model.LinearRegression()),
}


class Declared(base.Transformer):
    """Features that are not there are None, as StatImputer wants them."""

    def transform_one(self, x):
        return {name: x.get(name) for name in NAMES}


def modules(text):
    """What an expression such as stats.Mean() is evaluated over."""
    names = {word.rpartition("(")[2] for word in text.replace("=", "(").split(".")[:-1]}
    return {name: importlib.import_module(f"river.{name}") for name in names}


def make(described):
    """River's model of the class, or None."""
    name, text = described["name"], described["river"]
    if name in SPECIAL:
        found = SPECIAL[name]()
    elif "(" in text:
        found = eval(text.replace("window_size)", "window_size=1000)"), modules(text))
    else:
        cls = eval(text, modules(text))
        seeded = "seed" in inspect.signature(cls).parameters
        try:
            found = cls(seed=0) if seeded else cls()
        except TypeError:
            return None
    if described["kind"] == "preprocessor":
        return (Declared() | found if name == "stat_imputer" else found) | linear_model.LinearRegression()
    return found


def answer(model, x, classifies):
    if classifies:
        p = model.predict_proba_one(x)
        return p.get(True, 0.0) if p else NAN
    return model.predict_one(x)


def replay(described, rows):
    model = make(described)
    classifies = described["kind"] == "classifier"
    out = ""
    for x, y, label in rows:
        x = {k: v for k, v in zip(NAMES, x) if not math.isnan(v)}
        try:
            p = answer(model, x, classifies)
            out += "x" if p is None or math.isnan(p) else "n"
            model.learn_one(x, bool(label) if classifies else y)
        except Exception:  # whatever it is, River has no answer from here on
            return out + "e" * (len(rows) - len(out))
    return out


def runs(text):
    return "".join(f"{c}{len(list(group))}" for c, group in itertools.groupby(text))


def main():
    if river.__version__ != record.RIVER:
        raise SystemExit(f"River {river.__version__}: the answers are those of {record.RIVER}")
    warnings.simplefilter("ignore")
    listing = json.loads(subprocess.run([sys.argv[1], "learners", "--json"], capture_output=True, check=True).stdout)
    streams = {name: [row(i) for i in range(ROWS)] for name, row in STREAMS.items()}
    cases = []
    for described in listing:
        if described["kind"] not in ("regressor", "classifier", "preprocessor"):
            continue
        if not described["river"]:
            print(f"not recorded: {described['name']}: River has no such class")
            continue
        try:
            made = make(described)
        except Exception as e:
            print(f"not recorded: {described['name']}: {e}")
            continue
        if made is None:
            print(f"not recorded: {described['name']}: it needs more than its defaults; add it to SPECIAL")
            continue
        answers = {name: runs(replay(described, rows)) for name, rows in streams.items()}
        cases.append({"class": described["name"], "answers": answers})
        print(described["name"], answers)
    record.STREAMS = {"properties": (NAMES, [])}
    record.write_stream("properties", [(x, y, float(label)) for rows in streams.values() for x, y, label in rows])
    lines = ",\n".join("  " + json.dumps(c) for c in cases)
    head = json.dumps({"river": river.__version__, "rows": ROWS, "streams": list(STREAMS)})[:-1]
    (HERE / "properties.json").write_text(f'{head}, "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
