"""The live page over the real loop: `oxbow demo` with its monitor, in a headless Chromium."""

import json
import os
import pathlib
import signal
import sys
import urllib.request

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
import browser  # noqa: E402
from oxbow import BIN, World, check, free_port, shipped_config, wait_for  # noqa: E402

SKIPPED = 77
STORE = "(await import('/assets/store.js')).store"
CUT = ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET"]


def ask(page, expression):
    return page.js(f"(async () => {{ const store = {STORE}; return {expression}; }})()")


def get(address, path):
    with urllib.request.urlopen(address + path, timeout=30) as answer:
        return json.load(answer)


def silent(page, allowed=()):
    left = [c for c in page.complaints if not any(a in c for a in allowed)]
    check(not left, "the console says: " + " | ".join(left[:5]))


def content(page, config):
    """Every model has its card, and the figures are the newest tick's."""
    page.wait(f"document.querySelectorAll('.model').length === {len(config['models']) + 1}", "a card for each model")
    for name in [*config["models"], "baseline"]:
        check(name in page.text(f".model[data-model='{name}']"), name)
    page.wait(f"(async () => {STORE}.tick.state === 'running')()", "a hundred labels", 120)
    page.wait(f"(async () => document.querySelector('#verdict').innerText.replaceAll('\\n', '') === {STORE}.tick.verdict.text)()", "the verdict")
    page.wait("document.querySelector('.tile-audit').innerText.includes('balanced')", "a balanced audit", 60)
    page.wait("document.querySelectorAll('.latest tbody tr').length === 20", "the latest trips")
    page.wait("document.querySelector('#health').innerText.includes('learner-1')", "the services")
    check("NaN" not in page.text("body") and "undefined" not in page.text("body"), "no nonsense")
    alarms = page.text("#alarms")
    check("down" not in alarms and "broken" not in alarms, f"nothing is wrong: {alarms!r}")


def live(page):
    """Figures move by themselves."""
    at, learned = ask(page, "store.tick.id"), page.text(".tile-completed .tile-note")
    page.wait(f"(async () => {STORE}.tick.id >= {at + 3})()", "three ticks")
    page.wait(f"document.querySelector('.tile-completed .tile-note').innerText !== {json.dumps(learned)}", "more labels")
    page.wait(f"(async () => {STORE}.curve.time.length > 5)()", "curves")


def learned(world, key):
    """The row of the learning queue, or None."""
    result = world.run("tail", "learning-queue", "--from", "oldest", "--count", world.ledger().get("outcomes_emitted", 1), "--json")
    rows = [json.loads(line)["value"] for line in result.stdout.splitlines()]
    return next((r for r in (json.loads(v) if isinstance(v, str) else v for v in rows) if r["trip_id"] == key), None)


def drawers(page, world, config):
    """A trip's drawer says what the learning queue says, and why; a model's lists its versions."""
    key = ask(page, "store.latest[0].key")
    page.js(f"location.hash = '#/request/{key}'")
    page.wait("document.querySelector('.waterfall')", "the contributions")
    row = wait_for(lambda: learned(world, key), f"{key} in the learning queue")
    details = page.js(f"fetch('/api/requests/{key}').then((r) => r.json())")
    check(abs(details["label"] - row["duration"]) < 1e-3, f"{details['label']} is {row['duration']}")
    for model in row["predictions"]:
        why = page.js(f"fetch('/api/explain?key={key}&model={model}').then((r) => r.json())")
        if why["available"]:
            parts = why["base"] + sum(c["contribution"] for c in why["contributions"])
            check(abs(parts - why["prediction"]) <= 1e-9 * max(1, abs(parts)), f"{model}: {parts} is {why['prediction']}")
        page.js(f"document.querySelector('.why[aria-label=\"why? {model}\"]').click()")
        page.wait("document.querySelector('.waterfall') || document.querySelector('.why-place').innerText.includes('No explanation')", f"why {model}")
    page.js("location.hash = '#/model/decision-tree'")
    page.wait("document.querySelectorAll('#drawer tbody tr').length > 0", "versions")
    learner = config["models"]["decision-tree"][-1]
    check((learner if isinstance(learner, str) else next(iter(learner))) in page.text("#drawer"), "its class")
    page.key("Escape")
    check(page.js("document.querySelector('#drawer').hidden"), "closed")


def restart(page, demo):
    """The monitor is killed: the page says so, goes on with it, and has its curves still, with the gap."""
    before = ask(page, "[store.curve.time[0], store.curve.time.at(-1)]")
    monitor = demo.children()["monitor-1"]
    os.kill(monitor, signal.SIGSTOP)  # long enough to leave a gap
    page.wait("!document.querySelector('#connection').hidden", "the amber bar")
    check("data from" in page.text("#connection"), page.text("#connection"))
    os.kill(monitor, signal.SIGKILL)
    wait_for(lambda: demo.children().get("monitor-1", monitor) != monitor, "another monitor")
    page.wait("document.querySelector('#connection').hidden", "the bar to go", 60)
    page.wait(f"(async () => {STORE}.tick.time_ms > {before[1] + 5000})()", "newer figures")
    page.wait(f"(async () => {STORE}.curve.gaps.length > 0)()", "the gap")
    check(ask(page, "store.curve.time[0]") <= before[0] + 1000, "the curves from before are still there")


def main():
    if not browser.find() or not pathlib.Path("/usr/share/javascript/chart.js/chart.min.js").is_file():
        print("SKIPPED: the page's tests need chromium and libjs-chart.js (Debian packages of these names)")
        return SKIPPED
    config = shipped_config()
    port = free_port()
    with World("page", monitor=dict(config["monitor"], listen=f"127.0.0.1:{port}")) as world, browser.Browser() as chromium:
        demo = world.spawn(BIN / "oxbow", "demo", "--config", world.config, "--data", world.data, "--quiet")
        address = f"http://localhost:{port}"
        demo.wait_line("the live page")
        wait_for(lambda: answers(address), "the monitor to answer")
        page = chromium.page()
        page.open(address + "/")
        for step in (lambda: content(page, config), lambda: live(page), lambda: drawers(page, world, config)):
            step()
        silent(page)
        restart(page, demo)
        silent(page, CUT)
        demo.stop(signal.SIGINT)
    print("ok")
    return 0


def answers(address):
    try:
        return get(address, "/api/snapshot")
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main())
