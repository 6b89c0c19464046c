"""Runs the real programs for the end-to-end tests. Standard library only.

A test is a script: it makes a World (a folder with a task file of its own), starts things in it,
waits for conditions, and checks. It ends with status 0, or with a traceback; World's folder is
kept, and named, when it fails.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "support"))
from claims import PATIENCE_S, Failure, check, wait_for  # noqa: E402,F401: for the tests, too

# Many loops run side by side: a test that looks at metrics asks for free ports ("127.0.0.1:0").
os.environ.setdefault("OXBOW_METRICS", "off")

BIN = pathlib.Path(os.environ.get("OXBOW_BIN", ROOT / "build" / "release" / "bin"))


def is_running(pid):
    """True for a process that is there, and no zombie."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Redis:
    """A client that speaks just enough of the protocol."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        out = b"*%d\r\n" % len(words)
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            out += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(out)
        return self._read()

    def _read(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("redis-server has gone")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.file.read(size + 2)[:-2]
        return None if int(rest) < 0 else [self._read() for _ in range(int(rest))]

    def close(self):
        self.file.close()
        self.socket.close()


class Process:
    """A program whose output is collected line by line."""

    def __init__(self, argv, cwd, env=None):
        self.lines = []
        self.process = subprocess.Popen(
            [str(a) for a in argv], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        self.thread = threading.Thread(target=self._collect, daemon=True)
        self.thread.start()

    def _collect(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def has_line(self, pattern, start=0):
        return any(re.search(pattern, line) for line in list(self.lines)[start:])

    def wait_line(self, pattern, start=0, patience_s=PATIENCE_S):
        def found():
            return self.has_line(pattern, start) or self.process.poll() is not None
        wait_for(found, f"a line with {pattern!r}", patience_s)
        self.thread.join(1) if self.process.poll() is not None else None
        check(self.has_line(pattern, start),
              f"it ended with status {self.process.poll()} without a line with {pattern!r}:\n" +
              "\n".join(self.lines[-30:]))

    def wait(self, patience_s=PATIENCE_S):
        status = self.process.wait(patience_s)
        self.thread.join(5)
        return status

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.wait()

    def children(self):
        """{name: pid} of the programs that run under it."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                stat = (entry / "stat").read_text()
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            state, parent = stat.rsplit(")", 1)[1].split()[:2]
            if int(parent) != self.process.pid or state == "Z":
                continue
            text = [w.decode(errors="replace") for w in words]
            name = "redis-server" if text[0].startswith("redis-server") else None
            if "--instance" in text:
                name = text[text.index("--instance") + 1]
            if name:
                found[name] = int(entry.name)
        return found


class World:
    """A folder with a task file, its data, and the processes that a test started in it."""

    def __init__(self, name, **changes):
        self.name = name
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"oxbow-{name}-"))
        self.config = self.dir / "taxi.json"
        self.data = self.dir / "data"
        self.started = []
        self.write_config(**changes)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for process in self.started:
            if process.process.poll() is None:
                process.process.kill()
                process.wait()
        if kind is None:
            shutil.rmtree(self.dir, ignore_errors=True)
            return
        for process in self.started:
            print(f"---- {' '.join(map(str, process.process.args))} ----", file=sys.stderr)
            print("\n".join(process.lines[-60:]), file=sys.stderr)
        print(f"---- {self.name}: its folder is kept: {self.dir} ----", file=sys.stderr)

    def write_config(self, **changes):
        """The shipped task file, with quick refreshes, and `changes` by top-level name."""
        config = shipped_config()
        config["sql"] = str(ROOT / "sql" / "taxi" / "sqlite")
        config["refresh_seconds"] = 1
        config["refresh_rows"] = 500
        config.pop("data_dir", None)
        if "features" in changes:
            config["monitor"].update(size=None, drift={"silent": None})  # they name features
        config.update(changes)
        self.config.write_text(json.dumps(config, indent=1))
        return config

    def spawn(self, *argv, env=None):
        process = Process(argv, self.dir, dict(os.environ, **(env or {})))
        self.started.append(process)
        return process

    def up(self, *more, simulate=None, monitor=False):
        argv = [BIN / "oxbow", "up", "--config", self.config, "--data", self.data, "--with-redis",
                *more]
        if not monitor:
            argv.append("--no-monitor")
        if simulate is None:
            argv.append("--no-simulator")
        else:
            argv += ["--simulate", *simulate]
        process = self.spawn(*argv)
        process.wait_line("redis-server answers")
        return process

    def run(self, command, *more, input=None, timeout_s=PATIENCE_S):
        """One command of oxbow, to its end."""
        return subprocess.run(
            [str(a) for a in (BIN / "oxbow", command, "--config", self.config, "--data", self.data,
                              *more)],
            cwd=self.dir, capture_output=True, text=True, errors="replace", input=input,
            timeout=timeout_s)

    def audit(self, *more, timeout_s=PATIENCE_S):
        """The audit's report. Fails when it is not balanced."""
        result = self.run("audit", "--json", "--timeout", timeout_s, *more,
                          timeout_s=timeout_s + 60)
        check(result.returncode == 0,
              f"audit {' '.join(map(str, more))}: status {result.returncode}\n{result.stdout}"
              f"{result.stderr}")
        return json.loads(result.stdout)

    def models(self):
        """{(name, generation): its newest version}, as `oxbow models` lists them."""
        result = self.run("models", "--json")
        check(result.returncode == 0, f"models: {result.stderr}")
        return {(m["model"], m["generation"]): m for m in json.loads(result.stdout)}

    def port(self):
        return int((self.data / "redis.port").read_text())

    def redis(self):
        return Redis(self.port())

    def prefix(self, redis):
        return "oxbow:{taxi}:" + redis("GET", "oxbow:{taxi}:incarnation").decode() + ":"

    def beats(self, redis=None):
        """{instance: heartbeat}; {} while redis-server is away."""
        try:
            redis = redis or self.redis()
            prefix = self.prefix(redis)
            found = {}
            for key in redis("KEYS", prefix.replace("{", "\\{") + "*"):
                if b"heartbeat" not in key or redis("TYPE", key) != b"string":
                    continue
                beat = json.loads(redis("GET", key) or b"{}")
                found[beat.get("instance", "")] = beat
            return found
        except (OSError, RuntimeError, AttributeError, FileNotFoundError, ValueError):
            return {}

    def ledger(self):
        """views' ledger of its last heartbeat, or {}."""
        for beat in self.beats().values():
            if beat.get("service") == "views":
                return beat.get("status", {}).get("ledger", {})
        return {}


def shipped_config():
    """config/taxi.json without its comments."""
    text = (ROOT / "config" / "taxi.json").read_text()
    pattern = r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/'
    text = re.sub(pattern, lambda m: m.group(0) if m.group(0)[0] == '"' else "", text, flags=re.S)
    return json.loads(text)


def main(*tests):
    """Runs them in turn; each is a function without arguments whose docstring is its claim."""
    wanted = sys.argv[1:]
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        start = time.monotonic()
        print(f"{test.__name__}: {test.__doc__.splitlines()[0]}", flush=True)
        test()
        print(f"{test.__name__}: ok, {time.monotonic() - start:.1f} s", flush=True)
