"""The loop as a user meets it: `oxbow demo`."""

import datetime
import gzip
import json
import os
import signal
import subprocess

from oxbow import BIN, World, check, is_running, main, wait_for

MODELS = ("linear-regression", "decision-tree", "nearest-neighbors", "baseline")


def demo(world, *more):
    """The summary of a run that ends by itself."""
    result = subprocess.run(
        [str(a) for a in (BIN / "oxbow", "demo", "--config", world.config, "--data", world.data,
                          "--json", "--no-monitor", *more)],
        cwd=world.dir, capture_output=True, text=True, timeout=180)
    check(result.returncode == 0, f"demo: status {result.returncode}\n{result.stderr[-4000:]}")
    lines = result.stdout.splitlines()
    check(len(lines) == 1, f"with --json standard output has one line, not {len(lines)}")
    return json.loads(lines[0])


def test_runs_and_learns():
    """Every trip is predicted and learned once, a second start goes on, --fresh begins anew."""
    with World("loop") as world:
        trips = ("--trips", 4000, "--rate", 1000)
        first = demo(world, *trips, "--seconds", 3)
        check(0 < first["requests"] < 4000, str(first))
        check(first["audit"] == "balanced", str(first))

        second = demo(world, *trips)
        check(second["requests"] == second["predicted"] == second["outcomes"] == 4000, str(second))
        check(second["audit"] == "balanced" and second["dead"] == 0, str(second))
        check(set(second["models"]) == set(MODELS), str(second))
        for name, model in second["models"].items():
            check(model["learned"] == 4000 - second["bad_labels"], f"{name}: {model}")
            check(model["version"].endswith(f"-{model['learned']}"), f"{name}: {model}")
            check(model["version"][:16] == first["models"][name]["version"][:16], name)
        check(second["models"]["baseline"]["skill"] == 0, str(second))
        check(second["models"]["decision-tree"]["skill"] > 0.2, str(second))
        check(second["models"]["nearest-neighbors"]["skill"] > 0.2, str(second))

        third = demo(world, *trips)
        check(third == second, f"a third start finds nothing left to do: {third}")

        anew = demo(world, "--trips", 1000, "--rate", 1500, "--fresh")
        check(anew["requests"] == anew["outcomes"] == 1000, str(anew))
        check(anew["audit"] == "balanced", str(anew))


def test_commands():
    """tail, publish, audit and models answer while it runs, and a signal stops all of it."""
    with World("commands") as world:
        up = world.up(simulate=("--rate", "200"))
        wait_for(lambda: world.ledger().get("outcomes_emitted", 0) > 100, "rows to learn")
        tail = world.run("tail", "predictions", "--from", "oldest", "-n", 3, "--json")
        check(tail.returncode == 0, tail.stderr)
        for line in tail.stdout.splitlines():
            message = json.loads(line)
            check(set(message["value"]["predictions"]) == set(MODELS), line)
        check(len(tail.stdout.splitlines()) == 3, tail.stdout)
        wrong = world.run("tail", "pickups")
        check(wrong.returncode == 2 and "pick-ups" in wrong.stderr, wrong.stderr)
        one = world.run("tail", "pick-ups", "--from", "oldest", "-n", 1, "--key", "t000000010")
        check(one.stdout.startswith("t000000010\t{"), one.stdout)

        audit = world.audit()
        check(audit["audit"] == "balanced", str(audit))
        models = world.models()
        check(sorted(name for name, _ in models) == sorted(MODELS), str(models))

        before = world.ledger()["requests_dead"]
        line = "mine\t" + json.dumps({"no": "trip"}) + "\n"
        published = world.run("publish", "pick-ups", input=line)
        check(published.returncode == 0, published.stderr)
        refused = world.run("publish", "pick-ups", input="no tab\n")
        check(refused.returncode == 2 and "line 1" in refused.stderr, refused.stderr)
        wait_for(lambda: world.ledger().get("requests_dead", 0) > before or
                 world.ledger().get("requests_refused", 0) > 0, "the published request")

        pids = list(up.children().values())
        check(len(pids) == 5, str(up.children()))
        check(up.stop(signal.SIGINT) == 0, "Ctrl-C ends it with status 0")
        check(not up.has_line("killing it"), "every service stops when it is asked to")
        cannot = world.run("audit")
        check(cannot.returncode == 3, "without a server the audit cannot tell")


def write_trips(path, n):
    """n trips in Kaggle's columns; every 50th takes a second, which is a bad label."""
    start = datetime.datetime(2016, 3, 7, 8)
    with gzip.open(path, "wt") as file:
        file.write("id,vendor_id,pickup_datetime,dropoff_datetime,passenger_count,"
                   "pickup_longitude,pickup_latitude,dropoff_longitude,dropoff_latitude,"
                   "store_and_fwd_flag,trip_duration\n")
        for i in range(n):
            seconds = 1 if i % 50 == 0 else 100 + 13 * (i % 97)
            pick_up = start + datetime.timedelta(seconds=7 * i)
            drop_off = pick_up + datetime.timedelta(seconds=seconds)
            file.write(f"id{i:07d},{1 + i % 2},{pick_up},{drop_off},{1 + i % 4},-73.98,40.75,"
                       f"{-73.98 + seconds / 20000:.6f},40.76,N,{seconds}\n")


def test_replay():
    """A file of real trips is carried through, and it ends when every trip is learned."""
    with World("replay") as world:
        file = world.dir / "trips.csv.gz"
        write_trips(file, 1000)
        summary = demo(world, "--replay", file, "--rate", 500)
        check(summary["requests"] == summary["predicted"] == summary["outcomes"] == 1000,
              str(summary))
        check(summary["bad_labels"] == 20 and summary["audit"] == "balanced", str(summary))
        for name in MODELS:
            check(summary["models"][name]["learned"] == 980, f"{name}: {summary}")


def test_second_signal():
    """A second signal ends it at once, also when a service does not listen."""
    with World("signal") as world:
        up = world.up(simulate=("--rate", "50"))
        wait_for(lambda: world.ledger().get("requests_new", 0) > 0, "the first request")
        children = up.children()
        os.kill(children["views-1"], signal.SIGSTOP)
        up.process.send_signal(signal.SIGTERM)
        up.wait_line("stopping")
        up.process.send_signal(signal.SIGTERM)
        check(up.wait() == 1, "it ends with status 1")
        check(not up.has_line("killing it"), "it does not wait for those that do not listen")
        wait_for(lambda: not any(is_running(pid) for pid in children.values()),
                 "its children to be gone")


if __name__ == "__main__":
    main(test_runs_and_learns, test_commands, test_replay, test_second_signal)
