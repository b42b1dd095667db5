"""The importer's heartbeat, and what it is told, also while it copies, converts or rereads."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from lccp.api.objects.journal import Control
from lccp.api.objects.training import Heartbeat
from lccp.contract.errors import StoreRefused, StoreUnavailable
from lccp.signals import SignalEvent
from lccp.store import objects
from lccp.store.keys import RunKeys
from lccp.store.port import Store

BEAT_SECONDS = 10.0
"""Longest time between heartbeats while one checkpoint is copied, converted or reread."""


@dataclass(frozen=True)
class Task:
    """Who imports, and until when."""

    store: Store
    keys: RunKeys
    attempt: int
    writer: str
    until_tokens: int
    unknown_fields: tuple[str, ...] = ()
    """Fields of the run's spec that this version ignores."""


class ImportStopped(Exception):
    """The importer is to end: it was sent SIGTERM, or asked to drain."""


class Pulse:
    """Writes the heartbeat of `task`. `ended` is set by SIGTERM."""

    def __init__(
        self,
        task: Task,
        ended: SignalEvent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._task, self._ended, self._clock = task, ended, clock
        self._told: tuple[tuple[int, ...], str] | None = None
        self.imports: str | None = None
        """Name of the checkpoint that is converted or copied now."""
        self._at = clock()

    def beat(self, tokens: tuple[int, ...], problem: str) -> None:
        """Report the copied checkpoints, by tokens, and what is wrong, if anything."""
        self._told, task = (tokens, problem), self._task
        beat = Heartbeat(
            attempt=task.attempt,
            writer=task.writer,
            at=datetime.now(UTC),
            phase="Importing",
            tokens=max(tokens, default=0),
            tokens_total=task.until_tokens,
            accelerators=0,
            checkpoints=tokens,
            unknown_fields=task.unknown_fields,
            imports=self.imports,
            problem=problem or None,
        )
        objects.write(task.store, task.keys.heartbeat(task.writer), beat)
        self._at = self._clock()

    @property
    def begun(self) -> bool:
        """Whether there was a report."""
        return self._told is not None

    @property
    def newest(self) -> int:
        """Tokens of the newest checkpoint reported; 0 if there is none."""
        return max(self._told[0], default=0) if self._told else 0

    def obey(self) -> None:
        """Raise ImportStopped if the importer was sent SIGTERM or asked to drain."""
        task = self._task
        control = objects.read_or_none(task.store, task.keys.control(task.attempt), Control)
        if self._ended.is_set() or (control is not None and control.request == "Drain"):
            raise ImportStopped

    def tick(self) -> None:
        """`obey`, on SIGTERM at once; repeat the last report if it is old. Raises ImportStopped."""
        if self._ended.is_set():
            raise ImportStopped
        if self._told is not None and self._clock() - self._at >= BEAT_SECONDS:
            with suppress(StoreUnavailable, StoreRefused):  # the work itself reports that
                self.beat(*self._told)
                self.obey()
