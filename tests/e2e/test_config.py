"""Every kind of mistake in a task file: one clear line, exit status 2."""

import json
import subprocess

from oxbow import BIN, World, check, main, shipped_config

# (what to change at which path, words that the line must have)
MISTAKES = [
    (("lable",), "duration", ["lable", "label"]),
    (("refresh_seconds",), "soon", ["refresh_seconds"]),
    (("refresh_seconds",), -1, ["refresh_seconds"]),
    (("topics", "requests"), None, ["topics.requests"]),
    (("topics", "request"), "x", ["topics.request"]),
    (("label_range",), [100, 10], ["label_range"]),
    (("features",), [], ["features"]),
    (("features", 0), 5, ["features[0]"]),
    (("features", 0), {"name": "x", "kind": "colour"}, ["features[0]", "colour"]),
    (("models",), {}, ["models"]),
    (("models", "linear-regression"), ["standard_scalar", "linear_regression"],
     ["linear-regression", "standard_scalar", "standard_scaler"]),
    (("models", "linear-regression"), ["standard_scaler", {"linear_regression": {"l3": 1}}],
     ["linear-regression", "l3", "l2"]),
    (("models", "linear-regression"), [{"linear_regression": {"l2": "much"}}],
     ["linear-regression", "l2"]),
    (("models", "linear-regression"), [], ["linear-regression"]),
    (("models", "baseline"), ["mean"], ["baseline"]),
    (("bus",), "rabbit", ["bus", "rabbit"]),
    (("views",), "oracle", ["views", "oracle"]),
    (("kind",), "clustering", ["kind", "clustering"]),
    (("start",), "middle", ["start", "middle"]),
    (("durability",), "galaxy", ["durability", "galaxy"]),
    (("redis_url",), "http://here", ["redis_url"]),
    (("retention", "age_seconds"), 0, ["retention.age_seconds"]),
]


def change(config, path, value):
    place = config
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    elif isinstance(place, list):
        place[path[-1]] = value
    else:
        place[path[-1]] = value
    return config


def up(world, env=None):
    import os
    return subprocess.run(
        [str(a) for a in (BIN / "oxbow", "up", "--config", world.config, "--data", world.data,
                          "--with-redis", "--no-simulator", "--no-monitor")],
        cwd=world.dir, capture_output=True, text=True, timeout=60,
        env=dict(os.environ, **(env or {})))


def expect(result, words, what):
    check(result.returncode == 2, f"{what}: status {result.returncode}\n{result.stdout}"
          f"{result.stderr}")
    lines = result.stderr.splitlines()
    check(len(lines) == 1, f"{what}: one line, not {len(lines)}:\n{result.stderr}")
    for word in words:
        check(word in lines[0], f"{what}: the line has no {word!r}: {lines[0]}")
    print("  " + lines[0].replace(str(result.args[3]), "taxi.json"))


def test_mistakes():
    """The line names the file, the place and what to write; no service is started."""
    with World("config") as world:
        for path, value, words in MISTAKES:
            world.config.write_text(json.dumps(change(shipped_config(), path, value)))
            expect(up(world), [str(world.config)] + words, f"{path} = {value}")


def test_syntax():
    """A file that is no JSON is refused with line and column; one that is not there by name."""
    with World("syntax") as world:
        world.config.write_text('{\n  "task": "taxi",\n  "kind": regression\n}\n')
        expect(up(world), [str(world.config), "3"], "no JSON")
        world.config.write_text("")
        expect(up(world), [str(world.config)], "an empty file")
        world.config.unlink()
        expect(up(world), [str(world.config)], "no file")


def test_environment():
    """What the environment overrides is checked in the same way, under its own name."""
    with World("environment") as world:
        expect(up(world, {"OXBOW_DURABILITY": "eternal"}), ["OXBOW_DURABILITY", "eternal"],
               "OXBOW_DURABILITY")
        expect(up(world, {"OXBOW_BUS": "pigeon"}), ["OXBOW_BUS", "pigeon"], "OXBOW_BUS")


def test_feature_that_the_view_has_not():
    """Only the SQL knows its columns: oxbow-views refuses, and that stops all with status 2."""
    with World("feature", features=["passenger_count", "colour"], monitor={}) as world:
        process = world.up()
        check(process.wait() == 2, "status 2")
        check(process.has_line("views-1 .*ERROR.*colour"), "\n".join(process.lines))
        check(not process.has_line("starting it again"), "a refusal is not tried again")


def test_command_lines():
    """A wrong command line is refused with what to write instead."""
    for words, expected in [
            (["upp"], "did you mean up"), (["up", "--frehs"], "--fresh"),
            (["tail"], "TOPIC"), (["tail", "pick-ups", "--from", "middle"], "oldest or newest"),
            (["audit", "--timeout", "x"], "--timeout"), (["demo", "--rate"], "--rate"),
            (["up", "--inference", "0"], "--inference"), (["publish", "a", "b"], "one word too")]:
        result = subprocess.run([str(BIN / "oxbow"), *words], capture_output=True, text=True,
                                timeout=30)
        check(result.returncode == 2, f"{words}: status {result.returncode}")
        check(expected in result.stderr, f"{words}: {result.stderr}")
    for service in ("views", "inference", "learner", "simulator"):
        program = str(BIN / f"oxbow-{service}")
        result = subprocess.run([program, "--wrong"], capture_output=True, text=True, timeout=30)
        check(result.returncode == 2 and len(result.stderr.splitlines()) == 1,
              f"{service}: {result.returncode} {result.stderr}")
        result = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=30)
        check(result.returncode == 0 and "--config" in result.stdout, f"{service} --help")


if __name__ == "__main__":
    main(test_mistakes, test_syntax, test_environment, test_feature_that_the_view_has_not,
         test_command_lines)
