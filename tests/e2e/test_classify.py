"""Other kinds of labels and features in the real loop: is a trip a long one; a text as a feature."""

import json
import math
import os
import shutil
import signal

from oxbow import ROOT, World, check, main, wait_for

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


def test_learns():
    """Probabilities and labels go out, come back with the answer, and are scored; kills change nothing."""
    with LongTrips("classify") as world:
        up = world.up(simulate=("--rate", "300", "--trips", "3000"))
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
        up.stop()


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
    main(test_learns, test_refused, test_categories)
