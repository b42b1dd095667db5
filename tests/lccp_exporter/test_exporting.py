"""The exporter logs runs to the trackers that their specs name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import a_run
import pytest

from lccp.api.identity import settings_of
from lccp.api.objects.journal import Control
from lccp.store.file import FileStore
from lccp.store.objects import write
from lccp_exporter.exporting import Exports
from lccp_exporter.refresh import Runs, StoreWatch
from lccp_exporter.trackers.rows import TrackedRow, TrackedRun
from lccp_exporter.trackers.tracker import TrackerFailed

pytestmark = pytest.mark.slow


class Recorder:
    """A tracker that remembers what it is given, or fails."""

    def __init__(self) -> None:
        self.given: list[tuple[str, int]] = []
        self.fails = False

    def export(self, run: TrackedRun, rows: Sequence[TrackedRow]) -> int:
        if self.fails:
            raise TrackerFailed("it is closed")
        self.given.append((run.name, len(rows)))
        return len(rows)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def exports(store: FileStore, watch: StoreWatch, recorder: Recorder, tmp_path: Path) -> Exports:
    run = a_run.run(export=[{"to": "MLflow", "project": "ours"}])
    write(store, a_run.KEYS.control(1), Control(settings=settings_of(run.spec)))
    watch.refresh()

    def make(*_: Any) -> Recorder:
        return recorder

    return Exports(Runs([watch]), 60, tmp_path, make)


def test_a_run_is_logged_when_there_is_something_new(
    exports: Exports, recorder: Recorder, store: FileStore, watch: StoreWatch
) -> None:
    exports.once()
    exports.once()
    assert len(recorder.given) == 1
    write(
        store,
        f"{a_run.KEYS.evaluation(a_run.CHECKPOINTS[7])}report.json",
        a_run.report(a_run.CHECKPOINTS[7]),
    )
    watch.refresh()
    exports.once()
    (_, before), (name, after) = recorder.given
    assert name == "default/tiny"
    assert after > before


def test_a_tracker_that_fails_is_told_and_tried_again(
    exports: Exports, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.fails = True
    exports.once()
    (health,) = exports.health()
    assert (health.run, health.tracker, health.failed, health.exported_at) == (
        *("tiny", "MLflow", True),
        None,
    )
    assert "export to MLflow: it is closed" in caplog.text
    recorder.fails = False
    exports.once()
    (health,) = exports.health()
    assert not health.failed
    assert health.exported_at is not None


def test_a_run_that_names_no_tracker_is_left_alone(
    watch: StoreWatch, recorder: Recorder, tmp_path: Path
) -> None:
    exports = Exports(Runs([watch]), 60, tmp_path, lambda *_: recorder)
    exports.once()
    assert recorder.given == []
    assert exports.health() == []
