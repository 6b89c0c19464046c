"""Other kinds of labels and features in the real loop: is a trip a long one; a text as a feature."""

import json
import math
import os
import shutil
import signal
import urllib.request

from oxbow import ROOT, World, check, main, wait_for
from page import Page, Stream
from test_monitor import is_close, rows as rows_of

LONG_S = 600
MODELS = {
    "logistic": ["standard_scaler", {"logistic_regression": {"optimizer": {"sgd": {"lr": 0.05}}}}],
    "passive": ["standard_scaler", "pa_classifier"],
}


class LongTrips(World):
    """The taxi task with another label: the text "long" or "short"."""

    def __init__(self, name, **changes):
        super().__init__(name)
        sql = self.dir / "sql"
        shutil.copytree(ROOT / "sql" / "taxi" / "sqlite", sql)
        queue = sql / "30_learning_queue.sql"
        text = queue.read_text()
        start = text.index("r.key AS trip_id,") + len("r.key AS trip_id,")
        end = text.index("AS duration,")
        duration = text[start:end]
        queue.write_text(text[:start] + f" CASE WHEN ({duration}) > {LONG_S} THEN 'long' "
                         f"WHEN ({duration}) > 0 THEN 'short' END AS length," + text[start:])
        options = dict(kind="binary_classification", positive="long", label="length", threshold=0.7,
                       class_weight={"positive": 2}, models=MODELS, sql=str(sql))
        options.update(changes)
        config = self.write_config(**options)
        for name in ("label_range", "clip"):
            del config[name]
        self.config.write_text(json.dumps(config, indent=1))


def learner_models(world):
    for beat in world.beats().values():
        if beat.get("service") == "learner":
            return beat["status"].get("models", {})
    return {}


def at_a_glance(world, models):
    """The terminal and /metrics say the same log losses as the learner, once all is learned."""
    status = json.loads(world.run("status", "--json", "--over", "0").stdout)
    for shown in status["models"]:
        said = models[shown["name"]]
        for member in ("log_loss", "log_loss_window", "log_loss_served"):
            check(shown[member] == said[member] and said[member] > 0, (member, shown, said))
        check(is_close(shown["skill"], 1 - said["log_loss"] / models["baseline"]["log_loss"]), shown)
    top = world.run("top", "--once").stdout
    check("loss all" in top and f"{models['logistic']['log_loss']:.4f}" in top, top)
    listed = json.loads(world.run("models", "--json").stdout)
    check(all(model["log_loss"] > 0 for model in listed), listed)
    learner = next(beat for beat in world.beats().values() if beat.get("service") == "learner")
    page = urllib.request.urlopen(f"http://{learner['http']}/metrics", timeout=10).read().decode()
    check(any(line.startswith("ml_model_log_loss_window{") and 'model="logistic"' in line for line in page.splitlines()), page)


def test_learns():
    """Probabilities and labels go out, come back with the answer, and are scored; kills change nothing."""
    with LongTrips("classify") as world:
        up = world.up("--metrics", "127.0.0.1:0", simulate=("--rate", "300", "--trips", "3000"))
        wait_for(lambda: learner_models(world).get("logistic", {}).get("learned", 0) > 800, "rows to be learned")
        for name in ("learner-1", "inference-1"):
            os.kill(up.children()[name], signal.SIGKILL)
        world.audit("--settled")
        world.audit("--deep")

        tail = world.run("tail", "learning-queue", "--from", "oldest", "--json", "-n", "2000")
        rows = [json.loads(line)["value"] for line in tail.stdout.splitlines()]
        check(len(rows) == 2000, f"{len(rows)} rows")
        check({row["length"] for row in rows} == {"long", "short"}, "both labels are there")
        first = rows[0]["predictions"]["baseline"]
        check(first["value"] is None and first["label"] is None and first["at_threshold"] is None,
              f"before the first label: {first}")
        for row in rows:
            for name, said in row["predictions"].items():
                p = said["value"]
                if p is None:
                    continue
                check(0 <= p <= 1 and said["label"] == (p > 0.5) and said["at_threshold"] == (p > 0.7),
                      f"{name}: {said}")

        wait_for(lambda: learner_models(world), "the learner's status")
        models = learner_models(world)
        share = models["baseline"]
        scores = models["logistic"]
        check(share["class"] == "prior" and share["unscored"] >= 1, share)
        check(scores["unscored"] == 0 and scores["threshold"] == 0.7, scores)
        check(0 < scores["log_loss"] < share["log_loss"] < math.log(2) + 0.1, (scores, share))
        for name in ("argmax", "at_threshold", "argmax_served", "at_threshold_served"):
            check(0.5 < scores[name]["accuracy"] <= 1, (name, scores[name]))
        check(scores["at_threshold"]["recall"] < scores["argmax"]["recall"], scores)

        at_a_glance(world, models)
        up.stop()


def log_loss(rows, model):
    """As River has it."""
    losses = []
    for row in rows:
        p = min(max(row["predictions"][model]["value"], 1e-15), 1 - 1e-15)
        losses.append(-math.log(p if row["length"] == "long" else 1 - p))
    return sum(losses) / len(losses)


def pr_auc(rows, model):
    """The area under precision over recall, a precision being the best at its threshold or below."""
    said = [(row["predictions"][model]["value"], row["length"] == "long") for row in rows]
    points = []
    for threshold in {p for p, _ in said}:
        alerts = [is_long for p, is_long in said if p >= threshold]
        points.append((sum(alerts) / sum(is_long for _, is_long in said), len(alerts), sum(alerts) / len(alerts)))
    points.sort()
    best = 0
    for i in reversed(range(len(points))):
        best = max(best, points[i][2])
        points[i] = (points[i][0], best)
    area, before = 0, (0, 1)
    for point in points:
        area += (point[0] - before[0]) * (before[1] + point[1]) / 2
        before = point
    return area


def answered(rows, model):
    return [row for row in rows if row["predictions"][model]["value"] is not None]


def same_window(model, rows):
    """A model of a tick against the rows of the window that it answered to."""
    name, window = model["name"], model["window"]
    longs = sum(row["length"] == "long" for row in rows)
    alerts = [row for row in rows if row["predictions"][name]["at_threshold"]]
    hits = sum(row["length"] == "long" for row in alerts)
    check(0 < longs < len(rows), f"{name}: both labels are among {len(rows)} rows")
    check(window["n"] == len(rows) and window["alerts"] == len(alerts), (name, window))
    check(window["low"] < window["log_loss"] < window["high"], (name, window))
    for member, wanted in (("log_loss", log_loss(rows, name)), ("base_rate", longs / len(rows)),
                           ("recall", hits / longs), ("pr_auc", pr_auc(rows, name)),
                           ("precision", hits / len(alerts) if alerts else None)):
        check(window[member] == wanted or is_close(window[member], wanted), (name, member, wanted, window))


def test_watched():
    """What the monitor says of the window is what the rows of learning-queue give."""
    with LongTrips("classify-watched", score_window=1200) as world:
        start = world.up(simulate=("--rate", "400", "--trips", "2000"), monitor=True)
        page = Page(start)
        stream = Stream(page)
        start.wait_line("simulator-1 has finished")
        world.audit("--settled")
        every = rows_of(world)
        newest = every[-1200:]
        tick = stream.wait(lambda t: t["counts"]["labelled"] == len(every) and t["latest"] == [] and
                           t["rates"]["requests"] == 0, "the last row")
        base = log_loss(answered(newest, "baseline"), "baseline")
        check([m["name"] for m in tick["models"]] == [*MODELS, "baseline"], tick["models"])
        for model in tick["models"]:
            rows = answered(newest, model["name"])
            same_window(model, rows)
            check(is_close(model["skill"], 1 - log_loss(rows, model["name"]) / base, 1e-4), model)
            served = log_loss(answered(every, model["name"]), model["name"])
            check(is_close(model["log_loss_served"], served), (served, model))
        check("log loss" in tick["verdict"]["text"], tick["verdict"])
        on_the_page(page, newest)


def on_the_page(page, newest):
    """The snapshot's words, curves and bars."""
    snapshot = page.snapshot()
    task = snapshot["task"]
    check((task["metric"], task["positive"], task["threshold"], task["unit"]) == ("log_loss", "long", 0.7, ""), task)
    check(len(snapshot["latest"]) == 20, snapshot["latest"])
    for entry, row in zip(snapshot["latest"], reversed(newest)):
        check(entry["key"] == row["trip_id"] and entry["label"] == (row["length"] == "long"), entry)
        check(is_close(entry["values"]["logistic"], row["predictions"]["logistic"]["value"]), entry)
    version = page.get("api/models/logistic")["versions"][0]
    check(0 < version["log_loss"] < 1 and version["log_loss_served"] > 0 and "mae" not in version, version)
    series = page.get("api/history")["series"]
    check({"log_loss.logistic", "pr_auc.baseline", "skill.passive"} <= set(series), sorted(series))
    check(not any(name.startswith("mae.") for name in series), sorted(series))
    bars = page.get("api/breakdown")
    scores, bins = bars["scores"]["models"]["logistic"], bars["reliability"]["logistic"]
    check(sum(scores["positive"]) + sum(scores["negative"]) == bars["rows"] >= 1200, scores)
    check([b["n"] for b in bins] == [p + n for p, n in zip(scores["positive"], scores["negative"])], bins)
    check(all(b["n"] == 0 or i / 10 - 1e-6 <= b["mean"] <= (i + 1) / 10 + 1e-6 for i, b in enumerate(bins)), bins)
    check("errors" not in bars and "label" not in bars, sorted(bars))
    check(any("log_loss" in cohort for cohort in bars["cohorts"]), bars["cohorts"])


def test_refused():
    """A regressor in a binary task is refused with what to write, and so is what belongs to a regression."""
    for changes, says in (
            ({"models": {"m": ["linear_regression"]}}, "is a regressor, and the task needs a classifier"),
            ({"class_weight": {"positive": 0}}, "class_weight: must be above 0")):
        with LongTrips("classify-refused", **changes) as world:
            result = world.run("up", "--with-redis")
            check(result.returncode == 2 and says in result.stderr, f"{result.returncode}: {result.stderr}")


def test_categories():
    """A text is a feature of a tree: it is read the same by inference and learner, and learned from."""
    with World("categories") as world:
        sql = world.dir / "sql"
        shutil.copytree(ROOT / "sql" / "taxi" / "sqlite", sql)
        features = sql / "20_features.sql"
        text = features.read_text()
        check(text.count("SELECT u.trip_id,") == 1, "one view has the trips")
        features.write_text(text.replace(
            "SELECT u.trip_id,", "SELECT u.trip_id, CASE WHEN u.n % 2 THEN 'odd' ELSE 'even \"n\"' END AS parity,"))
        world.write_config(sql=str(sql), features=[{"name": "parity", "kind": "categorical"}, "l1_distance"],
                           models={"tree": [{"hoeffding_tree_regressor": {"leaf_prediction": "mean"}}]})
        up = world.up(simulate=("--rate", "300", "--trips", "1200"))
        wait_for(lambda: learner_models(world).get("tree", {}).get("learned", 0) > 500, "rows to be learned")
        os.kill(up.children()["learner-1"], signal.SIGKILL)
        world.audit("--settled")
        world.audit("--deep")
        wait_for(lambda: learner_models(world), "the learner's status")
        check(learner_models(world)["tree"]["skipped"] == 0, learner_models(world))
        tail = world.run("tail", "learning-queue", "--from", "oldest", "--json", "-n", "500")
        rows = [json.loads(line)["value"] for line in tail.stdout.splitlines()]
        check({row["features"]["parity"] for row in rows} == {"odd", 'even "n"'}, "categories travel as texts")
        check(all(row["predictions"]["tree"]["value"] is not None for row in rows), "each is predicted")
        up.stop()


if __name__ == "__main__":
    os.environ["OXBOW_MONITOR_LISTEN"] = "127.0.0.1:0"
    main(test_learns, test_watched, test_refused, test_categories)
