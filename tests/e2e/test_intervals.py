"""Prediction intervals through the real loop: issued, logged, learned from, counted, shown, rebuilt."""

import json
import os
import random
import signal
import urllib.request
from datetime import datetime, timedelta

from oxbow import BIN, World, check, main, shipped_config, wait_for
from page import Page, Stream
from test_monitor import is_close, rows as rows_of

ENOUGH = 10000
TRIPS = 13000
A_SECOND = 900
COVERAGE = 0.9
POINTS = 0.02
MODELS = {
    "linear": ["standard_scaler", {"target_standard_scaler": {"regressor": "adaptive_conformal"}}],
    "nearest": ["standard_scaler", {"adaptive_conformal": {"regressor": "knn_regressor"}}],
    "plain": ["standard_scaler", "target_standard_scaler"],
}
WITH = ("linear", "nearest")


def write_trips(path):
    """A stationary city: a trip each second, as long as its way says and chance adds, the more the longer. All take about as
    long, so that those whose answer is there are like those whose answer is not."""
    rng = random.Random(11)
    start = datetime(2016, 3, 4, 1, 0)
    lines = ["id,vendor_id,pickup_datetime,dropoff_datetime,passenger_count,pickup_longitude,pickup_latitude,"
             "dropoff_longitude,dropoff_latitude,store_and_fwd_flag"]
    for i in range(TRIPS):
        way = rng.random() / 10
        begun = start + timedelta(seconds=i)
        seconds = round(600 + 1000 * way + rng.gauss(0, 10 + 400 * way))
        ended = begun + timedelta(seconds=seconds)
        lines.append(f"t{i},1,{begun},{ended},{rng.randrange(1, 6)},-73.9,40.7,{-73.9 + way / 2:.6f},{40.7 + way / 2:.6f},N")
    path.write_text("\n".join(lines) + "\n")


def learner(world):
    return next((beat for beat in world.beats().values() if beat.get("service") == "learner"), None)


def issued(rows, model):
    """(interval, label) of the rows whose prediction came with one."""
    said = [(row["predictions"][model]["interval"], row["duration"]) for row in rows]
    return [(interval, label) for interval, label in said if interval is not None]


def coverage(rows, model):
    pairs = issued(rows, model)
    return sum(low <= label <= high for (low, high), label in pairs) / len(pairs)


def check_rows(rows):
    """Each interval is around its prediction, clipped like it; the first have none."""
    clip = shipped_config()["clip"][0]
    for row in rows:
        check("interval" not in row["predictions"]["plain"], row)
        for model in WITH:
            said = row["predictions"][model]
            if said["interval"] is not None:
                low, high = said["interval"]
                check(clip <= low <= said["value"] <= high, (model, said))
    check(all(rows[0]["predictions"][model]["interval"] is None for model in WITH), rows[0])


def metrics(world):
    page = urllib.request.urlopen(f"http://{learner(world)['http']}/metrics", timeout=10).read().decode()
    found = {}
    for line in page.splitlines():
        if line.startswith("ml_interval_"):
            name, value = line.rsplit(" ", 1)
            model = name.split('model="')[1].split('"')[0]
            found[name.split("{")[0], model] = float(value)
    return found


def check_told(world, rows):
    """Status and metrics say what the rows give; the models without intervals have no such member."""
    status = json.loads(world.run("status", "--json", "--over", "0").stdout)
    told = {m["name"]: m for m in status["models"]}
    gauges = metrics(world)
    check({model for _, model in gauges} == set(WITH), gauges)
    check("interval_coverage" not in told["plain"] and "interval_coverage" not in told["baseline"], told)
    for model in WITH:
        pairs, said = issued(rows, model), told[model]
        width = sum(high - low for (low, high), _ in pairs) / len(pairs)
        check(said["n_intervals"] == len(pairs) >= ENOUGH, (said, len(pairs)))
        for where, value in (("status", said["interval_coverage"]), ("metrics", gauges["ml_interval_coverage", model])):
            check(is_close(value, coverage(rows, model)), (model, where, value, coverage(rows, model)))
        check(is_close(said["interval_width"], width) and is_close(gauges["ml_interval_width", model], width), (said, width))
        newest = pairs[-1000:]
        window = sum(low <= label <= high for (low, high), label in newest) / len(newest)
        check(is_close(said["interval_coverage_window"], window), (said, window))
        check(is_close(gauges["ml_interval_coverage_window", model], window), gauges)
        print(f"{model}: coverage {said['interval_coverage']:.4f} of {len(pairs):,} labels, {window:.3f} of the newest "
              f"1,000; mean width {width:.0f} s", flush=True)
        check(abs(said["interval_coverage"] - COVERAGE) <= POINTS, said)


def check_page(page, tick, rows):
    """The monitor's window, the latest rows, and one request."""
    for m in tick["models"]:
        wanted = coverage(rows[-1000:], m["name"]) if m["name"] in WITH else None
        said = m["interval_coverage"]
        check(said == wanted or is_close(said, wanted, 1e-6), (m["name"], said, wanted))
    for entry, row in zip(page.snapshot()["latest"], reversed(rows)):
        check(set(entry["intervals"]) == set(WITH), entry)
        for model in WITH:
            for got, wanted in zip(entry["intervals"][model], row["predictions"][model]["interval"]):
                check(is_close(got, wanted, 1e-6), (entry, row))
    request = page.get(f"api/requests/{rows[-1]['trip_id']}")["predictions"]
    for got, wanted in zip(request["linear"]["interval"], rows[-1]["predictions"]["linear"]["interval"]):
        check(is_close(got, wanted, 1e-6), request)
    check("interval" not in request["plain"], request)


def test_coverage():
    """Over 10,000 labels and more live coverage is within two points of what was asked for; every figure is the rows', kills or not."""
    with World("intervals", models=MODELS, features=["passenger_count", "l1_distance"]) as world:
        write_trips(world.dir / "trips.csv")
        up = world.up("--metrics", "127.0.0.1:0", simulate=("--replay", "trips.csv", "--speed", str(A_SECOND)), monitor=True)
        page = Page(up)
        stream = Stream(page)
        wait_for(lambda: world.ledger().get("outcomes_emitted", 0) > 10000, "rows to be learned")
        for name in ("learner-1", "inference-1"):
            os.kill(up.children()[name], signal.SIGKILL)
        up.wait_line("simulator-1 has finished", patience_s=120)
        world.audit("--settled")
        rows = rows_of(world)
        check_rows(rows)
        check_told(world, rows)
        tick = stream.wait(lambda t: t["counts"]["labelled"] == len(rows) and t["latest"] == [] and
                           t["rates"]["requests"] == 0, "the last row")
        check_page(page, tick, rows)
        world.audit("--deep")
        up.stop()


def test_evaluate():
    """Offline, too: coverage and width of the models that give intervals."""
    with World("intervals-evaluate") as world:
        lines = ["a,y"] + [f"{i % 97},{3 * (i % 97) + (i * 7919 % 1000) / 50}" for i in range(4000)]
        (world.dir / "data.csv").write_text("\n".join(lines) + "\n")
        for late in ([], ["--moment", "m", "--label-delay", "500"]):
            if late:
                (world.dir / "data.csv").write_text("\n".join([lines[0] + ",m"] + [f"{line},{i}" for i, line in enumerate(lines[1:])]) + "\n")
            argv = [BIN / "oxbow", "evaluate", "--data", "data.csv", "--target", "y", *late, "--model", 'with=["adaptive_conformal"]',
                    "--model", 'plain=["linear_regression"]']
            run = world.spawn(*argv, "--json")
            check(run.wait() == 0, run.lines)
            found = {m["model"]: m for m in map(json.loads, run.lines)}
            check(abs(found["with"]["coverage"] - 0.9) < 0.03 and found["with"]["interval_width"] > 0, found)
            check("coverage" not in found["plain"] and "coverage" not in found["baseline"], found)
            check(found["with"]["mae"] == found["plain"]["mae"], found)
            run = world.spawn(*argv)
            check(run.wait() == 0 and run.has_line(r"coverage +interval_width"), run.lines)


if __name__ == "__main__":
    main(test_coverage, test_evaluate)
