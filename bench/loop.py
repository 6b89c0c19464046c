#!/usr/bin/env python3
"""The whole loop under full load: trips a second, and where the microseconds go.

    bench/loop.py [--runs 5] [--bin DIR] [--trips N] [--rate R] [--durability process|machine] [--config FILE]
                  [--monitor]

Runs `oxbow demo --fresh --trips N --rate R` (all services and a redis-server of its own), samples every
process's CPU time and resident memory once a second from /proc, and prints:

- trips a second, from the first second in which requests were read until the last trip was learned;
- microseconds of CPU a trip, for each process;
- resident memory of each process at a quarter of the run, at its half and at its end.

With --runs N, N runs one after the other, and the median of trips a second and of each process's microseconds.

With --monitor each run is done twice, without and with oxbow-monitor (and one page that looks at it), and the ratio told.

The rate is by default far above what the loop can do: back-pressure then sets the pace.
"""
import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def children(pid):
    found = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found  # it has ended just now
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children") as f:
                found += [int(p) for p in f.read().split()]
        except OSError:
            pass
    return found


def usage(pid):
    """(name, CPU seconds, resident bytes) of one process."""
    with open(f"/proc/{pid}/stat") as f:
        text = f.read()
    name = text[text.index("(") + 1:text.rindex(")")]
    fields = text[text.rindex(")") + 2:].split()
    return name, (int(fields[11]) + int(fields[12])) / TICK, int(fields[21]) * PAGE


def views_status(port):
    """The ledger in oxbow-views' heartbeat, or None before there is one."""
    def redis(*args):
        return subprocess.run(["redis-cli", "-p", port, "--raw", *args], capture_output=True,
                              text=True).stdout.strip()
    incarnation = redis("GET", "oxbow:{taxi}:incarnation")
    beat = redis("GET", f"oxbow:{{taxi}}:{incarnation}:store:heartbeat:views-1") if incarnation else ""
    try:
        return json.loads(beat)["status"]["ledger"]
    except (ValueError, KeyError):
        return None


def watch(port, run):
    """A browser that looks at the monitor's stream, as long as the loop runs."""
    while run.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/stream", timeout=30) as stream:
                for _ in stream:
                    pass
        except OSError:
            time.sleep(0.2)


def run_once(a, monitor=False):
    """Runs the loop once, prints what was seen, and gives (trips a second, {process: microseconds a trip})."""
    data = tempfile.mkdtemp(prefix="oxbow-bench-")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        page = s.getsockname()[1]
    env = dict(os.environ, OXBOW_DURABILITY=a.durability, OXBOW_MONITOR_LISTEN=f"127.0.0.1:{page}")
    command = [os.path.join(a.bin, "oxbow"), "demo", "--fresh", "--quiet", "--json", "--trips", str(a.trips),
               "--rate", str(a.rate), "--config", a.config, "--data", data]
    if not monitor:
        command.append("--no-monitor")
    log = open(os.path.join(data, "bench.log"), "w")
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=env, text=True)

    if monitor:
        threading.Thread(target=watch, args=(page, run), daemon=True).start()

    first = last = None
    cpu, memory, curve = {}, [], []
    while run.poll() is None:
        time.sleep(0.5)
        try:
            with open(os.path.join(data, "redis.port")) as f:
                port = f.read().strip()
        except OSError:
            continue
        ledger = views_status(port)
        now = time.monotonic()
        if ledger and ledger["requests_read"] and first is None:
            first = (now, ledger["requests_read"])
        if ledger:
            done = ledger["outcomes_emitted"] + ledger["outcomes_bad_label"]
            if not curve or done > curve[-1][1]:
                curve.append((now, done))
                last = (now, done)
        sizes = {}
        for pid in children(run.pid):
            try:
                name, seconds, resident = usage(pid)
            except OSError:
                continue
            cpu[name] = max(cpu.get(name, 0), seconds)
            sizes[name] = resident
        memory.append((ledger["requests_read"] if ledger else 0, sizes))

    out = run.stdout.read().strip().splitlines()
    if run.returncode != 0 or not out or first is None:
        sys.exit(f"bench/loop.py: oxbow demo ended with status {run.returncode}; see {data}/bench.log")
    summary = json.loads(out[-1])
    seconds = last[0] - first[0]
    learned = last[1]
    print(f"{learned} trips in {seconds:.1f} s: {learned / seconds:.0f} trips a second; audit "
          f"{summary['audit']}; {len(summary['models'])} models, durability {a.durability}, "
          f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'process':18} {'CPU us/trip':>12} {'MB at 1/4':>10} {'at 1/2':>8} {'at end':>8}")
    marks = []
    for part in (0.25, 0.5):
        marks.append(next((m[1] for m in memory if m[0] >= part * a.trips), {}))
    marks.append(next((m[1] for m in reversed(memory) if len(m[1]) >= 4), {}))
    for name in sorted(cpu, key=cpu.get, reverse=True):
        print(f"{name:18} {cpu[name] / learned * 1e6:12.1f} " +
              " ".join(f"{m.get(name, 0) / 1e6:9.1f}" for m in marks))
    print(f"{'total':18} {sum(cpu.values()) / learned * 1e6:12.1f}", flush=True)
    shutil.rmtree(data, ignore_errors=True)
    return learned / seconds, {name: cpu[name] / learned * 1e6 for name in cpu}


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--bin", default=os.path.join(root, "build/release/bin"))
    p.add_argument("--runs", type=int, default=1)
    p.add_argument("--trips", type=int, default=1000000)
    p.add_argument("--rate", type=float, default=1000000)
    p.add_argument("--durability", default="process")
    p.add_argument("--config", default=os.path.join(root, "config/taxi.json"))
    p.add_argument("--monitor", action="store_true",
                   help="each run twice, without and with oxbow-monitor and one page that looks at it")
    a = p.parse_args()

    if a.monitor:
        pairs = [(run_once(a), run_once(a, True)) for _ in range(a.runs)]
        ratios = [with_it[0] / without[0] for without, with_it in pairs]
        spent = statistics.median(r[1].get("oxbow-monitor", 0) for _, r in pairs)
        print(f"median of {a.runs}: {statistics.median(r[0] for r, _ in pairs):.0f} trips a second without the "
              f"monitor, {statistics.median(r[0] for _, r in pairs):.0f} with it; ratio "
              f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}); it takes {spent:.1f} CPU "
              "us a trip")
        return

    runs = [run_once(a) for _ in range(a.runs)]
    if a.runs > 1:
        print(f"median of {a.runs}: {statistics.median(r[0] for r in runs):.0f} trips a second; CPU us a trip: " +
              ", ".join(f"{name} {statistics.median(r[1].get(name, 0) for r in runs):.1f}" for name in runs[0][1]))


if __name__ == "__main__":
    main()
