import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError

import a_run
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from lccp.contract.errors import StoreUnavailable
from lccp.probes import retrieval_heads
from lccp.probes.retrieval_heads import RetrievalHeadsSettings
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_exporter import reference
from lccp_exporter.collector import RunCollector
from lccp_exporter.config import configuration
from lccp_exporter.facts import StoreReader
from lccp_exporter.main import Exporter
from lccp_exporter.metrics import RUN_METRICS, STORE_METRICS
from lccp_exporter.refresh import StoreWatch

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
RUN = {"namespace": "default", "run": "tiny"}


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path / "runs")
    a_run.put(store, a_run.running(a_run.CHECKPOINTS[6], at=NOW))
    return store


@pytest.fixture
def watch(store: FileStore) -> StoreWatch:
    watch = StoreWatch("default", StoreReader(store), DAY, now=lambda: NOW)
    watch.refresh()
    return watch


@pytest.fixture
def value(watch: StoreWatch) -> Callable[..., float | None]:
    registry = CollectorRegistry()
    registry.register(RunCollector((watch,)))

    def sample(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {**RUN, **labels})

    return sample


def test_progress_is_what_the_heartbeat_says(value: Callable[..., float | None]) -> None:
    assert value("lccp_trained_tokens") == a_run.CHECKPOINTS[6]
    assert value("lccp_token_budget") == a_run.BUDGET_TOKENS
    assert value("lccp_training_loss") == 3.12
    assert value("lccp_last_heartbeat_timestamp_seconds") == NOW.timestamp()


def test_measurements_are_those_of_the_newest_report(value: Callable[..., float | None]) -> None:
    report = a_run.report(a_run.CHECKPOINTS[6])
    ppl = a_run.details(report.tokens)["niah"]["ppl"]
    assert value("lccp_evaluated_checkpoint_tokens") == report.tokens
    assert value("lccp_niah_ppl", length="0000064", depth="025") == ppl[1, 0]
    for one in report.signals():
        assert value("lccp_signal", signal=one.name, band=one.band or "") == one.value


def test_the_newest_checkpoint_is_compared_with_the_first_and_the_one_before(
    value: Callable[..., float | None],
) -> None:
    maps = [a_run.details(tokens)["retrieval_heads"] for tokens in a_run.CHECKPOINTS[:7]]
    expected = retrieval_heads.compared(RetrievalHeadsSettings(), maps)
    assert expected["initial_heads_score"][-1] is not None
    for name, values in expected.items():
        assert value("lccp_signal", signal=name, band="") == values[-1]


def test_exactly_one_state_of_the_verdict_is_one(value: Callable[..., float | None]) -> None:
    assert value("lccp_verdict", state="DeceptivelySaturated") == 1
    others = ("Improving", "Saturated", "Regressing", "Undetermined")
    assert [value("lccp_verdict", state=state) for state in others] == [0, 0, 0, 0]


def test_a_gain_comes_with_its_interval(value: Callable[..., float | None]) -> None:
    gain = a_run.verdict(a_run.reports(a_run.CHECKPOINTS[:7])).checkpoints[-1].gains[0]
    names = ("lccp_signal_gain", "lccp_signal_gain_lower", "lccp_signal_gain_upper")
    values = [value(name, signal="niah_ppl") for name in names]
    assert values == [gain.gain, gain.lower, gain.upper]


def test_results_of_evaluations_are_there_from_the_start(
    value: Callable[..., float | None],
) -> None:
    assert value("lccp_checkpoint_evaluations_total", result="Succeeded") == len(a_run.CHECKPOINTS)
    assert value("lccp_checkpoint_evaluations_total", result="Failed") == 0


def test_what_is_not_known_has_no_series(store: FileStore, watch: StoreWatch) -> None:
    a_run.put(store, a_run.without(a_run.finished(), "heartbeat", "verdict", "journal"), OTHER)
    watch.refresh()
    registry = CollectorRegistry()
    registry.register(RunCollector((watch,)))
    other = {"namespace": OTHER.namespace, "run": OTHER.name}
    assert registry.get_sample_value("lccp_trained_tokens", other) is None
    assert registry.get_sample_value("lccp_unreadable_objects", other) == 0


OTHER = RunKeys("team", "other")


def test_series_die_with_their_run(store: FileStore, watch: StoreWatch) -> None:
    registry = CollectorRegistry()
    registry.register(RunCollector((watch,)))
    assert registry.get_sample_value("lccp_trained_tokens", RUN) is not None
    store.delete(a_run.KEYS.identity)
    watch.refresh()
    assert not [m for m in registry.collect() for s in m.samples if "run" in s.labels]


def test_a_finished_run_keeps_its_series_for_a_while(store: FileStore) -> None:
    journal = a_run.journal().model_copy(update={"finished_at": NOW})
    store.put(a_run.KEYS.journal, journal.to_json())
    shown = {}
    for age in (timedelta(hours=23), timedelta(hours=25)):
        watch = StoreWatch("default", StoreReader(store), DAY, now=lambda age=age: NOW + age)
        watch.refresh()
        shown[age.total_seconds() / 3600] = len(watch.runs)
    assert shown == {23: 1, 25: 0}


def test_a_store_that_fails_keeps_its_runs_and_is_counted(
    watch: StoreWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable() -> None:
        raise StoreUnavailable("store: no answer")

    before, runs = watch.health, watch.runs
    monkeypatch.setattr(watch._reader, "runs", unavailable)
    watch.refresh()
    assert watch.runs == runs != ()
    assert (watch.health.errors, watch.health.refreshed_at) == (1, before.refreshed_at)


def test_a_damaged_object_is_counted_and_hides_nothing_else(
    store: FileStore, watch: StoreWatch
) -> None:
    store.put(a_run.KEYS.verdict, b'{"schemaVersion": 99}')
    watch.refresh()
    (facts,) = watch.runs
    assert (facts.verdict, facts.unreadable_objects) == (None, 1)
    assert facts.heartbeat is not None


def test_what_did_not_change_is_not_read_again(
    store: FileStore, watch: StoreWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    get = store.get
    monkeypatch.setattr(store, "get", lambda key: read.append(key) or get(key))
    store.put(a_run.KEYS.heartbeat(a_run.WRITER), a_run.heartbeat(1).to_json())
    watch.refresh()
    assert read == [a_run.KEYS.heartbeat(a_run.WRITER)]


def test_of_a_run_in_two_stores_the_one_trained_last_is_shown(
    tmp_path: Path, watch: StoreWatch
) -> None:
    moved = FileStore(tmp_path / "moved")
    a_run.put(moved, a_run.running(a_run.CHECKPOINTS[8], at=NOW + timedelta(hours=1)))
    newer = StoreWatch("moved", StoreReader(moved), DAY, now=lambda: NOW)
    newer.refresh()
    registry = CollectorRegistry()
    registry.register(RunCollector((watch, newer)))
    assert registry.get_sample_value("lccp_trained_tokens", RUN) == a_run.CHECKPOINTS[8]


@pytest.fixture
def exporter(store: FileStore) -> Iterator[Exporter]:
    config = configuration([store.url], None, host="127.0.0.1", port=0, refresh_seconds=0.05)
    exporter = Exporter(config, CollectorRegistry())
    exporter.start()
    yield exporter
    exporter.close()


def get(exporter: Exporter, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{exporter.server.port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def scraped(exporter: Exporter, name: str) -> list[float]:
    families = text_string_to_metric_families(get(exporter, "/metrics")[1])
    return [s.value for family in families for s in family.samples if s.name == name]


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    while datetime.now(UTC) < end:
        if condition():
            return True
    return False


def test_the_endpoint_follows_the_store(exporter: Exporter, store: FileStore) -> None:
    assert until(lambda: scraped(exporter, "lccp_trained_tokens") == [a_run.CHECKPOINTS[6]])
    store.put(a_run.KEYS.heartbeat(a_run.WRITER), a_run.heartbeat(123).to_json())
    assert until(lambda: scraped(exporter, "lccp_trained_tokens") == [123])
    store.delete(a_run.KEYS.identity)
    assert until(lambda: scraped(exporter, "lccp_trained_tokens") == [])
    assert scraped(exporter, "lccp_exporter_store_errors_total") == [0]


def test_healthz_answers_and_other_paths_do_not_exist(exporter: Exporter) -> None:
    assert get(exporter, "/healthz") == (200, "ok\n")
    assert get(exporter, "/nothing")[0] == 404


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_no_fault(exporter: Exporter) -> None:
    assert until(lambda: scraped(exporter, "lccp_trained_tokens") != [])
    page = get(exporter, "/metrics")[1]
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=page, text=True, capture_output=True, timeout=30
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_sigterm_ends_the_process_with_zero(store: FileStore) -> None:
    command = [sys.executable, "-m", "lccp_exporter", "--store", store.url]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process.stderr:
        line = json.loads(process.stderr.readline())
        assert line["message"].startswith("serving http://127.0.0.1:")
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("arguments", "environ", "sentence"),
    [
        ([], {}, "lccp-exporter: no store to export: give --store URL or --stores FILE\n"),
        (["--stores", "nowhere.yaml"], {}, "lccp-exporter: nowhere.yaml: can't be read"),
        (["--store", "file://x", "--port", "70000"], {}, "lccp-exporter: configuration: port"),
        (["--store", "file://x"], {"LCCP_EXPORTER_PORT": "many"}, "Invalid value for '--port'"),
        (["--store", "file://x", "--log-level", "loud"], {}, "lccp-exporter: log level: must be"),
    ],
)
def test_a_wrong_configuration_is_one_sentence(
    arguments: list[str], environ: dict[str, str], sentence: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lccp_exporter", *arguments],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_stores_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "stores.json"
    file.write_text(json.dumps([{"name": "main", "url": "s3://b/p", "endpoint": "http://s3:8333"}]))
    (store,) = configuration([], file).stores
    assert (store.name, store.endpoint) == ("main", "http://s3:8333")


def test_the_reference_lists_every_metric() -> None:
    page = reference.render()
    for metric in (*RUN_METRICS, *STORE_METRICS):
        assert page.count(f"| `{metric.name}` |") == 1
