"""What stands in dashboards/prometheus and dashboards/grafana, for the tests. Needs PyYAML."""

import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "dashboards" / "prometheus"
GRAFANA = ROOT / "dashboards" / "grafana"


def dashboards():
    """{file name: the dashboard}"""
    return {path.name: json.loads(path.read_text())
            for path in sorted((GRAFANA / "dashboards").glob("*.json"))}


def rules():
    """Every rule of every file, with "file" and "group"."""
    found = []
    for path in sorted((PROMETHEUS / "rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            found += [{**rule, "file": path.name, "group": group["name"]}
                      for rule in group["rules"]]
    return found


def dashboard_queries(variables):
    """[(where, expression)] with Grafana's variables as it would put them; those of a variable's
    own values too."""
    def fill(text):
        for name, value in variables.items():
            text = re.sub(rf"\$\{{{name}\}}|\${name}\b", value, text)
        return text

    found = []
    for file, board in dashboards().items():
        for panel in board["panels"]:
            found += [(f"{file}: {panel['title']}", fill(target["expr"]))
                      for target in panel.get("targets", ())]
        found += [(f"{file}: annotation {note['name']}", fill(note["expr"]))
                  for note in board["annotations"]["list"] if "expr" in note]
        for variable in board["templating"]["list"]:
            values = re.fullmatch(r"label_values\((.*), *(\w+)\)", variable.get("definition", ""))
            if values:
                found.append((f"{file}: variable {variable['name']}", fill(values[1])))
    return found


def metric_names(expr):
    """The metrics that an expression names; what it records (with colons) is left out."""
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', expr)
    text = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", text)
    text = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", text)
    words = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()(?![a-zA-Z0-9_:])", text)
    keywords = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless",
                "bool", "offset", "inf", "nan", "Inf", "NaN"}
    return {w for w in words if w not in keywords and ":" not in w}
