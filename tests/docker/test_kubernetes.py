"""The Kubernetes manifests: every object is one that Kubernetes knows, and they fit together.

    test_kubernetes.py            checks; skipped (status 77) without PyYAML
    test_kubernetes.py --write    makes 10-task.yaml again, from config/taxi.json

The checks are our own: apiVersions, kinds, required fields, references between the objects, and
what the `restricted` profile demands. They do not replace a real API server's.
"""

import pathlib
import re
import sys

from engine import ROOT, check, main, skip

try:
    import yaml
except ImportError:
    skip("no PyYAML (apt-get install python3-yaml)")

FOLDER = ROOT / "deploy" / "kubernetes"
TASK = FOLDER / "10-task.yaml"
TASK_HEAD = """# The task file: config/taxi.json as it is (tests/docker/test_kubernetes.py --write copies it).
apiVersion: v1
kind: ConfigMap
metadata:
  name: oxbow-task
  namespace: oxbow
data:
  taxi.json: |
"""
KINDS = {"Namespace": "v1", "ConfigMap": "v1", "Service": "v1", "StatefulSet": "apps/v1",
         "Deployment": "apps/v1", "NetworkPolicy": "networking.k8s.io/v1"}
TOP = {"apiVersion", "kind", "metadata", "spec", "data"}
POD = {"automountServiceAccountToken", "terminationGracePeriodSeconds", "securityContext",
       "containers", "volumes"}
CONTAINER = {"name", "image", "args", "envFrom", "ports", "readinessProbe", "livenessProbe",
             "resources", "securityContext", "volumeMounts"}
PROBE = {"exec", "tcpSocket", "initialDelaySeconds", "periodSeconds", "timeoutSeconds",
         "failureThreshold"}
QUANTITY = re.compile(r"^[0-9]+(m|Ki|Mi|Gi)?$")
NAME = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")


def task_map():
    text = (ROOT / "config" / "taxi.json").read_text()
    lines = ["    " + line if line else "" for line in text.splitlines()]
    return TASK_HEAD + "\n".join(lines) + "\n"


def objects():
    """[(file, object)] in the order in which they are applied."""
    found = []
    for file in sorted(FOLDER.glob("*.yaml")):
        found += [(file.name, o) for o in yaml.safe_load_all(file.read_text()) if o]
    check(found, f"{FOLDER} has manifests")
    return found


def workloads():
    return [(file, o) for file, o in objects() if o["kind"] in ("StatefulSet", "Deployment")]


def known(where, mapping, names):
    check(set(mapping) <= names, f"{where}: unknown {sorted(set(mapping) - names)}")


def test_objects():
    """Each is of a known kind and version, has a name, and lives in the namespace made first."""
    seen = set()
    for number, (file, o) in enumerate(objects()):
        kind, name = o.get("kind"), o.get("metadata", {}).get("name", "")
        known(file, o, TOP)
        check(KINDS.get(kind) == o.get("apiVersion"), f"{file}: {o.get('apiVersion')} {kind}")
        check(NAME.match(name) and len(name) <= 63, f"{file}: name {name!r}")
        check((kind, name) not in seen, f"{file}: {kind} {name} twice")
        seen.add((kind, name))
        if kind == "Namespace":
            check(number == 0 and name == "oxbow", "the namespace comes first")
        else:
            check(o["metadata"].get("namespace") == "oxbow", f"{file}: {kind} {name}")
        if kind == "ConfigMap":
            check(all(isinstance(v, str) for v in o["data"].values()), f"{file}: texts only")
        elif kind != "Namespace":
            check(isinstance(o.get("spec"), dict), f"{file}: {kind} {name}: spec")
    check({name for kind, name in seen if kind in ("StatefulSet", "Deployment")} ==
          {"redis", "views", "inference", "learner", "monitor", "simulator"}, str(seen))


def check_container(where, c, volumes, maps):
    known(where, c, CONTAINER)
    check(re.match(r"^[\w./-]+:[\w.-]+$", c["image"]) and not c["image"].endswith(":latest"),
          f"{where}: image {c['image']}")
    check(all(isinstance(word, str) for word in c["args"]), f"{where}: args are texts")
    for kind in ("readinessProbe", "livenessProbe"):
        known(f"{where} {kind}", c[kind], PROBE)
        check(("exec" in c[kind]) != ("tcpSocket" in c[kind]), f"{where}: {kind} asks one way")
    check(c["resources"]["limits"]["memory"] and c["resources"]["requests"]["cpu"], where)
    for group in c["resources"].values():
        for quantity in group.values():
            check(QUANTITY.match(str(quantity)), f"{where}: {quantity}")
    security = c["securityContext"]
    check(security["allowPrivilegeEscalation"] is False and
          security["readOnlyRootFilesystem"] is True and
          security["capabilities"] == {"drop": ["ALL"]}, f"{where}: {security}")
    for mount in c["volumeMounts"]:
        check(mount["name"] in volumes, f"{where}: volume {mount['name']}")
        check(mount["mountPath"].startswith("/"), f"{where}: {mount}")
    for source in c.get("envFrom", []):
        check(source["configMapRef"]["name"] in maps, f"{where}: {source}")


def test_workloads():
    """Selectors find their own pods, volumes and maps are there, and `restricted` is met."""
    maps = {o["metadata"]["name"] for _, o in objects() if o["kind"] == "ConfigMap"}
    services = {o["metadata"]["name"]: o for _, o in objects() if o["kind"] == "Service"}
    for file, o in workloads():
        spec, pod = o["spec"], o["spec"]["template"]["spec"]
        labels = spec["template"]["metadata"]["labels"]
        check(spec["selector"]["matchLabels"].items() <= labels.items(), f"{file}: selector")
        known(file, pod, POD)
        check(pod["securityContext"]["runAsNonRoot"] is True and
              pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", file)
        volumes = {v["name"] for v in pod["volumes"]}
        for v in pod["volumes"]:
            check(("configMap" in v) != ("emptyDir" in v), f"{file}: {v}")
            check("configMap" not in v or v["configMap"]["name"] in maps, f"{file}: {v}")
        if o["kind"] == "StatefulSet":
            check(spec["serviceName"] in services, f"{file}: serviceName")
            selector = services[spec["serviceName"]]["spec"]["selector"]
            check(selector.items() <= labels.items(), f"{file}: the service selects its pods")
            volumes |= {v["metadata"]["name"] for v in spec["volumeClaimTemplates"]}
        check(len(pod["containers"]) == 1, f"{file}: one container a pod")
        check_container(file, pod["containers"][0], volumes, maps)


def test_only_inference_has_replicas():
    """Views, learner and Redis are one each; a learner's or simulator's successor waits."""
    for _, o in workloads():
        name, spec = o["metadata"]["name"], o["spec"]
        check(spec["replicas"] == 1 or name == "inference", f"{name}: {spec['replicas']} replicas")
        if name in ("learner", "monitor", "simulator"):
            check(spec["strategy"] == {"type": "Recreate"}, f"{name}: {spec.get('strategy')}")


def test_same_as_compose():
    """The images are compose's, each service runs its own program, and the task file is ours."""
    compose = (ROOT / "compose.embedded.yaml").read_text()
    for _, o in workloads():
        name, c = o["metadata"]["name"], o["spec"]["template"]["spec"]["containers"][0]
        check(f":-{c['image']}}}" in compose, f"{name}: {c['image']} is in compose.embedded.yaml")
        check(c["args"][0] == ("redis-server" if name == "redis" else name), f"{name}: {c['args']}")
    check(TASK.read_text() == task_map(),
          f"{TASK.relative_to(ROOT)} is not config/taxi.json any more: run this with --write")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        pathlib.Path(TASK).write_text(task_map())
        sys.exit(0)
    main([test_objects, test_workloads, test_only_inference_has_replicas, test_same_as_compose])
