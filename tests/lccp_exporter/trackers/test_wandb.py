"""Offline runs of Weights & Biases, read back from the files that `wandb sync` sends."""

from pathlib import Path

import pytest

from lccp.report.load import RunData
from lccp_exporter.trackers.rows import TrackedRun, rows_of
from lccp_exporter.trackers.wandb import STAMP, WandB

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")


def export(folder: Path, data: RunData, project: str = "lccp") -> int:
    return WandB(project, folder).export(TrackedRun.of(data), rows_of(data))


def runs(folder: Path) -> list[Path]:
    return sorted((folder / "wandb").glob("offline-run-*"))


def test_a_run_is_written_once_and_anew_when_there_is_more(
    tmp_path: Path, early: RunData, whole: RunData
) -> None:
    assert export(tmp_path, early) == len(rows_of(early))
    (first,) = runs(tmp_path)
    assert list(first.glob("*.wandb"))
    assert export(tmp_path, early) == 0
    assert runs(tmp_path) == [first]
    assert export(tmp_path, whole) == len(rows_of(whole))
    (second,) = runs(tmp_path)
    assert second != first
    assert (second / STAMP).read_text() != ""
    data = next(second.glob("*.wandb")).read_bytes()
    assert b"signal/niah_ppl" in data


def test_another_project_gets_a_run_of_its_own(tmp_path: Path, early: RunData) -> None:
    export(tmp_path, early, "our lccp")
    (first,) = runs(tmp_path)
    for other in ("the lccp", "lccp"):
        assert export(tmp_path, early, other) == len(rows_of(early))
        assert first in runs(tmp_path)
        assert export(tmp_path, early, other) == 0


def test_a_run_that_was_synchronized_stays(tmp_path: Path, early: RunData, whole: RunData) -> None:
    export(tmp_path, early)
    (first,) = runs(tmp_path)
    written = next(first.glob("*.wandb"))
    written.with_name(f"{written.name}.synced").touch()
    export(tmp_path, whole)
    assert first in runs(tmp_path)
