"""PostgreSQL's protocol v3, as much of it as the tests need. Standard library only.

Client: a connection without password or TLS, simple queries, values as text.
"""

import socket
import struct


class PgError(Exception):
    """What the server said: .state is the SQLSTATE, .text the message."""

    def __init__(self, fields):
        self.state = fields.get("C", "")
        self.text = fields.get("M", "")
        super().__init__(f"{self.state}: {self.text}")


def error_fields(payload):
    fields = {}
    for part in payload.split(b"\0"):
        if part:
            fields[chr(part[0])] = part[1:].decode(errors="replace")
    return fields


def read_exactly(stream, size):
    data = stream.read(size)
    if data is None or len(data) < size:
        raise ConnectionError("the other side has gone")
    return data


def read_message(stream):
    """(type byte, payload)"""
    kind, size = struct.unpack("!ci", read_exactly(stream, 5))
    return kind, read_exactly(stream, size - 4)


def message(kind, payload=b""):
    return kind + struct.pack("!i", len(payload) + 4) + payload


class PgClient:
    """One connection. `host` that begins with / is a folder with a Unix socket."""

    def __init__(self, host, port, user, database):
        if host.startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(f"{host}/.s.PGSQL.{port}")
        else:
            self.socket = socket.create_connection((host, port))
        self.stream = self.socket.makefile("rb")
        start = b"".join(f"{name}\0{value}\0".encode() for name, value in
                         (("user", user), ("database", database))) + b"\0"
        self.socket.sendall(struct.pack("!ii", len(start) + 8, 196608) + start)
        self._until_ready()

    def _until_ready(self):
        """The messages up to ReadyForQuery, and the first error among them."""
        messages, error = [], None
        while True:
            try:
                kind, payload = read_message(self.stream)
            except ConnectionError:
                raise error or ConnectionError("PostgreSQL has gone")
            if kind == b"E" and error is None:
                error = PgError(error_fields(payload))
            messages.append((kind, payload))
            if kind == b"Z":
                break
        return messages, error

    def relay(self, sql):
        """All messages of the answer, ReadyForQuery last; errors are among them."""
        self.socket.sendall(message(b"Q", sql.encode() + b"\0"))
        return self._until_ready()[0]

    def query(self, sql):
        """([(column, type oid)], [row as a tuple of str or None]) of the last statement."""
        self.socket.sendall(message(b"Q", sql.encode() + b"\0"))
        messages, error = self._until_ready()
        if error:
            raise error
        columns, rows = [], []
        for kind, payload in messages:
            if kind == b"T":
                columns, rows = parse_columns(payload), []
            elif kind == b"D":
                rows.append(parse_row(payload))
        return columns, rows

    def close(self):
        self.stream.close()
        self.socket.close()


def parse_columns(payload):
    columns, at = [], 2
    for _ in range(struct.unpack_from("!h", payload)[0]):
        end = payload.index(b"\0", at)
        oid = struct.unpack_from("!i", payload, end + 7)[0]
        columns.append((payload[at:end].decode(), oid))
        at = end + 19
    return columns


def parse_row(payload):
    values, at = [], 2
    for _ in range(struct.unpack_from("!h", payload)[0]):
        size = struct.unpack_from("!i", payload, at)[0]
        at += 4
        if size < 0:
            values.append(None)
        else:
            values.append(payload[at:at + size].decode())
            at += size
    return tuple(values)


def columns_message(columns):
    body = struct.pack("!h", len(columns))
    for name, oid in columns:
        body += name.encode() + b"\0" + struct.pack("!ihihih", 0, 0, oid, -1, -1, 0)
    return message(b"T", body)


def row_message(values):
    body = struct.pack("!h", len(values))
    for value in values:
        if value is None:
            body += struct.pack("!i", -1)
        else:
            data = str(value).encode()
            body += struct.pack("!i", len(data)) + data
    return message(b"D", body)


def error_message(state, text):
    body = b"".join(code + value.encode() + b"\0" for code, value in
                    ((b"S", "ERROR"), (b"V", "ERROR"), (b"C", state), (b"M", text)))
    return message(b"E", body + b"\0")


def quote(text):
    return "NULL" if text is None else "'" + str(text).replace("'", "''") + "'"
