#!/usr/bin/env python3
"""A real Apache Kafka broker for tests: one node, KRaft, on loopback.

    kafka_broker.py start DIR PORT [name=value ...]   prints 127.0.0.1:PORT when it answers
    kafka_broker.py stop DIR                          asks it to leave, and waits
    kafka_broker.py kill DIR                          kill -9
    kafka_broker.py jars                              prints where the jars are

DIR holds its data; a second start on the same DIR goes on with them. name=value adds to
server.properties. The jars come from Maven Central, once, into ~/.cache/oxbow (or
OXBOW_KAFKA_JARS, which is then used as it is). Exit status 77: Java or the jars cannot be had;
the reason is on standard error.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

VERSION = "3.9.1"
SKIP = 77
PATIENCE_S = 60
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
 <modelVersion>4.0.0</modelVersion>
 <groupId>oxbow</groupId><artifactId>kafka-fixture</artifactId><version>1</version>
 <dependencies>
  <dependency>
   <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
   <version>{VERSION}</version>
  </dependency>
 </dependencies>
</project>
"""
LOG4J = """log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %p %m (%c)%n
"""


class Unavailable(Exception):
    """What the broker needs cannot be had here."""


def jars():
    """The folder of the jars, fetched when it is not there."""
    given = os.environ.get("OXBOW_KAFKA_JARS")
    if given:
        folder = pathlib.Path(given)
        if not list(folder.glob("kafka_2.13-*.jar")):
            raise Unavailable(f"OXBOW_KAFKA_JARS={given} has no kafka_2.13-*.jar")
        return folder
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    folder = cache / "oxbow" / f"kafka-{VERSION}"
    if folder.exists():
        return folder
    if not shutil.which("mvn"):
        raise Unavailable("no Kafka jars, and no mvn to fetch them (apt-get install maven)")
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        (work / "pom.xml").write_text(POM)
        fetch = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(work / "pom.xml"), "dependency:copy-dependencies",
             f"-DoutputDirectory={work / 'lib'}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        if fetch.returncode != 0:
            raise Unavailable(f"mvn cannot fetch Kafka: {fetch.stdout[-800:]}")
        try:
            (work / "lib").rename(folder)
        except OSError:
            pass  # another test was quicker
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def java(home, *args):
    """The command line of one of Kafka's programs."""
    if not shutil.which("java"):
        raise Unavailable("no java (apt-get install default-jre-headless)")
    heap = os.environ.get("OXBOW_KAFKA_HEAP")
    # A small heap and a quick start for tests; the real compiler where somebody asks for a heap.
    how = [f"-Xmx{heap}"] if heap else ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    return ["java", *how, f"-Dlog4j.configuration=file:{home / 'log4j.properties'}",
            "-cp", f"{jars()}/*", *args]


def answers(port):
    """True when something listens there."""
    try:
        with socket.create_connection(("127.0.0.1", port), 0.2):
            return True
    except OSError:
        return False


def free_port():
    """A port that nobody listens on at the moment."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def configure(home, port, more):
    """Writes server.properties and formats the storage, the first time."""
    properties = home / "server.properties"
    if properties.exists():
        return properties
    home.mkdir(parents=True, exist_ok=True)
    (home / "log4j.properties").write_text(LOG4J)
    controller = free_port()
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": str(home / "data"),
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "500",
        "auto.create.topics.enable": "false",
        "message.max.bytes": "20971520",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.enable": "false",
        # A killed broker may come back soon: its old self is given up quickly.
        "broker.heartbeat.interval.ms": "300",
        "broker.session.timeout.ms": "1500",
    }
    settings.update(item.split("=", 1) for item in more)
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    staged = home / "server.properties.new"
    staged.write_text(text)
    cluster = uuid.uuid4().bytes.hex()[:22]
    done = subprocess.run(
        java(home, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(staged)),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S)
    if done.returncode != 0:
        raise RuntimeError(f"formatting {home}: {done.stdout[-800:]}")
    staged.rename(properties)
    return properties


def start(home, port, more=()):
    """Starts the broker and waits until it answers. Returns its pid."""
    properties = configure(home, port, more)
    with open(home / "log", "ab") as log:
        broker = subprocess.Popen(java(home, "kafka.Kafka", str(properties)), stdout=log,
                                  stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    (home / "pid").write_text(str(broker.pid))
    deadline = time.monotonic() + PATIENCE_S
    while not answers(port):
        if broker.poll() is not None or time.monotonic() > deadline:
            broker.kill()
            raise RuntimeError(f"the broker does not come up:\n{(home / 'log').read_text()[-2000:]}")
        time.sleep(0.1)
    return broker.pid


def is_alive(pid):
    """False for one that is gone, or a zombie of somebody else's."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state != "Z"
    except (OSError, IndexError):
        return False


def end(home, sig):
    """Sends the signal and waits until the broker is gone."""
    try:
        pid = int((home / "pid").read_text())
        os.kill(pid, sig)
    except (FileNotFoundError, ProcessLookupError):
        return
    deadline = time.monotonic() + PATIENCE_S
    while is_alive(pid):
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    (home / "pid").unlink(missing_ok=True)


def main(argv):
    """The command line above."""
    try:
        if argv[:1] == ["jars"]:
            print(jars())
        elif argv[:1] == ["start"] and len(argv) >= 3:
            start(pathlib.Path(argv[1]).resolve(), int(argv[2]), argv[3:])
            print(f"127.0.0.1:{argv[2]}")
        elif argv[:1] in (["stop"], ["kill"]) and len(argv) == 2:
            end(pathlib.Path(argv[1]), signal.SIGTERM if argv[0] == "stop" else signal.SIGKILL)
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except Unavailable as e:
        print(f"SKIPPED: no Kafka broker: {e}", file=sys.stderr)
        return SKIP
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
