"""Models in the store: tampered with, and swapped for another class."""

import json
import os
import signal

from oxbow import World, check, main, wait_for


def version_keys(redis, prefix, model, version):
    """The Redis keys that hold this version."""
    wanted = (model + ":" + version).encode()
    return [key for key in redis("KEYS", prefix.replace("{", "\\{") + "*")
            if key.endswith(wanted) and redis("TYPE", key) == b"hash"]


def served(world):
    """{model: version} that inference serves now."""
    for beat in world.beats().values():
        if beat.get("service") == "inference":
            return {name: m["version"] for name, m in beat["status"]["models"].items()}
    return {}


def tamper(blob, how):
    if how == "truncated":
        return blob[:len(blob) // 2]
    if how == "empty":
        return b""
    if how == "wrong checksum":
        return blob[:-1] + bytes([blob[-1] ^ 1])
    if how == "another format":
        return blob[:8] + b"\xff\xff\xff\x7f" + blob[12:]
    return bytes((i * 7919 + 13) % 256 for i in range(len(blob)))


def test_bad_blobs():
    """A bad blob is refused by name, and the previous model goes on serving."""
    for how in ("truncated", "empty", "wrong checksum", "another format", "random"):
        with World("blobs", refresh_seconds=1, refresh_rows=1_000_000) as world:
            up = world.up(simulate=("--rate", "150"))
            wait_for(lambda: all(not v.endswith("-0") for v in served(world).values() or ["-0"]),
                     "a trained model to be served")
            redis = world.redis()
            prefix = world.prefix(redis)
            model = "decision-tree"
            # The learner is held still, so that what is served next is what is tampered with.
            pid = up.children()["learner-1"]
            newest = [m for (name, _), m in world.models().items() if name == model][0]
            os.kill(pid, signal.SIGSTOP)
            before = served(world)[model]
            newest = [m for (name, _), m in world.models().items() if name == model][0]["version"]
            keys = version_keys(redis, prefix, model, newest)
            check(len(keys) == 1, f"one key holds {newest}: {keys}")
            blob = redis("HGET", keys[0], "blob")
            redis("HSET", keys[0], "blob", tamper(blob, how))
            # Inference starts anew and must take the tampered version, or not.
            os.kill(up.children()["inference-1"], signal.SIGKILL)
            up.wait_line(rf"inference-1 .*{newest}")
            said = [line for line in up.lines if newest in line and "inference-1" in line]
            wait_for(lambda: served(world).get(model), "inference to serve again")
            check(served(world)[model] != newest, f"{how}: {newest} is not served")
            rows = world.ledger().get("requests_predicted", 0)
            wait_for(lambda: world.ledger().get("requests_predicted", 0) > rows + 50,
                     f"{how}: predictions go on")
            print(f"  {how}: {said[-1].split(' | ')[-1] if said else ''} (served before: {before})")
            redis("HSET", keys[0], "blob", blob)
            os.kill(pid, signal.SIGCONT)
            check(up.stop() == 0, "it stops with status 0")


def test_swap():
    """Another class under the same name: it catches up on the kept rows, the old versions stay."""
    with World("swap") as world:
        up = world.up(simulate=("--rate", "300", "--trips", "1500"))
        up.wait_line("simulator-1 has finished")
        world.audit("--settled")
        before = world.models()
        check(up.stop() == 0, "it stops with status 0")

        config = json.loads(world.config.read_text())
        config["models"]["linear-regression"] = ["standard_scaler", "knn_regressor"]
        world.config.write_text(json.dumps(config))
        up = world.up(simulate=("--rate", "300", "--trips", "1500"))
        world.audit("--settled", "--deep")
        after = world.models()
        for key, model in before.items():
            check(key in after and after[key]["learned"] == model["learned"],
                  f"the version of {key} stays")
        new = [m for key, m in after.items() if key not in before]
        check(len(new) == 1 and new[0]["model"] == "linear-regression", str(new))
        check(new[0]["class"] == "knn_regressor", str(new))
        rows = [m["learned"] for (name, _), m in before.items() if name == "baseline"][0]
        check(new[0]["learned"] == rows, "it has learned every kept row")
        wait_for(lambda: served(world).get("linear-regression") == new[0]["version"],
                 "the new generation to be served")
        # The very same rows under the very same class are the very same model.
        other = [m for (name, _), m in after.items() if name == "nearest-neighbors"][0]
        check(other["mae"] == new[0]["mae"], f"{other} and {new[0]}")
        check(up.stop() == 0, "it stops with status 0")


if __name__ == "__main__":
    main(test_bad_blobs, test_swap)
