"""TensorBoard: one event file that contains all of a run, in the order of tokens.

TensorBoard plots points of a curve in their order in a file, so a late result can't be appended:
the file is rewritten. It begins with the mark of a restart at step 0, which makes a running
TensorBoard discard the data of the previous file.
"""

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto import event_pb2

from lccp.store.port import Store
from lccp_exporter.trackers.rows import TrackedRow, TrackedRun, digest_of
from lccp_exporter.trackers.tracker import TrackerFailed

NAME = "events.out.tfevents.{number:010d}.lccp.{digest}"
DIGITS = 16


class TensorBoard:
    """Event files below `prefix` in `store`; the newest has everything, others are deleted."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    def export(self, run: TrackedRun, rows: Sequence[TrackedRow]) -> int:
        """Rewrite the file if anything in it changed; returns its number of rows, else 0.

        Raises TrackerFailed if there is no room for it here, and StoreUnavailable.
        """
        digest = digest_of(rows, run)[:DIGITS]
        known = [info.key for info in self._store.list(self._prefix) if ".lccp." in info.key]
        if known and known[-1].endswith(digest):
            return 0
        number = 1 + max((_number(key) for key in known), default=0)
        name = NAME.format(number=number, digest=digest)
        self._store.put(f"{self._prefix}{name}", event_file(run, rows))
        for key in known:
            self._store.delete(key)
        return len(rows)


def _number(key: str) -> int:
    return int(key.rsplit("/", 1)[-1].split(".")[3])


def event_file(run: TrackedRun, rows: Iterable[TrackedRow]) -> bytes:
    """The bytes of an event file of `rows`, ordered by tokens. Raises TrackerFailed."""
    try:
        return _written(run, rows)
    except OSError as error:
        where = tempfile.tempdir or "a temporary folder"  # none is chosen while all are full
        text = f"TensorBoard: its file can't be made in {where}: {error.strerror}"
        raise TrackerFailed(text) from None


def _written(run: TrackedRun, rows: Iterable[TrackedRow]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        with closing(EventsWriter(f"{folder}/events")) as writer:
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            writer.write_event(event_pb2.Event(step=0, session_log=start))
            for row in rows:
                for name, value in row.values.items():
                    event = event_pb2.Event(step=row.tokens, wall_time=row.at.timestamp())
                    event.summary.CopyFrom(summary.scalar(name, value))
                    writer.write_event(event)
        return next(Path(folder).iterdir()).read_bytes()
