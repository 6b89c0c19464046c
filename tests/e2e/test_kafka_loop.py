"""The loop on a real Kafka broker, with SQLite's views: balanced, whatever is killed.

    python3 test_kafka_loop.py [--kills N] [--seed S] [--exactly-once] [--away S] [--only NAME]

Skipped (status 77) where there is no Java, or no jars of Kafka.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from kafka import Broker
from oxbow import World, check, wait_for
from page import Page
from test_kills import kill

TRIPS_A_KILL = 800
RATE = 400
KEEP = {"stream_keep_rows": 10_000_000, "rebuild_rows": 10_000_000,
        "retention": {"age_seconds": 604800, "rows": 10_000_000}}
TARGETS = ("views-1", "inference-1", "inference-2", "learner-1", "simulator-1", "redis-server",
           "broker", "all")


def on_kafka(broker, **changes):
    """A world whose bus is this broker."""
    return World("kafka", bus="kafka", kafka={"brokers": broker.address}, **changes)


def check_balanced(world, trips, timeout_s=180):
    """Every trip was taken and learned once, and the models are the folds of their rows."""
    audit = world.audit("--settled", "--deep", timeout_s=timeout_s)
    for finding in audit["deep"]:
        print("  " + finding["text"])
    check(audit["unchecked"] == ["E9"], str(audit["unchecked"]))
    def told():
        """The audit counted; a heartbeat may be a second older."""
        now = world.ledger()
        done = now["outcomes_emitted"] + now["outcomes_bad_label"]
        return now if now["requests_predicted"] == done == trips else None
    ledger = wait_for(told, f"a heartbeat of views with all {trips} trips", 10)
    print("  ledger:", {k: v for k, v in ledger.items() if v}, flush=True)
    check(ledger["requests_new"] == ledger["outcomes_new"] == trips, str(ledger))
    labelled = trips - ledger["outcomes_bad_label"]
    check(ledger["outcomes_emitted"] == labelled, str(ledger))
    models = world.models()
    check(len(models) == 4, str(models))
    for (name, _), model in models.items():
        check(model["learned"] == labelled and model["skipped"] == 0, f"{name}: {model}")
    return ledger


def test_balanced_and_fresh():
    """A plain run is balanced; kcat reads the predictions as JSON; another life is refused, and
    --fresh begins anew."""
    with Broker() as broker:
        with on_kafka(broker, **KEEP) as world:
            os.environ["OXBOW_MONITOR_LISTEN"] = "127.0.0.1:0"
            up = world.up("--inference", 2, simulate=("--rate", 500, "--trips", 2000), monitor=True)
            up.wait_line("simulator-1 has finished", patience_s=120)
            ledger = check_balanced(world, 2000)
            page = Page(up)
            wait_for(lambda: page.tick()["counts"]["labelled"] == ledger["outcomes_emitted"],
                     "every label on the page", 30)
            check(page.tick()["models"][0]["window"]["n"] == 1000, "from all partitions")
            check(ledger["predictions_duplicate"] == 0, str(ledger))
            if shutil.which("kcat"):
                kcat = subprocess.run(
                    ["kcat", "-q", "-b", broker.address, "-C", "-t", "predictions", "-e"],
                    capture_output=True, text=True, timeout=60, check=True)
                rows = [json.loads(line) for line in kcat.stdout.splitlines()]
                check(len({row["trip_id"] for row in rows}) == 2000, f"{len(rows)} rows")
            tail = world.run("tail", "predictions", "--from", "oldest", "-n", 5, "--json")
            check(len(tail.stdout.splitlines()) == 5, tail.stdout + tail.stderr)
            check(up.stop() == 0, "it stops with status 0")

            shutil.rmtree(world.data)
            up = world.up(simulate=("--rate", 500, "--trips", 1000))
            check(up.wait(60) == 2, "topics of another life are refused")
            check(up.has_line("belong to .*--fresh"), "\n".join(up.lines[-20:]))
            up = world.up("--fresh", simulate=("--rate", 500, "--trips", 1000))
            up.wait_line("simulator-1 has finished", patience_s=120)
            check_balanced(world, 1000)
            check(up.stop() == 0, "it stops with status 0")


def test_broker_away(seconds):
    """Each service says it, tries again, and nothing is lost."""
    with Broker() as broker, on_kafka(broker, **KEEP) as world:
        up = world.up("--inference", 2, simulate=("--rate", 200, "--trips", 3000))
        wait_for(lambda: world.ledger().get("outcomes_emitted", 0) > 100, "rows to learn")
        start = len(up.lines)
        broker.stop()
        time.sleep(seconds)
        broker.start()
        up.wait_line("simulator-1 has finished", start, patience_s=120)
        check_balanced(world, 3000)
        check(not up.has_line("starting it again"), "no service died of it")
        for service in ("views-1", "inference-1", "learner-1"):
            words = [line for line in up.lines[start:]
                     if line.startswith(service) and "WARN" in line]
            print("  " + "\n  ".join(words))
            # A short one passes while a transaction waits for its end.
            least = 1 if seconds > 15 else 0
            check(least <= len(words) <= 6, f"{service} says it {len(words)} times: {words}")
        check(up.stop() == 0, "it stops with status 0")


def kill_target(broker, up, target, rng):
    """Kills the target, and waits until what was killed runs again."""
    before = up.children()
    names = [n for n in before if target in ("all", n)]
    killed = [n for n in names if kill(before[n])]
    if target in ("broker", "all"):
        killed.append("broker")
        # A stopped one hands over; a killed one does not.
        (broker.kill if rng.random() < 0.5 else broker.stop)()
        time.sleep(rng.uniform(0, 2))
        broker.start()

    def is_back():
        now = up.children()
        finished = up.has_line("simulator-1 has finished")
        return all(now.get(n, before[n]) != before[n] or (n == "simulator-1" and finished)
                   for n in killed if n != "broker")
    wait_for(is_back, f"{killed} to be started again")
    return killed


def test_kills(kills, seed, exactly_once):
    """kill -9 of services, redis-server and the broker at random moments."""
    rng = random.Random(seed)
    trips = kills * TRIPS_A_KILL
    plan = list(TARGETS)
    rng.shuffle(plan)
    plan += [rng.choice(TARGETS) for _ in range(kills - len(plan))]
    with Broker() as broker, on_kafka(broker, exactly_once=exactly_once, **KEEP) as world:
        up = world.up("--inference", 2, simulate=("--rate", RATE, "--trips", trips))
        wait_for(lambda: world.ledger().get("outcomes_emitted", 0) > 0, "the first row to learn")
        for number, target in enumerate(plan[:kills]):
            time.sleep(rng.uniform(0.05, 2))
            killed = kill_target(broker, up, target, rng)
            print(f"  kill {number + 1}: {', '.join(killed)}", flush=True)
        up.wait_line("simulator-1 has finished", patience_s=900)
        ledger = check_balanced(world, trips)
        if exactly_once:
            check(ledger["predictions_duplicate"] == 0, f"no prediction is doubled: {ledger}")
        check(up.stop() == 0, "it stops with status 0")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--exactly-once", action="store_true", help="the kills with it alone")
    parser.add_argument("--away", type=float, default=6, help="seconds that the broker is away")
    parser.add_argument("--only", choices=("plain", "away", "kills"))
    options = parser.parse_args()
    if options.only in (None, "plain"):
        start = time.monotonic()
        test_balanced_and_fresh()
        print(f"plain: ok, {time.monotonic() - start:.1f} s", flush=True)
    if options.only in (None, "away"):
        start = time.monotonic()
        test_broker_away(options.away)
        print(f"away for {options.away:g} s: ok, {time.monotonic() - start:.1f} s", flush=True)
    if options.only in (None, "kills"):
        for exactly_once in (True,) if options.exactly_once else (False, True):
            start = time.monotonic()
            print(f"{options.kills} kills, seed {options.seed}, exactly once: {exactly_once}",
                  flush=True)
            test_kills(options.kills, options.seed, exactly_once)
            print(f"kills: ok, {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
