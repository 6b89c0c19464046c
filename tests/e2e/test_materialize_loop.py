"""The loop on a real Kafka broker with a stand-in for Materialize: balanced, whatever is killed.

    python3 test_materialize_loop.py [--kills N] [--seed S] [--only NAME]

The stand-in speaks PostgreSQL's protocol in front of a real PostgreSQL, whose tables kcat fills from
the topics; it is no Materialize (docs/materialize.md). Skipped (status 77) where there is no Kafka
broker, no PostgreSQL server or no kcat.
"""

import argparse
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import postgres
from kafka import Broker
from oxbow import ROOT, World, check, free_port, wait_for
from page import Page
from test_kills import kill

TRIPS_A_KILL = 300
RATE = 150
KEEP = {"stream_keep_rows": 10_000_000, "rebuild_rows": 10_000_000}
TARGETS = ("views-1", "inference-1", "learner-1", "simulator-1", "redis-server", "materialize",
           "broker", "all")
UNCHECKED = ["E1", "E3", "E4", "E9"]


class Materialize:
    """The stand-in, which can be killed and started again; its PostgreSQL lives on."""

    def __init__(self, pg, broker):
        self.pg, self.broker = pg, broker
        self.port = free_port()
        self.process = None

    @property
    def url(self):
        return f"postgres://materialize@127.0.0.1:{self.port}/materialize"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20)

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-B", str(ROOT / "tests" / "support" / "mz_standin.py"),
             "--postgres", f"{self.pg.host}:{self.pg.PORT}", "--kafka", self.broker.address,
             "--port", str(self.port), "--tick", "0.3"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        check(line.startswith("port "), f"the stand-in did not start: {line!r}")

    def kill(self):
        """As kill -9 of Materialize: what it knew of the past is gone."""
        for child in children_of(self.process.pid):
            kill(child)
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()


def children_of(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(word) for word in found.stdout.split()]


def on_materialize(broker, materialize, **changes):
    return World("materialize", bus="kafka", kafka={"brokers": broker.address},
                 views="materialize", sql=str(ROOT / "sql" / "taxi" / "materialize"),
                 materialize_url=materialize.url, **KEEP, **changes)


def check_balanced(world, trips, timeout_s=180):
    """Every trip was taken and learned once, and the models are the folds of their rows."""
    audit = world.audit("--settled", "--deep", timeout_s=timeout_s)
    for finding in audit["deep"]:
        print("  " + finding["text"])
    check(audit["unchecked"] == UNCHECKED, str(audit["unchecked"]))
    # The engine's part of a heartbeat is some seconds old.
    wait_for(lambda: world.ledger().get("requests_predicted") == trips, "the heartbeat", 60)
    ledger = world.ledger()
    print("  ledger:", {k: v for k, v in ledger.items() if v}, flush=True)
    check(ledger["requests_new"] == ledger["features_last"] == trips, str(ledger))
    check(ledger["requests_read"] is None, "what is hidden is null")
    labelled = trips - ledger["outcomes_bad_label"]
    check(ledger["outcomes_emitted"] == labelled, str(ledger))
    models = world.models()
    check(len(models) == 4, str(models))
    for (name, _), model in models.items():
        check(model["learned"] == labelled and model["skipped"] == 0, f"{name}: {model}")


def check_monitor(page, world):
    """The monitor shows what this engine tells, and null where it hides."""
    emitted = world.ledger()["outcomes_emitted"]
    wait_for(lambda: page.tick()["counts"]["labelled"] == emitted, "every label on the page", 30)
    tick = page.tick()
    check(tick["counts"]["requests"] == 800 and tick["models"][0]["window"]["n"] > 500, tick)
    audit = wait_for(lambda: (lambda a: a if a["state"] == "balanced" else None)(page.get("api/audit")),
                     "an audit", 60)
    check(any(e["hidden"] for e in audit["equations"]), audit)
    perf = page.get("api/views/model_perf")
    check({row[perf["columns"].index("model")] for row in perf["rows"]} ==
          {m["name"] for m in tick["models"]}, perf)
    check(page.status("api/views/nonsense")[0] == 404, "no such view")


def test_balanced_and_fresh(broker, pg):
    """A plain run is balanced, a restart goes on, changed SQL is applied, --fresh begins anew."""
    with Materialize(pg, broker) as materialize, on_materialize(broker, materialize) as world:
        os.environ["OXBOW_MONITOR_LISTEN"] = "127.0.0.1:0"
        up = world.up(simulate=("--rate", 200, "--trips", 800), monitor=True)
        up.wait_line("simulator-1 has finished", patience_s=180)
        check_balanced(world, 800)
        check_monitor(Page(up), world)
        text = world.run("audit")
        check("hidden by this engine" in text.stdout, text.stdout)
        check(up.stop() == 0, "it stops with status 0")

        sql = world.dir / "sql"
        shutil.copytree(ROOT / "sql" / "taxi" / "materialize", sql)
        file = sql / "30_features.sql"
        changed = file.read_text().replace("AS avg_speed_by_hour", "+ 1 - 1 AS avg_speed_by_hour")
        file.write_text(changed)
        world.write_config(bus="kafka", kafka={"brokers": broker.address}, views="materialize",
                           sql=str(sql), materialize_url=materialize.url, **KEEP)
        up = world.up(simulate=("--rate", 200, "--trips", 1000))
        up.wait_line("dropping prediction_queue: its SQL has changed")
        up.wait_line("simulator-1 has finished", patience_s=180)
        wait_for(lambda: world.ledger().get("features_last") == 1000, "the other trips")
        check(up.stop() == 0, "it stops with status 0")

        up = world.up("--fresh", simulate=("--rate", 200, "--trips", 300))
        up.wait_line("simulator-1 has finished", patience_s=180)
        check_balanced(world, 300)
        check(up.stop() == 0, "it stops with status 0")


def kill_target(broker, materialize, up, target, rng):
    """Kills the target, and waits until what was killed runs again."""
    before = up.children()
    names = [n for n in before if target in ("all", n)]
    killed = [n for n in names if kill(before[n])]
    if target in ("materialize", "all"):
        killed.append("materialize")
        materialize.kill()
    if target in ("broker", "all"):
        killed.append("broker")
        (broker.kill if rng.random() < 0.5 else broker.stop)()
        time.sleep(rng.uniform(0, 2))
        broker.start()
    if target in ("materialize", "all"):
        time.sleep(rng.uniform(0, 2))
        materialize.start()

    def is_back():
        now = up.children()
        finished = up.has_line("simulator-1 has finished")
        return all(now.get(n, before[n]) != before[n] or (n == "simulator-1" and finished)
                   for n in killed if n in before)
    wait_for(is_back, f"{killed} to be started again")
    return killed


def test_kills(broker, pg, kills, seed):
    """kill -9 of services, redis-server, the broker and the view engine at random moments."""
    rng = random.Random(seed)
    trips = kills * TRIPS_A_KILL
    plan = list(TARGETS)
    rng.shuffle(plan)
    plan += [rng.choice(TARGETS) for _ in range(kills - len(plan))]
    with Materialize(pg, broker) as materialize, on_materialize(broker, materialize) as world:
        up = world.up(simulate=("--rate", RATE, "--trips", trips))
        wait_for(lambda: world.ledger().get("outcomes_emitted", 0) > 0, "the first row to learn")
        for number, target in enumerate(plan[:kills]):
            time.sleep(rng.uniform(0.05, 3))
            killed = kill_target(broker, materialize, up, target, rng)
            print(f"  kill {number + 1}: {', '.join(killed)}", flush=True)
        up.wait_line("simulator-1 has finished", patience_s=900)
        check_balanced(world, trips, 300)
        check(up.stop() == 0, "it stops with status 0")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("plain", "kills"))
    options = parser.parse_args()
    for program, there in (("PostgreSQL's server", postgres.find()), ("kcat", shutil.which("kcat"))):
        if not there:
            print(f"SKIPPED: {program} is not installed", file=sys.stderr)
            sys.exit(77)
    tests = []
    if options.only != "kills":
        tests.append((test_balanced_and_fresh, ()))
    if options.only != "plain":
        tests.append((test_kills, (options.kills, options.seed)))
    for test, arguments in tests:
        start = time.monotonic()
        print(f"{test.__name__}{arguments}: {test.__doc__.splitlines()[0]}", flush=True)
        with Broker() as broker, postgres.Postgres() as pg:
            test(broker, pg, *arguments)
        print(f"{test.__name__}: ok, {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
