"""Feature drift, skew and explanations: what the monitor says of a real loop."""

import csv
import datetime
import json
import os
import random
import re
import signal
import urllib.error
import urllib.parse
import urllib.request

from oxbow import World, check, main, wait_for

MODELS = ("linear-regression", "decision-tree", "nearest-neighbors", "baseline")

REFERENCE = 1000
STEADY = REFERENCE + 3000  # trips before the city grows
SHIFTED = 2600             # and after it
RATE = 800


def write_trips(path):
    """Trips of random length; the last ones go three times as far."""
    draw = random.Random(7)
    start = datetime.datetime(2016, 3, 7, 8)
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(("id", "vendor_id", "pickup_datetime", "dropoff_datetime", "passenger_count",
                      "pickup_longitude", "pickup_latitude", "dropoff_longitude",
                      "dropoff_latitude", "store_and_fwd_flag", "trip_duration"))
        for i in range(STEADY + SHIFTED):
            distance = draw.uniform(0.005, 0.05)
            seconds = 100 + round(10000 * distance * draw.uniform(0.8, 1.2))
            if i >= STEADY:
                distance *= 3
            pick_up = start + datetime.timedelta(seconds=i)
            out.writerow((f"id{i:07d}", 1, pick_up, pick_up + datetime.timedelta(seconds=seconds),
                          draw.choice((1, 1, 1, 2, 3)), -73.98, 40.75, f"{-73.98 + distance:.6f}",
                          40.75, "N", seconds))


class Monitor:
    """The page's data."""

    def __init__(self, up, start=0):
        pattern = r"the page is at (http://\S+)"
        up.wait_line(pattern, start)
        lines = list(up.lines)[start:]
        self.url = next(m.group(1) for m in (re.search(pattern, line) for line in lines) if m)

    def get(self, path, **query):
        with urllib.request.urlopen(f"{self.url}api/{path}?{urllib.parse.urlencode(query)}",
                                    timeout=30) as reply:
            return json.load(reply)

    def post(self, path, **headers):
        request = urllib.request.Request(f"{self.url}api/{path}", method="POST", headers=headers,
                                         data=b"")
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def metric(self, name):
        """The value of the first series whose text begins so."""
        with urllib.request.urlopen(f"{self.url}metrics", timeout=30) as reply:
            lines = reply.read().decode().splitlines()
        return float(next(line for line in lines if line.startswith(name)).rsplit(" ", 1)[1])

    def feature(self, name):
        return next(f for f in self.get("drift")["features"] if f["name"] == name)

    def marks(self):
        return [m for m in self.get("snapshot")["marks"] if m["kind"] == "feature-drift"]


def check_explanation(why):
    """The parts add up to the prediction, and that is what was served, but for the clip at 0."""
    prediction = why["prediction"]
    bound = 1e-9 * max(1, abs(prediction))
    total = why["base"] + sum(c["contribution"] for c in why["contributions"])
    check(abs(total - prediction) <= bound, f"the parts add up to {total}: {why}")
    check(abs(max(0, prediction) - why["served"]) <= bound, f"it is not what was served: {why}")


def check_explanations(monitor):
    seen = {}
    for trip in monitor.get("snapshot")["latest"]:
        for model in MODELS:
            why = monitor.get("explain", key=trip["key"], model=model)
            if why["available"]:
                check_explanation(why)
                seen.setdefault(model, why)
    check(sorted(seen) == sorted(MODELS), f"every model explains itself: {sorted(seen)}")
    linear = seen["linear-regression"]
    check(linear["base_name"] == "intercept" and linear["path"] is None, str(linear))
    for part in linear["contributions"]:
        check(abs(part["weight"] * part["scaled"] - part["contribution"]) < 1e-9, str(part))
    check(isinstance(seen["decision-tree"]["path"], list), str(seen["decision-tree"]))
    check(len(seen["nearest-neighbors"]["neighbours"]) >= 1, str(seen["nearest-neighbors"]))
    print(f"  {len(seen)} classes explain themselves")


def check_refusals(monitor):
    for path, query, status in (("explain", {}, 400), ("explain", {"key": "x"}, 400),
                                ("explain", {"key": "nobody", "model": "baseline"}, 404)):
        try:
            monitor.get(path, **query)
            check(False, f"{path} {query} is answered")
        except urllib.error.HTTPError as error:
            check(error.code == status and json.load(error)["error"], f"{query}: {error}")
    try:
        monitor.post("drift/reset")
        check(False, "a reset without the header is obeyed")
    except urllib.error.HTTPError as error:
        check(error.code == 400, str(error))


def expired(monitor, first):
    """True when a model's answer to that early trip cannot be explained any more."""
    why = [monitor.get("explain", key=first, model=model) for model in MODELS]
    for one in why:
        if one["available"]:
            check_explanation(one)
        else:
            check(one["reason"] == "version expired", str(one))
    return not all(one["available"] for one in why)


def test_drift_and_explanations():
    """A shift of one feature is an alarm, of that feature alone; answers are explained."""
    settings = {"listen": "127.0.0.1:0", "rows_per_second": 10000,
                "drift": {"reference_rows": REFERENCE, "window_rows": 1000,
                          "silent": "is_weekend,avg_speed_by_hour,hour_cos,hour_sin"}}
    with World("watch", versions_kept=3, monitor=settings) as world:
        file = world.dir / "trips.csv"
        write_trips(file)
        up = world.up(monitor=True, simulate=("--replay", file, "--rate", RATE))
        monitor = Monitor(up)
        wait_for(lambda: monitor.get("drift")["window"]["rows"], "the first window")
        early = monitor.get("snapshot")["latest"][-1]["key"]  # among the 5,000 newest to the end

        wait_for(lambda: monitor.feature("l1_distance")["drifting"], "the alarm")
        marks = monitor.marks()
        check([m["feature"] for m in marks] == ["l1_distance"], f"one alarm, of one feature: {marks}")
        check("no longer distributed" in marks[0]["text"], str(marks))
        drift = monitor.get("drift")
        check(drift["state"] == "drifting", str(drift))
        for feature in drift["features"]:
            check(feature["drifting"] == (feature["name"] == "l1_distance"), str(feature))
        tick = monitor.get("snapshot")["tick"]["drift"]
        check(tick["state"] == "drifting" and tick["features"][0]["name"] == "l1_distance", str(tick))

        drifting = 'ml_feature_drifting{task="taxi",service="monitor",feature="%s"}'
        wait_for(lambda: monitor.metric(drifting % "l1_distance") == 1, "the alarm as a metric")
        check(monitor.metric(drifting % "passenger_count") == 0, "and none of another feature")

        up.wait_line("simulator-1 has finished")
        world.audit("--settled")
        skew = monitor.get("drift")["skew"]
        check(skew["compared"] >= 6 * REFERENCE and skew["differing"] == 0, str(skew))
        print(f"  {skew['compared']} values compared for skew")

        check_explanations(monitor)
        check_refusals(monitor)
        wait_for(lambda: expired(monitor, early), "a version that is pruned")

        os.kill(up.children()["monitor-1"], signal.SIGKILL)
        monitor = Monitor(up, start=len(up.lines))
        after = monitor.get("drift")
        check(after["state"] == "drifting" and after["reference"] == drift["reference"],
              f"what was learned of the features outlives the monitor: {after}")
        check(monitor.marks() == marks, f"and no alarm comes twice: {monitor.marks()}")

        reset = monitor.post("drift/reset", **{"X-Oxbow": "1"})
        check(reset["state"] == "learning" and reset["reference"]["rows"] == 0, str(reset))
        check(up.stop() == 0, "it stops with status 0")


if __name__ == "__main__":
    main(test_drift_and_explanations)
