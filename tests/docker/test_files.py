"""The compose files as compose reads them. Needs no engine; skipped (77) without compose."""

import re

from engine import ROOT, check, compose_command, main, must

# Those of the profile come only when it is asked for.
PROFILE = ("--profile", "observe")
SERVICES = {
    "compose.yaml": ("redpanda", "materialize", "redis", "views", "inference", "learner",
                     "monitor", "simulator", "prometheus", "grafana"),
    "compose.embedded.yaml": ("redis", "views", "inference", "learner", "monitor", "simulator",
                              "prometheus", "grafana"),
}


def configuration(file):
    return must(*compose_command(), *PROFILE, "-f", ROOT / file, "config", cwd=ROOT)


def test_configuration():
    """Both files are accepted, need no variable, and publish ports on the loopback alone."""
    for file, services in SERVICES.items():
        text = configuration(file)
        for service in services:
            check(re.search(rf"^  {service}:", text, re.M), f"{file}: service {service}")
        # v1 prints "127.0.0.1:16379:6379/tcp", v2 a mapping with host_ip.
        published = re.findall(r"published:|:\d+/tcp", text)
        local = re.findall(r"host_ip: 127\.0\.0\.1|127\.0\.0\.1:\d*:\d+/tcp", text)
        check(len(published) == len(local) > 0, f"{file}: {published} {local}")


def test_every_service_is_looked_after():
    """Each service of both files has a health check, a memory limit and a restart policy, and its
    image a tag of its own. Prometheus and Grafana do not start by themselves."""
    for file, services in SERVICES.items():
        text = configuration(file)
        body = re.search(r"^services:\n((?: .*\n|\n)+)", text, re.M).group(1)
        parts = dict(re.findall(r"^  (\w+):\n((?:   .*\n)+)", body, re.M))
        check(set(parts) == set(services), f"{file}: {sorted(parts)}")
        for name, part in parts.items():
            for wanted in ("healthcheck:", "mem_limit:", "restart: unless-stopped",
                           "no-new-privileges:true"):
                check(wanted in part, f"{file}: {name}: {wanted}")
            asked_for = name in ("prometheus", "grafana")
            check(("profiles:" in part) == asked_for, f"{file}: {name}: profiles")
            image = re.search(r"^    image: (\S+)", part, re.M).group(1)
            check(":" in image and not image.endswith(":latest"), f"{file}: {name}: {image}")


if __name__ == "__main__":
    main([test_configuration, test_every_service_is_looked_after])
