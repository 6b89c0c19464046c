"""oxbow-monitor over the real loop: it waits for nothing, agrees with the task, and comes back."""

import json
import math
import os
import signal
import time

from oxbow import World, check, main, wait_for
from page import Page, Stream, start_monitor
from test_outage import OwnRedis, up

TICK_BYTES = 20000


def rows(world):
    """The rows of learning-queue that there are."""
    n = world.ledger()["outcomes_emitted"]
    result = world.run("tail", "learning-queue", "--from", "oldest", "--count", n, "--json")
    check(result.returncode == 0, result.stderr)
    found = [json.loads(line)["value"] for line in result.stdout.splitlines()]
    return [json.loads(v) if isinstance(v, str) else v for v in found]


def is_close(a, b, relative=1e-5):
    return math.isclose(a, b, rel_tol=relative, abs_tol=1e-9)


def check_ticks(stream):
    """Ids rise one by one, each tick says its own, and none is larger than it may be."""
    ids = [number for event, number, _ in stream.events if event == "tick"]
    check(ids == list(range(ids[0], ids[0] + len(ids))), f"ids without holes: {ids}")
    for event, number, data in stream.events:
        if event == "tick":
            check(len(data.encode()) <= TICK_BYTES, f"a tick of {len(data)} bytes")
            check(json.loads(data)["id"] == number, "a tick's id is its event's")


def test_waits_for_nothing():
    """The page answers before there is Redis or a task, and shows what is missing."""
    with World("monitor") as world:
        redis = OwnRedis(world)
        redis.stop()
        page = Page(start_monitor(world, redis_url=redis.url))
        snapshot = page.snapshot()
        check(snapshot["tick"]["state"] == "starting" and snapshot["incarnation"] is None, "starting")
        check([c["ok"] for c in snapshot["checks"]] == [False] * 6, snapshot["checks"])
        check(snapshot["task"]["map"] == {"moves": True} and snapshot["task"]["noun"] == "trip",
              snapshot["task"])
        second = start_monitor(world, redis_url=redis.url, listen=f"127.0.0.1:{page.port}")
        second.wait_line("the page: .*OXBOW_MONITOR_LISTEN")
        check(second.stop() == 0, "a port that is taken is no reason to leave, nor to hang")
        check(page.status("healthz")[0] == 200 and page.status("readyz")[0] == 503, "not ready yet")
        check(page.get("api/audit")["state"] in ("never", "unknown"), "no audit without a store")

        stream = Stream(page)
        redis.start()
        stream.wait(lambda t: t["checks"][0]["ok"], "Redis to be seen")
        up(world, redis, simulate=("--rate", "600"))
        stream.wait(lambda t: t["state"] != "starting", "the checks to be good")
        check(page.status("readyz")[0] == 200, "ready")
        stream.wait(lambda t: t["state"] == "running", "a hundred labels")
        check_ticks(stream)

        bad_requests(page)
        follows_fresh(world, redis, page)


def bad_requests(page):
    for path, status in (("nowhere", 404), ("api/", 404), ("api/models/none", 404),
                         ("api/requests/none", 404), ("api/requests/", 404),
                         ("api/history?range=1y", 400), ("api/history?axis=up", 400),
                         ("api/export?what=all", 400), ("api/export?format=xml", 400),
                         ("api/views/requests", 404), ("api/views/sqlite_master", 404),
                         ("api/views/model_perf%22", 404), ("api/views/", 404),
                         ("assets/..%2f..%2fREADME.md", 400)):
        got, body = page.status(path)
        check(got == status and json.loads(body)["error"], f"{path}: {got} {body[:200]}")
    check(page.status("api/snapshot", method="POST", data=b"x")[0] == 405, "POST is refused")
    check(page.status("api/snapshot", headers={"Host": "evil.example"})[0] == 403, "another host")
    for junk in (b"\0\1\2\r\n\r\n", b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET /api/snapshot HTTP/9.9\r\n\r\n"):
        check(" 200 " not in page.raw(junk)[:40], f"{junk[:20]} is refused")
    check(page.snapshot()["tick"]["id"], "and it goes on")


def follows_fresh(world, redis, page):
    """After --fresh the monitor shows the new life, by itself."""
    old = page.snapshot()["incarnation"]
    for process in world.started:
        if "up" in process.process.args:
            process.stop()
    result = up(world, redis, "--fresh", simulate=("--rate", "600"))
    wait_for(lambda: page.snapshot()["incarnation"] not in (old, None), "the new incarnation")
    wait_for(lambda: page.tick()["state"] in ("few", "running"), "labels of the new life")
    snapshot = page.snapshot()
    check(any(m["kind"] == "config" and "anew" in m["text"] for m in snapshot["marks"]),
          snapshot["marks"])
    emitted = world.ledger()["outcomes_emitted"]
    check(snapshot["tick"]["counts"]["labelled"] <= emitted + 100, "the old life's counts are gone")
    check(result.process.poll() is None and page.process.process.poll() is None, "both go on")


def test_agrees():
    """Counts, errors and requests are those of the ledger, the learner and the topics."""
    with World("monitor", score_window=400) as world:
        start = world.up(simulate=("--rate", "600", "--trips", "1500"), monitor=True)
        page = Page(start)
        stream = Stream(page)
        start.wait_line("simulator-1 has finished")
        world.audit("--settled")

        # The newest of all rows are the window.
        newest = rows(world)[-400:]
        tick = stream.wait(lambda t: t["counts"]["labelled"] == world.ledger()["outcomes_emitted"] and
                           t["latest"] == [] and t["rates"]["requests"] == 0, "the last row")
        models = {m["name"]: m for m in tick["models"]}
        check(list(models) == [*models][:-1] + ["baseline"] and tick["models_of"] == 4, list(models))
        baseline = mae(newest, "baseline")
        for name, model in models.items():
            check(model["window"]["n"] == 400, model)
            check(is_close(model["window"]["mae"], mae(newest, name)), (name, model["window"]))
            check(model["window"]["low"] < model["window"]["mae"] < model["window"]["high"], model)
            check(is_close(model["skill"], 1 - mae(newest, name) / baseline, 1e-4), model)
        same_as_learner(world, models)
        ledger = world.ledger()
        counts = tick["counts"]
        check(counts["requests"] == ledger["requests_new"] == 1500 and counts["in_progress"] == 0,
              counts)
        check(counts["bad_labels"] == ledger["outcomes_bad_label"] and counts["dead_letters"] == 0,
              counts)
        services = {s["instance"]: s["state"] for s in tick["services"]}
        check(services["simulator-1"] == "done" and services["learner-1"] == "up", services)
        check_ticks(stream)
        audit_is_balanced(page)
        one_request(page, newest[-1])
        views_and_files(page, world, newest)
        begins_where_it_was(page, stream)


def mae(found, model):
    errors = [abs(r["predictions"][model]["value"] - r["duration"]) for r in found]
    return sum(errors) / len(errors)


def same_as_learner(world, models):
    """Versions and scores are those that `oxbow models` lists."""
    for (name, generation), listed in world.models().items():
        model = models[name]
        check(model["generation"] == generation and model["learned"] == listed["learned"],
              (model, listed))
        check(is_close(model["mae"], listed["mae"]) and
              is_close(model["mae_served"], listed["mae_served"]), (model, listed))


def audit_is_balanced(page):
    asked = time.time() * 1000

    def fresh():
        audit = page.get("api/audit")
        return audit if audit["time_ms"] > asked else None
    audit = wait_for(fresh, "an audit")
    check(audit["state"] == "balanced" and audit["in_flight"] == "nothing", audit)
    check({e["id"] for e in audit["equations"]} >= {f"E{i}" for i in range(1, 10)}, audit)
    check(all(e["holds"] and "=" in e["figures"] or "≤" in e["figures"] for e in audit["equations"]),
          audit["equations"])


def one_request(page, row):
    found = page.get(f"api/requests/{row['trip_id']}")
    check(found["label"] == row["duration"] and found["features"] == row["features"], found)
    check(found["request"]["pickup_longitude"] and found["outcome"]["drop_off_datetime"], found)
    for name, prediction in row["predictions"].items():
        check(found["predictions"][name]["value"] == prediction["value"], found)
        check(found["predictions"][name]["version"] == prediction["version"], found)
    timeline = found["timeline"]
    check(timeline["requested_ms"] <= timeline["predicted_ms"] <= timeline["ended_ms"], timeline)
    check(timeline["learned_ms"] >= timeline["ended_ms"] - 1000, timeline)


def views_and_files(page, world, newest):
    perf = page.get("api/views/model_perf")
    check("model" in perf["columns"] and len(perf["rows"]) == 4 and not perf["more"], perf)
    check("trip_id" in page.get("api/views/features")["columns"], "rows of a view")
    check(len(page.get("api/views/features")["rows"]) == 1000, "a thousand at most")
    snapshot = page.snapshot()
    keys = [entry["key"] for entry in snapshot["latest"]]
    check(keys == [r["trip_id"] for r in reversed(newest[-20:])], keys)
    check(snapshot["map"]["box"][0] < -73.9 < snapshot["map"]["box"][2], snapshot["map"]["box"])
    check(sum(n for _, n in snapshot["map"]["cells"]) > 800, "requests on the map")
    table = page.get("api/export", what="latest", format="csv").splitlines()
    check(len(table) == 21 and table[1].startswith(f'"{keys[0]}",'), table[:2])
    breakdown = page.get("api/breakdown")
    check(sum(breakdown["errors"]["baseline"]) == breakdown["rows"] > 800, "every row has a bin")
    # Of those that were requested before it looked, nobody has told it the time.
    check(sum(bar["n"] for bar in breakdown["hour"]["models"]["baseline"]) > 0.8 * breakdown["rows"],
          "and an hour")
    check(breakdown["cohorts"] and all(c["completeness"] <= 1 for c in breakdown["cohorts"]),
          breakdown["cohorts"])
    model = page.get("api/models/decision-tree")
    check(model["state"]["learned"] > 800 and model["state"]["class"] == model["class"], model["state"])
    versions = model["versions"]
    listed = {m["version"] for (name, _), m in world.models().items() if name == "decision-tree"}
    check(versions[0]["version"] in listed and versions[0]["bytes"] > 1000, versions[0])


def begins_where_it_was(page, stream):
    """One who comes back gets what it has missed; one who was away for long a snapshot."""
    last = stream.ticks()[-5]["id"]
    again = Stream(page, last_id=last)
    wait_for(lambda: len(again.events) > 4, "the ticks that were missed")
    check([e[0] for e in again.events[:4]] == ["tick"] * 4 and again.events[0][1] == last + 1,
          [e[:2] for e in again.events])
    check(again.events[0][2] == next(e[2] for e in stream.events if e[1] == last + 1), "the same")
    late = Stream(page, last_id=5)
    wait_for(lambda: late.events, "a beginning")
    check(late.events[0][0] == "snapshot", late.events[0][:2])
    for s in (again, late, stream):
        s.close()


def test_comes_back():
    """Killed, it has its curves again, with a gap; Redis away is shown, and over when it is."""
    with World("monitor") as world:
        redis = OwnRedis(world)
        up(world, redis, simulate=("--rate", "600"))
        page = Page(start_monitor(world, redis_url=redis.url))
        wait_for(lambda: page.tick()["state"] == "running", "labels")
        wait_for(lambda: len(page.get("api/history")["time_ms"]) > 4, "some points")
        before = page.get("api/history")
        page.process.stop(signal.SIGKILL)
        killed = time.time()
        wait_for(lambda: time.time() - killed > 4, "a gap of four seconds")

        page = Page(start_monitor(world, redis_url=redis.url))
        wait_for(lambda: page.get("api/history")["time_ms"][-1] / 1000 > killed + 4, "new points")
        after = page.get("api/history")
        # The last second before the kill may be lost.
        kept = before["time_ms"][:-1]
        check(after["time_ms"][:len(kept)] == kept, "the curves are there again")
        for name in ("mae.baseline", "rate.requests", "in_progress"):
            check(after["series"][name][:len(kept)] == before["series"][name][:-1], name)
        gaps = [g for g in after["gaps"] if g[0] <= killed * 1000 <= g[1]]
        check(len(gaps) == 1, (killed, after["gaps"]))
        middle = next(i for i, t in enumerate(after["time_ms"]) if gaps[0][0] < t < gaps[0][1])
        check(after["series"]["in_progress"][middle] is None, "the line is broken there")

        stream = Stream(page)
        redis.stop()
        tick = stream.wait(lambda t: not t["checks"][0]["ok"], "Redis to be missed")
        check(tick["checks"][0]["detail"] and page.snapshot()["incarnation"], tick["checks"])
        stream.wait(lambda t: any(s["state"] == "silent" for s in t["services"]), "silent services")
        stream.wait(lambda t: t["id"] > tick["id"] + 5, "ticks to go on")
        redis.start()
        back = stream.wait(lambda t: t["id"] > tick["id"] + 5 and t["checks"][0]["ok"] and
                           t["checks"][2]["ok"], "Redis and the topics again")
        check(any(m["kind"] == "outage" for t in stream.ticks() for m in t["marks"]),
              "the outage is marked")
        check(back["id"] == back["time_ms"] // 1000 or back["id"] >= tick["id"] + 6, back["id"])
        check_ticks(stream)
        page.process.stop()
        check(page.process.process.returncode == 0 and not page.process.has_line(" ERROR "), "clean")


def test_load():
    """Far more than it looks at: what it skips it says, its ticks stay small, its counts exact."""
    with World("monitor", monitor={**config_monitor(), "rows_per_second": 100}) as world:
        env = {"OXBOW_MONITOR_LISTEN": "127.0.0.1:0"}
        os.environ.update(env)
        process = world.up(simulate=("--rate", "3000", "--trips", "15000"), monitor=True)
        page = Page(process)
        stream = Stream(page)
        tick = stream.wait(lambda t: t["sampled"]["labels"] < 0.5 and t["sampled"]["requests"] < 0.5,
                           "it to skip")
        check(tick["sampled"]["predictions"] < 1, tick["sampled"])
        process.wait_line("simulator-1 has finished")
        world.audit("--settled")
        stream.wait(lambda t: t["counts"]["labelled"] == world.ledger()["outcomes_emitted"],
                    "exact counts")
        check_ticks(stream)
        check(all(len(t["started"]) <= 24 and len(t["latest"]) <= 10 for t in stream.ticks()),
              "samples")
        check(not process.has_line("monitor-1.* (WARN|ERROR) .*(bus|trim)"), "no trouble")


def config_monitor():
    from oxbow import shipped_config
    return shipped_config()["monitor"]


if __name__ == "__main__":
    os.environ["OXBOW_MONITOR_LISTEN"] = "127.0.0.1:0"
    main(test_waits_for_nothing, test_agrees, test_comes_back, test_load)
