"""oxbow-monitor as a browser or a script sees it. Standard library only."""

import json
import os
import re
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request

from oxbow import BIN, check, wait_for


class Page:
    """A monitor's answers."""

    def __init__(self, process, start=0):
        pattern = r"the page is at (http://(\S+):(\d+)/)"
        process.wait_line(pattern, start)
        found = next(m for m in (re.search(pattern, line) for line in list(process.lines)[start:]) if m)
        self.process = process
        self.url, self.host, self.port = found.group(1), found.group(2), int(found.group(3))

    def get(self, path, **query):
        url = f"{self.url}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        with urllib.request.urlopen(url, timeout=30) as reply:
            body = reply.read()
            return json.loads(body) if "json" in reply.headers["Content-Type"] else body.decode()

    def snapshot(self):
        return self.get("api/snapshot")

    def tick(self):
        return self.snapshot()["tick"]

    def status(self, path, method="GET", headers=None, data=None):
        """(status, body) of any request."""
        request = urllib.request.Request(f"{self.url}{path}", method=method, headers=headers or {},
                                         data=data)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def raw(self, data):
        """What the server answers to these bytes; "" when it just closes."""
        with socket.create_connection((self.host, self.port), timeout=30) as s:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            found = b""
            try:
                while part := s.recv(65536):
                    found += part
            except ConnectionError:
                pass
            return found.decode(errors="replace")


class Stream:
    """The server-sent events, collected by a thread: (event, id, data as text)."""

    def __init__(self, page, last_id=None):
        headers = {"Last-Event-ID": str(last_id)} if last_id else {}
        self.reply = urllib.request.urlopen(
            urllib.request.Request(f"{page.url}api/stream", headers=headers), timeout=30)
        check(self.reply.headers["Content-Type"].startswith("text/event-stream"), "an event stream")
        self.events = []
        self.ended = False
        self.thread = threading.Thread(target=self._collect, daemon=True)
        self.thread.start()

    def _collect(self):
        event, number, data = "", 0, []
        try:
            for line in self.reply:
                name, _, value = line.decode().rstrip("\n").partition(":")
                value = value.removeprefix(" ")
                if name == "event":
                    event = value
                elif name == "id":
                    number = int(value)
                elif name == "data":
                    data.append(value)
                elif not name and not value and data:
                    self.events.append((event, number, "\n".join(data)))
                    event, data = "", []
        except (OSError, ValueError, AttributeError):
            pass
        self.ended = True

    def wait(self, condition, what):
        """The first tick of which condition(tick) is true."""
        def found():
            return next((t for t in self.ticks() if condition(t)), None)
        return wait_for(found, what)

    def ticks(self):
        return [json.loads(data) for event, _, data in list(self.events) if event == "tick"]

    def close(self):
        try:
            self.reply.fp.raw._sock.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass


def start_monitor(world, *more, redis_url=None, listen="127.0.0.1:0"):
    """A monitor of its own, beside the task; it needs nothing of it."""
    env = {"OXBOW_DATA_DIR": str(world.data)}
    if redis_url:
        env["OXBOW_REDIS_URL"] = redis_url
    return world.spawn(BIN / "oxbow-monitor", "--config", world.config, "--listen", listen, *more,
                       env=dict(os.environ, **env))
