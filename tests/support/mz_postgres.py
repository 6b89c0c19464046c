"""Materialize's SQL on a PostgreSQL server: what the tests use in its place.

A source becomes a table (msg_key, data, error, ts) that the test fills; a materialized view becomes
a view; connections and indexes become a line in a list. Schema mz_catalog looks as much like
Materialize's as the engine asks for. SELECT bodies run as they are.
"""

import json
import pathlib
import re

from pg_client import quote

# mz_now() is the wall clock, or what the session says in test.now (a timestamp).
SETUP = r"""
CREATE SCHEMA mz_shim;
CREATE TABLE mz_shim.objects (schema text, name text, type text, hangs_on text,
                              PRIMARY KEY (schema, name));
CREATE FUNCTION mz_shim.mz_now() RETURNS timestamp LANGUAGE sql STABLE AS
$$ SELECT coalesce(nullif(current_setting('test.now', true), '')::timestamp,
                   date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC')) $$;
CREATE FUNCTION mz_shim.try_parse_monotonic_iso8601_timestamp(s text) RETURNS timestamp
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF s !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z$' THEN
        RETURN NULL;
    END IF;
    RETURN (left(s, 23))::timestamp;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;
CREATE SCHEMA mz_catalog;
CREATE VIEW mz_catalog.mz_databases AS
SELECT oid::text AS id, datname::text AS name FROM pg_database;
CREATE VIEW mz_catalog.mz_schemas AS
SELECT n.oid::text AS id, d.id AS database_id, n.nspname::text AS name
FROM pg_namespace n, mz_catalog.mz_databases d WHERE d.name = current_database();
CREATE VIEW mz_catalog.mz_objects AS
SELECT s.id || '.' || o.name AS id, s.id AS schema_id, o.name, o.type
FROM mz_shim.objects o JOIN mz_catalog.mz_schemas s ON s.name = o.schema;
"""

# A line of the list goes when what it stands for has gone.
SWEEP = """DELETE FROM mz_shim.objects o
WHERE (type IN ('view', 'materialized-view', 'source')
       AND to_regclass(format('%I.%I', schema, name)) IS NULL)
   OR (type = 'index' AND to_regclass(format('%I.%I', schema, hangs_on)) IS NULL)"""


def set_up(pg):
    pg.query(SETUP)


def _plain(sql):
    """Without comments: they are no part of what a statement is recognised by."""
    return re.sub(r"--[^\n]*", "", sql).strip().rstrip(";")


def statements(text):
    """A file's statements; no quoted text of ours holds a semicolon or two hyphens."""
    return [s for s in (_plain(part) for part in re.sub(r"--[^\n]*", "", text).split(";")) if s]


def fill(sql, values):
    return re.sub(r"\$\{(\w+)\}", lambda m: str(values[m.group(1)]), sql)


def read_files(folder, values):
    """[(file name, statement)] with placeholders filled in."""
    return [(path.name, fill(s, values)) for path in sorted(pathlib.Path(folder).glob("*.sql"))
            for s in statements(path.read_text())]


def _note(schema, name, kind, hangs_on=None):
    return (f"INSERT INTO mz_shim.objects VALUES ({quote(schema)}, {quote(name)}, {quote(kind)}, "
            f"{quote(hangs_on)}) ON CONFLICT (schema, name) DO UPDATE SET type = excluded.type, "
            f"hangs_on = excluded.hangs_on")


class Translator:
    """From Materialize's statements to PostgreSQL's; remembers which topic a source reads."""

    def __init__(self):
        self.topics = {}  # table: topic

    def translate(self, sql, schema):
        """[PostgreSQL statements] and the tag of the answer; None: run it as it is."""
        text = _plain(sql)
        m = re.match(r"SET\s+search_path\s*=\s*(.*)$", text, re.S | re.I)
        if m:
            return [f"SET search_path = {m.group(1)}, mz_shim"], "SET"
        m = re.match(r"CREATE\s+CONNECTION\s+(\w+)\s", text, re.I)
        if m:
            return [_note(schema, m.group(1), "connection")], "CREATE CONNECTION"
        m = re.match(r"CREATE\s+SOURCE\s+(\w+)\s+FROM\s+KAFKA\s+CONNECTION\s+(\w+)\s*"
                     r"\(TOPIC\s+'([^']*)'", text, re.I)
        if m:
            name, connection, topic = m.groups()
            self.topics[name] = topic
            table = (f"CREATE TABLE {name} (msg_key text PRIMARY KEY, data jsonb, error text, "
                     f"ts timestamp)")
            return [table, _note(schema, name, "source", connection)], "CREATE SOURCE"
        m = re.match(r"CREATE\s+MATERIALIZED\s+VIEW\s+(\w+)\s+(?:WITH\s*\([^)]*\)\s*)?AS\s+(.*)$",
                     text, re.S | re.I)
        if m:
            return [f"CREATE VIEW {m.group(1)} AS {m.group(2)}",
                    _note(schema, m.group(1), "materialized-view")], "CREATE MATERIALIZED VIEW"
        m = re.match(r"CREATE\s+VIEW\s+(\w+)\s", text, re.I)
        if m:
            return [text, _note(schema, m.group(1), "view")], "CREATE VIEW"
        m = re.match(r"CREATE\s+INDEX\s+(\w+)\s+ON\s+(\w+)\s", text, re.I)
        if m:
            return [f"SELECT 1 FROM {m.group(2)} LIMIT 0",
                    _note(schema, m.group(1), "index", m.group(2))], "CREATE INDEX"
        m = re.match(r'DROP\s+SCHEMA\s+IF\s+EXISTS\s+"?(\w+)"?\s+CASCADE$', text, re.I)
        if m:
            return [text, f"DELETE FROM mz_shim.objects WHERE schema = {quote(m.group(1))}"], \
                "DROP SCHEMA"
        m = re.match(r'DROP\s+(MATERIALIZED\s+VIEW|VIEW|SOURCE|CONNECTION|INDEX)\s+IF\s+EXISTS\s+'
                     r'"?(\w+)"?\s+CASCADE$', text, re.I)
        if m:
            return self._drop(m.group(1).upper(), m.group(2), schema), f"DROP {m.group(1).upper()}"
        return None, ""

    def _drop(self, kind, name, schema):
        gone = (f"DELETE FROM mz_shim.objects WHERE schema = {quote(schema)} "
                f"AND name = {quote(name)}")
        if kind == "INDEX":
            return [gone]
        if kind == "SOURCE":
            return [f"DROP TABLE IF EXISTS {name} CASCADE", SWEEP]
        if kind == "CONNECTION":
            tables = [f"DROP TABLE IF EXISTS {table} CASCADE" for table in self.topics]
            return tables + [gone, SWEEP]
        return [f"DROP VIEW IF EXISTS {name} CASCADE", SWEEP]


def _check(text):
    """Raises ValueError for what Materialize's jsonb cannot hold."""
    def number(digits):
        if abs(float(digits)) >= 1e39:
            raise ValueError("numeric has 39 digits")
        return digits
    value = json.loads(text, parse_float=number, parse_int=number,
                       parse_constant=lambda c: number("1e999"))
    json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair has no UTF-8
    if "\\u0000" in text:
        raise ValueError("a NUL in a string")


def upsert(table, key, value, time_ms):
    """The statement that a message of a topic becomes; None when it changes nothing.

    key and value are bytes or None.
    """
    if key is None:
        return None
    try:
        name = quote(key.decode())
    except UnicodeDecodeError:
        return None
    if value is None:
        return f"DELETE FROM {table} WHERE msg_key = {name}"
    data, error = "NULL", "NULL"
    try:
        text = value.decode()
        _check(text)
        data = quote(text) + "::jsonb"
    except (ValueError, RecursionError) as problem:
        error = quote(f"cannot be decoded: {type(problem).__name__}")
    time = f"to_timestamp({int(time_ms)} / 1000.0) AT TIME ZONE 'UTC'"
    return (f"INSERT INTO {table} VALUES ({name}, {data}, {error}, {time}) ON CONFLICT (msg_key) "
            f"DO UPDATE SET data = excluded.data, error = excluded.error, ts = excluded.ts")
