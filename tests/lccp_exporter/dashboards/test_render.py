"""Every query of the dashboards gives data, by a real Prometheus that scraped real exporters."""

from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import a_branch
import a_run
import pytest
from monitoring import Prometheus, prometheus, until
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from serving import serving

from lccp.api.conditions import Condition, ConditionType, Reason
from lccp.api.objects.journal import AttemptRecord, Cause
from lccp.api.status import LCCPRunStatus
from lccp.store.file import FileStore
from lccp_exporter.config import configuration
from lccp_exporter.dashboards.board import NAMED
from lccp_exporter.dashboards.render import BOARDS
from lccp_exporter.main import Exporter
from lccp_operator.kubernetes.metrics import Metrics
from lccp_operator.kubernetes.run_states import RunStates
from lccp_operator.kubernetes.workloads.seen import RunKey

PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, board in BOARDS.items()
    for panel in board.json()["panels"]
]
GPU_LABELS = ("namespace", "pod", "Hostname", "gpu")

pytestmark = pytest.mark.slow


def other_metrics() -> bytes:
    """What an operator that worked and a DCGM exporter show."""
    registry = CollectorRegistry()
    operator = Metrics(registry, lambda: 1)
    operator.leading.set(1)
    operator.reconciled("done", 0.02)
    operator.api_called("GET", "200", 0.01)
    operator.store_called("get", "ok", 0.01)
    states = RunStates(lambda: True)
    registry.register(states)
    queued = Condition(
        type=ConditionType.TRAINING,
        status="False",
        reason=Reason.QUEUED,
        last_transition_time=a_run.START,
    )
    states.note(RunKey("default", "tiny"), LCCPRunStatus(conditions=(queued,)), None)
    for name in ("GPU_UTIL", "FB_USED", "POWER_USAGE", "GPU_TEMP"):
        gauge = Gauge(f"DCGM_FI_DEV_{name}", name, GPU_LABELS, registry=registry)
        gauge.labels("default", "tiny-train-a1-0-x7k2p", "node-1", "0").set(40)
        gauge.labels("default", "another-train-a1-0-x7k2p", "node-1", "1").set(99)
    return generate_latest(registry)


class OtherExporters(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(other_metrics())

    def log_message(self, *_: object) -> None:
        """Nothing."""


def put_second_attempt(store: FileStore) -> None:
    """The run trains in its second attempt; the first one hung."""
    now, tokens = datetime.now(UTC), a_run.CHECKPOINTS[8]
    a_run.put(store, a_run.running(tokens, at=now))
    journal = a_run.journal(stopped=False)
    first = a_run.replace_ended(journal.attempts[0]).model_copy(update={"cause": Cause.HANG})
    second = AttemptRecord(number=2, started_at=a_run.START)
    attempts = journal.model_copy(update={"attempts": (first, second)})
    store.put(a_run.KEYS.journal, attempts.to_json())
    beat = a_run.heartbeat(tokens, now).model_copy(update={"attempt": 2, "mfu": 0.4})
    store.put(a_run.KEYS.heartbeat(a_run.WRITER), beat.to_json())
    a_branch.put(store, a_run.CHECKPOINTS[4])


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder: Path = tmp_path_factory.mktemp("dashboards")
    store = FileStore(folder / "runs")
    put_second_attempt(store)
    config = configuration([store.url], None, host="127.0.0.1", port=0, refresh_seconds=0.5)
    exporter = Exporter(config)
    exporter.start()
    server = ThreadingHTTPServer(("127.0.0.1", 0), OtherExporters)
    targets = [f"127.0.0.1:{exporter.server.port}", f"127.0.0.1:{server.server_port}"]
    with serving(server), prometheus(folder, targets) as running:
        assert until(lambda: bool(running.query("lccp_run_info")), 30)
        yield running
    exporter.close()


def chosen(expression: str) -> str:
    """The expression for the run that a viewer has chosen."""
    return expression.replace("$namespace", "default").replace("$run", "tiny")


@pytest.mark.parametrize("panel", PANELS)
def test_every_query_of_a_panel_gives_data(scraped: Prometheus, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        expression = chosen(target["expr"])
        assert until(lambda expression=expression: bool(scraped.query(expression)), 20), expression


@pytest.mark.parametrize("panel", [p for p in PANELS if p.values[0].get("transformations")])
def test_a_panel_is_arranged_by_labels_that_its_series_have(
    scraped: Prometheus, panel: dict[str, Any]
) -> None:
    labels = set(scraped.query(chosen(panel["targets"][0]["expr"]))[0]["metric"])
    for change in panel["transformations"]:
        if change["id"] == "groupingToMatrix":
            options = change["options"]
            assert {options["rowField"], options["columnField"]} <= labels


@pytest.mark.parametrize("panel", PANELS)
def test_a_curve_or_number_has_the_labels_of_its_name_alone(
    scraped: Prometheus, panel: dict[str, Any]
) -> None:
    """Those of the exporter's pod would begin another curve of that name when it is replaced."""
    for target in panel["targets"]:
        if "DCGM" not in target["expr"] and "format" not in target:
            named = set(NAMED.findall(target.get("legendFormat", "")))
            series = scraped.query(chosen(target["expr"]))
            assert [one["metric"] for one in series if not set(one["metric"]) <= named] == []


def test_gpus_are_those_of_the_run(scraped: Prometheus) -> None:
    panels = [p for p in BOARDS["run"].json()["panels"] if p["title"] == "GPU utilisation"]
    found = scraped.query(chosen(panels[0]["targets"][0]["expr"]))
    assert [one["metric"]["pod"] for one in found] == ["tiny-train-a1-0-x7k2p"]


def test_numbers_of_the_fleet_are_what_the_runs_say(scraped: Prometheus) -> None:
    panels = {p["title"]: p for p in BOARDS["fleet"].json()["panels"]}
    shown = {
        title: float(scraped.query(panels[title]["targets"][0]["expr"])[0]["value"][1])
        for title in ("Runs", "Training", "Queued", "Throughput")
    }
    assert shown == {"Runs": 1, "Training": 1, "Queued": 0, "Throughput": 17_000}
