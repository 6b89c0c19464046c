"""/metrics, /healthz and /readyz of every service, as docs/metrics.md has them."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess

from oxbow import BIN, ROOT, World, check, main, shipped_config, wait_for

# A free port each: many loops run on this machine.
FREE = "127.0.0.1:0"
MONITOR = {"listen": "127.0.0.1:0"}
HISTOGRAM = re.compile(r"_(bucket|sum|count)$")
COMMON = {"task", "service"}


def get(address, path):
    """(status, body); (None, "") while nobody answers."""
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    except OSError:
        return None, ""
    finally:
        connection.close()


def addresses(world):
    """{instance: where it serves}"""
    beats = world.beats()
    found = {name: beat.get("http") or beat.get("status", {}).get("page")
             for name, beat in beats.items()}
    return {name: address for name, address in found.items() if address}


class Metrics:
    """One scrape, taken apart."""

    def __init__(self, text):
        self.type = {}
        self.series = {}  # (name, ((label, value), ...)): value
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:]
                check(name not in self.type, f"{name} comes twice")
                self.type[name] = kind
            elif not line.startswith("#"):
                self._sample(line)

    def _sample(self, line):
        match = re.fullmatch(r'([a-z_:][a-z0-9_:]*)\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\} (\S+)',
                             line)
        check(match, f"no sample: {line!r}")
        labels = tuple(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match.group(2)))
        key = (match.group(1), labels)
        check(key not in self.series, f"{line!r} comes twice")
        check(self.family(match.group(1)) in self.type, f"{line!r} has no TYPE")
        self.series[key] = float(match.group(3))

    def family(self, name):
        return name if name in self.type else HISTOGRAM.sub("", name)

    def families(self):
        """{name: its labels, but those that all series have}"""
        found = {}
        for name, labels in self.series:
            check(COMMON <= {label for label, _ in labels}, f"{name} lacks task or service")
            of = found.setdefault(self.family(name), set())
            of |= {label for label, _ in labels} - COMMON - {"le"}
        return found

    def value(self, name, **labels):
        wanted = set(labels.items())
        found = [v for (n, have), v in self.series.items() if n == name and wanted <= set(have)]
        return found[0] if len(found) == 1 else None

    def check_histograms(self):
        for family, kind in self.type.items():
            if kind != "histogram":
                continue
            for (name, labels), count in self.series.items():
                if name != family + "_count":
                    continue
                buckets = [(float(dict(have)["le"]), v) for (n, have), v in self.series.items()
                           if n == family + "_bucket" and set(labels) < set(have)]
                check(2 <= len(buckets) <= 17, f"{name}: {len(buckets)} bounds")
                check(buckets == sorted(buckets), f"{name}: bounds or counts fall: {buckets}")
                counts = [v for _, v in buckets]
                check(counts == sorted(counts) and counts[-1] == count, f"{name}: {buckets}")
                check(buckets[-1][0] == float("inf"), f"{name} lacks +Inf")


def scrape(address):
    status, text = get(address, "/metrics")
    check(status == 200, f"/metrics at {address}: {status}")
    return Metrics(text)


def documented():
    """{name: (type, labels)} of docs/metrics.md."""
    found = {}
    for line in (ROOT / "docs" / "metrics.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[0].startswith("`"):
            name = cells[0].strip("`")
            check(name not in found, f"docs/metrics.md has {name} twice")
            found[name] = (cells[1], set(re.findall(r"`(\w+)`", cells[2])))
    return found


def promtool(text):
    """True when it was checked."""
    if not shutil.which("promtool"):
        return False
    result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                            text=True)
    check(result.returncode == 0 and not result.stderr,
          f"promtool: {result.stdout}{result.stderr}")
    return True


def test_all_services():
    """Every service serves what the document lists, no more and no less; promtool has no complaint;
    the figures are those of the audit."""
    trips = 1500
    with World("metrics", monitor={**shipped_config()["monitor"], **MONITOR}) as world:
        world.up("--metrics", FREE, simulate=("--rate", "300", "--trips", str(trips)), monitor=True)
        instances = {"simulator-1", "views-1", "inference-1", "learner-1", "monitor-1"}
        # The simulator leaves when it has published everything: it is asked meanwhile.
        where = wait_for(lambda: (lambda a: a if a.keys() == instances else None)(addresses(world)),
                         "an address of every service")
        text = {}
        for name, address in where.items():
            def rendered():
                status, body = get(address, "/metrics")
                return body if status == 200 and body else None
            text[name] = wait_for(rendered, f"metrics of {name}")
            for path in ("/healthz", "/readyz"):
                wait_for(lambda: get(address, path)[0] == 200, f"{path} of {name}")
        checked = [promtool(body) for body in text.values()]
        if not all(checked):
            print("skipped: promtool is not here (apt-get install prometheus)", flush=True)
        simulator = Metrics(text.pop("simulator-1"))

        # The simulator has published everything once every outcome is there, or is settled.
        def all_labelled():
            ledger = world.ledger()
            done = ledger and ledger["requests_predicted"] == ledger["outcomes_new"] == trips
            return ledger if done and ledger["outcomes_waiting"] == 0 else None

        ledger = wait_for(all_labelled, "every trip to end")
        world.audit("--settled")

        # Each service renders its own text once a second: the end of all is not seen at once.
        def settled(instance, name, value, **labels):
            def ask():
                one = scrape(where[instance])
                return one if one.value(name, **labels) == value else None
            return wait_for(ask, f"{name} of {instance} to be {value}")

        views = settled("views-1", "oxbow_ledger_rows", ledger["outcomes_emitted"],
                        term="outcomes_emitted")
        inference = settled("inference-1", "oxbow_predictions_total", trips)
        learner = settled("learner-1", "oxbow_learning_lag_seconds_count",
                          ledger["outcomes_emitted"])
        wait_for(lambda: scrape(where["views-1"]).value("oxbow_consumer_lag_rows",
                                                        topic="learning-queue") is not None, "lag")
        found = [simulator, views, inference, learner, scrape(where["monitor-1"])]
        for one in found:
            one.check_histograms()

        families, types = {}, {}
        for one in found:
            for name, labels in one.families().items():
                families.setdefault(name, set()).update(labels)
                types[name] = one.type[name]
        listed = documented()
        may_lack = {"ml_feature_psi", "ml_feature_ks",  # not before the first 10,000 rows
                    "ml_model_log_loss", "ml_model_log_loss_window", "ml_model_log_loss_served",  # of two classes only
                    "ml_interval_coverage", "ml_interval_coverage_window", "ml_interval_width"}  # of models with intervals
        served = families.keys()
        check(listed.keys() - served <= may_lack,
              f"documented, and not served: {listed.keys() - served}")
        check(not served - listed.keys(), f"served, and not documented: {served - listed.keys()}")
        for name in served:
            check(listed[name] == (types[name], families[name]),
                  f"{name}: documented as {listed[name]}, served as {types[name], families[name]}")

        for (name, labels), value in views.series.items():
            if name == "oxbow_ledger_rows":
                check(ledger[dict(labels)["term"]] == value, f"{labels}: {value}, {ledger}")
        models = {dict(labels)["model"] for name, labels in inference.series
                  if name == "ml_predictions_total"}
        check(len(models) == 4, models)
        for model in models:
            for name in ("ml_predictions_total", "ml_prediction_score_count",
                         "ml_prediction_latency_seconds_count"):
                check(inference.value(name, model=model) == trips,
                      f"{name} of {model}: {inference.value(name, model=model)}")
            learned = learner.value("ml_model_learned_total", model=model)
            check(learned == ledger["outcomes_emitted"], f"{model} has learned {learned}: {ledger}")
        for name in ("oxbow_prediction_lag_seconds_count", "oxbow_prediction_durable_seconds_count"):
            check(inference.value(name) == trips, f"{name}: {inference.value(name)}")
        for one in found:
            for key in one.series:
                check(not re.search(r"[0-9a-f]{12}", str(key)), f"a version in a label: {key}")


def test_not_ready():
    """While the store does not answer a service is healthy, serves, and says what it misses."""
    with World("ready") as world:
        up = world.up("--metrics", FREE, simulate=("--rate", "50"))
        where = wait_for(lambda: (lambda a: a if len(a) == 4 else None)(addresses(world)),
                         "an address of every service")
        wait_for(lambda: all(get(a, "/readyz")[0] == 200 for a in where.values()), "all ready")
        redis = up.children()["redis-server"]
        os.kill(redis, signal.SIGSTOP)
        try:
            for name, address in where.items():
                def missing():
                    status, body = get(address, "/readyz")
                    return json.loads(body)["missing"] if status == 503 else None
                told = wait_for(missing, f"{name} to say that it is not ready")
                check(told and told[0], told)
                check(get(address, "/healthz")[0] == 200, f"{name} is healthy all the same")
                check(get(address, "/metrics")[0] == 200, f"{name} serves all the same")
        finally:
            os.kill(redis, signal.SIGCONT)
        wait_for(lambda: all(get(a, "/readyz")[0] == 200 for a in where.values()), "all ready again")


def test_where():
    """A port that is taken is said and stops nothing; what is no address is refused."""
    with World("where") as world, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        views = world.spawn(BIN / "oxbow-views", "--config", world.config, "--metrics",
                            f"127.0.0.1:{port}")
        views.wait_line(r"WARN .*cannot listen on 127\.0\.0\.1:%d.*--metrics says where else" % port)
        check(views.process.poll() is None, "views goes on")
        check(views.stop() == 0, "views leaves as it is asked to")
        for value in ("nonsense:x", "127.0.0.1:99999", "::1:94:"):
            refused = world.spawn(BIN / "oxbow-views", "--config", world.config, "--metrics", value)
            check(refused.wait() == 2, f"--metrics {value} is refused: {refused.lines}")
            check(refused.has_line("--metrics:"), refused.lines)


def test_series():
    """With 64 models and a thousand versions there are at most 2,000 series, and as many as before."""
    models = {f"m{i:02}": ["standard_scaler", "linear_regression"] for i in range(63)}
    with World("series", models=models, refresh_rows=50,
               monitor={**shipped_config()["monitor"], **MONITOR}) as world:
        world.up("--metrics", FREE, simulate=("--rate", "400"), monitor=True)
        where = wait_for(lambda: (lambda a: a if len(a) == 5 else None)(addresses(world)),
                         "an address of every service", 60)

        def all_known():
            learner = scrape(where["learner-1"])
            return learner.value("ml_model_mae_served", model="m62") is not None and \
                learner.value("oxbow_versions_published_total") >= 100
        wait_for(all_known, "a score of every model")

        def series():
            return {name: set(scrape(address).series) for name, address in where.items()}
        before = series()
        wait_for(lambda: scrape(where["learner-1"]).value("oxbow_versions_published_total") >= 1000,
                 "a thousand versions")
        after = series()
        total = sum(len(s) for s in after.values())
        print(f"{total} series: " + ", ".join(f"{n} {len(s)}" for n, s in after.items()), flush=True)
        check(total <= 2000, "too many series")
        for name in ("inference-1", "learner-1"):
            check(after[name] == before[name], f"{name}: {after[name] ^ before[name]}")


if __name__ == "__main__":
    main(test_all_services, test_not_ready, test_where, test_series)
