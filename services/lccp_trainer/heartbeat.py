"""What rank 0 reports while its attempt runs: the heartbeat and the history, from a thread."""

import logging
import threading
import time
from datetime import UTC, datetime
from typing import Any

from lccp.api.objects.training import Heartbeat, RouterLoad, StepRecord
from lccp.contract.errors import LccpError
from lccp.store.keys import TrainingKeys
from lccp.store.port import Store
from lccp_trainer.goodput import WallClock

logger = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
HISTORY_SECONDS = 5.0
"""Shortest time between two unrequested writes of the history."""
HISTORY_BYTES_PER_SECOND = 250_000
"""A store has no append: the history is rewritten, at most at this rate."""


class Reporter:
    """Writes `heartbeat.json` every two seconds, and `history.jsonl` when it has grown.

    Training continues if the store does not answer; a missed write is repeated later.
    """

    def __init__(
        self, store: Store, keys: TrainingKeys, first: Heartbeat, clock: WallClock
    ) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._heartbeat = first
        self._lock = threading.Lock()
        self._beating = threading.Lock()
        self._writing = threading.Lock()
        self._lines: list[bytes] = []
        self._load: RouterLoad | None = None
        self._written_lines = 0
        self._next_history = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def update(self, **changes: Any) -> None:
        """Change fields of the heartbeat; the next beat writes them."""
        with self._lock:
            self._heartbeat = self._heartbeat.model_copy(update=changes)

    def record(self, step: StepRecord, load: RouterLoad | None = None) -> None:
        """Add a line to the history; `load` replaces the one before."""
        line = (step.model_dump_json(by_alias=True, exclude_none=True) + "\n").encode()
        with self._lock:
            self._lines.append(line)
            self._load = load or self._load

    def flush(self) -> None:
        """Write the history as it is now. Raises StoreUnavailable."""
        with self._lock:
            writer = self._heartbeat.writer
        self._write_history(writer)

    def tell_states(self, states: tuple[int, ...]) -> None:
        """Write a heartbeat with these complete states, by tokens. Raises StoreUnavailable."""
        self.update(states=states)
        self._write_beat()

    def finish(self, **changes: Any) -> None:
        """Write the last heartbeat and the whole history."""
        self.update(phase="Ending", problem=None, **changes)
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        ended = False
        while not ended:
            self._write(last=ended)
            ended = self._ended.wait(BEAT_SECONDS)
        self._write(last=True)

    def _write(self, last: bool) -> None:
        try:
            writer = self._write_beat()
            if last or time.monotonic() >= self._next_history:
                self._write_history(writer)
        except LccpError as error:
            logger.warning("heartbeat: %s", error)

    def _write_beat(self) -> str:
        """One at a time: an older one must not overwrite a newer one. Returns its writer."""
        with self._beating:
            with self._lock:
                beat = self._heartbeat.model_copy(
                    update={
                        "at": datetime.now(UTC),
                        "ledger": self._clock.ledger(),
                        "unsaved_seconds": self._clock.unsaved_seconds(),
                        "step_seconds": self._clock.step_seconds(),
                    }
                )
            self._store.put(self._keys.heartbeat(beat.writer), beat.to_json())
        return beat.writer

    def _write_history(self, writer: str) -> None:
        with self._writing:
            with self._lock:
                lines, load, self._load = list(self._lines), self._load, None
            if load is not None:
                self._store.put(self._keys.routers(writer), load.to_json())
            if len(lines) == self._written_lines:
                return
            data = b"".join(lines)
            self._store.put(self._keys.history(writer), data)
            self._written_lines = len(lines)
            pause = max(HISTORY_SECONDS, len(data) / HISTORY_BYTES_PER_SECOND)
            self._next_history = time.monotonic() + pause
