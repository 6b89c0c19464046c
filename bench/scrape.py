#!/usr/bin/env python3
"""What a scrape costs: oxbow-inference's throughput and CPU, with and without metrics.

    bench/scrape.py [--bin DIR] [--rows N] [--runs R] [--models M]

Fills `features` on a redis-server of its own with N rows of the synthetic city, then lets one oxbow-inference
read, predict and publish all of them, R times in each of three ways, one after the other in turn:

- off: --metrics off;
- on: it renders its metrics once a second, and nobody asks;
- scraped: /metrics is fetched every second, as Prometheus does.

The models are those of config/taxi.json, trained on the way; --models M takes M linear regressions instead.
Prints one JSON object: rows a second and microseconds of CPU a row (medians, and the medians of the ratios within
a round), and the size of a scrape.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "e2e")]
os.environ.setdefault("OXBOW_BIN", str(ROOT / "build" / "release" / "bin"))

import oxbow  # noqa: E402
from oxbow import Redis, World, free_port, wait_for  # noqa: E402

WAYS = ("off", "on", "scraped")
PATIENCE_S = 600
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Bench:
    def __init__(self, world, rows):
        self.world = world
        self.rows = rows
        self.port = free_port()
        self.env = {"OXBOW_REDIS_URL": f"redis://127.0.0.1:{self.port}/0",
                    "OXBOW_DATA_DIR": str(world.data)}
        world.spawn(shutil.which("redis-server"), "--port", self.port, "--save", "",
                    "--appendonly", "no", "--bind", "127.0.0.1")
        wait_for(self._answers, "redis-server")
        self.redis = Redis(self.port)

    def _answers(self):
        try:
            return Redis(self.port)("PING")
        except OSError:
            return None

    def start(self, service, *more):
        return self.world.spawn(oxbow.BIN / f"oxbow-{service}", "--config", self.world.config, *more,
                                env=self.env)

    def fill(self):
        """Rows of features, and models that have learned some."""
        views = self.start("views")
        wait_for(lambda: self.redis("KEYS", "oxbow:{taxi}:incarnation"), "an incarnation")
        self.prefix = self.world.prefix(self.redis)
        models = [self.start("inference"), self.start("learner")]
        simulator = self.start("simulator", "--rate", "15000")
        learned = self.prefix + "learning-queue"
        wait_for(lambda: self.redis("XLEN", learned) > 20000, "labels", PATIENCE_S)
        for process in models:
            process.stop()
        wait_for(lambda: self.redis("XLEN", self.prefix + "features") >= self.rows, "rows",
                 PATIENCE_S)
        simulator.stop()
        views.stop()
        self.rows = self.redis("XLEN", self.prefix + "features")

    def run(self, way):
        """(rows a second, microseconds of CPU a row, bytes of a scrape)"""
        port = free_port()
        predictions = self.prefix + "predictions"
        self.redis("DEL", predictions)
        self.redis("XGROUP", "SETID", self.prefix + "features", "inference", "0")
        where = "off" if way == "off" else f"127.0.0.1:{port}"
        inference = self.start("inference", "--metrics", where)
        pid = inference.process.pid
        size = [0]
        is_over = threading.Event()

        def scrape():
            while not is_over.wait(1):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
                    size[0] = len(reply.read())

        reader = threading.Thread(target=scrape, daemon=True)
        wait_for(lambda: self.redis("XLEN", predictions) > 0, "the first prediction", PATIENCE_S)
        begin, begin_cpu = time.monotonic(), cpu_seconds(pid)
        begin_rows = self.redis("XLEN", predictions)
        if way == "scraped":
            reader.start()
        while (rows := self.redis("XLEN", predictions)) < self.rows:
            time.sleep(0.02)
        seconds, cpu = time.monotonic() - begin, cpu_seconds(pid) - begin_cpu
        is_over.set()
        if way == "scraped":
            reader.join()
        inference.stop()
        return (rows - begin_rows) / seconds, cpu / (rows - begin_rows) * 1e6, size[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", help="where the programs are (default build/release/bin)")
    parser.add_argument("--rows", type=int, default=500000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--models", type=int, default=0)
    a = parser.parse_args()
    if a.bin:
        oxbow.BIN = pathlib.Path(a.bin).resolve()
    changes = {"max_backlog": 1000000000, "stream_keep_rows": 10 * a.rows}
    if a.models:
        changes["models"] = {f"m{i}": ["standard_scaler", "linear_regression"]
                             for i in range(a.models)}
    with World("scrape", **changes) as world:
        bench = Bench(world, a.rows)
        bench.fill()
        runs = {way: [] for way in WAYS}
        for i in range(a.runs):
            for way in WAYS[i % 3:] + WAYS[:i % 3]:
                runs[way].append(bench.run(way))
                print(f"run {i + 1}, {way}: {runs[way][-1][0]:.0f} rows/s, "
                      f"{runs[way][-1][1]:.2f} us CPU a row", file=sys.stderr, flush=True)
    report = {"rows": bench.rows, "runs": a.runs, "models": a.models or 4,
              "scrape_bytes": max(run[2] for run in runs["scraped"])}
    for way in WAYS:
        report[way] = {"rows_per_s": round(statistics.median(r[0] for r in runs[way])),
                       "cpu_us_per_row": round(statistics.median(r[1] for r in runs[way]), 2)}
        for k, name in ((0, "rows_per_s"), (1, "cpu")):
            ratios = [r[k] / off[k] for r, off in zip(runs[way], runs["off"])]
            report[way][name + "_ratio"] = round(statistics.median(ratios), 3)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
