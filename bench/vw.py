#!/usr/bin/env python3
"""Races `oxbow evaluate` against Vowpal Wabbit on the same rows and labels, whole processes, taking turns.

    python bench/vw.py [--bin DIR] [--rows 1000000] [--features 20] [--runs 5]

Run it with a Python that has Vowpal Wabbit (`pip install vowpalwabbit`). Both learn the logistic loss by plain
stochastic gradient descent with the rate 0.005 on the same numbers: VW from its text format (no cache), oxbow from
CSV; neither scales them. A third line is oxbow with a standard_scaler before the model, which is more work than VW does and has
a log loss of its own. Both files are plain, and read once before the first race, so that they lie in the page
cache. A process is pinned to one core, then to two (VW reads on a second thread). The figures are medians;
CPU seconds are those of the process and all its threads. What starting Python costs VW is measured on an
empty file and shown, and is in its figures.
"""

import argparse
import json
import math
import os
import pathlib
import platform
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
RATE = 0.005


def write_rows(folder, rows, features):
    """The same rows for both; labels follow a logistic model, so that there is something to learn."""
    rng = random.Random(7)
    weights = [rng.gauss(0, 1) for _ in range(features)]
    names = [f"x{i}" for i in range(features)]
    csv, vw = folder / "rows.csv", folder / "rows.vw"
    with open(csv, "w") as c, open(vw, "w") as v:
        c.write(",".join(names) + ",y\n")
        for _ in range(rows):
            x = [f"{rng.gauss(0, 1):.5f}" for _ in names]
            p = 1 / (1 + math.exp(-sum(w * float(t) for w, t in zip(weights, x)) / 2))
            y = rng.random() < p
            c.write(",".join(x) + f",{int(y)}\n")
            v.write(f"{1 if y else -1} | " + " ".join(f"{n}:{t}" for n, t in zip(names, x)) + "\n")
    return csv, vw


def cpu_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(argv, cores):
    """(seconds, CPU seconds, what it printed)"""
    cpu, start = cpu_s(), time.perf_counter()
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, cores))
    return time.perf_counter() - start, cpu_s() - cpu, done.stdout + done.stderr


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin")
    p.add_argument("--rows", type=int, default=1_000_000)
    p.add_argument("--features", type=int, default=20)
    p.add_argument("--runs", type=int, default=5)
    a = p.parse_args()

    with tempfile.TemporaryDirectory(prefix="oxbow-vw-") as name:
        folder = pathlib.Path(name)
        csv, vw = write_rows(folder, a.rows, a.features)
        empty = folder / "empty.vw"
        empty.write_text("")
        theirs = [sys.executable, "-m", "vowpalwabbit", "--sgd", "--power_t", "0", "-l", str(RATE),
                  "--loss_function", "logistic", "-d"]
        model = {"logistic_regression": {"optimizer": {"sgd": {"lr": RATE}}, "intercept_lr": RATE}}
        ours = {who: [a.bin / "oxbow", "evaluate", "--json", "--kind", "binary", "--target", "y", "--metrics", "log_loss",
                      "--model", "it=" + json.dumps(pipeline), "--data", csv]
                for who, pipeline in (("oxbow", [model]), ("oxbow, scaled", ["standard_scaler", model]))}
        for path in (csv, vw):
            path.read_bytes()
        version = run([sys.executable, "-m", "vowpalwabbit", "--version"], os.sched_getaffinity(0))[2].split()[0]
        print(f"Vowpal Wabbit {version}; {a.rows:,} rows of {a.features} features; {csv.stat().st_size / a.rows:.0f} bytes "
              f"a row as CSV, {vw.stat().st_size / a.rows:.0f} as VW's text; {platform.processor() or platform.machine()}")

        cores = sorted(os.sched_getaffinity(0))
        for wanted in ({cores[0]}, set(cores[:2])):
            found = {"vw": [], **{who: [] for who in ours}}
            for _ in range(a.runs):
                found["vw"].append(run([*theirs, vw], wanted))
                for who, argv in ours.items():
                    found[who].append(run(argv, wanted))
            start_s = statistics.median(run([*theirs, empty], wanted)[0] for _ in range(3))
            loss = {"vw": float(re.search(r"average loss = ([0-9.]+)", found["vw"][0][2]).group(1)),
                    **{who: json.loads(found[who][0][2].splitlines()[0])["log_loss"] for who in ours}}
            print(f"\n{len(wanted)} core{'s' if len(wanted) > 1 else ''} (VW's start on an empty file: {start_s:.2f} s)")
            print(f"{'':14} {'samples/s':>12} {'of VW':>6} {'per CPU s':>12} {'of VW':>6} {'numbers':>9} {'log loss':>9} {'of VW':>9}")
            rate = {who: [a.rows / statistics.median(r[i] for r in runs) for i in (0, 1)] for who, runs in found.items()}
            for who in found:
                print(f"{who:14} {rate[who][0]:12,.0f} {rate[who][0] / rate['vw'][0]:6.2f} {rate[who][1]:12,.0f} "
                      f"{rate[who][1] / rate['vw'][1]:6.2f} {'float32' if who == 'vw' else 'float64':>9} {loss[who]:9.6f} "
                      f"{100 * (loss[who] / loss['vw'] - 1):+7.3f} %", flush=True)


if __name__ == "__main__":
    main()
