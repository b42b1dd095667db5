"""The page that Prometheus scrapes."""

import a_run
import pytest
from large_runs import rendered_of, worst_case
from scraped import Scraped

from lccp_exporter import exposition
from lccp_exporter.facts import ExportedFacts
from lccp_exporter.health import ExportHealth, ReadHealth
from lccp_exporter.metrics.cells import CELLS_MAX, cells
from lccp_exporter.metrics.table import RUN_METRICS, SERIES_MAX

CELLS = {metric.name for metric in cells()}


@pytest.mark.slow
@pytest.mark.parametrize("signals", [1, 4, 6, 64, 300])
@pytest.mark.parametrize("grid", [(5, 8), (11, 18), (21, 32), (1, 400)])
def test_a_run_has_fewer_series_than_the_reference_says(
    signals: int, grid: tuple[int, int]
) -> None:
    rendered = exposition.lines(worst_case(signals, 200, grid))
    for metric, text in zip(RUN_METRICS, rendered, strict=True):
        assert text.count(b"\n") <= metric.most, metric.name
    others = sum(metric.most for metric in RUN_METRICS if metric.name not in CELLS)
    assert others + CELLS_MAX < SERIES_MAX
    of_cells = sum(
        text.count(b"\n")
        for metric, text in zip(RUN_METRICS, rendered, strict=True)
        if metric.name in CELLS
    )
    assert of_cells <= CELLS_MAX


def test_a_page_of_no_runs_has_every_family_and_no_sample() -> None:
    page = b"".join(exposition.page([], [])).decode()

    assert page.count("# HELP ") == page.count("# TYPE ") > len(RUN_METRICS)
    assert not [line for line in page.splitlines() if not line.startswith("#")]


def test_runs_stand_side_by_side_below_one_head() -> None:
    runs = [
        exposition.lines(ExportedFacts("default", name, heartbeat=a_run.heartbeat()))
        for name in "ab"
    ]
    page = b"".join(exposition.page(runs, [])).decode()

    assert page.count("# TYPE lccp_trained_tokens gauge") == 1
    found = Scraped.text(page).samples("lccp_trained_tokens")
    assert [sample.labels["run"] for sample in found] == ["a", "b"]


def test_a_long_page_comes_in_parts() -> None:
    runs = [exposition.lines(worst_case(6, 1, (5, 8)))] * 30

    parts = list(exposition.page(runs, []))

    assert len(parts) > 1
    assert all(len(part) >= exposition.PART_BYTES for part in parts[:-1])


def test_health_has_a_series_for_what_is_known() -> None:
    stores = [ReadHealth("main", a_run.START, errors=2, runs=3)]
    exports = [ExportHealth("default", "tiny", "MLflow", failed=True)]
    scraped = Scraped.text(b"".join(exposition.page([], stores, exports)).decode())

    assert scraped.value("lccp_exporter_store_errors_total", store="main") == 2
    read_at = scraped.value("lccp_exporter_store_refresh_timestamp_seconds", store="main")
    assert read_at == a_run.START.timestamp()
    assert scraped.value("lccp_exporter_store_refresh_duration_seconds", store="main") is None
    labels = {"namespace": "default", "run": "tiny", "tracker": "MLflow"}
    assert scraped.value("lccp_exporter_export_failed", **labels) == 1


def test_labels_of_any_run_are_escaped() -> None:
    facts = worst_case(1, 1, (1, 1))
    evil = ExportedFacts('a"b', "c\\d\n", heartbeat=facts.heartbeat)

    (sample,) = rendered_of(evil).samples("lccp_trained_tokens")

    assert (sample.labels["namespace"], sample.labels["run"]) == ('a"b', "c\\d\n")
