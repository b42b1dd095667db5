"""A real Prometheus and a real Alertmanager on this machine, and the webhook that they call."""

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from needs import program
from serving import free_port, serving

DURATION = re.compile(r"\b(\d+)([mh])\b")
SECONDS = {"m": 1, "h": 60}


def sixty_times_faster(rules: str) -> str:
    """The rules with each minute of `for` and of ranges as a second."""

    def shorter(line: str) -> str:
        if "for:" not in line and "[" not in line:
            return line
        return DURATION.sub(lambda m: f"{int(m[1]) * SECONDS[m[2]]}s", line)

    return "\n".join(shorter(line) for line in rules.splitlines())


@dataclass
class Webhook:
    """Remembers every alert that Alertmanager sends."""

    alerts: list[dict[str, Any]] = field(default_factory=list)

    def sent(self, status: str, **labels: str) -> list[dict[str, Any]]:
        """The alerts with these labels, among others, in the order in which they came."""
        return [
            a
            for a in list(self.alerts)
            if a["status"] == status and labels.items() <= a["labels"].items()
        ]


@contextmanager
def webhook() -> Iterator[tuple[str, Webhook]]:
    """A webhook and its address."""
    received = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.alerts += json.loads(body)["alerts"]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}/", received


@contextmanager
def process(*command: str, log: Path) -> Iterator[None]:
    """A program that runs until the block ends."""
    with log.open("wb") as output:
        started = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            yield
        finally:
            started.terminate()
            started.wait(timeout=30)


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that runs."""

    url: str

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """The vector that an expression gives then, in seconds since 1970, or now."""
        asked = {"query": expression} | ({} if at is None else {"time": str(at)})
        query = urllib.parse.urlencode(asked)
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found

    def course(self, expression: str, start: float, end: float) -> list[dict[str, Any]]:
        """The series that an expression gives from `start` to `end`, in 120 steps."""
        asked = {"query": expression, "start": start, "end": end, "step": (end - start) / 120}
        query = urllib.parse.urlencode(asked)
        with urllib.request.urlopen(f"{self.url}/api/v1/query_range?{query}", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found


@contextmanager
def alertmanager(folder: Path, receiver: str, inhibition: Mapping[str, Any]) -> Iterator[str]:
    """An Alertmanager that sends everything to the webhook `receiver` at once; its address."""
    found = program("prometheus-alertmanager", "is a package of Debian's")
    route = {
        "receiver": "webhook",
        "group_by": ["..."],
        "group_wait": "0s",
        "group_interval": "1s",
    }
    receivers = [{"name": "webhook", "webhook_configs": [{"url": receiver}]}]
    config = {"route": route, "receivers": receivers, **inhibition}
    (folder / "alertmanager.yaml").write_text(yaml.safe_dump(config))
    port = free_port()
    arguments = [
        f"--config.file={folder}/alertmanager.yaml",
        f"--storage.path={folder}/alertmanager",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with process(found, *arguments, log=folder / "alertmanager.log"):
        yield f"127.0.0.1:{port}"


@contextmanager
def prometheus(
    folder: Path,
    targets: Sequence[str],
    rules: str = "",
    alerts_to: str | None = None,
    later: Sequence[str] = (),
) -> Iterator[Prometheus]:
    """A Prometheus that scrapes `targets` each second, with labels of its own that conflict.

    Targets that are started `later` are scraped too, and not waited for.
    """
    (folder / "rules.yaml").write_text(rules or "groups: []\n")
    labels = {"namespace": "monitoring", "run": "conflict"}
    pods = [
        {"targets": [target], "labels": labels | {"pod": f"exporter-{number}"}}
        for number, target in enumerate((*targets, *later))
    ]
    scrape = {
        "job_name": "lccp",
        "honor_labels": True,
        "static_configs": pods,
    }
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yaml")],
        "scrape_configs": [scrape],
    }
    if alerts_to:
        managers = [{"static_configs": [{"targets": [alerts_to]}]}]
        config["alerting"] = {"alertmanagers": managers}
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    port = free_port()
    arguments = [
        f"--config.file={folder}/prometheus.yaml",
        f"--storage.tsdb.path={folder}/prometheus",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=1s",
    ]
    with ExitStack() as stack:
        found = program("prometheus", "is a package of Debian's")
        stack.enter_context(process(found, *arguments, log=folder / "prometheus.log"))
        running = Prometheus(f"http://127.0.0.1:{port}")
        assert until(lambda: is_up(running, len(targets)), 60), (
            folder / "prometheus.log"
        ).read_text()
        yield running


def is_up(running: Prometheus, targets: int) -> bool:
    """It answers, and has scraped all its targets."""
    try:
        return len(running.query('up{job="lccp"} == 1')) == targets
    except OSError:
        return False


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition holds within so many seconds; asked five times a second."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True
