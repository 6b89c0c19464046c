"""compose.yaml with a real Kafka broker and the stand-in for Materialize (compose.override.yaml).

What it proves is that the file wires the parts together; it says nothing about Redpanda's and
Materialize's own images. Needs a Docker engine that answers, and the jars of kafka_broker.py;
skipped (status 77) without them.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import pathlib

from engine import (HERE, ROOT, SKIP, Project, base_image, check, inspect, is_healthy, main, must,
                    need_engine, own_image, skip, wait_for)
from test_compose import IMAGE, heartbeats, redis_image

SUPPORT = ROOT / "tests" / "support"
RATE = "100"


def kafka_image(base):
    """The fixture says where the jars are, and gets them when they are not there."""
    found = subprocess.run([sys.executable, "-B", SUPPORT / "kafka_broker.py", "jars"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if found.returncode == SKIP:
        skip(found.stderr.strip())
    check(found.returncode == 0, found.stderr)
    with tempfile.TemporaryDirectory(prefix="oxbow-kafka-image-") as context:
        context = pathlib.Path(context)
        shutil.copytree(found.stdout.strip(), context / "jars")
        (context / "support").mkdir()
        shutil.copy(SUPPORT / "kafka_broker.py", context / "support")
        shutil.copy(HERE / "stay-kafka", context)
        own_image("oxbow-test-kafka", HERE / "Dockerfile.kafka", base, context)


def materialize_image(base):
    with tempfile.TemporaryDirectory(prefix="oxbow-materialize-image-") as context:
        context = pathlib.Path(context)
        shutil.copytree(SUPPORT, context / "support",
                        ignore=lambda _, names: [n for n in names if not n.endswith(".py")])
        shutil.copy(HERE / "stay-materialize", context)
        own_image("oxbow-test-materialize", HERE / "Dockerfile.materialize", base, context)


def test_full_loop():
    """On Kafka's protocol and SUBSCRIBE it comes up in order, learns, goes on on three replicas
    and after kills, balances what can be balanced, and leaves nothing."""
    base = base_image()
    kafka_image(base)
    materialize_image(base)
    with Project("full", ROOT / "compose.yaml", HERE / "compose.override.yaml", OXBOW_BASE=base,
                 OXBOW_IMAGE=IMAGE, OXBOW_REDIS_IMAGE=redis_image(base), OXBOW_RATE=RATE,
                 OXBOW_KAFKA_PORT="0", OXBOW_MATERIALIZE_PORT="0") as p:
        p("up", "-d", "--build")
        services = ("redpanda", "materialize", "redis", "views", "inference", "learner",
                    "simulator")
        wait_for(lambda: heartbeats(p, services), "all services healthy")
        wait_for(lambda: p.learned() > 500, "500 rows learned", 300)

        scaled = ("up", "-d", "--no-build", "--scale", "inference=3")
        p(*scaled)
        wait_for(lambda: len(p.containers("inference")) == 3 and heartbeats(p, ("inference",)),
                 "three replicas at work")
        for service in ("inference", "views", "learner"):
            victim = p.containers(service)[0]
            must("docker", "kill", victim)
            p(*scaled)
            wait_for(lambda v=victim: is_healthy(v), f"{service} at work again")
        before = p.learned()
        wait_for(lambda: p.learned() > before + 500, "learning goes on", 300)

        p("stop", "simulator")
        audit = json.loads(p.oxbow("audit", "--settled", "--json"))
        check(audit["audit"] == "balanced", json.dumps(audit))
        print(f"  balanced after {p.learned()} rows; unchecked: {audit.get('unchecked')}")
        check(inspect(p.containers("views")[0])["HostConfig"]["ReadonlyRootfs"], "read-only")


if __name__ == "__main__":
    need_engine()
    if not (SUPPORT / "kafka_broker.py").exists() or not (SUPPORT / "mz_standin.py").exists():
        skip("the stand-ins for Kafka and Materialize are not in tests/support")
    main([test_full_loop])
