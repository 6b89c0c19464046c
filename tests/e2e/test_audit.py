"""The audit can fail: whatever is taken away or added behind its back, it names."""

import json
import sqlite3

from oxbow import World, check, main
from test_models import version_keys


def expect_broken(world, words, *more):
    result = world.run("audit", "--json", *more)
    check(result.returncode == 1, f"status {result.returncode}: {result.stdout}{result.stderr}")
    report = json.loads(result.stdout)
    check(report["audit"] == "broken", result.stdout)
    said = [f"{e['id']} {e['subject']} {e['text']} {e['left']} {e['right']}"
            for e in report["equations"] if not e["holds"]]
    said += [f["text"] for f in report["deep"] if not f["holds"]]
    for word in words:
        check(any(word in line for line in said), f"{word!r} is not in {said}")
    print("  " + "\n  ".join(said))


def change_ledger(world, name, difference):
    with sqlite3.connect(world.data / "taxi.db", timeout=30) as database:
        rows = database.execute("UPDATE ledger SET value = value + ? WHERE name = ?",
                                (difference, name)).rowcount
    database.close()
    check(rows == 1, f"the ledger has {name}")


def test_audit_can_fail():
    """Each kind of loss or doubling gives status 1 and is named; put right, it balances again."""
    with World("audit") as world:
        up = world.up(simulate=("--rate", "400", "--trips", "1200"))
        up.wait_line("simulator-1 has finished")
        world.audit("--settled", "--deep")
        redis = world.redis()
        prefix = world.prefix(redis)

        # A request that was counted and is not there.
        change_ledger(world, "requests_new", 1)
        expect_broken(world, ["E1", "E2"])
        change_ledger(world, "requests_new", -1)
        # A label that was dropped in silence.
        change_ledger(world, "outcomes_emitted", -1)
        expect_broken(world, ["E5", "E6"])
        change_ledger(world, "outcomes_emitted", 1)
        world.audit("--settled", "--deep")

        # A model that says it has learned one row more.
        newest = {name: m["version"] for (name, _), m in world.models().items()}
        key = version_keys(redis, prefix, "decision-tree", newest["decision-tree"])[0]
        redis("HINCRBY", key, "learned", 1)
        expect_broken(world, ["E7 decision-tree"])
        redis("HINCRBY", key, "learned", -1)

        # A model that has bytes of its own, though they are sound: those of an earlier version.
        versions = [k for k in redis("KEYS", prefix.replace("{", "\\{") + "*")
                    if b"decision-tree" in k and redis("TYPE", k) == b"hash" and k != key and
                    redis("HGET", k, "blob")]
        saved = redis("HGETALL", key)
        for field in ("blob", "checksum"):
            redis("HSET", key, field, redis("HGET", versions[0], field))
        expect_broken(world, ["decision-tree"], "--deep")
        redis("HSET", key, *saved)
        world.audit("--settled", "--deep")

        # A drift detector that has missed an error, or seen one that never was.
        scores = json.loads(redis("HGET", key, "scores"))
        text = redis("HGET", key, "scores").decode()
        state = scores["drift"]["state"]
        changed = state[:-1] + ("0" if state[-1] != "0" else "1")
        redis("HSET", key, "scores", text.replace(state, changed))
        expect_broken(world, ["drift detector"], "--deep")
        redis("HSET", key, "scores", text)
        world.audit("--settled", "--deep")

        # A prediction by a version that never was (views takes it for an orphan).
        redis("XADD", prefix + "predictions", "*", "key", "nobody", "value", json.dumps({
            "trip_id": "nobody", "features": {}, "requested_at": None, "predicted_at": None,
            "predictions": {"decision-tree": {"value": 1, "version": "0123456789abcdef-7"}}}))
        expect_broken(world, ["0123456789abcdef-7"], "--deep")

        # A row that is gone from the middle of learning-queue.
        check(redis("XDEL", prefix + "learning-queue", "600-0") == 1, "row 600 is there")
        expect_broken(world, ["seq 599 is followed by 601"], "--deep")
        check(up.stop() == 0, "it stops with status 0")


if __name__ == "__main__":
    main(test_audit_can_fail)
