"""The SQL for Materialize: the same rows as SQLite's, and nothing that Materialize refuses.

    materialize_sql.py [--views-dump PROGRAM] [--seed N] [--rounds N]

Every SELECT body runs on a real PostgreSQL over tables in place of sources; SQLite's views run in
oxbow's own engine. Both get the same generated events: late, early, repeated, orphaned, malformed.
Exit status 77: PostgreSQL is not installed.
"""

import argparse
import json
import math
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import mz_postgres
import postgres

VALUES = {"brokers": "'nowhere:9092'", "topic_requests": "pick-ups", "topic_outcomes": "drop-offs",
          "topic_predictions": "predictions", "window_seconds": 86400}
SQL = ROOT / "sql" / "taxi"
SOURCES = ("pick_ups_src", "drop_offs_src", "predictions_src")
NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


# ---- Events ----

def wire_time(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03d}Z"


class Generator:
    """(source, bus time, key, value) of a city that is not well-behaved."""

    # No number is so large that the order of a sum would show.
    HOSTILE_FIELDS = [None, "", "x", True, False, [], {}, [1], {"a": 1}, "2016-01-01", 1e6, -1e6,
                      0, -0.0, 1e-30, 1e-7, 123456, "NaN", "\u00e9\u4e2d",
                      "2016-13-01T00:00:00.000Z", "2016-01-01T00:00:00Z",
                      "2016-02-30T00:00:00.000Z",
                      "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"]
    HOSTILE_VALUES = [b"", b"{", b"null", b"5", b'"text"', b"[]", b"[1,2]", b"true", b'{"a":NaN}',
                      b"\xff\xfe", b'{"pickup_datetime":1e30}', b'{"a":"\\ud800"}', b"{}",
                      b'{"features":{},"predictions":[]}', b'{"features":1,"predictions":{}}', None]

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.now_ms = NOW_MS

    def field(self, good):
        return self.rng.choice(self.HOSTILE_FIELDS) if self.rng.random() < 0.06 else good

    def pick_up(self, start_ms):
        r = self.rng
        trip = {"vendor_id": r.choice([1, 2]),
                "pickup_datetime": self.field(wire_time(start_ms)),
                "passenger_count": self.field(r.randint(0, 6)),
                "pickup_longitude": self.field(round(r.gauss(-73.97, 0.04), r.randint(3, 15))),
                "pickup_latitude": self.field(round(r.gauss(40.75, 0.03), r.randint(3, 15))),
                "dropoff_longitude": self.field(round(r.gauss(-73.97, 0.04), r.randint(3, 15))),
                "dropoff_latitude": self.field(round(r.gauss(40.75, 0.03), r.randint(3, 15)))}
        for name in list(trip):
            if r.random() < 0.02:
                del trip[name]
        return trip

    def prediction(self):
        r = self.rng
        answers = {}
        for model in ("linear-regression", "decision-tree", "baseline")[:r.randint(0, 3)]:
            answers[model] = self.field({"value": self.field(r.choice([r.gauss(600, 200), 0, 7])),
                                         "version": self.field(f"g-{r.randint(0, 9)}")})
        message = {"trip_id": "whatever", "features": {"l1_distance": r.random(), "a": None},
                   "predictions": answers, "requested_at": self.field(wire_time(self.now_ms)),
                   "predicted_at": self.field(wire_time(self.now_ms + 3))}
        if r.random() < 0.03:
            del message[r.choice(["features", "predictions", "requested_at", "predicted_at"])]
        return message

    def events(self, n):
        """All of them within the window: what is older is only forgotten on one side at a time."""
        r = self.rng
        out = []
        for i in range(n):
            key = f"t{i}" if r.random() < 0.97 else f"tr\u00efp '{i}\" \\"
            start_ms = r.choice([1_451_600_000_000, 1_460_000_000_123, 3_700_000]) + \
                r.randint(0, 40 * HOUR_MS)
            seconds = r.choice([1, 29.999, 30, 600, 600.5, 10800, 10801, -5, 0,
                                r.uniform(30, 4000)])
            parts = [("pick_ups_src", self.pick_up(start_ms)),
                     ("predictions_src", self.prediction()),
                     ("drop_offs_src",
                      {"drop_off_datetime":
                       self.field(wire_time(int(start_ms + seconds * 1000)))})]
            fate = r.random()
            if fate < 0.1:
                parts = parts[:1]       # nobody has predicted it, and it has not arrived
            elif fate < 0.2:
                parts = parts[:2]       # it has not arrived
            elif fate < 0.28:
                parts = [parts[0], parts[2]]  # nobody has predicted it
            elif fate < 0.33:
                parts = parts[1:2]      # a prediction of nothing
            elif fate < 0.38:
                parts = parts[2:]       # an arrival of nothing
            elif fate < 0.48:
                parts = [parts[2], parts[0], parts[1]]  # it arrives before it departs
            elif fate < 0.58:
                parts = [parts[0], parts[2], parts[1]]  # the prediction is late
            at = self.now_ms + r.randint(0, HOUR_MS)
            for source, value in parts:
                at += r.randint(1, 1000)
                out.append((at, source, key, json.dumps(value, ensure_ascii=False).encode()))
        out.sort(key=lambda e: (e[0], r.random()))
        # Repetitions carry the same bytes and the same time: on SQLite the first message of a key
        # counts, on Materialize the newest (test_newest_counts).
        for event in r.sample(out, len(out) // 10):
            out.append(event)
        for value in self.HOSTILE_VALUES:
            for source in SOURCES:
                out.append((self.now_ms, source, f"bad-{source}-{r.random()}", value))
        for source in SOURCES:
            out.append((self.now_ms, source, None, b"{}"))
        return out


# ---- Both sides ----

class Sqlite:
    def __init__(self, program, folder):
        self.process = subprocess.Popen([program, str(folder / "sqlite")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def tell(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("views_dump has ended")
        return line.decode().rstrip("\n")

    def put(self, event):
        at, source, key, value = event
        text = "-" if key is None else key.encode().hex()
        data = "-" if value is None else value.hex()
        self.tell(f"event {SOURCES.index(source)} {at} {text} {data}")

    def query(self, sql):
        self.tell("names " + sql)
        self.tell("query " + sql)
        lines = []
        while (line := self.answer()) != ".":
            lines.append(json.loads(line))
        return (lines[0], lines[1:]) if lines else ([], [])

    def ledger(self):
        self.tell("ledger")
        return json.loads(self.answer())


class Materialized:
    def __init__(self, server, name, folder=SQL):
        self.pg = server.connect()
        self.pg.query(f"CREATE SCHEMA {name}")
        self.pg.query(f"SET search_path = {name}, mz_shim")
        self.pg.query("SET extra_float_digits = 3")
        translator = mz_postgres.Translator()
        for file, statement in mz_postgres.read_files(folder / "materialize", VALUES):
            translated, _ = translator.translate(statement, name)
            assert translated is not None, f"{file}: what is this: {statement[:80]}"
            for sql in translated:
                self.pg.query(sql)

    def put(self, event):
        at, source, key, value = event
        sql = mz_postgres.upsert(source, None if key is None else key.encode(), value, at)
        if sql:
            self.pg.query(sql)

    def query(self, sql):
        columns, rows = self.pg.query(sql)
        return [name for name, _ in columns], [list(row) for row in rows]

    def close(self):
        self.pg.close()


def normal(text):
    """A value as something that compares: numbers as numbers, JSON without its spelling."""
    if text is None:
        return None
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text):
        return float(text)
    if text[:1] in "{[":
        try:
            return json.loads(text, parse_int=float)
        except ValueError:
            return text
    return text


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-15)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b and type(a) is type(b)


# What both engines have: view, key columns, and the columns that only SQLite has (its arrival
# number).
VIEWS = [
    ("pick_ups", ("trip_id",), {"n"}),
    ("drop_offs", ("trip_id",), set()),
    ("predictions", ("trip_id", "model"), set()),
    ("completed_trips", ("trip_id",), {"n"}),
    ("hourly_speed", ("hour",), set()),
    ("features", ("trip_id",), set()),
    ("learning_queue", ("trip_id",), {"perf_predicted_ms", "perf_completed_ms", "perf_hour",
                                      "perf_is_weekend"}),
    ("scored", ("trip_id", "model"), set()),
    ("model_perf", ("model",), set()),
    ("model_perf_window", ("span", "model"), set()),
    ("model_perf_by_hour", ("hour", "model"), set()),
    ("model_perf_by_feature", ("feature", "value", "model"), set()),
    ("cohorts", ("predicted_from_ms", "model"), set()),
    ("newest_labels", ("trip_id",), set()),
    ("newest_trips", ("trip_id",), set()),
    ("lag_by_stage", ("stage",), set()),
    ("ops_perf", (), set()),
]
LEDGER = ("requests_new", "requests_refused", "requests_predicted", "requests_pending",
          "requests_expired", "predictions_first", "outcomes_new", "outcomes_refused",
          "outcomes_waiting", "outcomes_expired")


def by_key(answer, view, keys):
    names, rows = answer
    out = {}
    for row in rows:
        record = dict(zip(names, map(normal, row)))
        key = tuple(record[k] for k in keys)
        assert key not in out, f"{view}: {key} is there twice"
        out[key] = record
    return out


def compare(view, keys, only_sqlite, sqlite, materialized):
    a = by_key(sqlite.query(f"SELECT * FROM {view}"), view, keys)
    b = by_key(materialized.query(f"SELECT * FROM {view}"), view, keys)
    assert a.keys() == b.keys(), (f"{view}: only in SQLite {sorted(a.keys() - b.keys())[:5]}, only "
                                  f"in Materialize {sorted(b.keys() - a.keys())[:5]}")
    for key, row in a.items():
        other = b[key]
        for name in row.keys() - only_sqlite:
            assert name in other, f"{view} on Materialize has no column {name}"
            assert same(row[name], other[name]), (f"{view} {key} {name}: SQLite {row[name]!r}, "
                                                  f"Materialize {other[name]!r}")
    return len(a)


# ---- Tests ----

def test_same_rows(program, server, seed, folder=SQL):
    """On the same events every view has the same rows on both engines."""
    generator = Generator(seed)
    materialized = Materialized(server, f"round_{seed}", folder)
    with Sqlite(program, folder) as sqlite:
        events = generator.events(300)
        for event in events:
            # No prediction comes before its request: on SQLite it would be an orphan, on
            # Materialize it joins later.
            sqlite.put(event)
            materialized.put(event)
        newest = max(e[0] for e in events if e[1] == "drop_offs_src")
        moment = wire_time(newest).replace("T", " ").rstrip("Z")
        materialized.pg.query(f"SET test.now = '{moment}'")
        counts = [f"{view} {compare(view, keys, only, sqlite, materialized)}"
                  for view, keys, only in VIEWS]
        ledger = sqlite.ledger()
        names, rows = materialized.query("SELECT * FROM ledger")
        counted = dict(zip(names, map(int, rows[0])))
        for name in LEDGER:
            want = ledger[name]
            assert counted[name] == want, f"ledger: {name}: SQLite {want}, Materialize {counted}"
        # SQLite counts an orphan each time it comes, Materialize once.
        orphans = {e[2] for e in events if e[1] == "predictions_src"}
        assert 0 < counted["predictions_orphan"] <= min(ledger["predictions_orphan"], len(orphans))
        names, rows = materialized.query("SELECT * FROM prediction_queue")
        assert len(rows) == ledger["requests_pending"]
    materialized.close()
    print(f"  seed {seed}: {len(events)} events; " + ", ".join(counts))


def test_same_limits(program, server, seed):
    """The same with fewer rows in what keeps the newest: both keep the same ones."""
    with tempfile.TemporaryDirectory(prefix="oxbow-sql-") as name:
        folder = pathlib.Path(name)
        for path in SQL.glob("*/*.sql"):
            text = path.read_text()
            for limit, less in (("LIMIT 10000", "LIMIT 70"), ("LIMIT 1000", "LIMIT 30"),
                                ("INTERVAL '5 minutes'", "INTERVAL '20 minutes'"),
                                ("- 300000", "- 1200000")):
                text = text.replace(limit, less)
            (folder / path.parent.name).mkdir(exist_ok=True)
            (folder / path.parent.name / path.name).write_text(text)
        test_same_rows(program, server, seed, folder)


def test_newest_counts(server):
    """Of several messages with a key the newest counts, a malformed one included."""
    materialized = Materialized(server, "newest")
    good = {"pickup_datetime": "2016-01-02T06:00:00.000Z", "passenger_count": 1}
    for count in (1, 2, 3):
        good["passenger_count"] = count
        materialized.put((NOW_MS + count, "pick_ups_src", "t", json.dumps(good).encode()))
    assert materialized.query("SELECT passenger_count FROM pick_ups")[1] == [["3"]]
    materialized.put((NOW_MS, "pick_ups_src", "t", b"{"))
    assert materialized.query("SELECT * FROM pick_ups")[1] == []
    assert materialized.query("SELECT n FROM bad_messages WHERE input = 'requests'")[1] == [["1"]]
    materialized.put((NOW_MS, "pick_ups_src", "t", None))
    assert materialized.query("SELECT n FROM bad_messages WHERE input = 'requests'")[1] == [["0"]]
    materialized.close()


def test_numbers(server):
    """Numbers beyond 1e15 are NULL, and a value whose numbers jsonb cannot hold is malformed."""
    materialized = Materialized(server, "numbers")

    def count(text):
        value = f'{{"pickup_datetime":"2016-01-02T06:00:00.000Z","passenger_count":{text}}}'
        materialized.put((NOW_MS, "pick_ups_src", "t", value.encode()))
        return materialized.query("SELECT passenger_count FROM pick_ups")[1]
    assert count("1e15") == [["1e+15"]]
    assert count("-1000000000000001") == [[None]]
    assert count("1e38") == [[None]]
    assert count("1e39") == []
    materialized.close()


def test_windows(server):
    """What is older than the window leaves the queues, and the ledger says so."""
    materialized = Materialized(server, "windows")
    pg = materialized.pg
    good = b'{"pickup_datetime":"2016-01-02T06:00:00.000Z"}'
    late = b'{"drop_off_datetime":"2016-01-02T06:10:00.000Z"}'
    answer = b'{"features":{},"predictions":{"m":{"value":1,"version":"g-0"}}}'
    for key in ("pending", "done"):
        materialized.put((NOW_MS, "pick_ups_src", key, good))
    materialized.put((NOW_MS, "predictions_src", "done", answer))
    materialized.put((NOW_MS, "drop_offs_src", "done", late))
    materialized.put((NOW_MS, "drop_offs_src", "early", late))

    def state(ms):
        moment = wire_time(ms).replace("T", " ").rstrip("Z")
        pg.query(f"SET test.now = '{moment}'")
        names, rows = materialized.query("SELECT requests_pending, requests_expired, "
                                         "outcomes_waiting, outcomes_expired FROM ledger")
        return ([row[0] for row in materialized.query("SELECT trip_id FROM prediction_queue")[1]],
                [row[0] for row in materialized.query("SELECT trip_id FROM learning_queue")[1]],
                [int(v) for v in rows[0]])
    window = VALUES["window_seconds"] * 1000
    assert state(NOW_MS + window) == (["pending"], ["done"], [1, 0, 1, 0])
    assert state(NOW_MS + window + 1) == ([], [], [0, 1, 0, 1])
    # What becomes complete when its window has passed is never given out: it has expired.
    materialized.put((NOW_MS + window + 5, "pick_ups_src", "early", good))
    materialized.put((NOW_MS + window + 6, "predictions_src", "early", answer))
    assert state(NOW_MS + window + 7)[1:] == ([], [0, 1, 0, 1])
    materialized.close()


# PostgreSQL accepts these; Materialize refuses them or does something else.
DENIED = {
    r"\bnow\s*\(": "now() cannot be materialized: use mz_now() in WHERE",
    r"\bcurrent_timestamp\b": "as now()",
    r"\bclock_timestamp\b": "there is none",
    r"\bpercentile_(cont|disc)\b": "there is none: keep a histogram",
    r"\bwithin\s+group\b": "there is none",
    r"\bmode\s*\(": "there is none",
    r"\bwidth_bucket\b": "there is none: use floor and least",
    r"\bpi\s*\(": "there is none: write the number",
    r"\bstddev|\bvariance\b": "imprecise",
    r"\bnot\s+in\s*\(\s*select": "plans a cross join: use NOT EXISTS",
    r"\bjsonb_path|@\?|@@": "no JSON path",
    r"\brow_number\s*\(|\brank\s*\(|\bover\s*\(": "computes a whole partition again",
    r"\bwith\s+recursive\b": "it is WITH MUTUALLY RECURSIVE",
    r"\bcreate\s+or\s+replace\b": "fails when another view depends on it",
    r"\bif\s+not\s+exists\b": "keeps a stale body in silence: oxbow-views compares hashes",
    r"\boptions\s*\(": "hints that PostgreSQL cannot run",
    r"\btail\b|\bcreate\s+materialized\s+source\b": "gone since v0.27",
    r"\benvelope\s+debezium\b|within\s+timestamp\s+order": "behind a flag",
    r"\bas\s+of\b": "is the reader's to say",
    r"\blist_agg|\bmap_agg|\buint8\b|::mz_timestamp": "PostgreSQL has none",
    r"\bstring_agg\s*\((?!.*order\s+by)": "its order is not defined",
    r"\bjson_\w+\s*\(|::json\b": "there is jsonb only",
    r"\bto_timestamp\s*\([^)]*,": "with a format: there is none",
    r"\bgenerate_series\b|\bpg_\w+": "not here",
    r"\bcreate\s+(function|trigger|type|table)\b": "not in a task's SQL",
    r"\bextract\s*\(\s*(S|HRS|MS)\b": "abbreviations differ",
    r"\d[eE][-+]?\d": "what type such a literal has differs: write the digits",
    r"\bilike\s+any\b|\bsimilar\s+to\b": "not supported",
    r"\bfilter\s*\(\s*where[^)]*mz_now": "mz_now() is not allowed in FILTER",
}


# Each must be found, or the list is of no use.
REFUSED = [
    "CREATE VIEW v AS SELECT now()", "CREATE VIEW IF NOT EXISTS v AS SELECT 1",
    "CREATE OR REPLACE VIEW v AS SELECT 1", "CREATE INDEX i ON learning_queue (k)",
    "CREATE VIEW v AS SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM t",
    "CREATE VIEW v AS SELECT row_number() OVER (PARTITION BY a) FROM t",
    "CREATE VIEW v AS SELECT a FROM t WHERE a NOT IN (SELECT b FROM u)",
    "CREATE VIEW v AS SELECT a FROM t WHERE mz_now() <= a OR b",
    "CREATE VIEW v AS SELECT count(*) FILTER (WHERE mz_now() <= a) FROM t",
    "CREATE VIEW v AS SELECT (data ->> 'a')::float8 FROM t", "CREATE VIEW v AS SELECT 1e6",
    "CREATE VIEW v AS SELECT string_agg(a, ',') FROM t", "SUBSCRIBE TO v AS OF 1",
]


def problems(text):
    """What in the text of a file Materialize would refuse, or do in another way."""
    text = re.sub(r"--[^\n]*", "", text)
    text = re.sub(r"'[^']*'", "''", text)
    for pattern, why in DENIED.items():
        m = re.search(pattern, text, re.I | re.S)
        if m:
            yield f"{m.group(0)!r}: {why}"
    for where in re.findall(r"\bwhere\b.*?(?=;|\bunion\b|$)", text, re.I | re.S):
        if "mz_now" in where and re.search(r"\bor\b", where, re.I):
            yield "mz_now() beside OR cannot be materialized"
    for name in re.findall(r"create\s+index\s+\w+\s+on\s+(\w+)", text, re.I):
        if name in ("learning_queue", "prediction_queue"):
            yield f"an index on {name} has one second of history only"
    # A cast of a message's field stands behind CASE: a filter's order is not promised.
    for statement in text.split(";"):
        for m in re.finditer(r"->>\s*''\)?\s*\)?::(float8|numeric)", statement):
            before = statement[:m.start()]
            if before.count("CASE") <= before.count("END"):
                yield f"a cast outside CASE: {statement[max(0, m.start() - 60):m.end()]!r}"


def test_deny_list():
    """Nothing in the files is what only PostgreSQL takes."""
    for bad in REFUSED:
        assert list(problems(bad)), f"this was not found: {bad}"
    for path in sorted((ROOT / "sql").glob("*/materialize/*.sql")):
        for problem in problems(path.read_text()):
            raise AssertionError(f"{path.name}: {problem}")


def test_bodies_are_the_same_names():
    """Every view of SQLite's is there for Materialize too."""
    def views(engine):
        text = "".join(p.read_text() for p in (ROOT / "sql" / "taxi" / engine).glob("*.sql"))
        return set(re.findall(r"create\s+(?:materialized\s+)?view\s+(\w+)", text, re.I))
    missing = views("sqlite") - views("materialize")
    assert not missing, f"views that only SQLite has: {missing}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--views-dump", default=ROOT / "build" / "release" / "bin" / "views_dump")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    tests = [(test_deny_list, ()), (test_bodies_are_the_same_names, ())]
    for test, arguments in tests:
        print(f"{test.__name__}: {test.__doc__}", flush=True)
        test(*arguments)
    if not postgres.find():
        print("SKIPPED: PostgreSQL's server is not installed (apt-get install postgresql): the SQL "
              "was not run")
        return 77
    with postgres.Postgres() as server:
        pg = server.connect()
        mz_postgres.set_up(pg)
        pg.close()
        print(f"{test_same_rows.__name__}: {test_same_rows.__doc__}", flush=True)
        for i in range(options.rounds):
            test_same_rows(str(options.views_dump), server, options.seed + i)
        print(f"{test_same_limits.__name__}: {test_same_limits.__doc__}", flush=True)
        for i in range(2):
            test_same_limits(str(options.views_dump), server, options.seed + options.rounds + i)
        for test in (test_newest_counts, test_numbers, test_windows):
            print(f"{test.__name__}: {test.__doc__}", flush=True)
            test(server)
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
