#!/usr/bin/env python3
"""What oxbow-monitor takes: CPU a second, memory and the size of its ticks, with one page that looks at it.

    bench/monitor.py [--bin DIR] [--seconds 15]

Runs the loop three times: without a stream, at the demo's pace, and as fast as it will go. What the monitor costs
the loop's throughput: bench/loop.py --monitor.
"""
import argparse
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOADS = {"no stream": None, "the demo's": ("--speed", "60"), "all it can do": ("--rate", "1000000")}
SETTLE_S = 8  # before it is looked at


def measure(name, simulate, seconds):
    from oxbow import World
    from page import Page, Stream

    with World("bench-monitor") as world:
        up = world.up(simulate=simulate, monitor=True)
        stream = Stream(Page(up))
        time.sleep(SETTLE_S)
        before, requests = world.beats()["monitor-1"], world.ledger()["requests_new"]
        time.sleep(seconds)
        after = world.beats()["monitor-1"]
        requests = world.ledger()["requests_new"] - requests
        span = (after["time_ms"] - before["time_ms"]) / 1000
        largest = max(len(data.encode()) for event, _, data in stream.events if event == "tick")
        print(f"{name:15} {requests / span:10.0f} {(after['status']['work'] - before['status']['work']) / span:12.0f} "
              f"{(after['cpu_ms'] - before['cpu_ms']) / span:12.1f} {after['rss_bytes'] / 1e6:12.1f} {largest:14}",
              flush=True)
        stream.close()
        up.stop()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--bin", default=str(ROOT / "build" / "release" / "bin"))
    p.add_argument("--seconds", type=float, default=15)
    a = p.parse_args()

    os.environ.update(OXBOW_BIN=a.bin, OXBOW_MONITOR_LISTEN="127.0.0.1:0")
    sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "support")]
    print(f"{'load':15} {'requests/s':>10} {'messages/s':>12} {'CPU ms/s':>12} {'resident MB':>12} {'largest tick':>14}")
    for name, simulate in LOADS.items():
        measure(name, simulate, a.seconds)


if __name__ == "__main__":
    main()
