"""How far an evaluation is, and `progress.json`, written at most every other second."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from lccp.api.objects.report import EvaluationProgress
from lccp.store import objects
from lccp.store.port import Store

INTERVAL_SECONDS = 2.0


@dataclass(frozen=True)
class Done:
    """How far an evaluation is."""

    samples: int
    total: int
    """Samples in all."""
    share: float
    """Of the tokens that are computed, 0 to 1; time goes with these, not with samples."""


Progress = Callable[[Done], None]


class Remaining:
    """The time left, from what was done since the first call; `clock` tells seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, float] | None = None

    def seconds(self, done: Done) -> float | None:
        """None as long as nothing tells the speed."""
        now = self._clock()
        if self._first is None or done.share < self._first[1]:
            self._first = now, done.share
        start, before = self._first
        gained = done.share - before
        return (now - start) / gained * (1 - done.share) if gained > 0 else None


class ProgressFile:
    """A progress callback that keeps the object at `key` current."""

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self._remaining = Remaining()
        self._written = float("-inf")

    def __call__(self, done: Done) -> None:
        """Note how far it is."""
        left, now = self._remaining.seconds(done), time.monotonic()
        if now - self._written < INTERVAL_SECONDS and done.samples < done.total:
            return
        self._written = now
        value = EvaluationProgress(
            done=done.samples, total=done.total, remaining_seconds=left, at=datetime.now(UTC)
        )
        objects.write(self._store, self._key, value)
