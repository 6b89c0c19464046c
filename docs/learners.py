#!/usr/bin/env python3
"""Makes docs/learners.md of the registry and of what River and oxbow give on River's small data sets.

    docs/learners.py [--bin DIR] --write | --check       # --check: is the committed page what this makes?
    docs/learners.py --csv DIR                           # the data sets as CSV files, for the page's commands

Reads `oxbow learners --json`, the recordings in tests/golden and the reasons in docs/differences.json, and runs
`oxbow evaluate` for every row of the table. The data sets are no part of the project (tests/support/small_data.py): without
them --check leaves the table out, and says so.
"""

import argparse
import gzip
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
PAGE = ROOT / "docs" / "learners.md"
TOLERANCE = 1e-9

sys.path.append(str(ROOT / "tests" / "support"))
sys.dont_write_bytecode = True

sys.path.append(str(ROOT / "docs"))

import differences  # noqa: E402
import small_data  # noqa: E402

TITLES = (("regressor", "Regressors"), ("classifier", "Binary classifiers"), ("preprocessor", "Preprocessors"),
          ("optimizer", "Optimizers"), ("scheduler", "Learning rates"), ("loss", "Losses"),
          ("splitter", "Splitters"), ("detector", "Drift detectors"), ("statistic", "Statistics"),
          ("initializer", "First weights"))

KINDS = {kind for kind, _ in TITLES}
STAGES = ("preprocessor", "regressor", "classifier")
KIND_OF = {"number or scheduler": "scheduler", "statistic by feature": "statistic"}  # of a parameter's type

HEAD = """# Learners

Made by `docs/learners.py --write` from what the programs say of themselves; `oxbow learners` prints the same list,
`oxbow learners --class NAME` one class, `--json` all.

A model is a pipeline: preprocessors, then one learner, each a class name or `{class: {parameters}}`; parameters
that are classes take the same form. Names, parameters and defaults are River's, in snake_case. Where a class's are not, that is
listed with it, and why: River's signatures are recorded, and each difference from them has to have its reason. A seed that is
null means the same draws each time, where River's differ; and what a parameter may be is bounded, as each table says.

"""

TREES = """## Trees, where they are not River's

- **Memory.** River looks at the size of its Python objects once in `memory_estimate_period` samples, a million, and above
  `max_size` switches leaves off, or stops all growth (`stop_mem_management`). Here one bound on bytes, `max_model_bytes`, holds after
  each sample, whatever the class: when it is passed, the leaves that are least likely to be split, by River's own measure (the deepest
  of a regressor, the purest of a classifier), stop observing, for good, until an eighth of the bound is free. They predict and learn on;
  `deactivated_leaves` counts them. So River's three parameters are not taken.
- **`remove_poor_attrs`** in a regressor divides by the merit of the best split: where that is 0, River stops with a
  ZeroDivisionError, and here nothing is removed. In an adaptive classifier, and with naive Bayes in the leaves, it does nothing, as in River.
- **Ties between categories.** Of equally good splits on the categories of a feature, in a classifier, River takes the first in a Python
  set, which goes by hashes (of texts others in each run); here it is the first by value.
- **Splitters.** `tebst_splitter` (the default), `ebst_splitter` and `qo_splitter` for regressors, `gaussian_splitter` for classifiers.
  Not there: River's ExhaustiveSplitter and HistogramSplitter for classifiers, and QOSplitter's `allow_multiway_splits`, so that a split
  on a number is always in two.

"""

AMF = """Other than River's, it has a bound: `max_model_bytes`, shared out equally, comes to so many nodes a tree (a tree
takes some 2,600 bytes and a node 64, and 16 a feature), and a tree that has them is not split any more, as one with
`max_nodes`; it goes on learning in the nodes that it has. The state says how many trees are there (`full_trees`), and how
many rows they learned so (`learned_when_full`, a row once a tree). Where a row's distances from a node add up to infinity
River may stop with an error; here the node is not split. Weights of samples do not count, as in River. """

ARF = """The trees, those in the background too, share `max_model_bytes`: when it is used up, the largest of them deactivates the
leaves that are least likely to be split, which `deactivated_leaves` counts; once there are none left, the trees in the
background go. As in River, the weight of a sample
does not count, and `max_features` goes by how many features the first row has; here a row without any is passed over for
that. River takes 1 for one feature and 1.0 for all; here 1 is all. """

BAGGING = """A member is one class and no pipeline: scalers go before the ensemble, and all members share them. Members that draw at
random all have the seed of `model`, as the clones of River's have. `max_model_bytes` is shared out equally. """

SRP = """A member is one class and no pipeline: scalers go before the ensemble. The features that members share out are those of
the model; River's are those that the first sample happens to have. As in River, a member that is replaced draws among the
features of the sample at hand, as many as it had; when that has none, here among all. As in River, weights of samples do not
count. Members and their successors, drift detectors included, have an equal share of `max_model_bytes` each; where
that is too little even for what does not grow, successors are dropped and detectors begin anew, which `dropped` in the model's
state counts. """

# What differs from River beyond what a class and its parameters say of themselves.
NOTES = {
    "arf_regressor": ARF + "The weighted mean is River's, which divides by the number of trees once more, and so is much too small: "
    "leave `disable_weighted_vote` true. River's trees go by a `min_samples_split` of 5 whatever it is; ours by what it is.",
    "arf_classifier": ARF.rstrip(),
    "amf_regressor": AMF + "After errors above 1e154 River's answers can be NaN, and ours stay numbers. Both have none before "
    "the first label, and such a row is not scored.",
    "amf_classifier": AMF + "`dirichlet` is above 0: with 0, River's answers are NaN.",
    "bagging_regressor": BAGGING,
    "bagging_classifier": BAGGING,
    "adwin_bagging_classifier": BAGGING + "River's text says that the worst member is replaced when one gets worse; its code, and "
    "so this class, watches how often members are right: when one gets better, the best one is replaced. "
    "leveraging_bagging_classifier watches errors.",
    "leveraging_bagging_classifier": BAGGING + "River 0.26.1 stops with an error for the methods `me` and `half`, because they "
    "ask random.Random for NumPy's rand() and randint(2): here they draw random() and randrange(2) in their places, and are held "
    "to River's code with just these two methods added.",
    "srp_regressor": SRP.rstrip(),
    "srp_classifier": SRP.rstrip(),
    "softmax_regression": "River's learns any number of labels, and so every classifier here two: the task's positive one, "
    "and the other. More would need a probability for each label wherever there is one now; there is no such kind of task.",
    "adaptive_conformal": "The nearest that River has is `conf.RegressionJackknife`, whose quantiles stay where they are. What goes out "
    "with a prediction, what comes back, and where it is not as in the paper: [intervals.md](intervals.md).",
    "calibrated_classifier": "Before the classifier learns a row, the log-odds of its own answer (within those of 1e-6 and "
    "1 - 1e-6) and the label go into the window, once it has learned both labels. The sigmoid over them is fitted with Platt's "
    "smoothed labels when the window has `min_labels` of each kind, and after each `refit_every` labels from then on, by at most "
    "10 steps of Newton's method from where it was. Weights of rows (`class_weight`) teach the classifier alone: the "
    "probabilities are those of the labels as they come. Where one label is rare, a larger window is better. What it does for the "
    "log loss: [evaluate.md](evaluate.md).",
}

TABLE = "## Against River"
FIGURES = TABLE + """

Progressive validation on the small data sets that River comes with, and on a thousand rows of its generators: the figure of
River's benchmark page or of the example in the class's own documentation, where its own code gives it again; River %(river)s, run by
`python3 tests/golden/record_published.py`; and ours. Equality is claimed to River's release as it was run, within 1e-9 of the
larger of 1 and the figure. What draws at random has the seed of the pipeline, and draws as Python's random.Random does. [paired.md](paired.md) has whole
streams over several seeds.

```
docs/learners.py --csv /tmp/river-data
oxbow evaluate --data /tmp/river-data/trump.csv --target y --metrics mae --model '["standard_scaler", "linear_regression"]'
```

The other rows take their data set, metric and pipeline in the same places%(kind)s.%(categorical)s

| data | pipeline | metric | published | River %(river)s | ours |
| --- | --- | --- | --- | --- | --- |
"""


def write_csv(name, columns, folder):
    path = pathlib.Path(folder) / f"{name}.csv"
    generated = GOLDEN / f"published-{name}.csv.gz"
    if generated.exists():
        path.write_bytes(gzip.decompress(generated.read_bytes()))
        return path
    lines = [",".join([*columns, "y"])]
    for x, y in small_data.rows(name):
        lines.append(",".join("" if math.isnan(v) else repr(v) for v in (*x.values(), y)))
    path.write_text("\n".join(lines) + "\n")
    return path


def classes_of(part, kinds, known):
    """(kind, name) of every class that a component names, itself one of the kinds, or of what its parameters name."""
    name, given = (part, {}) if isinstance(part, str) else next(iter(part.items()))
    found = next(((kind, name) for kind in kinds if (kind, name) in known), None)
    out = {found} if found else set()
    for p in known[found]["parameters"] if found else ():
        kind = KIND_OF.get(p["type"], p["type"])
        value = given.get(p["name"])
        parts = value.values() if p["type"].endswith(" by feature") and value else [value]
        if kind in KINDS:
            out = out.union(*(classes_of(v, (kind,), known) for v in parts if isinstance(v, (str, dict))))
    return out


def first_class(stage):
    return stage if isinstance(stage, str) else next(iter(stage))


def traces(classes):
    """{(kind, class): number of recorded traces of River that it is held to}"""
    known = {(c["kind"], c["name"]): c for c in classes}
    count = {}
    files = [json.loads(path.read_text()) for path in sorted(GOLDEN.glob("*.json"))]
    lists = [found["traces"] for found in files if isinstance(found, dict) and "traces" in found]
    for trace in (t for part in lists for t in part if "pipeline" in t):
        for name in set().union(*(classes_of(stage, STAGES, known) for stage in trace["pipeline"])):
            count[name] = count.get(name, 0) + 1
    return count


def default_of(p):
    return "`" + json.dumps(p["default"]) + "`"


def values_of(p):
    text = p["type"]
    if "choices" in p:
        listed = ", ".join(f"`{c}`" for c in p["choices"])
        return listed if text == "one of" else f"{text} {listed}"
    if p.get("min") is not None:
        text += f", {'above' if p['above_min'] else 'from'} {p['min']:g}"
    if p.get("max") is not None and p["max"] < 1e15:
        text += f" to {p['max']:g}"
    return text


def describe(c, n_traces, different):
    out = [f"### {c['name']}", "", c["help"], ""]
    river = f"River: `{c['river']}`. " if c["river"] else ""
    held = f"Held to River's by {n_traces} recorded trace{'s' if n_traces > 1 else ''}." if n_traces else ""
    if river or held:
        out += [(river + held).strip(), ""]
    if c["name"] in NOTES:
        out += [textwrap.fill(NOTES[c["name"]], 120), ""]
    if c["parameters"]:
        out += ["| parameter | value | default | |", "| --- | --- | --- | --- |"]
        out += [f"| `{p['name']}` | {values_of(p)} | {default_of(p)} | {p['help']} |" for p in c["parameters"]]
        out += [""]
    if different:
        out += ["Not as in River:", "", *different, ""]
    return out


def evaluate(oxbow, path, row, kind):
    command = [oxbow, "evaluate", "--json", "--data", path, "--target", "y", "--kind", kind, "--metrics",
               row["metric"], "--model", "it=" + json.dumps(row["pipeline"])]
    if "categorical" in row:
        command += ["--categorical", row["categorical"]]
    result = subprocess.run([str(w) for w in command], capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{command}: {result.stderr}")
    return json.loads(result.stdout.splitlines()[0])[row["metric"]]


def figures(oxbow, classes):
    recorded = json.loads((GOLDEN / "published.json").read_text())
    kinds = {c["name"]: c["kind"] for c in classes}
    lines, wrong = [], []
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: write_csv(name, columns, folder) for name, columns in recorded["data"].items()}
        for row in recorded["rows"]:
            names = [first_class(stage) for stage in row["pipeline"]]
            if not set(names) <= set(kinds):
                continue  # a class that is not there yet
            kind = "binary" if kinds[names[-1]] == "classifier" else "regression"
            ours = evaluate(oxbow, paths[row["data"]], row, kind)
            if abs(ours - row["river"]) > TOLERANCE * max(1, abs(row["river"])):
                wrong.append(f"{row['data']}, {json.dumps(row['pipeline'])}: {row['metric']} is {ours!r}, River's "
                             f"{row['river']!r}")
            published = "" if row["published"] is None else f"{row['published']:.8g}"
            data = row["data"] + ("*" if "categorical" in row else "")
            lines.append(f"| {data} | `{json.dumps(row['pipeline'])}` | {row['metric']} | {published} | "
                         f"{row['river']:.9f} | {ours:.9f} |")
    kind = "; `--kind binary` for accuracy and f1" if any("| accuracy |" in line for line in lines) else ""
    categorical = {row["data"]: row["categorical"] for row in recorded["rows"] if "categorical" in row}
    starred = "".join(f" `--categorical {names}` for {data}\\*." for data, names in categorical.items()
                      if any(f"| {data}* |" in line for line in lines))
    return FIGURES % {"river": recorded["river"], "kind": kind, "categorical": starred} + "\n".join(lines) + "\n", wrong


def make(oxbow):
    listing = subprocess.run([str(oxbow), "learners", "--json"], capture_output=True, text=True, check=True)
    classes = json.loads(listing.stdout)
    count = traces(classes)
    try:
        text, wrong = figures(oxbow, classes)
    except small_data.Unavailable as e:
        print(f"SKIPPED: the table against River is NOT checked: {e}", file=sys.stderr)
        text, wrong = TABLE + PAGE.read_text().partition(TABLE)[2], []
    different, unexplained = differences.lines(classes)
    out = []
    for kind, title in TITLES:
        group = [c for c in classes if c["kind"] == kind]
        if group:
            out += [f"## {title}", ""]
        for c in group:
            out += describe(c, count.get((c["kind"], c["name"]), 0), different.get(differences.key_of(c, classes)))
    return HEAD + "\n".join(out) + "\n" + TREES + text, wrong + unexplained


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--bin", default=ROOT / "build" / "release" / "bin", type=pathlib.Path)
    p.add_argument("--write", action="store_true")
    p.add_argument("--check", action="store_true")
    p.add_argument("--csv", metavar="DIR", type=pathlib.Path)
    a = p.parse_args()
    if a.csv:
        a.csv.mkdir(parents=True, exist_ok=True)
        for name, columns in json.loads((GOLDEN / "published.json").read_text())["data"].items():
            print(write_csv(name, columns, a.csv))
        return 0
    text, wrong = make(a.bin / "oxbow")
    for line in wrong:
        print(line, file=sys.stderr)
    if a.write:
        PAGE.write_text(text)
    elif PAGE.read_text() != text:
        print("docs/learners.md is not what docs/learners.py makes: run docs/learners.py --write", file=sys.stderr)
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
