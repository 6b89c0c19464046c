"""A headless Chromium, driven over the DevTools protocol through a pipe. Standard library only.

    with Browser() as browser:
        page = browser.page(1440, 900)
        page.open("http://localhost:8501/")
        page.wait("document.querySelector('#verdict').textContent.includes('best')")

A Page keeps what the console said (errors, warnings and violations of the policy): page.complaints.
"""

import base64
import itertools
import json
import os
import pathlib
import queue
import shutil
import subprocess
import tempfile
import threading
import time

PATIENCE_S = 30
FLAGS = ["--headless=new", "--no-first-run", "--no-default-browser-check", "--disable-gpu", "--disable-dev-shm-usage",
         "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-default-apps", "--hide-scrollbars", "--mute-audio", "--password-store=basic", "--remote-debugging-pipe"]


def find():
    """Where Chromium is, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class BrowserError(RuntimeError):
    """The browser said no, or nothing."""


class Browser:
    """One process with a profile of its own, both gone at the end."""

    def __init__(self, *flags):
        self.profile = tempfile.mkdtemp(prefix="oxbow-browser-")
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()
        flags = [*FLAGS, *flags] + (["--no-sandbox"] if os.geteuid() == 0 else [])
        # Chromium takes its commands from descriptor 3 and answers on 4.
        script = f'exec 3<&{to_read} 4>&{to_write}; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "chromium", find(), *flags, f"--user-data-dir={self.profile}", "about:blank"],
            pass_fds=(to_read, to_write), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, HOME=self.profile))
        os.close(to_read)
        os.close(to_write)
        self.ids = itertools.count(1)
        self.answers = {}
        self.pages = {}
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.call("Browser.close")
        except (BrowserError, OSError):
            self.process.kill()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        self.thread.join(5)
        os.close(self.back)
        shutil.rmtree(self.profile, ignore_errors=True)

    def _listen(self):
        rest = b""
        while True:
            data = os.read(self.back, 1 << 20)
            if not data:
                break
            *messages, rest = (rest + data).split(b"\0")
            for text in messages:
                self._take(json.loads(text))
        for waiting in list(self.answers.values()):
            waiting.put({"error": {"message": "the browser has gone"}})

    def _take(self, message):
        if "id" in message:
            waiting = self.answers.pop(message["id"], None)
            if waiting:
                waiting.put(message)
        else:
            page = self.pages.get(message.get("sessionId"))
            if page:
                page.take(message["method"], message["params"])

    def call(self, method, session=None, patience_s=PATIENCE_S, **params):
        """The answer to one command."""
        number = next(self.ids)
        waiting = self.answers[number] = queue.Queue()
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        with self.lock:
            data = json.dumps(message).encode() + b"\0"
            while data:
                data = data[os.write(self.to, data):]
        try:
            answer = waiting.get(timeout=patience_s)
        except queue.Empty:
            raise BrowserError(f"no answer to {method} in {patience_s} s") from None
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def page(self, width=1440, height=900, **options):
        return Page(self, width, height, **options)


class Page:
    """A tab."""

    def __init__(self, browser, width, height, scale=1, phone=False, dark=False, reduced_motion=False):
        self.browser = browser
        self.complaints = []
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        browser.pages[self.session] = self
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone)
        self.media(dark, reduced_motion)

    def __call__(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def take(self, method, params):
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            entry = params["entry"]
            self.complaints.append(f"{entry['text']} {entry.get('url', '')}".strip())

    def media(self, dark=False, reduced_motion=False):
        self("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if reduced_motion else "no-preference"}])

    def open(self, url):
        self("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'", f"{url} to load")

    def js(self, expression):
        """The value of an expression; a promise is waited for."""
        answer = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(f"{expression!r}: {details.get('exception', {}).get('description', details['text'])}")
        return answer["result"].get("value")

    def wait(self, expression, what=None, patience_s=PATIENCE_S):
        """Polls until an expression is true."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                value = self.js(f"Promise.resolve({expression}).then(Boolean)")
            except BrowserError as error:
                if "context" not in str(error) and "null" not in str(error):
                    raise
                value = None
            if value:
                return
            if time.monotonic() > deadline:
                raise BrowserError(f"waited {patience_s} s for {what or expression}")
            time.sleep(.05)

    def text(self, selector):
        return self.js(f"document.querySelector({json.dumps(selector)})?.innerText")

    def key(self, key, shift=False):
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35}
        text = {"Enter": "\r", " ": " "}.get(key)
        common = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": codes[key], "modifiers": 8 if shift else 0}
        self("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        self("Input.dispatchKeyEvent", type="keyUp", **common)

    def mouse(self, x, y, click=False):
        self("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        if click:
            for kind in ("mousePressed", "mouseReleased"):
                self("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path, whole=False):
        """Writes a PNG; `whole`: of the page's full height."""
        options = {}
        if whole:
            size = self("Page.getLayoutMetrics")["cssContentSize"]
            options = {"captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}
        pathlib.Path(path).write_bytes(base64.b64decode(self("Page.captureScreenshot", format="png", **options)["data"]))

    def heap(self):
        """Bytes in use after a forced collection."""
        sizes = []
        for _ in range(8):  # some of it is let go between two tasks only
            self("HeapProfiler.collectGarbage")
            sizes.append(self("Runtime.getHeapUsage")["usedSize"])
            time.sleep(.2)
        return min(sizes)

    def hide(self, hidden):
        """Another tab in front of this one, or this one in front again."""
        if hidden:
            self.other = self.browser.call("Target.createTarget", url="about:blank")["targetId"]
            self.browser.call("Target.activateTarget", targetId=self.other)
        else:
            self.browser.call("Target.activateTarget", targetId=self.target)
            self.browser.call("Target.closeTarget", targetId=self.other)

    def close(self):
        self.browser.pages.pop(self.session, None)
        self.browser.call("Target.closeTarget", targetId=self.target)
