"""Prometheus' configuration and rules by promtool, with the rules' own tests, and Grafana's
dashboards by what Grafana needs. Nothing is started. Skipped (77) without promtool."""

import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "support"))
from claims import Failure, check  # noqa: E402

SKIP = 77


def skip(reason):
    print(f"SKIPPED: {reason}", flush=True)
    sys.exit(SKIP)


try:
    import observe  # noqa: E402
    import yaml
except ImportError:
    skip("no PyYAML (apt-get install python3-yaml)")


def promtool(*words, cwd=observe.PROMETHEUS):
    done = subprocess.run(["promtool", *map(str, words)], cwd=cwd, capture_output=True, text=True)
    check(done.returncode == 0, f"promtool {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


def test_prometheus():
    """promtool accepts both configurations, every rule, and what the tests of the rules say."""
    for name in ("prometheus.yml", "prometheus.localhost.yml"):
        promtool("check", "config", name)
    rules = sorted((observe.PROMETHEUS / "rules").glob("*.yml"))
    promtool("check", "rules", "--lint-fatal", *rules)
    tests = sorted((observe.PROMETHEUS / "tests").glob("*.yml"))
    check(tests, "no tests of the rules")
    promtool("test", "rules", *tests, cwd=observe.PROMETHEUS / "tests")


def test_alerts():
    """Every alert says what is wrong and what to do, has a severity, and fires in a test."""
    fired = set()
    for path in (observe.PROMETHEUS / "tests").glob("*.yml"):
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test["promql_expr_test"]:
                if case["exp_samples"]:
                    fired.update(re.findall(r'alertname="(\w+)"', case["expr"]))
    for rule in observe.rules():
        if "alert" not in rule:
            continue
        name = rule["alert"]
        for wanted in ("summary", "description"):
            check(len(rule.get("annotations", {}).get(wanted, "")) > 20, f"{name}: {wanted}")
        check(rule.get("labels", {}).get("severity") in ("critical", "warning", "info"), name)
        check(name in fired, f"{name} fires in no test of the rules")


def test_metric_names():
    """Every metric that a rule or a panel names is one that docs/metrics.md describes."""
    documented = set(re.findall(r"`([a-z][a-z0-9_]*)`",
                                (ROOT / "docs" / "metrics.md").read_text()))
    documented |= {name + end for name in documented for end in ("_bucket", "_count", "_sum")}
    documented |= {"up", "ALERTS"}  # Prometheus' own
    expressions = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in observe.rules()]
    expressions += observe.dashboard_queries({})
    check(len(expressions) > 60, f"{len(expressions)} expressions")
    for where, expr in expressions:
        unknown = {n for n in observe.metric_names(expr) if n not in documented}
        check(not unknown, f"{where}: {sorted(unknown)} in {expr}")


def check_panel(where, panel, variables):
    at = panel["gridPos"]
    check(0 <= at["x"] and at["x"] + at["w"] <= 24 and at["h"] > 0 and at["y"] >= 0, f"{where}: {at}")
    check(panel["title"], f"{where}: title")
    if panel["type"] == "row":
        return
    check(panel["description"], f"{where}: description")
    check(panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, where)
    check(panel["fieldConfig"]["defaults"]["unit"], f"{where}: unit")
    thresholds = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    check(thresholds[0]["value"] is None, f"{where}: thresholds begin at the lowest")
    above = [step["value"] for step in thresholds[1:]]
    check(above == sorted(above), f"{where}: thresholds rise")
    refs = [target["refId"] for target in panel["targets"]]
    check(refs and len(set(refs)) == len(refs), f"{where}: {refs}")
    for target in panel["targets"]:
        used = set(re.findall(r"\$\{?(\w+)", target["expr"])) - {"__rate_interval", "__range"}
        check(used <= variables, f"{where}: variables {used - variables}")
        check("task" in used, f"{where}: a query that is not of one task: {target['expr']}")


def overlap(a, b):
    return (a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and
            a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"])


def test_dashboards():
    """Each dashboard has what Grafana needs: ids of its own, places that do not overlap, units,
    thresholds, variables; and names no task."""
    done = subprocess.run([sys.executable, "-B", observe.GRAFANA / "make.py", "--check"],
                          capture_output=True, text=True)
    check(done.returncode == 0, done.stdout + done.stderr)
    boards = observe.dashboards()
    check(set(boards) == {"overview.json", "models.json", "operations.json"}, list(boards))
    check(len({b["uid"] for b in boards.values()}) == len(boards), "uids")
    check(len({b["title"] for b in boards.values()}) == len(boards), "titles")
    for file, board in boards.items():
        check(board["schemaVersion"] >= 36 and board["templating"]["list"], file)
        variables = {v["name"] for v in board["templating"]["list"]}
        check({"datasource", "task"} <= variables, f"{file}: {variables}")
        panels = board["panels"]
        ids = [p["id"] for p in panels]
        check(len(set(ids)) == len(ids), f"{file}: ids")
        for i, panel in enumerate(panels):
            check_panel(f"{file}: {panel['title']}", panel, variables)
            for other in panels[:i]:
                check(not overlap(panel["gridPos"], other["gridPos"]),
                      f"{file}: {panel['title']} overlaps {other['title']}")
        check("taxi" not in (observe.GRAFANA / "dashboards" / file).read_text(), f"{file}: a task")


def test_provisioning():
    """Grafana finds the source and the dashboards where compose mounts them."""
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    mounted = dict(v.split(":")[:2][::-1] for v in compose["grafana"]["volumes"]
                   if v.startswith("."))
    provisioning = observe.GRAFANA / "provisioning"
    provider = yaml.safe_load((provisioning / "dashboards" / "oxbow.yaml").read_text())
    folder = provider["providers"][0]["options"]["path"]
    check(ROOT / mounted[folder] == observe.GRAFANA / "dashboards", f"{folder}: {mounted}")
    check(ROOT / mounted["/etc/grafana/provisioning"] == provisioning, str(mounted))
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())
    check(source["datasources"][0]["url"] == "http://prometheus:9090", "prometheus of compose")
    mounted = [v.split(":")[0] for v in compose["prometheus"]["volumes"]]
    check(ROOT / mounted[0] == observe.PROMETHEUS, str(mounted))
    home = compose["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    check((observe.GRAFANA / "dashboards" / pathlib.Path(home).name).exists(), home)


def main(*tests):
    failed = 0
    for test in tests:
        print(f"[ run ] {test.__name__}: {test.__doc__.strip()}", flush=True)
        try:
            test()
        except Failure as failure:
            failed += 1
            print(f"[ FAILED ] {test.__name__}: {failure}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if not shutil.which("promtool"):
        skip("no promtool (apt-get install prometheus)")
    main(test_prometheus, test_alerts, test_metric_names, test_dashboards, test_provisioning)
