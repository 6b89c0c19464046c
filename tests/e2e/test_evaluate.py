"""oxbow evaluate: against River's recorded scores and against a live loop; what it refuses."""

import contextlib
import gzip
import json
import pathlib
import random
import sqlite3
import subprocess
import tempfile
import xml.etree.ElementTree
from datetime import datetime, timedelta

from oxbow import BIN, ROOT, World, check, main, wait_for
from test_classify import LongTrips, learner_models

GOLDEN = ROOT / "tests" / "golden"
STREAM = GOLDEN / "evaluate.csv"
PLAIN = ("--target", "y", "--features", "a,b,c")
SGD = 'linear=["standard_scaler",{"linear_regression":{"optimizer":{"sgd":{"lr":0.05}}}}]'


def evaluate(*words, status=0, cwd=None):
    result = subprocess.run([str(w) for w in (BIN / "oxbow", "evaluate", *words)], cwd=cwd,
                            capture_output=True, text=True, timeout=300)
    check(result.returncode == status, f"evaluate {' '.join(map(str, words))}: status "
          f"{result.returncode}, not {status}\n{result.stdout}{result.stderr}")
    return result


def scores(*words, **more):
    """{model: its final object}"""
    rows = [json.loads(line) for line in evaluate(*words, "--json", **more).stdout.splitlines()]
    return {row["model"]: row for row in rows if "after" not in row}


def near(a, b):
    return abs(a - b) <= 1e-9 * max(1, abs(b))


def test_like_river():
    """The command gives River's scores for every delay of answers, whatever the file looks like."""
    with tempfile.TemporaryDirectory() as folder:
        text = STREAM.read_text()
        semicolons = pathlib.Path(folder) / "semicolons.csv"
        semicolons.write_text("\ufeff" + text.replace(",", ";").replace("\n", "\r\n"))
        packed = pathlib.Path(folder) / "packed.csv.gz"
        packed.write_bytes(gzip.compress(text.encode()))
        for case in json.loads((GOLDEN / "evaluate.json").read_text()):
            words = ["--target", case["target"], "--features", "a,b,c", "--kind", case["kind"]]
            for option in ("moment", "label_delay", "label_time"):
                if case[option] is not None:
                    words += ["--" + option.replace("_", "-"), case[option]]
            if case["kind"] == "binary":
                words += ["--positive", "True", "--metrics", "log_loss,accuracy",
                          "--model", 'linear=["standard_scaler","logistic_regression"]']
            else:
                words += ["--model", SGD, "--metrics", "mae,rmse"]
            words += ["--window", case["window"]]
            if case["window_seconds"] is not None:
                words += ["--window-seconds", case["window_seconds"]]
            for data in (STREAM, semicolons, packed):
                found = scores("--data", data, *words)["linear"]
                for metric, value in case["steps"]["430"].items():  # over all, and over both windows
                    check(near(found[metric], value),
                          f"{case['kind']}, {case['case']}: {metric} {found[metric]}, River {value}")
            check(found["n"] == 430 and found["samples_per_second"] > 0 and found["bytes"] > 0, found)


def test_output():
    """Scores on the way, a plot, a limit, skill against the baseline; the table says the same."""
    with tempfile.TemporaryDirectory() as folder:
        result = evaluate("--data", STREAM, *PLAIN, "--model", SGD, "--every", 100, "--limit", 350,
                          "--json", "--plot", "out.svg", cwd=folder)
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        check([row.get("after") for row in rows] ==
              [100, 100, 200, 200, 300, 300, None, None], rows)
        linear, baseline = rows[-2:]
        check(linear["class"] == "linear_regression" and baseline["class"] == "mean", rows)
        check(linear["n"] == baseline["n"] == 350 and baseline["skill"] is None, rows)
        check(near(linear["skill"], 1 - linear["mae"] / baseline["mae"]), rows)
        drawn = xml.etree.ElementTree.parse(pathlib.Path(folder) / "out.svg")
        texts = [node.text for node in drawn.iter() if node.tag.endswith("text")]
        check("linear" in texts and "baseline" in texts, texts)
        forest = ("--data", STREAM, *PLAIN, "--model", 'forest=["amf_regressor"]')
        small, large = (scores(*forest, *bound)["forest"]["bytes"] for bound in (("--max-model-bytes", 100000), ()))
        check(small <= 100000 < large, f"{small} {large}")
        check("mae, " in "".join(t for t in texts if t), texts)
        moment = ("--moment", "second", "--label-delay", 5)
        found = [json.loads(line) for line in evaluate(
            "--data", STREAM, *PLAIN, *moment, "--model", SGD, "--every", 200, "--window", 50, "--window-seconds", 600,
            "--json", "--plot", "window.svg", cwd=folder).stdout.splitlines()]
        check([row["n_window"] for row in found] == [50] * 6, found)
        check(all(near(row["skill_window"], 1 - row["mae_window"] / base["mae_window"])
                  and 0 < row["n_time_window"] == base["n_time_window"] < 200
                  for row, base in zip(found[::2], found[1::2])), found)
        check("mae over the last 50 answers, " in (pathlib.Path(folder) / "window.svg").read_text(), "the plot's title")
        table = evaluate("--data", STREAM, *PLAIN, *moment, "--model", SGD, "--window-seconds", 600).stdout
        check("over the last 600 s\n" in table and f"{found[-2]['mae_time_window']:.5f}" in table, table)
        table = evaluate("--data", STREAM, *PLAIN, "--model", SGD, "--limit", 350).stdout
        check(f"{linear['mae']:.5f}" in table and "350 rows, 0 that" in table, table)


def test_categories():
    """Names are features of trees, which are the models where nothing else is asked for."""
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder) / "colours.csv"
        data.write_text("x,colour,y\n" + "".join(
            f"{i % 7},{('red', 'blue', '')[i % 3]},{(100, 5, 50)[i % 3] + i % 7}\n" for i in range(3000)))
        found = scores("--data", data, "--target", "y", "--categorical", "colour")
        check(found["decision-tree"]["skill"] > 0.5, found)
        result = evaluate("--data", data, "--target", "y", "--categorical", "colour", "--model", SGD, status=2)
        check("categorical" in result.stderr and "colour" in result.stderr, result.stderr)


def test_refused():
    """What cannot be done is refused with status 2 and what to write; bad rows cost only themselves."""
    moment = ("--moment", "second", "--label-delay", 5)
    for words, says in (
            ((), "--data"),
            (("--data", STREAM), "--target"),
            (("--data", "nowhere.csv", *PLAIN), "nowhere.csv"),
            (("--data", STREAM, "--target", "yy", "--drop", "a"), "no column \"yy\""),
            (("--data", STREAM, "--target", "abov"), "did you mean \"above\""),
            (("--data", STREAM, *PLAIN, "--model", 'x=["linear_regresion"]'), "linear_regression"),
            (("--data", STREAM, *PLAIN, "--model", "linear_regression"), "NAME='["),
            (("--data", STREAM, *PLAIN, "--model", 'x=["logistic_regression"]'), "model \"x\""),
            (("--data", STREAM, *PLAIN, "--metrics", "mea"), "did you mean \"mae\""),
            (("--data", STREAM, *PLAIN, "--kind", "ranking"), "--kind"),
            (("--data", STREAM, *PLAIN, "--moment", "second"), "--label-delay"),
            (("--data", STREAM, *PLAIN, "--label-delay", "5"), "--moment"),
            (("--data", STREAM, *PLAIN, *moment, "--label-time", "label_second"), "not both"),
            (("--data", STREAM, *PLAIN, "--every", "0"), "--every"),
            (("--data", STREAM, *PLAIN, "--window", "0"), "--window"),
            (("--data", STREAM, *PLAIN, "--max-model-bytes", "5"), "--max-model-bytes"),
            (("--data", STREAM, *PLAIN, "--window-seconds", "60"), "needs --moment"),
            (("--data", STREAM, "--target", "y"), "column time"),
            (("--config", ROOT / "config" / "taxi.json"), "--replay"),
            (("--config", ROOT / "config" / "taxi.json", "--replay", STREAM), "column \"id\""),
            (("--replay", STREAM, "--target", "y"), "task file")):
        result = evaluate(*words, status=1 if "nowhere.csv" in words else 2)
        check(says in result.stderr, f"{words}: {result.stderr}")
    with tempfile.TemporaryDirectory() as folder:
        bad = pathlib.Path(folder) / "bad.csv"
        lines = STREAM.read_text().splitlines()
        lines[5:5] = ["what", "1," * 7 + "x,1"]
        bad.write_text("\n".join(lines))
        result = evaluate("--data", bad, *PLAIN)
        check("line 6: 1 fields" in result.stderr and "line 7, column y" in result.stderr, result)
        check("430 rows, 2 that" in result.stdout, result.stdout)
        bad.write_text("a,y\n" + "1,x\n" * 9)
        result = evaluate("--data", bad, "--target", "y", status=2)
        check("none of the first 5 rows can be read" in result.stderr and "line 6, column y" in result.stderr, result)
        bad.write_text("a\ty\n" + "1\tno\n" * 9)
        result = evaluate("--data", bad, "--target", "y", "--positive", "yes")
        check("column y is negative in every row" in result.stderr and "--positive" in result.stderr, result)
        lines = STREAM.read_text().splitlines()
        lines[100] = "0," + lines[100].split(",", 1)[1]
        bad.write_text("\n".join(lines))
        result = evaluate("--data", bad, *PLAIN, *moment, status=2)
        check("line 101" in result.stderr and "sort" in result.stderr, result.stderr)


def write_trips(path, waves=30, size=12):
    """Waves of trips, the later ones under way when the next wave begins. Also in event order."""
    rng = random.Random(3)
    start = datetime(2016, 3, 4, 22, 10)
    rows = []
    for wave in range(waves):
        begun = start + timedelta(minutes=11 * wave)
        for k in range(size):
            pickup = begun + timedelta(seconds=k)
            seconds = rng.choice((300, 900)) + 20 * k + rng.randrange(19)
            rows.append({
                "id": f"t{wave}-{k}", "vendor_id": "1", "pickup_datetime": str(pickup),
                "dropoff_datetime": str(pickup + timedelta(seconds=seconds)),
                "passenger_count": str(rng.randrange(1, 6)),
                "pickup_longitude": f"{-73.9 - rng.random() / 10:.6f}",
                "pickup_latitude": f"{40.7 + rng.random() / 10:.6f}",
                "dropoff_longitude": f"{-73.9 - rng.random() / 10:.6f}",
                "dropoff_latitude": f"{40.7 + rng.random() / 10:.6f}",
                "store_and_fwd_flag": "N"})
    path.write_text("\n".join([",".join(rows[0])] + [",".join(row.values()) for row in rows]) + "\n")
    events = [(row["pickup_datetime"], 1, i, row) for i, row in enumerate(rows)]
    events += [(row["dropoff_datetime"], 0, i, row) for i, row in enumerate(rows)]
    return sorted(events, key=lambda e: e[:3])


def request_of(row):
    numbers = {k: json.loads(v) for k, v in row.items()
               if k.endswith(("tude", "count")) or k == "vendor_id"}
    at = row["pickup_datetime"].replace(" ", "T") + ".000Z"
    return {"vendor_id": 1, "pickup_datetime": at, **numbers, "store_and_fwd_flag": "N"}


def play(world, events):
    """Publishes the events in their order, each run of one kind once the one before has been applied."""
    redis = world.redis()
    prefix = world.prefix(redis)
    done = {"outcomes": 0, "stored_predictions": 0}

    def applied():
        with contextlib.closing(sqlite3.connect(f"file:{world.data}/taxi.db?mode=ro", uri=True)) as db:
            return all(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == n
                       for table, n in done.items())

    for i, (at, is_request, _, row) in enumerate(events):
        if is_request:
            redis("XADD", prefix + "pick-ups", "*", "key", row["id"], "value",
                  json.dumps(request_of(row)))
            done["stored_predictions"] += 1
        else:
            redis("XADD", prefix + "drop-offs", "*", "key", row["id"], "value",
                  json.dumps({"drop_off_datetime": at.replace(" ", "T") + ".000Z"}))
            done["outcomes"] += 1
        if i + 1 == len(events) or events[i + 1][1] != is_request:
            wait_for(applied, f"{done} to be applied")


def run_live(world):
    """A loop of `world` over trips that it is given in order, until all are learned: the trips' file, how many."""
    trips = world.dir / "trips.csv"
    events = write_trips(trips)
    world.up()
    wait_for(lambda: len(world.beats()) >= 3 and (world.data / "taxi.db").exists(), "all services to be up")
    play(world, events)
    n = len(events) // 2
    wait_for(lambda: all(m["learned"] == n for m in world.models().values()), f"{n} rows to be learned")
    return trips, n


def test_like_live():
    """With --config and --replay every model's mae is a live run's over the same rows, to the last digit."""
    with World("evaluate", refresh_rows=100) as world:
        trips, n = run_live(world)
        live = {name: m for (name, _), m in world.models().items()}
        offline = scores("--config", world.config, "--replay", trips, "--metrics", "mae,rmse,mape",
                         "--window", n, "--window-seconds", 60)
        check(set(live) == set(offline), f"{live} {offline}")
        check(all(m["n_window"] == n and near(m["mae_window"], m["mae"]) and 0 < m["n_time_window"] < n
                  for m in offline.values()), offline)
        for name, model in live.items():
            for metric in ("mae", "rmse"):
                check(model[metric] == offline[name][metric],
                      f"{name}: {metric} live {model[metric]!r}, offline {offline[name][metric]!r}")
            check(offline[name]["n"] == n and offline[name]["class"] == model["class"], offline)
        check(len({m["mae"] for m in live.values()}) == len(live), f"the models differ: {live}")


def test_like_live_binary():
    """The same of a task with two classes: log_loss, and labels at River's argmax and at the threshold."""
    with LongTrips("evaluate-binary", refresh_rows=100) as world:
        trips, n = run_live(world)
        wait_for(lambda: all(m["learned"] == n for m in learner_models(world).values()), "the last heartbeat")
        live = learner_models(world)
        offline = scores("--config", world.config, "--replay", trips, "--metrics",
                         "log_loss,accuracy,accuracy_at_threshold,recall_at_threshold")
        check(set(live) == set(offline) and len(live) == 3, f"{live} {offline}")
        for name, model in live.items():
            for metric, value in (("log_loss", model["log_loss"]), ("accuracy", model["argmax"]["accuracy"]),
                                  ("accuracy_at_threshold", model["at_threshold"]["accuracy"]),
                                  ("recall_at_threshold", model["at_threshold"]["recall"])):
                check(value == offline[name][metric],
                      f"{name}: {metric} live {value!r}, offline {offline[name][metric]!r}")
        check(offline["baseline"]["unscored"] == 1 and offline["baseline"]["class"] == "prior", offline)


def test_learners():
    """oxbow learners lists every class, with parameters whose defaults build a model."""
    def learners(*words, status=0):
        result = subprocess.run([str(BIN / "oxbow"), "learners", *words], capture_output=True, text=True)
        check(result.returncode == status, result)
        return result
    classes = json.loads(learners("--json").stdout)
    check(all(c["help"] and c["river"] is not None for c in classes), classes)
    text = learners().stdout
    for c in classes:
        check(f"\n  {c['name']} " in text, c["name"])
        check("default" in learners("--class", c["name"]).stdout or not c["parameters"], c)
    check("did you mean linear_regression" in learners("--class", "linear_regresion", status=2).stderr, "")
    # What is printed as a default is what a model takes when it is written out.
    for c in classes:
        if c["kind"] in ("regressor", "classifier"):
            parameters = {p["name"]: p["default"] for p in c["parameters"]}
            kind = "binary" if c["kind"] == "classifier" else "regression"
            words = ["--data", STREAM, "--features", "a,b,c", "--kind", kind, "--limit", 50,
                     "--target", "above" if kind == "binary" else "y", "--metrics",
                     "log_loss" if kind == "binary" else "mae"]
            found = scores(*words, "--model", "written=" + json.dumps([{c["name"]: parameters}]),
                           "--model", "short=" + json.dumps([c["name"]]))
            metric = words[-1]
            check(found["written"][metric] == found["short"][metric], found)


if __name__ == "__main__":
    main(test_like_river, test_output, test_categories, test_refused, test_learners, test_like_live,
         test_like_live_binary)
