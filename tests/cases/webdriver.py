"""Chromium without a window, driven by the WebDriver protocol."""

import json
import shutil
import time
import urllib.error
import urllib.request

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")
COLOURS = """
const { width, height } = document.getElementById(arguments[0]);
const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
copy.drawImage(document.getElementById(arguments[0]), 0, 0);
const pixels = new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer);
return new Set(pixels.filter((pixel) => pixel >>> 24 === 255)).size;
"""


class Browser:
    """Chromium, by the WebDriver protocol (https://www.w3.org/TR/webdriver2/)."""

    def __init__(self, port):
        self.session = f"http://127.0.0.1:{port}/session"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        options = {"binary": CHROMIUM, "args": [*arguments, "--hide-scrollbars"]}
        capabilities = {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        made = self.call("", {"capabilities": {"alwaysMatch": capabilities}})
        self.session += "/" + made["sessionId"]

    def call(self, path, body=None, method="POST"):
        data = json.dumps(body or {}).encode() if method == "POST" else None
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.session + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(error.read().decode()) from None

    def run(self, script, *args):
        return self.call("/execute/sync", {"script": script, "args": args})

    def command(self, name, **parameters):
        return self.call("/goog/cdp/execute", {"cmd": name, "params": parameters})

    def size(self, width, height):
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def open(self, url):
        self.call("/url", {"url": url})
        self.until(lambda: self.run("return Boolean(model && bars.length)"))

    def until(self, condition):
        end = time.monotonic() + 10
        while not (found := condition()):
            assert time.monotonic() < end, f"{self.text('answer')}, {self.text('message')}"
            time.sleep(0.02)
        return found

    def text(self, name):
        return self.run("return document.getElementById(arguments[0]).textContent", name)

    def click(self, name):
        self.run("document.getElementById(arguments[0]).click()", name)

    def settle(self):
        """Wait until what is drawn has been answered."""
        self.until(lambda: self.run("return !waiting && !changed"))

    def draw(self, points, kind="mouse", lift=True):
        """Draw a stroke; points are parts of the paper's side."""
        box = self.run("return document.getElementById('paper').getBoundingClientRect().toJSON()")
        moves = [
            {
                "type": "pointerMove",
                "duration": 15,
                "x": round(box["x"] + x * box["width"]),
                "y": round(box["y"] + y * box["height"]),
            }
            for x, y in points
        ]
        actions = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:]]
        if lift:
            actions.append({"type": "pointerUp", "button": 0})
        pointer = {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}}
        self.call("/actions", {"actions": [pointer | {"actions": actions}]})

    def release(self):
        self.call("/actions", method="DELETE")

    def press(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def colours(self, name):
        """Return how many colours a canvas has."""
        return self.run(COLOURS, name)

    def complaints(self):
        return self.call("/se/log", {"type": "browser"})
