"""`oxbow status` and `oxbow top`: the loop at a glance, for scripts and in a terminal."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from oxbow import BIN, World, check, free_port, main, wait_for

SERVICES = ["simulator-1", "views-1", "inference-1", "learner-1"]


def status(world, *more):
    """(exit status, the object)"""
    result = world.run("status", "--json", *more)
    check(result.stdout, f"status {result.returncode} without an object: {result.stderr}")
    return result.returncode, json.loads(result.stdout)


def labelled(world):
    """The object once every model has a score, else None."""
    code, found = status(world, "--over", "0")
    known = code == 0 and found["models"] and all(m["mae"] is not None for m in found["models"])
    return found if known else None


def missing(world):
    """The object once something is the matter, else None."""
    code, found = status(world, "--over", "0")
    return found if code == 1 else None


def test_status():
    """Status 0 while all is up, 1 while a service is silent, 3 when it cannot be told; the object
    says what the services say."""
    with World("status") as world:
        code, nothing = status(world, "--redis-url", f"redis://127.0.0.1:{free_port()}/0")
        check(code == 3 and nothing["state"] == "unknown" and len(nothing["trouble"]) == 1, nothing)
        up = world.up(simulate=("--rate", "200"))
        wait_for(lambda: labelled(world), "scores of all models")

        before = world.ledger()
        code, found = status(world)
        after = wait_for(world.ledger, "views")
        check(code == 0 and found["state"] == "up" and not found["trouble"], found)
        check([s["instance"] for s in found["services"]] == SERVICES, found["services"])
        check(all(s["state"] == "up" and s["rss_bytes"] > 0 for s in found["services"]), found)
        check(found["ledger"].keys() == after.keys(), found["ledger"])
        for name, value in found["ledger"].items():
            if name.endswith("_read"):
                check(before[name] <= value <= after[name], f"{name}: {before}, {found}, {after}")
        check(found["counts"]["requests"] == found["ledger"]["requests_new"], found)
        check(all(rate > 0 for rate in found["rates"].values()), found["rates"])
        check(found["counts"]["alarms"] == sum(m["drift"]["alarms"] for m in found["models"]), found)
        check(all(m["drift"]["detector"] == "adwin" for m in found["models"]), found["models"])
        lag = found["lag_ms"]
        check(0 <= lag["p50"] <= lag["p95"] <= lag["p99"], lag)
        names = [m["name"] for m in found["models"]]
        configured = list(json.loads(world.config.read_text())["models"])
        check(names == configured + ["baseline"], names)
        last = found["models"][-1]
        for m in found["models"]:
            check(m["is_baseline"] == (m is last), m)
            check(m["served_version"] and m["version"], m)
            check(abs(m["skill"] - (1 - m["mae"] / last["mae"])) < 1e-9, m)

        text = world.run("top", "--once")
        check(text.returncode == 0 and "\033" not in text.stdout, text.stdout + text.stderr)
        check(all(name in text.stdout for name in SERVICES + names), text.stdout)

        # A process that hangs is still there, but says nothing: silent, then without a heartbeat.
        pid = up.children()["learner-1"]
        os.kill(pid, signal.SIGSTOP)
        try:
            found = wait_for(lambda: missing(world), "the learner to be missed")
            check(re.match("learner(-1 has been silent| is not running)", found["trouble"][0]),
                  found["trouble"])
            plain = world.run("status", "--over", "0")
            check(plain.returncode == 1 and "learner" in plain.stdout, plain.stdout)
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_for(lambda: status(world, "--over", "0")[0] == 0, "the learner to be back")

        up.stop()
        code, away = status(world)
        check(code == 3 and away["state"] == "unknown", away)
        check(world.run("top", "--once").returncode == 3, "nothing is there to look at")


class Terminal:
    """A program in a terminal of a given size; keeps the last frame that it drew."""

    def __init__(self, world, *argv, rows=40, columns=120):
        self.text = ""
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        env = dict(os.environ, TERM="xterm", NO_COLOR="1")
        self.process = subprocess.Popen([str(a) for a in argv], stdin=slave, stdout=slave,
                                        stderr=slave, cwd=world.dir, env=env,
                                        start_new_session=True)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.columns = columns

    def read(self):
        while select.select([self.master], [], [], 0.05)[0]:
            self.text += os.read(self.master, 65536).decode(errors="replace")

    def frame(self):
        """The lines of the last frame that is whole."""
        self.read()
        frames = [f for f in self.text.split("\033[H")[1:] if "\033[J" in f]
        if not frames:
            return []
        return re.sub("\033\\[K|\r", "", frames[-1].split("\033[J")[0]).split("\n")

    def wait_frame(self, condition, what):
        return wait_for(lambda: (lambda f: f if f and condition(f) else None)(self.frame()), what)

    def key(self, text):
        os.write(self.master, text.encode())

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def models(frame):
    """[(name, error over the last rows)], in the order of the lines."""
    names = ("linear-regression", "decision-tree", "nearest-neighbors", "baseline")
    found = [line.split() for line in frame]
    return [(words[0], float(words[2])) for words in found if words and words[0] in names]


def test_top():
    """In a terminal: it goes on by itself, sorts and scrolls, fits the window, and leaves the
    terminal as it was."""
    with World("top") as world:
        up = world.up(simulate=("--rate", "200"))
        wait_for(lambda: labelled(world), "scores of all models")
        top = Terminal(world, BIN / "oxbow", "top", "--config", world.config, "--data", world.data,
                       "--every", "0.3")
        try:
            def requests(frame):
                found = re.search(r"requests ([\d,]+)", "\n".join(frame))
                return int(found[1].replace(",", "")) if found else 0

            first = top.wait_frame(lambda f: requests(f) > 0 and models(f), "the first frame")
            check(all(any(s in line for line in first) for s in SERVICES), first)
            top.wait_frame(lambda f: requests(f) > requests(first), "another frame")
            check([m[0] for m in models(first)][-1] == "baseline", first)
            top.key("s")
            by_error = top.wait_frame(lambda f: any("by error" in line for line in f), "sorted")
            check(models(by_error) == sorted(models(by_error), key=lambda m: m[1]), by_error)

            top.resize(16, 60)
            os.kill(top.process.pid, signal.SIGWINCH)
            small = top.wait_frame(lambda f: len(f) <= 16 and max(map(len, f)) < 60, "a small frame")
            check("1 to 2 of 4 models" in "\n".join(small), small)
            top.key("\033[B")
            top.wait_frame(lambda f: any("2 to 3 of 4 models" in line for line in f), "scrolled")

            # The server goes away: it says so and goes on; and is there again when that is.
            pid = up.children()["redis-server"]
            os.kill(pid, signal.SIGKILL)
            top.wait_frame(lambda f: any("cannot tell" in line for line in f), "no server")
            top.wait_frame(lambda f: not any("cannot tell" in line for line in f), "the server")

            top.key("q")
            check(top.process.wait(20) == 0, "q leaves")
            top.read()
            check(top.text.endswith("\033[?25h\033[?1049l"), repr(top.text[-40:]))
            check(termios.tcgetattr(top.slave) == top.before, "the terminal is as it was")
        finally:
            top.close()

        # Ctrl-C does the same.
        again = Terminal(world, BIN / "oxbow", "top", "--config", world.config, "--data", world.data)
        try:
            again.wait_frame(bool, "a frame")
            os.kill(again.process.pid, signal.SIGINT)
            check(again.process.wait(20) == 0, "SIGINT leaves")
            again.read()
            check(again.text.endswith("\033[?25h\033[?1049l"), repr(again.text[-40:]))
        finally:
            again.close()

        # Elsewhere than on a terminal it prints on and on, without escapes.
        plain = world.spawn(BIN / "oxbow", "top", "--config", world.config, "--data", world.data,
                            "--every", "0.3")
        wait_for(lambda: sum(line.startswith("task taxi") for line in list(plain.lines)) > 2,
                 "three frames")
        check(plain.stop() == 0, "SIGTERM leaves")
        check(not any("\033" in line for line in plain.lines), plain.lines[:20])


if __name__ == "__main__":
    main(test_status, test_top)
