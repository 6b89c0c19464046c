"""A stand-in for oxbow-monitor, for the page's tests: the API of docs/monitor.md over invented data.

Everything is a function of a seed and a synthetic clock, which may run any number of times faster
than the real one. What a test wants to see (a state, a load, a standstill) it asks for with
POST /fake/set, as JSON: see Settings. GET /fake/streams tells how many streams are open.

    python3 tests/dashboard/fake_monitor.py --port 8501 --state running --load 40
"""

import argparse
import collections
import dataclasses
import gzip
import heapq
import http.server
import json
import math
import pathlib
import random
import threading
import time
import urllib.parse
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "dashboards" / "live"
CHART = pathlib.Path("/usr/share/javascript/chart.js/chart.min.js")
POLICY = ("default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'self'; "
          "form-action 'self'")
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
BOX = [-74.03, 40.63, -73.76, 40.85]
GRID = 96
EVENT_START_MS = 1451606400000  # 2016-01-01
MODELS = [  # name, class, mean error once learned, error at first, seconds to learn
    ("linear-regression", "linear_regression", 268.0, 330.0, 200),
    ("decision-tree", "hoeffding_tree_regressor", 214.0, 420.0, 400),
    ("nearest-neighbors", "knn_regressor", 243.0, 300.0, 120),
    ("baseline", "mean", 455.0, 470.0, 60),
]
CLASSIFIERS = [  # name, class, log loss once learned, at first, seconds to learn; how well it ranks
    ("logistic", "logistic_regression", .148, .27, 200, .4),
    ("naive-bayes", "gaussian_nb", .191, .24, 120, .8),
    ("passive", "pa_classifier", .236, .33, 160, 1.2),
    ("baseline", "prior", .287, .3, 60, 0),
]
BASE_RATE = .083
FEATURES = [("passenger_count", "numeric"), ("is_weekend", "boolean"), ("l1_distance", "numeric"),
            ("avg_speed_by_hour", "numeric"), ("hour_cos", "numeric"), ("hour_sin", "numeric")]
MODELS_MAX = 12  # of more, each tick names the next few
SERVICES = ["redis-server", "views-1", "inference-1", "learner-1", "simulator-1", "monitor-1"]
RANGES = {"5m": (300, 1), "1h": (3600, 6), "12h": (43200, 72), "7d": (604800, 1008)}


@dataclasses.dataclass
class Settings:
    state: str = "running"      # starting, empty, few, running
    load: float = 40.0          # requests a second
    accelerate: float = 1.0     # synthetic seconds a second
    speed: float = 60.0         # event seconds a synthetic second
    audit: str = "balanced"     # balanced, broken, unknown, never
    verdict: str = "best"       # best, none
    down: str = ""              # an instance that is down
    freeze: bool = False        # the clock stands, the stream says the same tick again and again
    fail: str = ""              # every API answer is 503 with this text
    kind: str = "regression"    # or binary_classification, or another, which has no scores
    positive: str = "late"      # of a classification
    threshold: float = .35
    map: bool = True
    noun: str = "trip"
    unit: str = "s"
    drifting: str = ""          # a feature
    models: int = 4             # the baseline among them
    intervals: bool = False     # the best model gives them
    looked: float = 1.0         # the part of the messages that is looked at


def noise(*key):
    """A number in -1..1 that depends on nothing but the key."""
    return random.Random(repr(key)).uniform(-1, 1)


def generation(model):
    """Twelve digits that belong to a model's name."""
    return f"{zlib.crc32(model.encode()):08x}0a1b"


class World:
    """The invented loop: its clock, its trips and its figures."""

    def __init__(self, settings, warm_s=900, gap=None):
        self.set = settings
        more = [(f"model-{i}", "linear_regression", 300.0 + i, 400.0, 100) for i in range(settings.models - 4)]
        self.classifies = settings.kind == "binary_classification"
        models = [m[:5] for m in CLASSIFIERS] if self.classifies else MODELS
        self.models = models[:-1] + more + models[-1:]
        self.best = "logistic" if self.classifies else "decision-tree"
        self.metric = "log_loss" if self.classifies else "mae"
        self.lock = threading.Condition()
        self.started_ms = int(time.time() * 1000) - warm_s * 1000
        self.t = 0                     # synthetic seconds since the start
        self.id = 0
        self.random = random.Random(7)
        self.trips = collections.OrderedDict()   # key -> trip, the newest 5,000
        self.under_way = []            # heap of (end event second, key)
        self.latest = collections.deque(maxlen=20)
        self.ticks = collections.deque(maxlen=60)
        self.cells = collections.Counter()
        self.marks = []
        self.gaps = []
        self.gap = gap                 # (from, to) in synthetic seconds: nobody looked
        self.resets = 0
        self.totals = collections.Counter()
        for i in range(warm_s):
            self.step(quiet=True, tick=i >= warm_s - 2)

    # ---- The curves: functions of the time ----

    def wall(self, t):
        return self.started_ms + int(t * 1000)

    def event(self, t):
        return EVENT_START_MS + int(t * 1000 * self.set.speed)

    def loss(self, model, t):
        """The mean absolute error, or the log loss."""
        name, _, settled, first, span = next(m for m in self.models if m[0] == model)
        value = settled + (first - settled) * math.exp(-t / span)
        if self.classifies:
            value *= 1 + .03 * math.sin(t / 90 + len(name)) + .012 * noise(name, int(t) // 4)
            return round(value * (1.3 if 520 < t < 600 and name != "baseline" else 1), 5)
        value += 18 * math.sin(t / 90 + len(name)) + 7 * noise(name, int(t) // 4)
        if 520 < t < 600 and name != "baseline":
            value += 130 * math.sin((t - 520) / 80 * math.pi)
        return round(value, 2)

    def curves(self, t):
        base = self.loss("baseline", t)
        values = {}
        for name, *_ in self.models:
            loss = self.loss(name, t)
            values[f"{self.metric}.{name}"] = loss
            values[f"skill.{name}"] = round(1 - loss / base, 4)
            if self.classifies:
                values[f"pr_auc.{name}"] = round(max(BASE_RATE, 1 - 1.9 * loss / base + .9) if name != "baseline"
                                                 else BASE_RATE * (1 + .05 * noise("rate", int(t) // 8)), 4)
        load = self.set.load
        for part, share in (("requests", 1), ("predictions", 1), ("labels", .93), ("learned", .92)):
            values[f"rate.{part}"] = round(load * share * (1 + .08 * noise(part, int(t))), 1)
        values["lag.p50"] = round(.42 + .05 * noise("p50", int(t)), 3)
        values["lag.p95"] = round(2.1 + .5 * noise("p95", int(t)), 3)
        values["lag.p99"] = round(7.2 + 3 * noise("p99", int(t)), 3)
        values["in_progress"] = int(load * 12 * (1 + .05 * math.sin(t / 50)))
        values["backlog"] = max(0, int(4 + 4 * noise("backlog", int(t))))
        return values

    # ---- Trips ----

    def place(self):
        r = self.random
        if r.random() < .12:
            x, y = (-73.874, 40.774) if r.random() < .6 else (-73.785, 40.648)
            return [round(r.gauss(x, .004), 5), round(r.gauss(y, .004), 5)]
        along, across = r.random(), r.gauss(0, 1)
        if r.random() < .85:
            return [round(-74.012 + .06 * along + .008 * across, 5), round(40.705 + .115 * along + .003 * across, 5)]
        return [round(r.gauss(-73.95, .03), 5), round(r.gauss(40.69, .03), 5)]

    def new_trip(self):
        r = self.random
        a, b = self.place(), self.place()
        distance = abs(a[0] - b[0]) + abs(a[1] - b[1])
        takes = label = max(60, 180 + distance * 11000 * math.exp(r.gauss(0, .32)))
        key = f"t{self.totals['trips']:09d}"
        self.totals["trips"] += 1
        values = {"linear-regression": 260 + distance * 9800 + r.gauss(0, 90),
                  "decision-tree": 190 + distance * 11200 + r.gauss(0, 60),
                  "nearest-neighbors": 210 + distance * 10900 + r.gauss(0, 110),
                  "baseline": 838.2} | {m[0]: 300 + distance * 9000 for m in self.models[3:-1]}
        if self.classifies:
            odds = r.gauss(-4.4, 2.4)
            label = int(r.random() < 1 / (1 + math.exp(-odds)))
            values = {name: 1 / (1 + math.exp(-odds - r.gauss(0, spread))) if spread else BASE_RATE
                      for name, *_, spread in CLASSIFIERS}
        trip = {"key": key, "from": a, "to": b, "size": round(distance, 5), "label": round(label, 1),
                "time_ms": self.wall(self.t) - r.randrange(900), "event_ms": self.event(self.t) - r.randrange(900) * 60,
                "values": {k: round(v, 5 if self.classifies else 2) for k, v in values.items()},
                "features": {"passenger_count": r.choice([1, 1, 1, 2, 5]), "is_weekend": 0,
                             "l1_distance": round(distance, 6), "avg_speed_by_hour": round(4.1 + r.random(), 4),
                             "hour_cos": .5, "hour_sin": -.866},
                "ended_ms": None}
        self.trips[key] = trip
        while len(self.trips) > 5000:
            self.trips.popitem(last=False)
        heapq.heappush(self.under_way, (self.event(self.t) / 1000 + takes, key))
        cell = self.cell(a)
        if cell is not None:
            self.cells[cell] += 1
        return trip

    @staticmethod
    def cell(p):
        x = int((p[0] - BOX[0]) / (BOX[2] - BOX[0]) * GRID)
        y = int((p[1] - BOX[1]) / (BOX[3] - BOX[1]) * GRID)
        return y * GRID + x if 0 <= x < GRID and 0 <= y < GRID else None

    def end_trips(self):
        ended = []
        now = self.event(self.t) / 1000
        while self.under_way and self.under_way[0][0] <= now:
            trip = self.trips.get(heapq.heappop(self.under_way)[1])
            if trip:
                trip["ended_ms"] = self.wall(self.t)
                ended.append(trip)
        return ended

    def new_marks(self):
        if self.t not in (180, 520, 700) and self.t % 1800 != 1000:
            return []
        kind, model = {180: ("generation", "nearest-neighbors"), 520: ("error-drift", "decision-tree"),
                       700: ("config", None)}.get(self.t, ("error-drift", "linear-regression"))
        text = {"generation": f"{model} begins anew: its line in the task file changed",
                "error-drift": f"{model}: its error went from 214 to 341 (adwin)",
                "config": "the task file changed"}[kind]
        return [{"id": f"{kind}-{self.t}", "kind": kind, "model": model, "feature": None,
                 "time_ms": self.wall(self.t), "event_ms": self.event(self.t), "text": text}]

    # ---- A second ----

    def step(self, quiet=False, tick=True):
        self.t += 1
        self.id += 1
        state = self.set.state
        flows = state != "starting"
        load = self.set.load if flows else 0
        sample = [self.new_trip() for _ in range(min(16, math.ceil(load)))] if flows else []
        ended = self.end_trips() if flows and state != "empty" else []
        self.totals["requests"] += load
        self.totals["labelled"] += load * .92 if state in ("running", "few") else 0
        if state == "few":
            self.totals["labelled"] = min(self.totals["labelled"], 61)
        if ended:
            self.latest.extendleft(self.latest_row(t) for t in ended[-10:])
        marks = self.new_marks() if state == "running" else []
        self.marks = (self.marks + marks)[-200:]
        if tick:
            self.ticks.append(self.tick(sample, ended, marks))
        if not quiet:
            with self.lock:
                self.lock.notify_all()

    def latest_row(self, trip):
        row = {k: trip[k] for k in ("key", "time_ms", "event_ms", "label", "size", "values")}
        return row | ({"intervals": {self.best: self.interval(trip["values"][self.best])}} if self.set.intervals else {})

    @staticmethod
    def interval(value):
        return [round(max(0, value - 150), 2), round(value + 150, 2)]

    def verdict(self, models):
        if self.set.state in ("starting", "empty"):
            return {"kind": "few", "model": None, "text": ""}
        if self.set.kind != "regression" and not self.classifies:
            return {"kind": "none", "model": None, "text": "no scores for this kind of task yet"}
        if self.set.state == "few":
            return {"kind": "few", "model": None,
                    "text": f"61 labels so far: too few to name a winner; it takes 100"}
        best = min((m for m in models if not m["is_baseline"]), key=lambda m: m["window"][self.metric])
        if self.set.verdict == "none":
            return {"kind": "none", "model": None,
                    "text": "no clear winner: the intervals of decision-tree and nearest-neighbors overlap"}
        if self.classifies:
            return {"kind": "best", "model": best["name"],
                    "text": f"{best['name']} is best: log loss {best['window']['log_loss']:.3f}, {best['skill'] * 100:.0f} % better "
                            f"than always saying how often it happens (last 1,000 {self.set.noun}s)"}
        return {"kind": "best", "model": best["name"],
                "text": f"{best['name']} is best: {best['window']['mae']:.0f} {self.set.unit} off on average, "
                        f"{best['skill'] * 100:.0f} % better than guessing the mean "
                        f"(last 1,000 {self.set.noun}s)"}

    def digits(self):
        return 4 if self.classifies else 1

    @staticmethod
    def window(name, n, loss, curves):
        """Of a classification; nothing but n without labels."""
        if loss is None:
            names = ("log_loss", "low", "high", "pr_auc", "base_rate", "accuracy", "precision", "recall", "f1", "alerts")
            return {"n": n} | dict.fromkeys(names)
        half = 1.96 * loss * 1.4 / math.sqrt(n)
        skill = max(0, 1 - loss / .29)
        positives, alerts = round(n * BASE_RATE), 0 if name == "baseline" else round(n * (.05 + .05 * skill))
        caught = 0 if name == "baseline" else round(min(positives, alerts) * (.35 + .9 * skill))
        precision, recall = caught / alerts if alerts else 0, caught / positives
        return {"n": n, "log_loss": loss, "low": round(loss - half, 4), "high": round(loss + half, 4),
                "pr_auc": curves[f"pr_auc.{name}"], "base_rate": round(positives / n, 4),
                "accuracy": round(1 - (alerts + positives - 2 * caught) / n, 4), "precision": round(precision, 4), "recall": round(recall, 4),
                "f1": round(2 * precision * recall / (precision + recall), 4) if caught else 0, "alerts": alerts}

    def model(self, name, cls, curves):
        known = self.set.state in ("running", "few")
        mae = curves[f"{self.metric}.{name}"] if known else None
        n = 1000 if self.set.state == "running" else 61 if known else 0
        position = int(self.totals["labelled"] // 1000 * 1000)
        half = None if mae is None else 1.96 * mae * .9 / math.sqrt(n)
        regression = self.set.kind == "regression"
        window = {"n": n, "mae": mae, "low": mae and round(mae - half, 1), "high": mae and round(mae + half, 1),
                  "rmse": mae and round(mae * 1.5, 1), "bias": mae and round(mae * .08 * noise(name), 1)}
        if self.classifies:
            window = self.window(name, n, mae, curves)
        elif not regression:
            mae = None
            window = {"n": n, "mae": None, "low": None, "high": None, "rmse": None, "bias": None}
        return {"name": name, "class": cls, "is_baseline": name == "baseline",
                "version": f"{generation(name)}-{position}", "generation": f"{generation(name)}",
                "learned": int(self.totals["labelled"]), "position": position,
                "bytes": {"knn_regressor": 71204, "hoeffding_tree_regressor": 348_112}.get(cls, 1312),
                "published_ms": self.wall(self.t - self.t % 30), "served_version": f"{generation(name)}-{position}",
                "serving": True, "caught_up": True, self.metric: mae and round(mae * .96, self.digits()),
                f"{self.metric}_served": mae and round(mae * 1.1, self.digits()),
                "window": window, "skill": curves[f"skill.{name}"] if known and (regression or self.classifies) else None,
                "interval_coverage": .902 if self.set.intervals and name == self.best and known else None}

    def tick(self, sample, ended, marks):
        s, c = self.set, self.curves(self.t)
        flows = s.state != "starting"
        known = s.state in ("running", "few")
        models = [self.model(name, cls, c) for name, cls, *_ in self.models]
        requests = int(self.totals["requests"])
        labelled = int(self.totals["labelled"])
        down = s.down
        some = models[self.t * MODELS_MAX % len(models):][:MODELS_MAX] if len(models) > MODELS_MAX else models
        return {
            "id": self.id, "checks": self.checks(), "models_of": len(models), "services_of": len(SERVICES), "time_ms": self.wall(self.t), "event_ms": self.event(self.t) if flows else None,
            "speed": s.speed if flows else None, "state": s.state,
            "first_label_ms": self.wall(self.t) + 360000 if s.state == "empty" else None,
            "verdict": self.verdict(models),
            "counts": {"requests": requests, "predicted": requests, "outcomes": labelled + 35, "labelled": labelled,
                       "in_progress": c["in_progress"] if flows else 0, "waiting": c["backlog"], "expired": 0,
                       "bad_labels": 35 if known else 0, "dead_letters": 3 if known else 0,
                       "alarms": sum(m["kind"] == "error-drift" for m in self.marks)},
            "rates": {k: (c[f"rate.{k}"] if flows and k in c or f"rate.{k}" in c and flows else 0)
                      for k in ("requests", "predictions", "labels", "learned")} | {"outcomes": c["rate.labels"] if known else 0},
            "lag_ms": {p: c[f"lag.{p}"] if flows else None for p in ("p50", "p95", "p99")},
            "backlog": c["backlog"],
            "sampled": {"requests": s.looked, "predictions": s.looked, "labels": s.looked},
            "models": some,
            "services": [] if not flows and s.state == "starting" else [
                {"instance": i, "service": i.rsplit("-", 1)[0], "state": "down" if i == down else "up",
                 "doing": "running", "since_ms": self.wall(self.t - 40) if i == down else self.started_ms + 2000,
                 "rss_bytes": (9 + 7 * len(i)) << 20, "rate": c["rate.requests"]} for i in SERVICES],
            "audit": {"state": s.audit if flows else "never", "time_ms": self.wall(self.t - self.t % 30),
                      "text": {"balanced": "all 14 equations hold",
                               "broken": "E3 does not hold for pick-ups: 100,212 read = 100,209 new + 2 duplicate + 0 dead"}
                      .get(s.audit, "not looked at yet")},
            "drift": {"state": "drifting" if s.drifting else "ok",
                      "features": [{"name": f, "psi": .31 if f == s.drifting else round(.02 + .01 * noise(f), 4),
                                    "ks": .18 if f == s.drifting else round(.03 + .01 * noise(f, 1), 4), "n": 1000,
                                    "drifting": f == s.drifting} for f, _ in FEATURES],
                      "skew": {"compared": labelled, "differing": 0}},
            "marks": marks,
            "started": [{k: t[k] for k in ("key", "from", "to", "time_ms", "event_ms")} |
                        {"predicted": t["values"][self.best]} for t in sample] if s.map else [],
            "started_of": int(s.load) if flows else 0,
            "ended": [{"key": t["key"], "at": t["to"], "label": t["label"],
                       "error": round(t["values"][self.best] - t["label"], self.digits())} for t in ended[:16]] if s.map else [],
            "ended_of": int(s.load * .93) if known else 0,
            "latest": [self.latest_row(t) for t in reversed(ended[-10:])],
        }

    # ---- Answers ----

    def task(self):
        s = self.set
        kind = {"metric": "log_loss", "positive": s.positive, "threshold": s.threshold} if self.classifies else \
            {"metric": "mae"} if s.kind == "regression" else {}
        return {"name": "taxi", "kind": s.kind, **kind, "key": "trip_id", "label": "duration", "unit": "" if self.classifies else s.unit,
                "label_range": None if self.classifies else [30, 10800], "features": [{"name": n, "kind": k} for n, k in FEATURES],
                "topics": {"requests": "pick-ups", "outcomes": "drop-offs", "predictions": "predictions"},
                "bus": "redis", "views": "sqlite", "refresh_seconds": 30, "score_window": 1000, "noun": s.noun,
                "map": {"moves": True} if s.map else None}

    def checks(self):
        up = self.set.state != "starting"
        return [{"name": "Redis", "ok": True, "detail": "127.0.0.1:6379"},
                {"name": "views", "ok": True, "detail": "SQLite, incarnation 0d9b3c1e"},
                {"name": "inference", "ok": up, "detail": "up" if up else "no heartbeat yet"},
                {"name": "learner", "ok": up, "detail": "up" if up else "no heartbeat yet"},
                {"name": "first request", "ok": up,
                 "detail": "came" if up else "nothing on pick-ups yet; is the simulator running?"}]

    def snapshot(self):
        moving = [t for t in self.trips.values() if t["ended_ms"] is None][-200:]
        return {"task": self.task(), "version": "0.3.0", "incarnation": "0d9b3c1e-5a40-4f3a-9d0f-5c8e7a1b2c3d",
                "started_ms": self.started_ms,
                "checks": self.checks(),
                "baseline": "baseline",
                "map": {"box": BOX, "width": GRID, "height": GRID, "cells": sorted(self.cells.items()),
                        "moving": [{k: t[k] for k in ("key", "from", "to", "time_ms", "event_ms")} |
                                   {"predicted": t["values"][self.best]} for t in moving],
                        "moving_of": int(self.set.load * 12)} if self.set.map else None,
                "latest": list(self.latest) if self.set.state in ("running", "few") else [],
                "marks": self.marks,
                "tick": self.ticks[-1] | {"models": [self.model(n, c, self.curves(self.t)) for n, c, *_ in self.models]}}

    def history(self, query):
        span, step = RANGES[query.get("range", "5m")]
        begin = max(1, self.t - span)
        times = [t for t in range(begin, self.t + 1, step)]
        gaps = []
        if self.gap:
            times = [t for t in times if not self.gap[0] < t < self.gap[1]]
            gaps = [[self.wall(self.gap[0]), self.wall(self.gap[1])]]
        if self.set.state in ("starting",):
            times = []
        rows = [self.curves(t) for t in times]
        names = rows[0] if rows else []
        known = self.set.state in ("running", "few")
        series = {n: [r[n] if known or n[:3] in ("lag", "rat", "in_", "bac") else None for r in rows] for n in names}
        return {"step_s": step, "time_ms": [self.wall(t) for t in times], "event_ms": [self.event(t) for t in times],
                "series": series, "gaps": gaps, "marks": self.marks}

    def bars(self, labels, shape, n):
        def bar(name, i):
            rows = max(0, int(n * (1 + .6 * noise(name[:0], i, len(labels))) / len(labels)))
            if len(labels) == 24 and i in (3, 4):
                rows = 12
            mae = next(m for m in self.models if m[0] == name)[2] * shape(i / max(1, len(labels) - 1)) * (1 + .06 * noise(name, i))
            half = 1.96 * mae * .9 / math.sqrt(max(rows, 1))
            more = {"recall": None, "alerts": 0} if self.classifies else {}
            if not rows:
                return {"n": 0, self.metric: None, "low": None, "high": None} | more
            if self.classifies:
                alerts = 0 if name == "baseline" else round(rows * .08 * shape(i / max(1, len(labels) - 1)))
                return {"n": rows, "log_loss": round(mae, 4), "low": round(max(0, mae - half), 4), "high": round(mae + half, 4),
                        "recall": 0 if name == "baseline" else round(.75 - .1 * shape(i / max(1, len(labels) - 1)) + .08 * noise(name, i), 4),
                        "alerts": alerts}
            return {"n": rows, "mae": round(mae, 1), "low": round(max(0, mae - half), 1), "high": round(mae + half, 1)}
        return {"labels": labels, "models": {m[0]: [bar(m[0], i) for i in range(len(labels))] for m in self.models}}

    def breakdown(self):
        n = 5000 if self.set.state == "running" else 61 if self.set.state == "few" else 0
        deciles = [30, 240, 330, 420, 520, 640, 780, 950, 1180, 1580, 10800]
        errors = {}
        if self.classifies:
            return self.probabilities(n) | {"rows": n}
        for name, _, mae, *_ in self.models:
            errors[name] = [int(n * math.exp(-abs(-1240 + i * 80 + 40 - 60 * noise(name)) / mae) / mae * 40) for i in range(31)]
        return {"error_bounds": [-1200 + i * 80 for i in range(30)], "errors": errors,
                **self.slices(n),
                "label": self.bars([f"{a}–{b}" for a, b in zip(deciles, deciles[1:])], lambda x: .45 + 1.9 * x * x, n),
                "cohorts": self.cohorts(n)}

    def slices(self, n):
        return {"hour": self.bars([str(i) for i in range(24)], lambda x: .75 + .5 * math.sin(x * math.pi), n),
                "weekday": self.bars(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], lambda x: 1.1 - .3 * x, n),
                "features": {"is_weekend": self.bars(["0", "1"], lambda x: 1 - .2 * x, n)}}

    def probabilities(self, n):
        """The breakdown of a classification: counts by tenths of the probability, out of the trips themselves."""
        scores, reliability = {}, {}
        rows = [t for t in self.trips.values() if t["ended_ms"] is not None] if n else []
        for name, *_ in self.models:
            bins = [[t for t in rows if min(9, int(t["values"][name] * 10)) == i] for i in range(10)]
            positive = [sum(t["label"] for t in b) for b in bins]
            scores[name] = {"positive": positive, "negative": [len(b) - p for b, p in zip(bins, positive)]}
            reliability[name] = [{"n": len(b), "mean": round(sum(t["values"][name] for t in b) / len(b), 4) if b else None,
                                  "rate": round(p / len(b), 4) if b else None} for b, p in zip(bins, positive)]
        return {"scores": {"bounds": [round(.1 * i, 1) for i in range(1, 10)], "models": scores}, "reliability": reliability,
                **self.slices(n), "cohorts": self.cohorts(n)}

    def cohorts(self, n):
        return [{"from_ms": self.wall(self.t - 60 * (12 - i)), "predicted": int(self.set.load * 60),
                             "labelled": int(self.set.load * 60 * (1 - math.exp(-(12 - i) / 1.6))),
                             "completeness": round(1 - math.exp(-(12 - i) / 1.6), 3),
                             self.metric: {m[0]: round(m[2] * (.72 + .28 * (1 - math.exp(-(12 - i) / 1.6))), self.digits()) for m in self.models}}
                            for i in range(12)] if n else []

    def model_details(self, name):
        found = next((self.model(n, c, self.curves(self.t)) for n, c, *_ in self.models if n == name), None)
        if not found:
            return None
        versions = []
        digits, part = self.digits(), .001 if self.classifies else 1
        for i in range(24):
            position = max(0, found["position"] - 1000 * i)
            versions.append({"version": f"{found['generation']}-{position}", "generation": found["generation"],
                             "time_ms": found["published_ms"] - 30000 * i, "learned": position, "position": position,
                             "parent": f"{found['generation']}-{max(0, position - 1000)}", "bytes": max(600, found["bytes"] - 9000 * i),
                             self.metric: round(found[self.metric] + i * part, digits),
                             f"{self.metric}_window": round(found["window"][self.metric] + 2 * i * part, digits),
                             f"{self.metric}_served": round(found[f"{self.metric}_served"] + i * part, digits), "serving": i == 0})
        return {"name": name, "class": found["class"], "is_baseline": found["is_baseline"],
                "pipeline": ["standard_scaler", {found["class"]: {"max_depth": 20}}],
                "parameters": '{"grace_period":200,"max_depth":20,"delta":1e-7}',
                "state": {"n_nodes": 117, "n_leaves": 59, "height": 12}, "versions": versions}

    def request(self, key):
        t = self.trips.get(key)
        if not t:
            return None
        over = t["ended_ms"] is not None
        return {"key": key, "request": {"vendor_id": 2, "pickup_datetime": "2016-01-04T07:58:35.953Z",
                                        "pickup_longitude": t["from"][0], "pickup_latitude": t["from"][1]},
                "outcome": {"drop_off_datetime": "2016-01-04T08:12:01.120Z"} if over else None,
                "features": t["features"], "label": t["label"] if over else None,
                "predictions": {m: {"value": v, "version": f"{generation(m)}-4000",
                                    "error": round(v - t["label"], 5 if self.classifies else 2) if over else None}
                                | ({"interval": self.interval(v)} if self.set.intervals and m == self.best else {}) for m, v in t["values"].items()},
                "timeline": {"requested_ms": t["time_ms"], "predicted_ms": t["time_ms"] + 1,
                             "ended_ms": t["ended_ms"], "learned_ms": t["ended_ms"] and t["ended_ms"] + 14}}

    def explain(self, key, model):
        t = self.trips.get(key)
        if not t or model not in t["values"]:
            return None
        served, version = t["values"][model], f"{generation(model)}-4000"
        cls = next(m[1] for m in self.models if m[0] == model)
        out = {"available": True, "model": model, "class": cls, "version": version, "prediction": served,
               "served": max(0, served), "base": 838.2, "base_name": "intercept", "contributions": [], "path": None,
               "neighbours": None}
        if cls in ("mean", "prior"):
            return {"available": False, "reason": f"not available for {cls}"}
        if self.classifies:
            parts = [noise(key, f) for f, _ in FEATURES]
            parts[2] += math.log(served / (1 - served)) + 2.4 - sum(parts)
            out |= {"base": -2.4, "scale": "log_odds",
                    "contributions": [{"name": f, "value": t["features"][f], "scaled": noise(f), "weight": 1.0, "contribution": p}
                                      for (f, _), p in zip(FEATURES, parts)]}
            return out
        if cls == "knn_regressor":
            rest = [served * (1 + .2 * noise(key, i)) for i in range(4)]
            labels = rest + [served * 5 - sum(rest)]
            out |= {"base": 0, "base_name": "nothing"}
            out["neighbours"] = [{"distance": .02 * (i + 1), "label": y, "weight": .2, "features": t["features"]}
                                 for i, y in enumerate(labels)]
            out["contributions"] = [{"name": f"neighbour {i + 1}", "value": y, "scaled": None, "weight": .2, "contribution": y / 5}
                                    for i, y in enumerate(labels)]
            return out
        parts = [noise(key, f) * 40 for f, _ in FEATURES]
        parts[2] += served - 838.2 - sum(parts)
        out["contributions"] = [{"name": f, "value": t["features"][f], "scaled": noise(f), "weight": 10.0, "contribution": p}
                                for (f, _), p in zip(FEATURES, parts)]
        if cls.startswith("hoeffding"):
            out["base_name"] = "mean of all"
            out["path"] = [{"feature": "l1_distance", "threshold": .041, "went": "right", "mean": 902.0},
                           {"feature": "hour_cos", "threshold": -.2, "went": "left", "mean": served}]
        return out

    def audit(self):
        ok = self.set.audit != "broken"
        return {"state": self.set.audit, "time_ms": self.wall(self.t), "text": self.ticks[-1]["audit"]["text"],
                "in_flight": "12 requests on their way",
                "equations": [{"id": f"E{i}", "subject": subject, "words": "read = new + duplicate + dead",
                               "figures": "100,212 = 100,209 + 2 + 1" if ok or i != 3 else "100,212 ≠ 100,209 + 2 + 0",
                               "holds": ok or i != 3, "hidden": False}
                              for i, subject in ((1, "pick-ups"), (2, "drop-offs"), (3, "pick-ups"), (4, "predictions"))]}

    def dead(self):
        if self.set.state not in ("running", "few"):
            return {"total": 0, "reasons": []}
        return {"total": 3, "reasons": [
            {"reason": "the value is no JSON object", "service": "views", "topic": "pick-ups", "count": 2,
             "last_ms": self.wall(self.t - 100), "example": {"key": "t000000017", "position": "1700000000-0", "value": "{\"vendor_id\": <script>alert(1)</script>"}},
            {"reason": "drop_off_datetime is no time", "service": "views", "topic": "drop-offs", "count": 1,
             "last_ms": self.wall(self.t - 300), "example": {"key": "t000000044", "position": "1700000300-0", "value": "{\"drop_off_datetime\":\"soon\"}"}}]}

    def drift(self):
        side = {"n": 10000, "missing": 0, "mean": .04, "deciles": [.01 * i for i in range(11)]}
        return {"reference": {"rows": 10000, "of": 10000, "since_ms": self.started_ms}, "window": {"rows": 1000, "seconds": 600},
                "features": [f | {"reference": side, "window": side | {"n": 1000}} for f in self.ticks[-1]["drift"]["features"]],
                "skew": {"compared": int(self.totals["labelled"]), "differing": 0, "examples": []},
                "errors": [{"model": m[0], "detector": "adwin",
                            "alarms": sum(k["model"] == m[0] and k["kind"] == "error-drift" for k in self.marks),
                            "last_ms": None} for m in self.models]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world = None
    server_settings = None

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json; charset=utf-8", extra=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        packed = "gzip" in self.headers.get("Accept-Encoding", "") and len(data) > 500
        if packed:
            data = gzip.compress(data, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        for name, value in extra:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        path = urllib.parse.unquote(url.path)
        try:
            self.route(path, query)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def route(self, path, query):
        w = self.world
        if path == "/":
            return self.file(PAGE / "index.html")
        if path == "/assets/chart.js":
            return self.file(CHART)
        if path.startswith("/assets/"):
            return self.file(PAGE / pathlib.PurePosixPath(path).name)
        if path == "/fake/streams":
            return self.answer(200, {"streams": self.server.streams})
        if w.set.fail and path.startswith("/api/"):
            return self.answer(503, {"error": w.set.fail})
        if path == "/api/stream":
            return self.stream()
        plain = {"/api/snapshot": w.snapshot, "/api/breakdown": w.breakdown, "/api/audit": w.audit,
                 "/api/dead-letters": w.dead, "/api/drift": w.drift}
        if path in plain:
            return self.answer(200, plain[path]())
        if path == "/api/history":
            return self.answer(200, w.history(query))
        if path == "/api/export":
            return self.export(query)
        found, what = None, path
        if path.startswith("/api/models/"):
            found, what = w.model_details(path[12:]), f"model {path[12:]!r}"
        elif path.startswith("/api/requests/"):
            found, what = w.request(path[14:]), f"request {path[14:]!r} among the newest 5,000"
        elif path == "/api/explain":
            found, what = w.explain(query.get("key"), query.get("model")), "such prediction"
        if found is None:
            return self.answer(404, {"error": f"there is no {what}"})
        return self.answer(200, found)

    def file(self, path):
        if not path.is_file() or (path.suffix not in TYPES):
            return self.answer(404, {"error": f"there is no {path.name}"})
        return self.answer(200, path.read_bytes(), TYPES[path.suffix])

    def export(self, query):
        w = self.world
        rows = {"history": lambda: w.history(query), "latest": lambda: list(w.latest),
                "models": lambda: w.ticks[-1]["models"]}[query.get("what", "models")]()
        if query.get("format") == "json":
            return self.answer(200, rows, extra=[("Content-Disposition", "attachment; filename=export.json")])
        rows = rows if isinstance(rows, list) else [{"time_ms": t} for t in rows["time_ms"]]
        names = [k for k in rows[0] if not isinstance(rows[0][k], dict)] if rows else []
        text = "\n".join([",".join(names)] + [",".join(str(r[n]) for n in names) for r in rows])
        return self.answer(200, text.encode(), "text/csv", [("Content-Disposition", "attachment; filename=export.csv")])

    def stream(self):
        w = self.world
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self.server.streams += 1
        try:
            self.send_events(w, self.headers.get("Last-Event-ID"))
        finally:
            self.server.streams -= 1

    def send_events(self, w, last):
        sent = w.id
        kept = [t["id"] for t in list(w.ticks)]
        if last and last.isdigit() and int(last) in kept:
            sent = int(last)
            self.wfile.write(b"retry: 300\n\n")
        else:
            self.send("snapshot", sent, w.snapshot(), b"retry: 300\n")
        again = time.monotonic() + 1
        while not self.server.closing:
            with w.lock:
                w.lock.wait(.2)
            if w.set.fail:
                return
            new = [t for t in list(w.ticks) if t["id"] > sent]
            if w.set.freeze and time.monotonic() > again:
                new = [w.ticks[-1]]
                again = time.monotonic() + 1
            for tick in new:
                self.send("tick", tick["id"], tick)
                sent = tick["id"]
            if not new:
                self.wfile.write(b":\n\n")
                self.wfile.flush()

    def send(self, event, number, data, before=b""):
        text = json.dumps(data, separators=(",", ":"))
        self.wfile.write(before + f"id: {number}\nevent: {event}\ndata: {text}\n\n".encode())
        self.wfile.flush()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/fake/set":
            for name, value in json.loads(body).items():
                setattr(self.world.set, name, value)
            return self.answer(200, {})
        if self.path == "/api/drift/reset":
            if self.headers.get("X-Oxbow") != "1":
                return self.answer(400, {"error": "send the header X-Oxbow: 1"})
            self.world.resets += 1
            return self.answer(200, {"reset": True})
        return self.answer(405, {"error": "only GET here"})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, world, port=0):
        super().__init__(("127.0.0.1", port), type("H", (Handler,), {"world": world}))
        self.world = world
        self.streams = 0
        self.closing = False
        self.port = self.server_address[1]
        self.threads = [threading.Thread(target=self.serve_forever, args=(.05,), daemon=True)]
        self.threads.append(threading.Thread(target=self.run_clock, daemon=True))
        for thread in self.threads:
            thread.start()

    def run_clock(self):
        due = time.monotonic()
        while not self.closing:
            pace = 1 / max(.01, self.world.set.accelerate)
            due = max(due + pace, time.monotonic() - 1)
            time.sleep(max(0, due - time.monotonic()))
            if not self.world.set.freeze:
                self.world.step()

    def handle_error(self, request, client_address):
        pass

    def stop(self):
        self.closing = True
        self.shutdown()
        self.server_close()
        for thread in self.threads:
            thread.join(5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--warm", type=int, default=900, help="seconds that have passed before the first client")
    parser.add_argument("--gap", type=int, nargs=2, help="seconds at which nobody looked")
    for field in dataclasses.fields(Settings):
        if field.type is bool or field.type == "bool":
            continue
        parser.add_argument(f"--{field.name}", default=field.default, type=type(field.default))
    parser.add_argument("--no-map", action="store_true")
    options = vars(parser.parse_args())
    port, warm, gap, no_map = (options.pop(k) for k in ("port", "warm", "gap", "no_map"))
    server = Server(World(Settings(**options, map=not no_map), warm, gap), port)
    print(f"http://localhost:{server.port}", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
