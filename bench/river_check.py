#!/usr/bin/env python3
"""Are the loop's scores River's? Dumps learning-queue of a finished run and lets River learn the same rows.

    bench/river_check.py --data DIR [--bin DIR] [--config FILE] [--limit N] [--rows FILE]

DIR is the data folder of an earlier `./run demo --replay FILE --data DIR`. Needs River (`pip install river`).
The loop is started on DIR without a simulator, `oxbow audit --settled` and `--deep` are run, learning-queue is
read from its first row, and River's progressive validation (StandardScaler before each learner, predictions
clipped at 0; the pipelines of config/taxi.json, written out below) runs over the same rows in the same order. Prints both MAEs and their difference; exits 1 when one
differs by more than 1e-9 times its size. With --rows the rows are also written as bench_learners reads them.
"""
import argparse
import json
import os
import signal
import struct
import subprocess
import sys
import time

from river import compose, dummy, linear_model, neighbors, preprocessing, stats, tree
import river


def pipelines():
    lazy = neighbors.LazySearch(window_size=1000)
    return {
        "linear-regression": preprocessing.StandardScaler() | linear_model.LinearRegression(clip_gradient=100),
        "decision-tree": preprocessing.StandardScaler() | tree.HoeffdingAdaptiveTreeRegressor(
            max_depth=20, seed=42, leaf_model=linear_model.LinearRegression(clip_gradient=100),
            memory_estimate_period=10**12),
        "nearest-neighbors": preprocessing.StandardScaler() | neighbors.KNNRegressor(engine=lazy),
        "baseline": dummy.StatisticRegressor(stats.Mean()),
    }


def write_rows(path, rows):
    names = list(rows[0]["features"])
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(names)))
        for row in rows:
            x = [float("nan") if row["features"][n] is None else float(row["features"][n]) for n in names]
            out.write(struct.pack(f"<{len(names) + 1}d", *x, row["duration"]))


def oxbow(a, *args):
    return subprocess.run([os.path.join(a.bin, "oxbow"), *args, "--config", a.config, "--data", a.data],
                          stdout=subprocess.PIPE, text=True)


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--bin", default=os.path.join(root, "build/release/bin"))
    p.add_argument("--config", default=os.path.join(root, "config/taxi.json"))
    p.add_argument("--data", required=True)
    p.add_argument("--limit", type=int, default=0, help="only the first N rows (then nothing is compared)")
    p.add_argument("--rows", help="a file to write the rows to, for bench_learners")
    a = p.parse_args()

    log = open(os.path.join(a.data, "river_check.log"), "w")
    up = subprocess.Popen([os.path.join(a.bin, "oxbow"), "up", "--with-redis", "--no-simulator", "--no-monitor",
                           "--config",
                           a.config, "--data", a.data], stdout=log, stderr=log)
    try:
        for audit in (["--settled"], ["--deep"]):
            for _ in range(60):
                result = oxbow(a, "audit", *audit)
                if result.returncode != 3:
                    break
                time.sleep(0.5)
            print(f"oxbow audit {audit[0]}: exit status {result.returncode}, "
                  f"{result.stdout.strip().splitlines()[-1]}")
        models = json.loads(oxbow(a, "models", "--json").stdout)
        dump = subprocess.Popen([os.path.join(a.bin, "oxbow"), "tail", "learning-queue", "--from", "oldest", "--json",
                                 "-n", str(max(m["position"] for m in models)), "--config", a.config,
                                 "--data", a.data], stdout=subprocess.PIPE, text=True)
        rows = [json.loads(line)["value"] for line in dump.stdout]
        dump.wait()
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait()

    if a.limit:
        rows = rows[:a.limit]
    if a.rows:
        write_rows(a.rows, rows)
    print(f"{len(rows)} rows, seq {rows[0]['seq']} to {rows[-1]['seq']}; River {river.__version__}")
    failed = False
    for name, model in pipelines().items():
        total = 0.0
        n = 0
        for row in rows:
            x = {k: float(v) for k, v in row["features"].items() if v is not None}
            y = row["duration"]
            p = max(0.0, model.predict_one(x))
            n += 1
            total += (abs(y - p) - total) / n
            model.learn_one(x, y)
        ours = next(m for m in models if m["model"] == name and m["serving"])
        difference = abs(ours["mae"] - total)
        worse = difference > 1e-9 * max(1, total)
        failed |= worse and not a.limit
        print(f"{name:18} River {total:.12f}  oxbow {ours['mae']:.12f}  difference {difference:.2e}"
              f"{'  TOO LARGE' if worse and not a.limit else ''}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
