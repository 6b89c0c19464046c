"""A real Prometheus scrapes a real loop: every rule and every panel's query has an answer, and
nothing alarms while nothing is wrong. Skipped (77) without prometheus or PyYAML."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request

from oxbow import World, check, free_port, main, shipped_config, wait_for

SKIP = 77
TRIPS = 15000
ANSWERS_S = 60  # patience for every query to have an answer


def skip(reason):
    print(f"SKIPPED: {reason}", flush=True)
    sys.exit(SKIP)


try:
    import observe
    import yaml
except ImportError:
    skip("no PyYAML (apt-get install python3-yaml)")

SERVICES = {"simulator", "views", "inference", "learner", "monitor"}

# Alerts and annotations keep the series that compare so, none while nothing is wrong. With `bool` the
# same comparison answers 0 or 1, and shows that what it compares is there.
COMPARES = re.compile(r" (==|!=|>=|<=|>|<) (?!bool)")

# What has no answer in a healthy loop all the same, with the reason.
NOTHING = {
    "OxbowServiceMissing": "absent() is empty while the service is there",
}


class Prometheus:
    """One of its own, on the targets of a running task, looking twice a second."""

    def __init__(self, world, targets):
        self.world = world
        self.port = free_port()
        folder = world.dir / "prometheus"
        shutil.copytree(observe.PROMETHEUS, folder)
        config = yaml.safe_load((folder / "prometheus.localhost.yml").read_text())
        config["global"] = {"scrape_interval": "500ms", "scrape_timeout": "400ms",
                            "evaluation_interval": "500ms"}
        static = config["scrape_configs"][0]["static_configs"]
        check({t["labels"]["service"] for t in static} == SERVICES, str(static))
        for target in static:
            target["targets"] = [targets[target["labels"]["service"]]]
        for path in (folder / "rules").glob("*.yml"):
            rules = yaml.safe_load(path.read_text())
            for group in rules["groups"]:
                group.pop("interval", None)
            path.write_text(yaml.safe_dump(rules))
        (folder / "run.yml").write_text(yaml.safe_dump(config))
        self.process = world.spawn(
            "prometheus", f"--config.file={folder / 'run.yml'}",
            f"--storage.tsdb.path={folder / 'data'}", "--log.level=warn",
            f"--web.listen-address=127.0.0.1:{self.port}")
        wait_for(self.is_ready, "prometheus")

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as failure:
            check(False, f"{query}: {failure.read().decode(errors='replace')}")

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5):
                return True
        except OSError:
            check(self.process.process.poll() is None, "\n".join(self.process.lines))
            return False

    def query(self, expr):
        """The series of an expression, now."""
        return self.get("/api/v1/query", query=expr)["data"]["result"]

    def values(self, metric):
        """{model: value}"""
        return {s["metric"]["model"]: float(s["value"][1]) for s in self.query(metric)}

    def targets(self):
        """{service: "up"} of those that it scrapes."""
        found = self.get("/api/v1/targets", state="active")["data"]["activeTargets"]
        return {t["labels"]["service"]: t["health"] for t in found}

    def alerts(self):
        return self.get("/api/v1/alerts")["data"]["alerts"]


def monitor_port(world):
    config = json.loads(world.config.read_text())
    return config["monitor"]["listen"]


def addresses(world):
    """{service: where it serves metrics}, once all do."""
    found = {beat["service"]: beat.get("http") for beat in world.beats().values()}
    found["monitor"] = monitor_port(world)
    return found if set(found) == SERVICES and all(found.values()) else None


def compared(expr):
    return COMPARES.sub(r" \1 bool ", expr)


def has_value(series):
    return any(sample["value"][1] not in ("NaN", "+Inf", "-Inf") for sample in series)


def wait_for_answers(prometheus, queries):
    """Those that have none when patience ends: [(where, expression, series)]."""
    end = time.monotonic() + ANSWERS_S
    while True:
        missing = []
        for where, expr in queries:
            series = prometheus.query(expr)
            if not has_value(series) and where not in NOTHING:
                missing.append((where, expr, series))
        if not missing or time.monotonic() > end:
            return missing
        time.sleep(0.5)


def test_loop():
    """Every query of rules and dashboards has an answer over a healthy loop, nothing alarms, and a
    service that hangs is seen."""
    # A reference that is full in seconds, and is not like what follows: short trips come back first,
    # and hours pass while we look.
    monitor = {"listen": f"127.0.0.1:{free_port()}",
               "drift": {"reference_rows": 2000, "window_rows": 1000,
                         "silent": ",".join(
                             f if isinstance(f, str) else f["name"]
                             for f in shipped_config()["features"])}}
    with World("prometheus", monitor=monitor) as world:
        up = world.up("--metrics", "127.0.0.1:0", simulate=("--rate", "1000", "--trips", TRIPS), monitor=True)
        prometheus = Prometheus(world, wait_for(lambda: addresses(world), "addresses"))
        wait_for(lambda: prometheus.targets() == dict.fromkeys(SERVICES, "up"), "all targets up")

        models = [*json.loads(world.config.read_text())["models"], "baseline"]
        variables = {"task": "taxi", "model": ".*", "__rate_interval": "10s", "__range": "1m"}
        queries = [(where, compared(expr)) for where, expr in observe.dashboard_queries(variables)]
        queries += [(r.get("record") or r["alert"], compared(r["expr"])) for r in observe.rules()]
        check(len(queries) > 60, f"{len(queries)} queries")
        missing = wait_for_answers(prometheus, queries)
        check(not missing, "without an answer:\n" + "\n".join(
            f"  {where}: {expr}  {series[:1]}" for where, expr, series in missing))

        health = prometheus.get("/api/v1/rules")["data"]["groups"]
        rules = [rule for group in health for rule in group["rules"]]
        check(len(rules) == len(observe.rules()), f"{len(rules)} rules")
        check(all(rule["health"] == "ok" for rule in rules),
              [rule for rule in rules if rule["health"] != "ok"])
        # What has severity info has happened, and is not wrong: the errors of young models fall.
        firing = [a for a in prometheus.alerts()
                  if a["state"] == "firing" and a["labels"]["severity"] != "info"]
        check(not firing, f"nothing is wrong, but: {firing}")

        # The figures are the loop's own: to the last trip.
        up.wait_line("simulator-1 has finished")
        wait_for(lambda: prometheus.values("ml_predictions_total") == dict.fromkeys(models, TRIPS),
                 "every model's predictions")
        wait_for(lambda: len(set(prometheus.values("ml_model_learned_total").values()) | {
            world.ledger().get("outcomes_emitted")}) == 1, "every label learned by every model")
        requests = prometheus.query('oxbow_ledger_rows{term="requests_new"}')
        check([float(s["value"][1]) for s in requests] == [TRIPS], requests)

        # A learner that hangs answers no scrape: that is what its alert waits for.
        pid = up.children()["learner-1"]
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_for(lambda: {"OxbowServiceDown", "OxbowServiceMissing"} <=
                     {a["labels"]["alertname"] for a in prometheus.alerts()
                      if a["labels"].get("service") == "learner"},
                     "the alerts of a service that does not answer")
        finally:
            os.kill(pid, signal.SIGCONT)


if __name__ == "__main__":
    for program in ("prometheus", "promtool"):
        if not shutil.which(program):
            skip(f"no {program} (apt-get install prometheus)")
    main(test_loop)
