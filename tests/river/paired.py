#!/usr/bin/env python3
"""Compares learners that no trace can hold to River's with River's own, over seeds: `oxbow evaluate` beside River.

    python tests/river/paired.py [--bin DIR] [--only CLASS] [--again]      (with a Python that has River)
    python tests/river/paired.py --write | --check                         # docs/paired.md of paired.json

Each class runs on four streams with the same twenty seeds, in River and in oxbow, over the same rows in the same order by
progressive validation. Per stream and metric: the mean of (ours - River's) over the seeds and its 95 % interval (Student's
t). It is "shown" where the whole interval lies within 2 % of River's mean, "not shown" where all of it lies beyond, and
"inconclusive" else, which counts as not shown.

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

TRACED = "traced as well; here as a check of the whole"
SWINN = "River's engine by default is SWINN, an approximate search; ours is exact, and traced to River's LazySearch"


def scaled(river_class, **more):
    def make(seed):
        from river import preprocessing
        return preprocessing.StandardScaler() | river_class()(seed=seed, **more)
    return make


def swinn(kind):
    def make(seed):
        from river import neighbors, preprocessing
        engine = neighbors.SWINN(seed=seed)
        return preprocessing.StandardScaler() | getattr(neighbors, kind)(engine=engine)
    return make


def forest(name):
    def find():
        from river import forest as module
        return getattr(module, name)
    return scaled(find)


def seeded(name):
    return lambda seed: ["standard_scaler", {name: {"seed": seed}}]


def seedless(name):
    return lambda seed: ["standard_scaler", name]


# class: why it is here, our pipeline of a seed, River's of a seed. Nothing reaches River's memory management in so few rows.
CLASSES = {
    "knn_regressor": (SWINN, seedless("knn_regressor"), swinn("KNNRegressor")),
    "knn_classifier": (SWINN, seedless("knn_classifier"), swinn("KNNClassifier")),
    "arf_regressor": (TRACED, seeded("arf_regressor"), forest("ARFRegressor")),
    "arf_classifier": (TRACED, seeded("arf_classifier"), forest("ARFClassifier")),
    "amf_regressor": (TRACED, seeded("amf_regressor"), forest("AMFRegressor")),
    "amf_classifier": (TRACED, seeded("amf_classifier"), forest("AMFClassifier")),
}


def run_ours(oxbow, name, kind, rows, folder):
    """{metric: a figure a seed}; the seeds run beside each other on one reading of the file."""
    path = pathlib.Path(folder) / "rows.csv"
    lines = [",".join([*rows[0][0], "y"])] + [",".join(map(repr, (*x.values(), y))) for x, y in rows]
    path.write_text("\n".join(lines) + "\n")
    command = [oxbow, "evaluate", "--json", "--data", path, "--target", "y", "--metrics", ",".join(METRICS[kind]),
               "--kind", "binary" if kind == "classifier" else "regression"]
    for seed in SEEDS:
        command += ["--model", f"{seed}=" + json.dumps(CLASSES[name][1](seed))]
    done = subprocess.run([str(w) for w in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr}")
    found = {row["model"]: row for row in map(json.loads, done.stdout.splitlines())}
    return {metric: [found[str(seed)][metric] for seed in SEEDS] for metric in METRICS[kind]}


def run_river(name, kind, rows):
    from river import evaluate, metrics
    makes = {"mae": metrics.MAE, "log_loss": metrics.LogLoss, "accuracy": metrics.Accuracy}
    found = {metric: [] for metric in METRICS[kind]}
    for seed in SEEDS:
        running = [makes[metric]() for metric in METRICS[kind]]
        both = running[0] if len(running) == 1 else sum(running[1:], running[0])
        data = [(x, bool(y) if kind == "classifier" else y) for x, y in rows]
        evaluate.progressive_val_score(data, CLASSES[name][2](seed), both)
        for metric, m in zip(METRICS[kind], running):
            found[metric].append(m.get())
    return found


def judge(ours, theirs):
    """River's mean, the mean difference, half of its 95 % interval, what is to be said of it."""
    from scipy.stats import t
    differences = [a - b for a, b in zip(ours, theirs)]
    n = len(differences)
    mean = statistics.fmean(differences)
    half = t.ppf(0.975, n - 1) * statistics.stdev(differences) / math.sqrt(n)
    bound = WITHIN * abs(statistics.fmean(theirs))
    if -bound <= mean - half and mean + half <= bound:
        return mean, half, "shown"
    return mean, half, "not shown" if mean - half > bound or mean + half < -bound else "inconclusive"


def run(oxbow, only, again):
    import river
    known = {c["name"]: c["kind"] for c in json.loads(subprocess.run(
        [str(oxbow), "learners", "--json"], capture_output=True, text=True, check=True).stdout)}
    found = json.loads(FOUND.read_text()) if FOUND.exists() else {}
    for name in CLASSES:
        if only not in name or name not in known:
            print(f"{name}: left out" + ("" if name in known else ", oxbow has no such class"))
            continue
        for stream, make in STREAMS[known[name]].items():
            entry = found.setdefault(name, {}).get(stream)
            if entry and entry["river"] == river.__version__ and not again:
                continue
            rows = list(make())
            assert len(rows) <= ROWS_MAX
            start = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                ours = run_ours(oxbow, name, known[name], rows, folder)
            theirs = run_river(name, known[name], rows)
            found[name][stream] = {"river": river.__version__, "rows": len(rows), "ours": ours, "theirs": theirs}
            FOUND.write_text(json.dumps(found, indent=1) + "\n")
            for metric in ours:
                mean, half, verdict = judge(ours[metric], theirs[metric])
                print(f"{name}, {stream}, {metric}: River {statistics.fmean(theirs[metric]):.6g}, difference "
                      f"{mean:+.3g} +- {half:.2g}: {verdict} ({time.monotonic() - start:.0f} s)", flush=True)


HEAD = """# Learners over seeds, beside River's

Made by `tests/river/paired.py --write` from tests/river/paired.json. What recorded traces hold to River's, draw by draw, needs
no statistics ([learners.md](learners.md)); this is for what they cannot.

```
python tests/river/paired.py        # with a Python that has River %(river)s: runs both, %(seeds)d seeds on four streams
```

Per stream and metric: River's mean over the seeds, the mean of (ours - River's), and its 95 %% interval (Student's t over the
pairs), both in %% of River's mean. *Shown*: the whole interval lies within 2 %%. *Not shown*: all of it lies beyond.
*Inconclusive*: neither, which counts as not shown. Seeds and streams were committed before the first run.

Streams: `taxi` are %(taxi)s trips of the real sample from %(from)s on, a blizzard among them after which the traffic was another
(`taxi-long`: is a trip longer than %(long)d s?); `friedman-drift` and `sea` are River's generators, which drift; `trump`, `chick`,
`phishing` and `bananas` are River's small data sets.

"""


def page():
    found = json.loads(FOUND.read_text())
    river = sorted({entry["river"] for streams in found.values() for entry in streams.values()})
    out = [HEAD % {"river": ", ".join(river), "seeds": len(SEEDS), "taxi": f"{TAXI_ROWS:,}", "from": TAXI_FROM,
                   "long": TAXI_LONG}]
    out += ["| class | stream | rows | metric | River | difference % | 95 % interval | |\n",
            "| --- | --- | --- | --- | --- | --- | --- | --- |\n"]
    for name in (name for name in CLASSES if name in found):
        for stream, e in found[name].items():
            for metric in e["ours"]:
                mean, half, verdict = judge(e["ours"][metric], e["theirs"][metric])
                theirs = statistics.fmean(e["theirs"][metric])
                low, high, middle = (100 * v / theirs for v in (mean - half, mean + half, mean))
                out.append(f"| {name} | {stream} | {e['rows']:,} | {metric} | {theirs:.6g} | {middle:+.3f} | "
                           f"{low:+.3f} to {high:+.3f} | {verdict} |\n")
    out += ["\n| class | why it is here |\n", "| --- | --- |\n"]
    out += [f"| {name} | {why} |\n" for name, (why, _, _) in CLASSES.items() if name in found]
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
