#!/usr/bin/env python3
"""Writes the dashboards: dashboards/*.json, for Grafana 10 and later. Standard library only.

    python3 dashboards/grafana/make.py            # writes them
    python3 dashboards/grafana/make.py --check    # status 1 when a file is not what this makes

A panel is described in a few lines below; everything else that Grafana wants to be told is the same
for all. The queries name no task and no model: those are variables.
"""

import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent / "dashboards"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24

OK, WARN, BAD = "green", "yellow", "red"


# ---- Parts of a panel ----

def query(expr, legend="", instant=False):
    return {"expr": expr, "legendFormat": legend or "__auto", "instant": instant,
            "range": not instant}


def steps(*pairs):
    """Thresholds: (None, colour) is the lowest, (from, colour) goes on from there."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour}
                                          for value, colour in pairs]}


PLAIN = steps((None, OK))


def panel(kind, title, help, queries, unit="none", thresholds=PLAIN, width=12, height=8, decimals=None,
          minimum=None, maximum=None, custom=None, options=None, mappings=None, overrides=None):
    defaults = {"unit": unit, "thresholds": thresholds, "mappings": mappings or [],
                "color": {"mode": "thresholds" if kind in ("stat", "state-timeline")
                          else "palette-classic"},
                "custom": custom or {}}
    for name, value in (("decimals", decimals), ("min", minimum), ("max", maximum)):
        if value is not None:
            defaults[name] = value
    return {
        "type": kind, "title": title, "description": help, "datasource": DATASOURCE,
        "targets": [{"refId": chr(ord("A") + i), "datasource": DATASOURCE, **q}
                    for i, q in enumerate(queries)],
        "fieldConfig": {"defaults": defaults, "overrides": overrides or []},
        "options": options or {}, "gridPos": {"w": width, "h": height},
    }


def stat(title, help, expr, unit="none", thresholds=PLAIN, width=4, **more):
    return panel("stat", title, help, [query(expr, instant=True)], unit, thresholds, width, 4,
                 options={"reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
                          "colorMode": "value", "graphMode": "none", "textMode": "auto",
                          "justifyMode": "auto", "orientation": "auto"}, **more)


def lines(title, help, queries, unit="none", width=12, height=8, log=False, fill=0, **more):
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": fill, "showPoints": "never",
              "spanNulls": False, "scaleDistribution": {"type": "log", "log": 10} if log
              else {"type": "linear"}}
    if "thresholds" in more:
        custom["thresholdsStyle"] = {"mode": "line"}
    return panel("timeseries", title, help, queries, unit, width=width, height=height,
                 custom=custom,
                 options={"legend": {"displayMode": "table", "placement": "bottom",
                                     "calcs": ["lastNotNull", "max"], "showLegend": True},
                          "tooltip": {"mode": "multi", "sort": "desc"}}, **more)


def states(title, help, queries, mappings, width=WIDTH, height=6):
    return panel("state-timeline", title, help, queries, width=width, height=height,
                 mappings=mappings, thresholds=steps((None, BAD), (1, OK)),
                 custom={"fillOpacity": 80, "lineWidth": 0},
                 options={"mergeValues": True, "showValue": "never", "rowHeight": 0.8,
                          "legend": {"displayMode": "list", "placement": "bottom",
                                     "showLegend": False},
                          "tooltip": {"mode": "single", "sort": "none"}})


def heat(title, help, expr, unit="none", width=12, height=8):
    return panel("heatmap", title, help, [{**query(expr, "{{le}}"), "format": "heatmap"}], unit,
                 width=width, height=height,
                 options={"calculate": False, "cellGap": 1, "yAxis": {"unit": unit},
                          "color": {"mode": "scheme", "scheme": "Blues", "steps": 64},
                          "legend": {"show": True}, "tooltip": {"show": True, "yHistogram": False}})


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": [],
            "gridPos": {"w": WIDTH, "h": 1}}


# ---- A dashboard ----

def place(panels):
    """From left to right, in rows as high as their highest panel."""
    x = y = height = 0
    for number, p in enumerate(panels, 1):
        p["id"] = number
        at = p["gridPos"]
        if x + at["w"] > WIDTH or p["type"] == "row":
            x, y, height = 0, y + height, 0
        at["x"], at["y"] = x, y
        x += at["w"]
        height = max(height, at["h"])
    return panels


def variable(name, label, definition, multi=False):
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE,
            "query": {"query": definition, "refId": name}, "definition": definition, "refresh": 2,
            "sort": 1, "multi": multi, "includeAll": multi, "allValue": ".*" if multi else None,
            "current": {"text": "All", "value": "$__all"} if multi else {}, "hide": 0,
            "options": [], "regex": "", "skipUrlSync": False}


def dashboard(uid, title, help, panels, with_model=False):
    variables = [
        {"name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus",
         "refresh": 1, "current": {}, "hide": 0, "options": [], "regex": "", "multi": False,
         "includeAll": False, "skipUrlSync": False},
        variable("task", "Task", TASKS),
    ]
    if with_model:
        variables.append(variable("model", "Model", MODELS, multi=True))
    return {
        "uid": uid, "title": title, "description": help, "tags": ["oxbow"], "schemaVersion": 39,
        "version": 1, "editable": True, "graphTooltip": 1, "refresh": "15s", "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"}, "timepicker": {}, "weekStart": "", "fiscalYearStartMonth": 0,
        "links": [{"title": "oxbow", "type": "dashboards", "tags": ["oxbow"], "asDropdown": False,
                   "includeVars": True, "keepTime": True, "targetBlank": False, "icon": "dashboard",
                   "tooltip": "", "url": ""}],
        "annotations": {"list": ANNOTATIONS},
        "templating": {"list": variables}, "panels": place(panels),
    }


# ---- What is asked ----

TASKS = "label_values(process_start_time_seconds, task)"
MODELS = 'label_values(ml_model_position{task="$task"}, model)'
OF_TASK = '{task="$task"}'
OF_MODEL = '{task="$task", model=~"$model"}'
ANNOTATIONS = [
    {"name": "Error drift", "datasource": DATASOURCE, "enable": True, "iconColor": "red",
     "expr": 'sum by (model) (increase(ml_drift_alarms_total{task="$task"}[1m])) > 0',
     "titleFormat": "error drift", "textFormat": "{{model}}", "step": "60s"},
]


def rate(metric, of=OF_TASK, by=""):
    total = f"rate({metric}{of}[$__rate_interval])"
    return f"sum by ({by}) ({total})" if by else f"sum({total})"


def quantile(q, metric, of=OF_TASK, by=""):
    by = f"{by}, le" if by else "le"
    return f"histogram_quantile({q}, sum by ({by}) (rate({metric}_bucket{of}[$__rate_interval])))"


def quantiles(metric, of=OF_TASK):
    return [query(quantile(q, metric, of), name)
            for q, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))]


def term(name):
    return f'max(oxbow_ledger_rows{{task="$task", term="{name}"}})'


def flow(name):
    """Of a term of the ledger, a second."""
    return f'max(rate(oxbow_ledger_rows{{task="$task", term="{name}"}}[$__rate_interval]))'


SKILL = "task_model:ml_model_skill:window"
GOOD_FROM_0 = steps((None, BAD), (0, OK))
BAD_FROM_1 = steps((None, OK), (1, BAD))
WARN_FROM_1 = steps((None, OK), (1, WARN))
SLOW = steps((None, OK), (0.1, WARN), (1, BAD))

# Models are as fast as each other to learn, but each has its own line; the baseline is always there.
MODEL = "{{model}}"

OVERVIEW = [
    stat("Processes", "Processes of the task that answer Prometheus: views, inference and learner at least.",
         'count(process_start_time_seconds{task="$task"})',
         thresholds=steps((None, BAD), (3, OK)), width=3),
    stat("Predictions", "Requests answered a second.", "task:oxbow_predictions:rate1m" + OF_TASK,
         "reqps", width=3, decimals=0),
    stat("Lag p99", "From a request's arrival on the bus to its prediction: 99 of 100 are faster (5 minutes).",
         'task_quantile:oxbow_prediction_lag_seconds:rate5m{task="$task", quantile="0.99"}', "s", SLOW,
         width=3),
    stat("Best skill", "1 - MAE / the baseline's, over the newest rows, of the best model. 0 is worthless.",
         f'max({SKILL}{{task="$task", model!="baseline"}})', "percentunit", GOOD_FROM_0, width=3,
         decimals=1),
    stat("In progress", "Requests whose outcome has not come.",
         f"{term('requests_new')} - {term('outcomes_emitted')} - {term('outcomes_bad_label')}"
         f" - {term('outcomes_refused')}", "short", width=3),
    stat("Not learned", "Rows of learning-queue that the slowest model has still to learn.",
         "task:oxbow_unlearned_rows:max" + OF_TASK, "short", steps((None, OK), (10000, WARN)), width=3),
    stat("Dead letters", "Messages put into dead-letters, in the range shown.",
         'sum(increase(oxbow_dead_letters_total{task="$task"}[$__range]))', "short", WARN_FROM_1,
         width=3, decimals=0),
    stat("Drift alarms", "Alarms of the models' drift detectors, in the range shown.",
         'sum(increase(ml_drift_alarms_total{task="$task"}[$__range]))', "short", WARN_FROM_1, width=3,
         decimals=0),
    lines("Error, newest rows", "Mean absolute error over the newest score_window rows, each predicted just before it "
          "was learned. In the label's unit.",
          [query(f"max by (model) (ml_model_mae_window{OF_TASK})", MODEL)], "none", minimum=0),
    lines("Skill against the baseline", "1 - MAE / the baseline's, over the newest rows. Below 0: worse than guessing "
          "the mean.", [query(f'{SKILL}{{task="$task", model!="baseline"}}', MODEL)], "percentunit",
          thresholds=GOOD_FROM_0),
    lines("Throughput", "Messages a second: requests in, predictions out, labels joined, rows learned.",
          [query("task:oxbow_requests:rate1m" + OF_TASK, "requests"),
           query("task:oxbow_predictions:rate1m" + OF_TASK, "predictions"),
           query("task:oxbow_labels:rate1m" + OF_TASK, "labels"),
           query("task:oxbow_learned:rate1m" + OF_TASK, "learned")], "cps", minimum=0),
    lines("Prediction lag", "From a request's arrival on the bus to its prediction.",
          [query(f'max by (quantile) (task_quantile:oxbow_prediction_lag_seconds:rate5m{OF_TASK})',
                 "{{quantile}}")], "s", log=True),
]

MODELS_PAGE = [
    stat("Models", "Models of the task file, the baseline among them.",
         f"count(max by (model) (ml_model_position{OF_TASK}))", width=4),
    stat("Oldest version", "Age of the oldest version that answers, of the models chosen.",
         f"max(ml_model_age_seconds{OF_MODEL})", "s", steps((None, OK), (120, WARN), (300, BAD))),
    stat("Drift alarms", "Alarms of the models chosen, in the range shown.",
         f"sum(increase(ml_drift_alarms_total{OF_MODEL}[$__range]))", "short", WARN_FROM_1, decimals=0),
    stat("Features drifting", "Features with an alarm now.",
         f"sum(ml_feature_drifting{OF_TASK})", "none", WARN_FROM_1),
    stat("Skew", "Rows learned with other features than they were served with. Must be 0.",
         f"sum(ml_skew_differing_total{OF_TASK})", "short", BAD_FROM_1),
    stat("Compared", "Rows whose served and learned features were compared.",
         f"sum(ml_skew_compared_total{OF_TASK})", "short"),
    row("Errors"),
    lines("Error, newest rows", "Mean absolute error over the newest score_window rows, in the label's unit.",
          [query(f"max by (model) (ml_model_mae_window{OF_MODEL})", MODEL)], minimum=0),
    lines("Skill, newest rows", "1 - MAE / the baseline's. Below 0: worse than guessing the mean.",
          [query(SKILL + OF_MODEL, MODEL)], "percentunit", thresholds=GOOD_FROM_0),
    lines("Error, all rows", "Mean absolute error over all rows of the generation.",
          [query(f"max by (model) (ml_model_mae{OF_MODEL})", MODEL)], minimum=0),
    lines("Error, as served", "Mean absolute error of the predictions that went out, over all rows.",
          [query(f"max by (model) (ml_model_mae_served{OF_MODEL})", MODEL)], minimum=0),
    row("Answers"),
    lines("Answers", "Predictions a second of each model.",
          [query(rate("ml_predictions_total", OF_MODEL, "model"), MODEL)], "cps", minimum=0),
    lines("Latency p99", "From a request's arrival on the bus to the model's answer: 99 of 100 are faster.",
          [query(quantile(0.99, "ml_prediction_latency_seconds", OF_MODEL, "model"), MODEL)], "s", log=True),
    heat("What is answered", "How the answers of the models chosen are distributed, in the label's unit.",
         "sum by (le) (rate(ml_prediction_score_bucket" + OF_MODEL + "[$__rate_interval]))"),
    lines("Median answer", "Half of the answers are below, as near as the histogram's bounds tell.",
          [query(quantile(0.5, "ml_prediction_score", OF_MODEL, "model"), MODEL)]),
    row("Learning"),
    lines("Learned", "Rows learned a second.",
          [query(rate("ml_model_learned_total", OF_MODEL, "model"), MODEL)], "cps", minimum=0),
    lines("Age of the version that answers", "It rises by a second a second, and falls with each refresh.",
          [query(f"max by (model) (ml_model_age_seconds{OF_MODEL})", MODEL)], "s", minimum=0),
    lines("Rows that the served version lacks", "Learned by the learner, not yet in the version that answers.",
          [query(f"max by (model) (ml_model_position{OF_MODEL}) - min by (model) "
                 f"(ml_model_version_seq{OF_MODEL})", MODEL)], "short"),
    lines("Size", "Bytes of the newest version in the store.",
          [query(f"max by (model) (ml_model_bytes{OF_MODEL})", MODEL)], "bytes", minimum=0),
    row("Drift"),
    lines("Feature drift, PSI", "Population stability index of the newest rows against the reference; an alarm above "
          "0.2.", [query(f"max by (feature) (ml_feature_psi{OF_TASK})", "{{feature}}")],
          thresholds=steps((None, OK), (0.2, BAD)), minimum=0),
    lines("Feature drift, KS", "Largest distance between the two distribution functions; an alarm above 0.1.",
          [query(f"max by (feature) (ml_feature_ks{OF_TASK})", "{{feature}}")],
          thresholds=steps((None, OK), (0.1, BAD)), minimum=0),
]

OPERATIONS = [
    states("Processes", "Green: it answers Prometheus. From its start time, so that a gap is an outage.",
           [query('count by (service) (process_start_time_seconds{task="$task"}) > bool 0', "{{service}}")],
           [{"type": "value", "options": {"0": {"text": "down", "index": 0},
                                          "1": {"text": "up", "index": 1}}}], height=6),
    row("Flow"),
    lines("Readers behind", "Messages of a topic that its reader has not made durable progress over.",
          [query(f"max by (reader, topic) (oxbow_consumer_lag_rows{OF_TASK})", "{{reader}}: {{topic}}")],
          "short", minimum=0),
    lines("The ledger's flow", "Terms of the ledger a second (docs/guarantees.md); those that the engine hides are "
          "missing.",
          [query(flow("requests_new"), "requests"), query(flow("requests_predicted"), "predicted"),
           query(flow("outcomes_new"), "outcomes"), query(flow("outcomes_emitted"), "labelled"),
           query(flow("outcomes_bad_label"), "bad labels"), query(flow("requests_expired"), "expired")],
          "cps", minimum=0),
    lines("In the works", "Rows between two stages: without a prediction, outcomes that wait for their request, not "
          "yet learned, handed to the bus and not yet durable.",
          [query(term("requests_pending"), "without a prediction"),
           query(term("outcomes_waiting"), "outcomes waiting"),
           query("task:oxbow_unlearned_rows:max" + OF_TASK, "not learned"),
           query(f"max(oxbow_views_outbox_rows{OF_TASK})", "on the way to the bus")], "short", minimum=0),
    lines("Held back", "1 while views reads no requests and outcomes because a reader is max_backlog rows behind.",
          [query(f"max(oxbow_views_paused{OF_TASK})", "paused")], minimum=0, maximum=1),
    row("Time"),
    lines("Request to prediction", "From the request's arrival on the bus to its prediction.",
          quantiles("oxbow_prediction_lag_seconds"), "s", width=8, log=True),
    lines("Prediction to durable", "From the prediction until the bus has it for certain.",
          quantiles("oxbow_prediction_durable_seconds"), "s", width=8, log=True),
    lines("Outcome to learned", "From the outcome's arrival on the bus until all models have learned its row.",
          quantiles("oxbow_learning_lag_seconds"), "s", width=8, log=True),
    lines("A batch", "Time of one batch, by service (p99); of views, of one transaction.",
          [query(quantile(0.99, "oxbow_batch_seconds", by="service"), "{{service}}"),
           query(quantile(0.99, "oxbow_views_transaction_seconds", by="service"), "{{service}}")], "s",
          width=8, log=True),
    lines("Storing a version", "Time for the learner to write one version to the store.",
          quantiles("oxbow_publish_seconds"), "s", width=8, log=True),
    lines("Loading a version", "Time for inference to fetch and load one version.",
          quantiles("oxbow_refresh_seconds"), "s", width=8, log=True),
    row("Trouble"),
    lines("Dead letters", "Messages put into dead-letters, a minute, by service.",
          [query(f"sum by (service) (increase(oxbow_dead_letters_total{OF_TASK}[1m]))", "{{service}}")],
          "short", minimum=0),
    lines("Failures", "Versions that could not be stored, loaded, or were refused, and commits in conflict, a minute.",
          [query(f"sum(increase(oxbow_publish_failures_total{OF_TASK}[1m]))", "not stored"),
           query(f"sum(increase(oxbow_refresh_failures_total{OF_TASK}[1m]))", "not loaded"),
           query(f"sum(increase(oxbow_refused_versions_total{OF_TASK}[1m]))", "refused"),
           query(f"sum(increase(oxbow_commit_conflicts_total{OF_TASK}[1m]))", "commit conflicts")],
          "short", minimum=0),
    lines("Seen twice", "Rows handed out to inference again, rows that a model had learned already, and versions that "
          "the store had lost and that were written again, a minute. Nothing is learned twice.",
          [query(f"sum(increase(oxbow_redelivered_rows_total{OF_TASK}[1m]))", "handed out again"),
           query(f"sum(increase(oxbow_repeated_rows_total{OF_TASK}[1m]))", "learned already"),
           query(f"sum(increase(oxbow_versions_republished_total{OF_TASK}[1m]))", "versions stored again")],
          "short", minimum=0),
    lines("Starts", "How often each service was started in the last 10 minutes.",
          [query(f"sum by (service) (changes(process_start_time_seconds{OF_TASK}[10m]))", "{{service}}")],
          "none", minimum=0),
    row("Resources"),
    lines("CPU", "Cores in use, by service.", [query(rate("process_cpu_seconds_total", by="service"),
                                                     "{{service}}")], "none", width=8, minimum=0),
    lines("Memory", "Resident bytes, by service.",
          [query(f"sum by (service) (process_resident_memory_bytes{OF_TASK})", "{{service}}")], "bytes",
          width=8, minimum=0),
    lines("Open files", "Descriptors in use, by service.",
          [query(f"sum by (service) (process_open_fds{OF_TASK})", "{{service}}")], "none", width=8,
          minimum=0),
]


def build():
    return {
        "overview.json": dashboard("oxbow-overview", "oxbow: overview",
                                   "How good the models are now, how fast, and whether all is well.",
                                   OVERVIEW),
        "models.json": dashboard("oxbow-models", "oxbow: models",
                                 "Each model's errors, answers, learning and drift.", MODELS_PAGE,
                                 with_model=True),
        "operations.json": dashboard("oxbow-operations", "oxbow: operations",
                                     "Where the rows and the time are, and what goes wrong.", OPERATIONS),
    }


def main():
    wrong = []
    for name, board in build().items():
        text = json.dumps(board, indent=1) + "\n"
        path = FOLDER / name
        if sys.argv[1:] == ["--check"]:
            if not path.exists() or path.read_text() != text:
                wrong.append(name)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    if wrong:
        print(f"{', '.join(wrong)}: not as make.py has it; run it without --check")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
