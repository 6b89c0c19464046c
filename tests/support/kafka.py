"""A real Kafka broker for Python tests; see kafka_broker.py."""

import pathlib
import shutil
import signal
import sys
import tempfile

import kafka_broker

SKIP = kafka_broker.SKIP


class Broker:
    """One broker with a folder of its own, as a context."""

    def __init__(self, **settings):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="oxbow-kafka-"))
        self.port = kafka_broker.free_port()
        self.settings = [f"{name}={value}" for name, value in settings.items()]
        self.pid = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        try:
            self.start()
        except kafka_broker.Unavailable as e:
            shutil.rmtree(self.dir, ignore_errors=True)
            print(f"SKIPPED: no Kafka broker: {e}", file=sys.stderr)
            sys.exit(SKIP)
        return self

    def __exit__(self, kind, value, trace):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self):
        self.pid = kafka_broker.start(self.dir, self.port, self.settings)

    def stop(self):
        kafka_broker.end(self.dir, signal.SIGTERM)

    def kill(self):
        kafka_broker.end(self.dir, signal.SIGKILL)
