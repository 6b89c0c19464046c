"""A private PostgreSQL server in a temporary folder, for tests. Standard library only."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

from pg_client import PgClient, PgError

CANDIDATES = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def find():
    """The folder of PostgreSQL's programs, or None."""
    for folder in CANDIDATES:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    return None


def _as_postgres():
    """PostgreSQL refuses to run as root: then it runs as user postgres."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam("postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class Postgres:
    """Listens on a Unix socket in its own folder only."""

    PORT = 5432

    def __init__(self):
        self.bin = find()
        if not self.bin:
            raise FileNotFoundError("PostgreSQL's server is not installed (apt-get install "
                                    "postgresql)")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="oxbow-pg-"))
        self.host = str(self.dir)
        self.user = "postgres"
        as_postgres = _as_postgres()
        if as_postgres:
            os.chown(self.dir, as_postgres["user"], as_postgres["group"])
        subprocess.run([self.bin / "initdb", "-D", self.dir / "data", "-A", "trust", "-U",
                        self.user, "-E", "UTF8", "--locale=C", "--no-sync"],
                       check=True, stdout=subprocess.DEVNULL, cwd="/", **as_postgres)
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", self.dir / "data", "-k", self.dir, "-h", "",
             "-p", str(self.PORT), "-c", "fsync=off", "-c", "max_connections=50",
             "-c", "timezone=UTC"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.dir / "log", "wb"), cwd="/", **as_postgres)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.connect().close()
                return
            except (OSError, PgError) as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL does not come up: {error}\n" +
                                       (self.dir / "log").read_text()) from error
                time.sleep(0.05)

    def connect(self, database="postgres"):
        return PgClient(self.host, self.PORT, self.user, database)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
