#!/usr/bin/env python3
"""A stand-in for Materialize, for tests: it speaks PostgreSQL's protocol and plays SUBSCRIBE.

    mz_standin.py --script FILE [--port P]            recorded answers, for the protocol's corners
    mz_standin.py --postgres HOST:PORT [--kafka BROKERS] [--port P] [--tick SECONDS]
                                                      a real PostgreSQL behind it: its views are
                                                      polled, and the differences are sent
    mz_standin.py --own-postgres ...                  the same with a server of its own

It prints "port N" once it listens, or "skip REASON", and ends with its standard input. It is no
Materialize: what is slow, inconsistent or refused there may well work here (docs/materialize.md).

A script is a JSON list of rules {"match": REGEX, "times": N, "steps": [...]}: the first rule that
matches a statement and is not used up answers it; SET and BEGIN are answered without one. Steps:
{"columns": [[name, oid], ...]}, {"row": [...]}, {"rows": [[...], ...]},
{"error": [sqlstate, text]}, {"complete": TAG}, {"hold": true} (until the client cancels or leaves), {"close": true},
{"say": TEXT} (a line on standard output), {"many": N, "row": [...], "pad": BYTES} (N rows; "#" in
a text is its number, "~" is BYTES of x).

With --kafka, kcat reads the topics of the sources.
"""

import argparse
import json
import os
import random
import re
import secrets
import select
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time

from pg_client import (PgClient, PgError, columns_message, error_message, message, quote,
                       read_exactly, read_message, row_message)
import mz_postgres
import postgres

HISTORY_MS = 3600 * 1000
PROGRESS_COLUMNS = [("mz_timestamp", 1700), ("mz_progressed", 16), ("mz_diff", 20)]


def say(text):
    print(text, flush=True)


# ---- Views that are polled ----

class ViewLog:
    """What a view held at each tick: its rows now, and the changes of the last hour."""

    def __init__(self, backend, schema, view):
        self.schema, self.view = schema, view
        self.pg = backend.connect(schema)
        self.backend = backend
        self.changed = threading.Condition()
        self.dropped = False
        self.error = None
        self.columns, rows = self._read()
        self.since = backend.now()  # earlier than this is not known
        self.rows = self._count(rows)
        self.ticks = [(self.since, [])]  # (timestamp, [(diff, row)])
        threading.Thread(target=self._run, daemon=True).start()

    def _read(self):
        return self.pg.query(f"SELECT * FROM {self.view}")

    @staticmethod
    def _count(rows):
        counts = {}
        for row in rows:
            counts[row] = counts.get(row, 0) + 1
        return counts

    def _run(self):
        while not self.dropped:
            time.sleep(self.backend.tick_s)
            try:
                new = self._count(self._read()[1])
            except (PgError, OSError) as problem:
                self._stop(problem)
                return
            with self.changed:
                changes = [(n - self.rows.get(row, 0), row) for row, n in new.items()
                           if n != self.rows.get(row, 0)]
                changes += [(-n, row) for row, n in self.rows.items() if row not in new]
                random.shuffle(changes)  # within a timestamp there is no order
                self.rows = new
                ts = max(self.backend.now(), self.ticks[-1][0] + 1)
                self.ticks.append((ts, changes))
                while self.ticks[0][0] < ts - HISTORY_MS:
                    self.since = self.ticks.pop(0)[0]
                self.changed.notify_all()

    def _stop(self, problem):
        with self.changed:
            self.error = problem
            self.dropped = True
            self.changed.notify_all()
        self.backend.forget(self)


class Backend:
    """The PostgreSQL server, its schemas, and what feeds them."""

    def __init__(self, host, port, database, kafka, tick_s):
        self.where = (host, port, database)
        self.kafka = kafka
        self.tick_s = tick_s
        self.lock = threading.Lock()
        self.translator = mz_postgres.Translator()
        self.logs = {}
        self.feeders = {}
        pg = self.connect()
        if not pg.query("SELECT 1 FROM pg_namespace WHERE nspname = 'mz_shim'")[1]:
            mz_postgres.set_up(pg)
        # After a restart the tables are still there: go on feeding them.
        pg.query("CREATE TABLE IF NOT EXISTS mz_shim.topics (schema text, name text, topic text)")
        pg.query("CREATE TABLE IF NOT EXISTS mz_shim.offsets (schema text, name text, "
                 "partition int, next bigint, PRIMARY KEY (schema, name, partition))")
        for schema, name, topic in pg.query("SELECT * FROM mz_shim.topics")[1]:
            self.translator.topics[name] = topic
            self.feed(schema, name, topic)
        pg.close()

    def connect(self, schema=None):
        host, port, database = self.where
        pg = PgClient(host, port, "postgres", database)
        # Its tables grow faster than their statistics: a plan for ten rows takes minutes for 5,000.
        pg.query("SET enable_nestloop = off")
        if schema:
            pg.query(f"SET search_path = {schema}, mz_shim")
        return pg

    @staticmethod
    def now():
        return int(time.time() * 1000)

    def log(self, schema, view):
        with self.lock:
            if (schema, view) not in self.logs:
                self.logs[schema, view] = ViewLog(self, schema, view)
            return self.logs[schema, view]

    def forget(self, log):
        with self.lock:
            if self.logs.get((log.schema, log.view)) is log:
                del self.logs[log.schema, log.view]

    def after(self, sql, schema, pg):
        """What follows from a statement that was carried out."""
        m = re.match(r"CREATE\s+SOURCE\s+(\w+)", sql, re.I)
        if m:
            topic = self.translator.topics[m.group(1)]
            pg.query("INSERT INTO mz_shim.topics VALUES "
                     f"({quote(schema)}, {quote(m.group(1))}, {quote(topic)})")
            self.feed(schema, m.group(1), topic)
        if re.match(r"DROP\s", sql, re.I):
            for table in ("topics", "offsets"):
                pg.query(f"DELETE FROM mz_shim.{table} WHERE "
                         "to_regclass(format('%I.%I', schema, name)) IS NULL")
            with self.lock:
                logs = list(self.logs.values())
            for schema, table in list(self.feeders):
                if not self.is_there(pg, schema, table):
                    self.feeders.pop((schema, table)).kill()
            for log in logs:
                if not self.is_there(pg, log.schema, log.view):
                    log._stop(PgError({"C": "42704", "M": f'relation "{log.view}" was dropped'}))

    @staticmethod
    def is_there(pg, schema, name):
        return pg.query("SELECT to_regclass(format('%I.%I', "
                        f"{quote(schema)}, {quote(name)}))")[1][0][0] is not None

    # ---- Kafka ----

    def feed(self, schema, table, topic):
        if self.kafka:
            threading.Thread(target=Feeder(self, schema, table, topic).run, daemon=True).start()


class Feeder:
    """Fills a source's table from its topic; how far it has come is stored with what it did."""

    def __init__(self, backend, schema, table, topic):
        self.backend, self.topic = backend, topic
        self.schema, self.table = schema, table
        self.next = {}

    def run(self):
        pg = self.backend.connect(self.schema)
        # kcat leaves when its broker does: then it is started again. What a killed stand-in had
        # begun may still be under way, and in the way.
        try:
            while self.backend.is_there(pg, self.schema, self.table):
                try:
                    self.read_topic(pg)
                except PgError as problem:
                    say(f"{self.table}: {problem}")
                time.sleep(0.2)
        except (PgError, OSError) as problem:
            say(f"{self.table}: no longer fed: {problem}")
        pg.close()

    def read_topic(self, pg):
        self.next = {int(partition): int(offset) for partition, offset in pg.query(
            f"SELECT partition, next FROM mz_shim.offsets WHERE schema = {quote(self.schema)} "
            f"AND name = {quote(self.table)}")[1]}
        kcat = subprocess.Popen(
            ["kcat", "-C", "-q", "-J", "-u", "-b", self.backend.kafka, "-t", self.topic,
             "-o", "beginning", "-X", "isolation.level=read_committed"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.backend.feeders[self.schema, self.table] = kcat
        pending = b""
        try:
            while chunk := os.read(kcat.stdout.fileno(), 1 << 20):
                *lines, pending = (pending + chunk).split(b"\n")
                self.take(pg, [json.loads(line) for line in lines])
        finally:
            kcat.kill()
            kcat.wait()

    def take(self, pg, records):
        statements = []
        for record in records:
            partition, offset = record["partition"], record["offset"]
            if offset < self.next.get(partition, 0):
                continue
            self.next[partition] = offset + 1
            key, value = record.get("key"), record.get("payload")
            statements.append(mz_postgres.upsert(
                self.table, None if key is None else key.encode(),
                None if value is None else value.encode(), record["ts"]))
        if not statements:
            return
        for partition, offset in self.next.items():
            statements.append(
                f"INSERT INTO mz_shim.offsets VALUES ({quote(self.schema)}, {quote(self.table)}, "
                f"{partition}, {offset}) ON CONFLICT (schema, name, partition) "
                "DO UPDATE SET next = excluded.next")
        pg.query(";".join(s for s in statements if s))  # one transaction


# ---- Sessions ----

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class Cancelled(Exception):
    pass


class Session(socketserver.BaseRequestHandler):
    sessions = {}  # (pid, secret): session
    next_pid = 1
    lock = threading.Lock()
    rules = None
    backend = None

    def setup(self):
        self.stream = self.request.makefile("rb")
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.cancelled = threading.Event()
        self.schema = "public"
        self.key = None
        self.pg = None

    def send(self, *messages):
        self.request.sendall(b"".join(messages))

    def handle(self):
        try:
            if self.start():
                self.loop()
        except (ConnectionError, OSError):
            pass
        finally:
            with self.lock:
                self.sessions.pop(self.key, None)
            if self.pg:
                self.pg.close()

    def start(self):
        while True:
            size, code = struct.unpack("!ii", read_exactly(self.stream, 8))
            rest = read_exactly(self.stream, size - 8)
            if code in (80877103, 80877104):  # TLS or GSSAPI: no
                self.request.sendall(b"N")
            elif code == 80877102:  # a wish to cancel another session
                pid, secret = struct.unpack("!ii", rest)
                with self.lock:
                    session = self.sessions.get((pid, secret))
                if session:
                    session.cancelled.set()
                return False
            else:
                break
        with Session.lock:
            self.key = (Session.next_pid, secrets.randbelow(1 << 31))
            Session.next_pid += 1
            self.sessions[self.key] = self
        self.send(message(b"R", struct.pack("!i", 0)),
                  *(message(b"S", f"{name}\0{value}\0".encode()) for name, value in
                    (("server_version", "9.5.0"), ("client_encoding", "UTF8"),
                     ("standard_conforming_strings", "on"), ("integer_datetimes", "on"))),
                  message(b"K", struct.pack("!ii", *self.key)), self.ready())
        return True

    @staticmethod
    def ready():
        return message(b"Z", b"I")

    def loop(self):
        while True:
            kind, payload = read_message(self.stream)
            if kind == b"X":
                return
            if kind != b"Q":
                self.send(error_message("0A000", "the stand-in knows simple queries only"),
                          self.ready())
                continue
            sql = payload[:-1].decode()
            self.cancelled.clear()
            try:
                if self.rules is not None:
                    self.answer_by_rule(sql)
                else:
                    self.answer(sql)
            except PgError as problem:
                self.send(error_message(problem.state, problem.text))
            except Cancelled:
                self.send(error_message("57014", "canceling statement due to user request"))
            self.send(self.ready())

    # ---- Recorded answers ----

    def answer_by_rule(self, sql):
        with self.lock:
            rule = next((r for r in self.rules if r.get("times", 1) > 0 and
                         re.search(r["match"], sql)), None)
            if rule:
                rule["times"] = rule.get("times", 1) - 1
        if rule:
            for step in rule["steps"]:
                self.take_step(step)
        elif re.match(r"SET |BEGIN|COMMIT", sql):
            self.send(message(b"C", b"SET\0"))
        else:
            self.send(error_message("42P01", f"unknown catalog item: no rule for {sql!r}"))

    def take_step(self, step):
        if "columns" in step:
            self.send(columns_message(step["columns"]))
        elif "many" in step:
            pad = "x" * step["pad"]
            for i in range(step["many"]):
                self.send(row_message([v.replace("#", str(i)).replace("~", pad)
                                       if isinstance(v, str) else v for v in step["row"]]))
        elif "row" in step:
            self.send(row_message(step["row"]))
        elif "rows" in step:
            self.send(*(row_message(row) for row in step["rows"]))
        elif "error" in step:
            self.send(error_message(*step["error"]))
        elif "complete" in step:
            self.send(message(b"C", step["complete"].encode() + b"\0"))
        elif "say" in step:
            say(step["say"])
        elif "close" in step:
            self.request.shutdown(socket.SHUT_RDWR)
            raise ConnectionError
        elif "hold" in step:
            while True:
                self.check_client(0.05)

    def check_client(self, timeout_s):
        """Raises when the client has cancelled or left."""
        if self.cancelled.is_set():
            raise Cancelled
        if select.select([self.request], [], [], timeout_s)[0]:
            if not self.request.recv(1, socket.MSG_PEEK):
                raise ConnectionError
            raise Cancelled

    # ---- With PostgreSQL ----

    def answer(self, sql):
        if re.match(r"\s*SUBSCRIBE\s", sql, re.I):
            self.subscribe(sql)
            return
        if not self.pg:
            self.pg = self.backend.connect()
        m = re.match(r'SET search_path = "?(\w+)"?', sql)
        if m:
            self.schema = m.group(1)
        translated, tag = self.backend.translator.translate(sql, self.schema)
        if translated is None:
            for kind, payload in self.pg.relay(sql):
                if kind != b"Z":
                    self.send(message(kind, payload))
            return
        for statement in translated:
            self.pg.query(statement)
        self.backend.after(sql, self.schema, self.pg)
        self.send(message(b"C", tag.encode() + b"\0"))

    def subscribe(self, sql):
        m = re.match(r"\s*SUBSCRIBE\s+(?:TO\s+)?(\w+)\s*(?:WITH\s*\(([^)]*)\))?\s*"
                     r"(?:AS\s+OF\s+(\d+))?\s*$", sql, re.I)
        if not m:
            raise PgError({"C": "42601", "M": f"the stand-in cannot read {sql!r}"})
        options = (m.group(2) or "").lower()
        snapshot = not re.search(r"snapshot\s*(=\s*)?false", options)
        log = self.backend.log(self.schema, m.group(1))
        as_of = int(m.group(3)) if m.group(3) else None
        with log.changed:
            newest = log.ticks[-1][0]
            if as_of is None:
                as_of = newest
            elif as_of < log.since or as_of > newest + 60000:
                raise PgError({"C": "22000",
                               "M": "could not find a valid timestamp for the query"})
            rows = [(as_of, n, row) for row, n in log.rows.items()] if snapshot else []
        self.send(columns_message(PROGRESS_COLUMNS + log.columns))
        empty = [None] * len(log.columns)
        self.send(row_message([as_of, "t", None, *empty]))
        random.shuffle(rows)
        self.send(*(row_message([ts, "f", n, *row]) for ts, n, row in rows))
        done = as_of
        while True:
            self.check_client(0)
            with log.changed:
                if log.ticks[-1][0] <= done and not log.dropped:
                    log.changed.wait(0.2)
                ticks = [tick for tick in log.ticks if tick[0] > done]
                error = log.error
            out = [row_message([ts, "f", diff, *row]) for ts, changes in ticks
                   for diff, row in changes]
            if ticks:
                done = ticks[-1][0]
                out.append(row_message([done + 1, "t", None, *empty]))
            self.send(*out)
            if error:
                raise error if isinstance(error, PgError) else ConnectionError


def serve(port):
    with Server(("127.0.0.1", port), Session) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        say(f"port {server.server_address[1]}")
        while sys.stdin.read(4096):
            pass
        server.shutdown()
    for kcat in (Session.backend.feeders if Session.backend else {}).values():
        kcat.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--script")
    parser.add_argument("--postgres", metavar="HOST:PORT")
    parser.add_argument("--own-postgres", action="store_true")
    parser.add_argument("--database", default="postgres")
    parser.add_argument("--kafka", metavar="BROKERS")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tick", type=float, default=0.1)
    options = parser.parse_args()
    if options.script:
        with open(options.script) as f:
            Session.rules = json.load(f)
        serve(options.port)
    elif options.postgres:
        host, port = options.postgres.rsplit(":", 1)
        Session.backend = Backend(host, int(port), options.database, options.kafka, options.tick)
        serve(options.port)
    elif not postgres.find():
        say("skip PostgreSQL's server is not installed (apt-get install postgresql)")
    else:
        with postgres.Postgres() as pg:
            Session.backend = Backend(pg.host, pg.PORT, options.database, options.kafka,
                                      options.tick)
            serve(options.port)


if __name__ == "__main__":
    main()
