#!/usr/bin/env python3
"""oxbow-inference on a real Kafka broker: requests a second, and latency, one process on one core.

    bench/inference_kafka.py [--bin DIR] [--seconds S] [--rows N] [--rate R] [--original PYTHON]
                             [--core C] [--out FILE]

1. A short loop trains the models (linear regression, Hoeffding tree, the mean baseline).
2. `features` is filled with N rows; one oxbow-inference, pinned to core C, reads, predicts and
   publishes them. Counted are predictions that the broker has acknowledged, second by second.
3. At R requests a second: the time from when a row was due until its prediction is read.
4. With --original, the original demo's loop (River and a Kafka client from PyPI, run by that
   PYTHON) on the same broker, the same topic and the same core.

The broker has the other cores. Prints one JSON object.
"""

import argparse
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "e2e")]

import kafka_broker  # noqa: E402
from kafka import Broker  # noqa: E402
from oxbow import Redis, World, wait_for  # noqa: E402

MODELS = {
    "linear-regression": ["standard_scaler", "linear_regression"],
    "decision-tree": ["standard_scaler", {"hoeffding_tree_regressor": {"max_depth": 20}}],
}


def pin(pid, cores):
    """The process and all of its threads."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), cores)


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_redis(world):
    """A server of our own, which outlives the training."""
    port = kafka_broker.free_port()
    process = world.spawn("redis-server", "--port", str(port), "--save", "", "--dir", str(world.dir))
    world.config.write_text(json.dumps(
        dict(json.loads(world.config.read_text()), redis_url=f"redis://127.0.0.1:{port}/0")))

    def answers():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0
    wait_for(answers, "redis-server")
    return process, port


def beat(port):
    """The heartbeat of the inference that runs, or None."""
    redis = Redis(port)
    incarnation = redis("GET", "oxbow:{taxi}:incarnation").decode()
    text = redis("GET", f"oxbow:{{taxi}}:{incarnation}:store:heartbeat:inference-1")
    return json.loads(text) if text else None


def predicted(port):
    """(wall time in seconds, predictions) of the newest heartbeat."""
    found = beat(port)
    return (found["time_ms"] / 1000, found["status"]["predicted"]) if found else (0, 0)


class Inference:
    """One oxbow-inference on one core."""

    def __init__(self, world, options, port):
        self.port = port
        self.process = world.spawn("taskset", "-c", str(options.core),
                                   str(pathlib.Path(options.bin) / "oxbow-inference"),
                                   "--config", str(world.config))

    def pid(self):
        return self.process.process.pid  # taskset becomes the program

    def stop(self):
        self.process.stop(signal.SIGTERM)


def train(world, options, trips):
    """The loop, until it has learned so many trips."""
    up = world.spawn(str(pathlib.Path(options.bin) / "oxbow"), "up", "--config", str(world.config),
                     "--data", str(world.data), "--no-monitor", "--simulate", "--rate", "3000", "--trips",
                     str(trips))
    up.wait_line("simulator-1 has finished", patience_s=300)
    time.sleep(3)
    up.stop()


def throughput(world, options, port):
    """Requests a second over the measured span, and second by second."""
    inference = Inference(world, options, port)
    wait_for(lambda: predicted(port)[1] > options.rows // 50, "inference to be at work", 120)
    begin, cpu = predicted(port), cpu_seconds(inference.pid())
    samples = [begin]
    while samples[-1][0] - begin[0] < options.seconds and samples[-1][1] < options.rows * 0.98:
        time.sleep(0.1)
        now = predicted(port)
        if now[0] > samples[-1][0]:
            samples.append(now)
    used = cpu_seconds(inference.pid()) - cpu
    inference.stop()
    n, span = samples[-1][1] - begin[1], samples[-1][0] - begin[0]
    each = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(samples, samples[1:])]
    return {"requests": n, "seconds": round(span, 1), "requests_a_second": round(n / span),
            "least_in_a_second": round(min(each)), "cpu_us_a_request": round(used * 1e6 / n, 2)}


def latency(world, options, port):
    """At a fixed rate, behind whatever the throughput run has left."""
    inference = Inference(world, options, port)
    last = [-1, time.monotonic()]

    def is_idle():
        now = predicted(port)
        if now[1] != last[0] or not now[0]:
            last[:] = [now[1], time.monotonic()]
        return time.monotonic() - last[1] > 5  # a heartbeat comes once a second
    wait_for(is_idle, "inference to have read what is there", 300)
    result = subprocess.run(
        [str(pathlib.Path(options.bin) / "bench_inference_kafka"), "pace", str(world.config),
         str(options.rate), "20"], capture_output=True, text=True, timeout=120, check=True)
    inference.stop()
    return json.loads(result.stdout)


def original(options, broker):
    """The original demo's loop with both clients, whichever is there."""
    results = []
    for client in ("kafka-python", "confluent"):
        run = subprocess.run(
            ["taskset", "-c", str(options.core), options.original,
             str(ROOT / "bench" / "original_demo_kafka.py"), broker.address, "--seconds", "20",
             "--client", client], capture_output=True, text=True, timeout=300)
        if run.returncode == 0:
            results.append(json.loads(run.stdout))
        else:
            print(f"{client}: {run.stderr[-400:]}", file=sys.stderr)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=str(ROOT / "build" / "release" / "bin"))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rows", type=int, default=6_000_000)
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--trips", type=int, default=20_000, help="that the models learn first")
    parser.add_argument("--original", metavar="PYTHON")
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--exactly-once", action="store_true")
    parser.add_argument("--out")
    options = parser.parse_args()
    os.environ.setdefault("OXBOW_KAFKA_HEAP", "1g")
    others = set(range(os.cpu_count())) - {options.core} or {options.core}
    result = {"cores": os.cpu_count(), "exactly_once": options.exactly_once}
    with Broker() as broker, World("bench", bus="kafka", kafka={"brokers": broker.address},
                                   models=MODELS, exactly_once=options.exactly_once,
                                   refresh_seconds=30) as world:
        _, port = start_redis(world)
        train(world, options, options.trips)
        pin(broker.pid, others)
        filled = subprocess.run(
            [str(pathlib.Path(options.bin) / "bench_inference_kafka"), "fill", str(world.config),
             str(options.rows)], capture_output=True, text=True, check=True)
        result["filled"] = json.loads(filled.stdout)
        result["inference"] = throughput(world, options, port)
        if options.original:
            subprocess.run([str(pathlib.Path(options.bin) / "bench_inference_kafka"), "topic",
                            str(world.config), "original-predictions"], check=True)
            result["original"] = original(options, broker)
            for run in result["original"]:
                run["times_as_fast"] = round(result["inference"]["requests_a_second"] /
                                             run["requests_a_second"], 1)
        result["latency"] = latency(world, options, port)
    text = json.dumps(result, indent=1)
    print(text)
    if options.out:
        pathlib.Path(options.out).write_text(text + "\n")


if __name__ == "__main__":
    main()
