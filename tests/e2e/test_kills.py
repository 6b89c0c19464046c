"""kill -9 of everything, at random moments: nothing is lost, nothing is learned twice.

    python3 test_kills.py [--kills N] [--seed S] [--slow-fsync LIBRARY] [--inference N]
"""

import argparse
import os
import random
import signal
import time

from oxbow import World, check, wait_for

TARGETS = ("views-1", "inference-1", "learner-1", "simulator-1", "redis-server", "all")
TRIPS_A_KILL = 1000
RATE = 600


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False


def kill_round(up, target):
    """Kills the target (when it lives), and waits until what was killed runs again."""
    before = up.children()
    names = [n for n in before if target in ("all", n)]
    killed = [n for n in names if kill(before[n])]

    def is_back():
        now = up.children()
        finished = up.has_line("simulator-1 has finished")
        return all(now.get(n, before[n]) != before[n] or (n == "simulator-1" and finished)
                   for n in killed)
    wait_for(is_back, f"{killed} to be started again")
    return killed


def run(kills, seed, slow_fsync, inference):
    rng = random.Random(seed)
    trips = kills * TRIPS_A_KILL
    keep = {"stream_keep_rows": 10_000_000, "rebuild_rows": 10_000_000,
            "retention": {"age_seconds": 604800, "rows": 10_000_000}}
    # Every kind once, in random order, before chance decides.
    targets = TARGETS + tuple(f"inference-{i}" for i in range(2, inference + 1))
    plan = list(targets)
    rng.shuffle(plan)
    plan += [rng.choice(targets) for _ in range(kills - len(plan))]
    with World("kills", **keep) as world:
        if slow_fsync:
            os.environ["LD_PRELOAD"] = slow_fsync
        up = world.up("--inference", inference,
                      simulate=("--rate", str(RATE), "--trips", str(trips)))
        os.environ.pop("LD_PRELOAD", None)
        wait_for(lambda: world.ledger().get("outcomes_emitted", 0) > 0, "the first row to learn")
        for number, target in enumerate(plan[:kills]):
            time.sleep(rng.uniform(0.05, 1.5))
            print(f"  kill {number + 1}: {', '.join(kill_round(up, target))}", flush=True)
        up.wait_line("simulator-1 has finished", patience_s=600)
        audit = world.audit("--settled", "--deep", timeout_s=180)
        for finding in audit["deep"]:
            print("  " + finding["text"])

        ledger = world.ledger()
        print("  ledger:", {k: v for k, v in ledger.items() if v})
        check(ledger["requests_new"] == trips, f"{trips} trips were taken: {ledger}")
        check(ledger["outcomes_new"] == trips, f"{trips} trips ended: {ledger}")
        labelled = trips - ledger["outcomes_bad_label"]
        check(ledger["outcomes_emitted"] == labelled, str(ledger))
        models = world.models()
        check(len(models) == 4, str(models))
        for (name, _), model in models.items():
            check(model["learned"] == labelled and model["skipped"] == 0, f"{name}: {model}")
        check(up.stop() == 0, "it stops with status 0")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slow-fsync", metavar="LIBRARY", help="preloaded into redis-server")
    parser.add_argument("--inference", type=int, default=1, help="how many inference processes")
    options = parser.parse_args()
    print(f"{options.kills} kills, seed {options.seed}", flush=True)
    start = time.monotonic()
    run(options.kills, options.seed, options.slow_fsync, options.inference)
    print(f"ok, {time.monotonic() - start:.1f} s")


if __name__ == "__main__":
    main()
