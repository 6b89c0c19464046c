"""Alarms of drift from the real loop: each once, whoever is killed, and the same as without kills."""

import json
import os
import random
import signal
import time

from oxbow import World, check, main, wait_for
from test_kills import kill_round

TRIPS = 9000
KEEP = {"stream_keep_rows": 10_000_000, "rebuild_rows": 10_000_000,
        "retention": {"age_seconds": 604800, "rows": 10_000_000}}


def alarms(redis, prefix):
    """[(key, value)] of the topic, in its order."""
    found = []
    for _, fields in redis("XRANGE", prefix + "drift-alarms", "-", "+"):
        entry = dict(zip(fields[::2], fields[1::2]))
        found.append((entry[b"key"].decode(), entry[b"value"].decode()))
    return found


def learned(world, redis):
    """(pid, {model: position}) of the learner's last heartbeat."""
    beat = world.beats(redis).get("learner-1", {"pid": 0})
    models = beat.get("status", {}).get("models", {})
    return beat["pid"], {name: model["position"] for name, model in models.items()}


def learn_again(world, up, redis, prefix):
    """As if no model had ever been there: the learner folds all rows from the first one, unkilled."""
    _, before = learned(world, redis)
    old = up.children()["learner-1"]
    os.kill(old, signal.SIGSTOP)
    for kind in ("store:version*", "store:heads:*", "store:positions:*", "store:serving", "drift-alarms"):
        for key in redis("KEYS", prefix.replace("{", "\\{") + kind):
            redis("DEL", key)
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: up.children().get("learner-1", old) != old, "another learner")
    again = (up.children()["learner-1"], before)
    wait_for(lambda: learned(world, redis) == again, f"every model at {before} once more")


def check_trimmed(up, redis, prefix):
    """oxbow-views keeps the newest 10,000, however many there are when it starts."""
    topic = prefix + "drift-alarms"
    for i in range(11_500):
        redis("XADD", topic, "*", "key", f"nobody#{i}#adwin", "value", "{}")
    os.kill(up.children()["views-1"], signal.SIGKILL)
    wait_for(lambda: redis("XLEN", topic) < 10_500, "the oldest alarms to be forgotten")
    check(redis("XLEN", topic) >= 10_000, "the newest 10,000 are kept")
    newest = redis("XREVRANGE", topic, "+", "-", "COUNT", "1")[0][1]
    check(b"nobody#11499#adwin" in newest, newest)


def test_drift_alarms():
    """The city's roads change: alarms say so, each once, kills or not, and tail shows them."""
    rng = random.Random(5)
    with World("drift", **KEEP) as world:
        up = world.up(simulate=("--rate", "600", "--trips", str(TRIPS), "--regime-after", "40m"))
        wait_for(lambda: world.ledger().get("outcomes_emitted", 0) > 300, "rows to learn")
        for target in ("learner-1", "redis-server", "learner-1", "all", "learner-1", "redis-server"):
            time.sleep(rng.uniform(0.2, 1.5))
            print(f"  kill: {', '.join(kill_round(up, target))}", flush=True)
        up.wait_line("simulator-1 has finished", patience_s=300)
        world.audit("--settled", "--deep", timeout_s=180)

        redis = world.redis()
        prefix = world.prefix(redis)
        with_kills = alarms(redis, prefix)
        check(len(with_kills) == len(set(with_kills)), f"one comes twice: {with_kills}")
        for key, value in with_kills:
            alarm = json.loads(value)
            check(key == f"{alarm['model']}#{alarm['position']}#adwin", f"{key}: {value}")
            check(alarm["at"].endswith("Z") and alarm["n"] > 0, value)
        worse = [json.loads(v) for _, v in with_kills]
        worse = [a for a in worse if a["mean_after"] > a["mean_before"]]
        print(f"  {len(with_kills)} alarms, {len(worse)} of them of an error that rose", flush=True)
        check(worse, f"no error rose, yet the roads changed: {with_kills}")

        beats = world.beats(redis)
        told = beats["learner-1"]["status"]["models"]
        for name, model in told.items():
            mine = [k for k, _ in with_kills if k.startswith(name + "#")]
            check(model["drift"]["alarms"] == len(mine), f"{name}: {model['drift']}, {mine}")

        shown = world.run("tail", "drift-alarms", "--from", "oldest", "--count", str(len(with_kills)))
        check(shown.stdout.splitlines() == [f"{k}\t{v}" for k, v in with_kills], shown.stdout)

        learn_again(world, up, redis, prefix)
        without = alarms(redis, prefix)
        check(sorted(without) == sorted(with_kills),
              f"{len(without)} without kills: {sorted(set(without) ^ set(with_kills))[:3]} differ")
        check_trimmed(up, redis, prefix)
        check(up.stop() == 0, "it stops with status 0")


if __name__ == "__main__":
    main(test_drift_alarms)
