#!/usr/bin/env python3
"""End-to-end latency of the loop, median of several runs: see bench_latency.c for what is measured.

    bench/latency.py [--bin DIR] [--runs 5] [--rate 1000] [--seconds 60] [--durability process|machine]

Each run starts a fresh loop (`oxbow up --fresh --with-redis --no-simulator`) and measures it with bench_latency.
Prints each run, then the median of each percentile.
"""
import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time


def run_once(a, env):
    data = tempfile.mkdtemp(prefix="oxbow-latency-")
    with open(os.path.join(data, "up.log"), "w") as log:
        up = subprocess.Popen([os.path.join(a.bin, "oxbow"), "up", "--fresh", "--with-redis", "--no-simulator", "--no-monitor",
                               "--config", a.config, "--data", data], stdout=log, stderr=log, env=env)
        try:
            port = os.path.join(data, "redis.port")
            models = ["oxbow", "models", "--json", "--config", a.config, "--data", data]
            models[0] = os.path.join(a.bin, models[0])
            for _ in range(300):  # until the learner has published its first versions
                if os.path.exists(port) and subprocess.run(models, capture_output=True).stdout.strip() not in (b"", b"[]"):
                    break
                time.sleep(0.1)
            with open(port) as f:
                env = dict(env, OXBOW_REDIS_URL=f"redis://127.0.0.1:{f.read().strip()}")
            return subprocess.run([os.path.join(a.bin, "bench_latency"), "--config", a.config, "--rate", str(a.rate),
                                   "--seconds", str(a.seconds)], capture_output=True, text=True, env=env,
                                  check=True).stdout
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait()
            shutil.rmtree(data, ignore_errors=True)


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--bin", default=os.path.join(root, "build/release/bin"))
    p.add_argument("--config", default=os.path.join(root, "config/taxi.json"))
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--rate", type=int, default=1000)
    p.add_argument("--seconds", type=int, default=60)
    p.add_argument("--durability", default="process")
    a = p.parse_args()

    found = {}
    for _ in range(a.runs):
        text = run_once(a, dict(os.environ, OXBOW_DURABILITY=a.durability))
        print(text.strip(), flush=True)
        for name, value in re.findall(r"(p[\d.]+|max) ([\d.]+) ms", text):
            found.setdefault(name, []).append(float(value))
    print(f"median of {a.runs}, durability {a.durability}: " +
          "  ".join(f"{k} {statistics.median(v):.2f} ms" for k, v in found.items()))


if __name__ == "__main__":
    main()
