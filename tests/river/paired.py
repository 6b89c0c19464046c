#!/usr/bin/env python3
"""Compares learners with River's over seeds and whole streams: `oxbow evaluate` beside River.

    python tests/river/paired.py [--bin DIR] [--only CLASS] [--again]      (with a Python that has River)
    python tests/river/paired.py --write | --check                         # docs/paired.md of paired.json

Each class runs on four streams with the same seeds, in River and in oxbow, over the same rows in the same order by
progressive validation.

Classes that no trace can hold to River's have twenty seeds. Per stream and metric: the mean of (ours - River's) over the
seeds and its 95 % interval (Student's t). It is "shown" where the whole interval lies within 2 % of River's mean, "not shown"
where all of it lies beyond, and "inconclusive" else, which counts as not shown. Those that draw as River's do have two
seeds, and each figure is to be River's, within 1e-9.

Seeds and streams were fixed before the first run; they are not to be changed for a result. The figures of each seed are kept in
paired.json beside this file; what it has is not run again without --again.
"""

import argparse
import csv
import datetime as dt
import gzip
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOUND = pathlib.Path(__file__).with_name("paired.json")
PAGE = ROOT / "docs" / "paired.md"
TAXI = ROOT.parent / "shared" / "data" / "taxi_nyc_kaggle_2016H1_73k.csv.gz"

sys.path.append(str(ROOT / "tests" / "support"))
sys.dont_write_bytecode = True

import small_data  # noqa: E402

SEEDS = range(1, 21)
SEEDS_EXACT = SEEDS[:2]  # of what draws as River does
TOLERANCE = 1e-9
T_975 = 2.093024054408263  # Student's t at 97.5 % with 19 degrees of freedom
WITHIN = 0.02
ROWS_MAX = 10_000

# The blizzard of 22 to 24 January 2016 closed New York's roads for a day; the traffic after it was not that before.
TAXI_FROM = "2016-01-15"
TAXI_ROWS = 5_000
TAXI_LONG = 700  # seconds: what classifiers are asked about


def taxi_rows():
    with gzip.open(TAXI, "rt") as file:
        for row in csv.DictReader(file):
            at = dt.datetime.fromisoformat(row["pickup_datetime"])
            duration = float(row["trip_duration"])
            if row["pickup_datetime"] < TAXI_FROM or not 30 <= duration <= 10_800:
                continue
            place = {end + axis: float(row[f"{end}_{axis}itude"]) for end in ("pickup", "dropoff")
                     for axis in ("long", "lat")}
            yield {"passenger_count": float(row["passenger_count"]), "is_weekend": float(at.weekday() >= 5),
                   "l1_distance": abs(place["pickuplong"] - place["dropofflong"])
                                  + abs(place["pickuplat"] - place["dropofflat"]),
                   "hour_cos": math.cos(2 * math.pi * at.hour / 24),
                   "hour_sin": math.sin(2 * math.pi * at.hour / 24)}, duration


def taxi():
    for _, row in zip(range(TAXI_ROWS), taxi_rows()):
        yield row


def taxi_long():
    return ((x, float(y > TAXI_LONG)) for x, y in taxi())


def friedman_drift():
    """Friedman's function, which changes gradually around rows 1,000 and 2,000."""
    from river.datasets import synth
    stream = synth.FriedmanDrift(drift_type="gsg", position=(1000, 2000), transition_window=200, seed=42)
    return (({f"x{name}": v for name, v in x.items()}, y) for x, y in stream.take(3000))


def sea():
    """SEA's first concept with a tenth of the labels wrong, and its fourth from row 1,500 on."""
    from river.datasets import synth
    for variant, seed in ((0, 1), (3, 2)):
        for x, y in synth.SEA(variant=variant, noise=0.1, seed=seed).take(1500):
            yield {f"x{name}": v for name, v in x.items()}, float(y)


STREAMS = {
    "regressor": {"taxi": taxi, "friedman-drift": friedman_drift, "trump": lambda: small_data.rows("trump"),
                  "chick": lambda: small_data.rows("chick")},
    "classifier": {"taxi-long": taxi_long, "sea": sea, "phishing": lambda: small_data.rows("phishing"),
                   "bananas": lambda: small_data.rows("bananas")},
}
METRICS = {"regressor": ("mae",), "classifier": ("log_loss", "accuracy")}

SWINN = "River's engine by default is SWINN, an approximate search; ours is exact, and traced to River's LazySearch"


def swinn(kind):
    def make(seed):
        from river import neighbors, preprocessing
        engine = neighbors.SWINN(seed=seed)
        return preprocessing.StandardScaler() | getattr(neighbors, kind)(engine=engine)
    return make


def seedless(name):
    return lambda seed: ["standard_scaler", name]


def seeded(name, **more):
    return lambda seed: ["standard_scaler", {name: {"seed": seed, **more}}]


def rivers(path, **more):
    """A factory of module.Class behind a scaler, with a seed; parameters that are texts name River's, too."""
    def make(seed):
        import importlib
        from river import preprocessing
        def find(name):
            module, _, kind = name.partition(".")
            return getattr(importlib.import_module(f"river.{module}"), kind)
        made = {k: find(v)() if isinstance(v, str) else v for k, v in more.items()}
        return preprocessing.StandardScaler() | find(path)(seed=seed, **made)
    return make


UNBOUNDED = 10**9  # bytes of one of our models: River's memory management is not reached in so few rows either

# class: why it is here, our pipeline of a seed, River's of a seed.
CLASSES = {
    "knn_regressor": (SWINN, seedless("knn_regressor"), swinn("KNNRegressor")),
    "knn_classifier": (SWINN, seedless("knn_classifier"), swinn("KNNClassifier")),
}

# class: our pipeline of a seed, River's of a seed. They draw as River's do.
TREES = {"model": "hoeffding_tree_classifier"}
EXACT = {
    "hoeffding_adaptive_tree_regressor": (seeded("hoeffding_adaptive_tree_regressor"),
                                          rivers("tree.HoeffdingAdaptiveTreeRegressor")),
    "hoeffding_adaptive_tree_classifier": (seeded("hoeffding_adaptive_tree_classifier"),
                                           rivers("tree.HoeffdingAdaptiveTreeClassifier")),
    "arf_regressor": (seeded("arf_regressor"), rivers("forest.ARFRegressor")),
    "arf_classifier": (seeded("arf_classifier"), rivers("forest.ARFClassifier")),
    "amf_regressor": (seeded("amf_regressor"), rivers("forest.AMFRegressor")),
    "amf_classifier": (seeded("amf_classifier"), rivers("forest.AMFClassifier")),
    "bagging_regressor": (seeded("bagging_regressor", model="hoeffding_tree_regressor"),
                          rivers("ensemble.BaggingRegressor", model="tree.HoeffdingTreeRegressor")),
    "bagging_classifier": (seeded("bagging_classifier", **TREES),
                           rivers("ensemble.BaggingClassifier", model="tree.HoeffdingTreeClassifier")),
    "adwin_bagging_classifier": (seeded("adwin_bagging_classifier", **TREES),
                                 rivers("ensemble.ADWINBaggingClassifier", model="tree.HoeffdingTreeClassifier")),
    "leveraging_bagging_classifier": (seeded("leveraging_bagging_classifier", **TREES),
                                      rivers("ensemble.LeveragingBaggingClassifier", model="tree.HoeffdingTreeClassifier")),
    "srp_regressor": (seeded("srp_regressor"), rivers("ensemble.SRPRegressor")),
    "srp_classifier": (seeded("srp_classifier"), rivers("ensemble.SRPClassifier")),
}


def run_ours(oxbow, make, seeds, kind, rows, folder):
    """{metric: a figure a seed}; the seeds run beside each other on one reading of the file."""
    path = pathlib.Path(folder) / "rows.csv"
    lines = [",".join([*rows[0][0], "y"])] + [",".join(map(repr, (*x.values(), y))) for x, y in rows]
    path.write_text("\n".join(lines) + "\n")
    command = [oxbow, "evaluate", "--json", "--data", path, "--target", "y", "--metrics", ",".join(METRICS[kind]),
               "--max-model-bytes", UNBOUNDED, "--kind", "binary" if kind == "classifier" else "regression"]
    for seed in seeds:
        command += ["--model", f"{seed}=" + json.dumps(make(seed))]
    done = subprocess.run([str(w) for w in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr}")
    found = {row["model"]: row for row in map(json.loads, done.stdout.splitlines())}
    return {metric: [found[str(seed)][metric] for seed in seeds] for metric in METRICS[kind]}


def run_river(make, seeds, kind, rows):
    from river import evaluate, metrics
    makes = {"mae": metrics.MAE, "log_loss": metrics.LogLoss, "accuracy": metrics.Accuracy}
    found = {metric: [] for metric in METRICS[kind]}
    for seed in seeds:
        running = [makes[metric]() for metric in METRICS[kind]]
        both = running[0] if len(running) == 1 else sum(running[1:], running[0])
        data = [(x, bool(y) if kind == "classifier" else y) for x, y in rows]
        evaluate.progressive_val_score(data, make(seed), both)
        for metric, m in zip(METRICS[kind], running):
            found[metric].append(float(m.get()))
    return found


def judge(ours, theirs):
    """River's mean, the mean difference, half of its 95 % interval, what is to be said of it."""
    differences = [a - b for a, b in zip(ours, theirs)]
    n = len(differences)
    mean = statistics.fmean(differences)
    assert n == len(SEEDS)
    half = T_975 * statistics.stdev(differences) / math.sqrt(n)
    bound = WITHIN * abs(statistics.fmean(theirs))
    if -bound <= mean - half and mean + half <= bound:
        return mean, half, "shown"
    return mean, half, "not shown" if mean - half > bound or mean + half < -bound else "inconclusive"


def is_equal(ours, theirs):
    return all(abs(a - b) <= TOLERANCE * max(1, abs(b)) for a, b in zip(ours, theirs))


def say(name, stream, entry, seconds):
    for metric, ours in entry["ours"].items():
        theirs = entry["theirs"][metric]
        if name in EXACT:
            what = "equal" if is_equal(ours, theirs) else f"NOT EQUAL: ours {ours}"
            print(f"{name}, {stream}, {metric}: River {theirs}: {what} ({seconds:.0f} s)", flush=True)
            continue
        mean, half, verdict = judge(ours, theirs)
        print(f"{name}, {stream}, {metric}: River {statistics.fmean(theirs):.6g}, difference {mean:+.3g} +- {half:.2g}: "
              f"{verdict} ({seconds:.0f} s)", flush=True)


def run_one(oxbow, name, kind, rows):
    ours, theirs = CLASSES[name][1:] if name in CLASSES else EXACT[name]
    seeds = SEEDS if name in CLASSES else SEEDS_EXACT
    assert len(rows) <= ROWS_MAX
    with tempfile.TemporaryDirectory() as folder:
        return {"rows": len(rows), "ours": run_ours(oxbow, ours, seeds, kind, rows, folder),
                "theirs": run_river(theirs, seeds, kind, rows)}


def run(oxbow, only, again):
    import river
    known = {c["name"]: c["kind"] for c in json.loads(subprocess.run(
        [str(oxbow), "learners", "--json"], capture_output=True, text=True, check=True).stdout)}
    for name in (name for name in [*CLASSES, *EXACT] if only in name):
        if name not in known:
            print(f"{name}: left out, oxbow has no such class")
            continue
        streams = {stream: list(make_rows()) for stream, make_rows in STREAMS[known[name]].items()}
        for stream, rows in sorted(streams.items(), key=lambda item: len(item[1])):
            found = json.loads(FOUND.read_text()) if FOUND.exists() else {}
            if found.get(name, {}).get(stream, {}).get("river") == river.__version__ and not again:
                continue
            start = time.monotonic()
            entry = {"river": river.__version__, **run_one(oxbow, name, known[name], rows)}
            found = json.loads(FOUND.read_text()) if FOUND.exists() else {}
            found.setdefault(name, {})[stream] = entry
            FOUND.write_text(json.dumps(found, indent=1) + "\n")
            say(name, stream, entry, time.monotonic() - start)


HEAD = """# Learners over seeds and whole streams, beside River's

Made by `tests/river/paired.py --write` from tests/river/paired.json. Recorded traces hold nearly every learner to River's, prediction by
prediction ([learners.md](learners.md)). This is for what they cannot; and it runs what draws at random over whole streams.

```
python tests/river/paired.py        # with a Python that has River %(river)s; --only CLASS
```

Streams: `taxi` are %(taxi)s trips of the real sample from %(from)s on, a blizzard among them after which the traffic was another
(`taxi-long`: is a trip longer than %(long)d s?); `friedman-drift` and `sea` are River's generators, which drift; `trump`, `chick`,
`phishing` and `bananas` are River's small data sets. Before each learner is a standard_scaler. Seeds and streams were committed
before the first run.

## Not traced

%(seeds)d seeds each. Per stream and metric: River's mean over the seeds, the mean of (ours - River's), and its 95 %% interval
(Student's t over the pairs), both in %% of River's mean. *Shown*: the whole interval lies within 2 %%. *Not shown*: all of it lies
beyond. *Inconclusive*: neither, which counts as not shown. (Below 0, mae and log_loss are better than River's.)

"""

HEAD_EXACT = """
## Drawn as River draws

Seeds %(seeds)s. Equal: the scores of each seed are River's, within 1e-9 of the larger of 1 and the score. A class and stream that
are not here were not run.

| class | stream | rows | metric | River, seed %(first)d | ours | |
| --- | --- | --- | --- | --- | --- | --- |
"""


def rows_of_page(found, names):
    """(class, stream, entry, metric) of each line."""
    for name in (name for name in names if name in found):
        for stream, entry in sorted(found[name].items(), key=lambda item: (item[1]["rows"], item[0])):
            for metric in entry["ours"]:
                yield name, stream, entry, metric


def page():
    found = json.loads(FOUND.read_text())
    river = sorted({entry["river"] for streams in found.values() for entry in streams.values()})
    out = [HEAD % {"river": ", ".join(river), "seeds": len(SEEDS), "taxi": f"{TAXI_ROWS:,}", "from": TAXI_FROM,
                   "long": TAXI_LONG}]
    out += ["| class | stream | rows | metric | River | difference % | 95 % interval | |\n",
            "| --- | --- | --- | --- | --- | --- | --- | --- |\n"]
    for name, stream, e, metric in rows_of_page(found, CLASSES):
        mean, half, verdict = judge(e["ours"][metric], e["theirs"][metric])
        theirs = statistics.fmean(e["theirs"][metric])
        low, high, middle = (100 * v / theirs for v in (mean - half, mean + half, mean))
        out.append(f"| {name} | {stream} | {e['rows']:,} | {metric} | {theirs:.6g} | {middle:+.3f} | "
                   f"{low:+.3f} to {high:+.3f} | {verdict} |\n")
    out += ["\n| class | why it is not traced |\n", "| --- | --- |\n"]
    out += [f"| {name} | {why} |\n" for name, (why, _, _) in CLASSES.items() if name in found]
    out += [HEAD_EXACT % {"seeds": " and ".join(map(str, SEEDS_EXACT)), "first": SEEDS_EXACT[0]}]
    for name, stream, e, metric in rows_of_page(found, EXACT):
        ours, theirs = e["ours"][metric], e["theirs"][metric]
        out.append(f"| {name} | {stream} | {e['rows']:,} | {metric} | {theirs[0]:.9f} | {ours[0]:.9f} | "
                   f"{'equal' if is_equal(ours, theirs) else 'NOT equal'} |\n")
    return "".join(out)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--bin", default=ROOT / "build" / "release" / "bin", type=pathlib.Path)
    p.add_argument("--only", default="", metavar="CLASS", help="only classes whose name has this in it")
    p.add_argument("--again", action="store_true", help="also what paired.json has already")
    p.add_argument("--write", action="store_true", help="write docs/paired.md; nothing is run")
    p.add_argument("--check", action="store_true", help="is docs/paired.md what --write would write?")
    a = p.parse_args()
    if a.write:
        PAGE.write_text(page())
    elif a.check:
        if PAGE.read_text() != page():
            print("docs/paired.md is not what tests/river/paired.py makes: run it with --write", file=sys.stderr)
            return 1
    else:
        run(a.bin / "oxbow", a.only, a.again)
    return 0


if __name__ == "__main__":
    sys.exit(main())
