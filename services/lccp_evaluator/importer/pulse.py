"""The importer's heartbeat, which continues while it copies or converts."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from lccp.api.objects.training import Heartbeat
from lccp.contract.errors import StoreUnavailable
from lccp.store import objects
from lccp.store.keys import RunKeys
from lccp.store.port import Store

BEAT_SECONDS = 10.0
"""Longest time between heartbeats while one checkpoint is copied or converted."""


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


class Stopped(Exception):
    """The importer was stopped while it copied or converted."""


class Pulse:
    """Writes the heartbeat of `task`. `ended` is set by SIGTERM."""

    def __init__(
        self,
        task: Task,
        ended: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._task, self._ended, self._clock = task, ended, clock
        self._told: tuple[tuple[int, ...], str] = (), ""
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
            problem=problem or None,
        )
        objects.write(task.store, task.keys.heartbeat(task.writer), beat)
        self._at = self._clock()

    def tick(self) -> None:
        """Repeat the last report if it is old. Raises Stopped if the importer is to end."""
        if self._ended.is_set():
            raise Stopped
        if self._clock() - self._at >= BEAT_SECONDS:
            with suppress(StoreUnavailable):  # the work itself reports that
                self.beat(*self._told)
