"""Docker for the tests: an engine that answers, the images, one compose project. Standard library
only.

Skipped, loudly, with status 77 where something is missing. Nothing here starts an engine.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "support"))
import claims  # noqa: E402
from claims import Failure, check  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SKIP = 77
PATIENCE_S = 180
SLIM = "debian:bookworm-slim"
OWN_BASE = "oxbow-test-base"
# What Debian's slim image leaves out of a minimal bookworm.
NOT_SLIM = ("./var/cache/apt/*", "./var/lib/apt/lists/*", "./var/log/*", "./usr/share/doc/*",
            "./usr/share/man/*", "./usr/share/locale/*", "./usr/share/info/*")


def wait_for(condition, what, patience_s=PATIENCE_S):
    """As of claims, at a container's pace."""
    return claims.wait_for(condition, what, patience_s, 0.5)


def skip(reason):
    print(f"SKIPPED: {reason}", flush=True)
    sys.exit(SKIP)


def run(*command, patience_s=900, **more):
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=patience_s, **more)


def must(*command, **more):
    """The standard output of a command that has to succeed."""
    done = run(*command, **more)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: status {done.returncode}\n"
                      f"{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def compose_command():
    """Compose as a plugin (v2), or the program of its own (v1)."""
    if shutil.which("docker") and run("docker", "compose", "version").returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    return skip("no docker compose and no docker-compose (apt-get install docker-compose)")


def need_engine():
    if not shutil.which("docker"):
        skip("no docker (apt-get install docker.io)")
    if run("docker", "info", patience_s=60).returncode != 0:
        skip("no Docker engine answers")


def has_image(name):
    return run("docker", "image", "inspect", name).returncode == 0


def base_image():
    """bookworm-slim where it can be pulled; else the same packages, by debootstrap."""
    for name in (SLIM, OWN_BASE):
        if has_image(name):
            return name
    try:
        if run("docker", "pull", SLIM, patience_s=300).returncode == 0:
            return SLIM
    except subprocess.TimeoutExpired:
        pass
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        skip(f"{SLIM} cannot be pulled, and there is no debootstrap to make it (as root)")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="oxbow-base-"))
    try:
        must("debootstrap", "--variant=minbase", "bookworm", folder)
        with subprocess.Popen(["tar", "-C", folder, *[f"--exclude={path}" for path in NOT_SLIM],
                               "-c", "."], stdout=subprocess.PIPE) as tar:
            must("docker", "import", "-", OWN_BASE, stdin=tar.stdout)
        check(tar.returncode == 0, f"tar of {folder}: status {tar.returncode}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return OWN_BASE


def size(image):
    """In bytes, with everything below it."""
    return int(must("docker", "image", "inspect", "-f", "{{.Size}}", image))


def own_image(name, dockerfile, base, context=HERE):
    """An image of this folder's, in the place of one that cannot be pulled."""
    must("docker", "build", "-q", "--build-arg", f"BASE={base}", "-t", name, "-f", dockerfile,
         context)
    return name


def image_or(name, make):
    """A released image where it can be had, else what `make` makes."""
    if has_image(name):
        return name
    try:
        if run("docker", "pull", name, patience_s=300).returncode == 0:
            return name
    except subprocess.TimeoutExpired:
        pass
    return make()


class Project:
    """One compose project; as a context it ends with `down -v`, and nothing may be left."""

    def __init__(self, name, *files, **environment):
        self.name = f"oxbow-test-{name}-{os.getpid()}"
        self.command = compose_command() + ["-p", self.name]
        for file in files:
            self.command += ["-f", str(file)]
        self.environment = {**os.environ, "OXBOW_REDIS_PORT": "0", "OXBOW_MONITOR_PORT": "0",
                            **environment}

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            print(self("logs", "--no-color", "--tail=30", can_fail=True), file=sys.stderr)
            print(self("ps", can_fail=True), file=sys.stderr)
        self("down", "-v", can_fail=bool(kind))
        if not kind:
            check(self.left_behind() == [], f"left behind: {self.left_behind()}")

    def __call__(self, *words, can_fail=False):
        done = run(*self.command, *words, cwd=ROOT, env=self.environment)
        if done.returncode != 0 and not can_fail:
            raise Failure(f"compose {' '.join(map(str, words))}: status {done.returncode}\n"
                          f"{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def oxbow(self, *words, can_fail=False):
        """A command of `oxbow`, in the container of views."""
        return self("exec", "-T", "views", "oxbow", *words, can_fail=can_fail)

    def containers(self, service):
        return self("ps", "-q", service).split()

    def left_behind(self):
        label = f"label=com.docker.compose.project={self.name}"
        return (must("docker", "ps", "-aq", "--filter", label).split() +
                must("docker", "volume", "ls", "-q", "--filter", label).split() +
                must("docker", "network", "ls", "-q", "--filter", label).split())

    def models(self):
        """{name: what `oxbow models` says} of the current generation; {} while it cannot."""
        text = self.oxbow("models", "--json", can_fail=True)
        try:
            return {m["model"]: m for m in json.loads(text) if m["current"]}
        except json.JSONDecodeError:
            return {}

    def learned(self):
        return min((m["learned"] for m in self.models().values()), default=0)


def inspect(container):
    return json.loads(must("docker", "inspect", container))[0]


def is_healthy(container):
    state = inspect(container)["State"]
    return state["Running"] and state.get("Health", {}).get("Status") == "healthy"


def main(tests):
    """Runs each function; its first line of documentation is the claim it proves."""
    failed = 0
    for test in tests:
        print(f"[ run ] {test.__name__}: {test.__doc__.strip()}", flush=True)
        begun = time.monotonic()
        try:
            test()
        except (Failure, subprocess.TimeoutExpired) as failure:
            failed += 1
            print(f"[ FAILED ] {test.__name__}: {failure}", flush=True)
        else:
            print(f"[ ok ] {test.__name__} ({time.monotonic() - begun:.0f} s)", flush=True)
    sys.exit(1 if failed else 0)
