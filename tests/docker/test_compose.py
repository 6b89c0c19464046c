"""The embedded compose file, for real: built, learning, scaled, hurt, balanced, gone.

Needs a Docker engine that answers; skipped (status 77) without one.
"""

import json
import os
import re
import signal
import time

from engine import (HERE, ROOT, Project, base_image, check, image_or, inspect, is_healthy, main,
                    must, need_engine, own_image, run, size, wait_for)

IMAGE = "oxbow:test"
FILE = ROOT / "compose.embedded.yaml"
LEARN_S = 60
SIZE_LIMIT = 120_000_000  # bytes, as `docker image ls` counts them


def redis_image(base):
    named = re.search(r"OXBOW_REDIS_IMAGE:-([^}]+)", FILE.read_text()).group(1)
    return image_or(named, lambda: own_image("oxbow-test-redis", HERE / "Dockerfile.redis", base))


def project():
    base = base_image()
    return Project("embedded", FILE, OXBOW_BASE=base, OXBOW_IMAGE=IMAGE,
                   OXBOW_REDIS_IMAGE=redis_image(base))


def check_confined(container):
    """What the file asks for is what the engine does: nobody special, nothing writable."""
    facts = inspect(container)
    host = facts["HostConfig"]
    check(host["ReadonlyRootfs"], f"{facts['Name']}: a read-only root file system")
    check(host["CapDrop"] == ["ALL"], f"{facts['Name']}: no capabilities, {host['CapDrop']}")
    check(host["Memory"] > 0, f"{facts['Name']}: a memory limit")
    check(host["RestartPolicy"]["Name"] == "unless-stopped", f"{facts['Name']}: restarted")
    check(facts["Config"]["User"] not in ("", "root", "0"), f"{facts['Name']}: not root")
    for bindings in (host["PortBindings"] or {}).values():
        for binding in bindings:
            check(binding["HostIp"] == "127.0.0.1", f"{facts['Name']}: {binding}")


def check_image():
    """The image is small, and holds no compiler and no headers."""
    base = base_image()
    whole = size(IMAGE)
    print(f"  image {whole / 1e6:.1f} MB: base {base} {size(base) / 1e6:.1f} MB, "
          f"added {(whole - size(base)) / 1e6:.1f} MB")
    check(whole < SIZE_LIMIT, f"{whole} bytes")
    shell = ["docker", "run", "--rm", "--read-only", "--network", "none", "--entrypoint", "sh",
             IMAGE, "-c"]
    packages = must(*shell, "dpkg-query -W -f '${Package} '").split()
    check(not [name for name in packages if name.endswith("-dev") or name.startswith("gcc-1") and
               name != "gcc-12-base"], f"packages only for running: {packages}")
    check(must(*shell, "id -u").strip() == "10001", "an ordinary user")
    check("oxbow" in must("docker", "run", "--rm", "--read-only", IMAGE, "version"), "version")
    refused = run("docker", "run", "--rm", "--read-only", IMAGE, "sing")
    check(refused.returncode == 2 and "unknown command" in refused.stderr, refused.stderr)


def learn(p):
    """A minute of learning: rows arrive, and every model has taken them."""
    wait_for(lambda: p.learned() > 0, "the first published models")
    before = p.learned()
    begun = time.monotonic()
    wait_for(lambda: time.monotonic() - begun >= LEARN_S and p.learned() > before + 1000,
             "a minute of learning")
    print(f"  learned {p.learned()} rows")
    check(p.models()["linear-regression"]["mae"] < p.models()["baseline"]["mae"],
          "the linear model is better than the mean")


def heartbeats(p, services):
    """True when each container of `services` is healthy by its own heartbeat."""
    return all(is_healthy(c) for service in services for c in p.containers(service))


def hurt(p):
    """A killed container comes back by `up`, a killed process by the restart policy."""
    victim = p.containers("inference")[0]
    must("docker", "kill", victim)
    before = p.learned()
    wait_for(lambda: p.learned() > before, "learning while a replica is dead")
    p("up", "-d", "--no-build", "--scale", "inference=3")
    wait_for(lambda: is_healthy(victim), "the killed replica at work again")
    must("docker", "kill", p.containers("learner")[0])
    p("up", "-d", "--no-build", "--scale", "inference=3")

    pid = inspect(p.containers("views")[0])["State"]["Pid"]
    if os.geteuid() == 0 and os.path.exists(f"/proc/{pid}"):
        os.kill(pid, signal.SIGKILL)
        views = p.containers("views")[0]
        wait_for(lambda: inspect(views)["RestartCount"] == 1 and is_healthy(views),
                 "views restarted by the engine")
    before = p.learned()
    wait_for(lambda: heartbeats(p, ("inference", "learner", "views")), "all healthy again")
    wait_for(lambda: p.learned() > before, "learning goes on")


def test_embedded_loop():
    """Up from nothing it learns for a minute, on three replicas and through kills; its ledger
    balances, and `down -v` leaves nothing."""
    with project() as p:
        p("up", "-d", "--build")
        check_image()
        services = ("redis", "views", "inference", "learner", "simulator")
        for service in services:
            container = wait_for(lambda s=service: p.containers(s), service)[0]
            check_confined(container)
            wait_for(lambda c=container: is_healthy(c), f"{service} healthy")
        learn(p)

        p("up", "-d", "--no-build", "--scale", "inference=3")
        wait_for(lambda: len(p.containers("inference")) == 3 and heartbeats(p, ("inference",)),
                 "three replicas at work")
        names = {inspect(c)["Config"]["Hostname"] for c in p.containers("inference")}
        for name in names:
            p.oxbow("alive", f"inference-{name}")
        check(p.oxbow("alive", "inference-nobody", can_fail=True) == "", "nobody is not alive")
        hurt(p)

        p("stop", "simulator")
        audit = json.loads(p.oxbow("audit", "--settled", "--json"))
        check(audit["audit"] == "balanced", json.dumps(audit))
        print(f"  balanced after {p.learned()} rows")
        p.oxbow("audit", "--deep")


if __name__ == "__main__":
    need_engine()
    main([test_embedded_loop])
