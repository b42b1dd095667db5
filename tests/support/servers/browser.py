"""A real headless Chromium, by its DevTools protocol."""

import base64
import itertools
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket
from monitoring import until
from needs import program

FAULTS = ("error", "warning", "assert")


class Page:
    """A tab; `faults` are what its console told."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=30, suppress_origin=True)
        self._numbers = itertools.count(1)
        self.faults: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, url: str, width: int = 1_200, height: int = 900, dark: bool = False) -> None:
        """Show `url` in a window of that size."""
        scheme = "dark" if dark else "light"
        self._call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self._call("Page.navigate", url=url)
        assert until(lambda: self.value("location.href") == url, 20)
        assert until(lambda: self.value("document.readyState") == "complete", 60)

    def value(self, expression: str) -> Any:
        """What JavaScript's `expression` gives."""
        answer = self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key, such as `Tab` or `ArrowLeft`."""
        codes = {"Tab": 9, "ArrowLeft": 37, "Home": 36}
        for kind in ("rawKeyDown", "keyUp"):
            self._call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=codes[key],
            )

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        answer = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def names(self) -> list[tuple[str, str]]:
        """Role and name of all that a screen reader meets."""
        self._call("Accessibility.enable")
        nodes = self._call("Accessibility.getFullAXTree")["nodes"]
        shown = (node for node in nodes if not node["ignored"])
        return [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in shown]

    def close(self) -> None:
        self._socket.close()

    def _call(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            self._note(message.get("method", ""), message.get("params", {}))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def _note(self, event: str, told: Any) -> None:
        if event == "Runtime.exceptionThrown":
            self.faults.append(str(told["exceptionDetails"]))
        if event == "Runtime.consoleAPICalled" and told["type"] in FAULTS:
            self.faults.append(str(told["args"]))
        if event == "Log.entryAdded" and told["entry"]["level"] in FAULTS:
            self.faults.append(told["entry"]["text"])


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A tab of a Chromium that runs until the block ends."""
    arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}/profile",
        "about:blank",
    ]
    with (folder / "chromium.log").open("wb") as log:
        chromium = program("chromium", "is a package of Debian's")
        started = subprocess.Popen([chromium, *arguments], stdout=log, stderr=log)
        try:
            told = folder / "profile" / "DevToolsActivePort"
            assert until(lambda: told.exists() and "\n" in told.read_text(), 60)
            port = told.read_text().split("\n")[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=20) as answer:
                tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
            page = Page(tabs[0]["webSocketDebuggerUrl"])
            yield page
            page.close()
        finally:
            started.terminate()
            started.wait(timeout=30)
