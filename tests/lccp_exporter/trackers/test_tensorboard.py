"""Event files, read back by TensorBoard itself."""

import errno
import tempfile
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event

from lccp.report.load import RunData
from lccp.store.file import FileStore
from lccp_exporter.trackers.rows import TrackedRun, rows_of
from lccp_exporter.trackers.tensorboard import TensorBoard
from lccp_exporter.trackers.tracker import TrackerFailed

pytestmark = pytest.mark.slow
PREFIX = "default/tiny/exports/tensorboard/"


def export(store: FileStore, data: RunData) -> int:
    return TensorBoard(store, PREFIX).export(TrackedRun.of(data), rows_of(data))


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows: step and value of each point."""
    events = EventAccumulator(str(folder / PREFIX), size_guidance={"scalars": 0})
    events.Reload()
    names = events.Tags()["scalars"]
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in names}


def test_every_value_stands_at_its_tokens(tmp_path: Path, whole: RunData) -> None:
    export(FileStore(tmp_path), whole)
    shown = curves(tmp_path)
    rows = rows_of(whole)
    for name in ("training/loss", "signal/niah_ppl", "gain/niah_ppl"):
        expected = [(row.tokens, row.values[name]) for row in rows if name in row.values]
        assert [step for step, _ in shown[name]] == [tokens for tokens, _ in expected]
        assert [v for _, v in shown[name]] == pytest.approx([v for _, v in expected], rel=1e-6)


def test_a_full_disk_is_one_sentence(
    tmp_path: Path, early: RunData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: EventsWriter, event: Event) -> None:
        if event.HasField("session_log"):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(EventsWriter, "write_event", full)
    with pytest.raises(TrackerFailed, match=r"^TensorBoard: .*: No space left on device$"):
        export(FileStore(tmp_path), early)


def test_a_machine_without_room_for_temporary_files_is_one_sentence(
    tmp_path: Path, early: RunData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "gettempdir", none)

    with pytest.raises(TrackerFailed, match=r"in a temporary folder: No usable temporary dir"):
        export(FileStore(tmp_path), early)


def test_a_late_result_stands_among_the_old_ones(
    tmp_path: Path, early: RunData, whole: RunData
) -> None:
    store = FileStore(tmp_path)
    export(store, early)
    export(store, whole)
    assert len(store.list(PREFIX)) == 1
    steps = [step for step, _ in curves(tmp_path)["signal/niah_ppl"]]
    assert steps == [report.tokens for report in whole.reports]


def test_nothing_is_written_where_nothing_is_new(tmp_path: Path, early: RunData) -> None:
    store = FileStore(tmp_path)
    assert export(store, early) == len(rows_of(early))
    (before,) = store.list(PREFIX)
    assert export(store, early) == 0
    assert store.list(PREFIX) == [before]
