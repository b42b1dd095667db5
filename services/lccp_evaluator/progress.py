"""The progress of an evaluation, and `progress.json`, written at most every two seconds."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock

from lccp.api.objects.report import EvaluationProgress
from lccp.store import objects
from lccp.store.port import Store

INTERVAL_SECONDS = 2.0


@dataclass(frozen=True)
class Done:
    """The progress of an evaluation."""

    samples: int
    total: int
    """All samples."""
    share: float
    """Share of the tokens computed, 0 to 1; time depends on these, not on samples."""


Progress = Callable[[Done], None]


@dataclass(frozen=True)
class Share:
    """A part of an evaluation that is read together."""

    samples: int
    tokens: int
    """Tokens to compute."""


class ReportedProgress:
    """Reports what was done to `progress`; what was `kept` counts at once, but not as speed."""

    def __init__(self, shares: Sequence[Share], kept: Iterable[int], progress: Progress) -> None:
        self._progress, self._lock = progress, Lock()
        self._shares = shares
        self._total = sum(share.samples for share in shares)
        self._all_tokens = sum(share.tokens for share in shares)
        self._samples = dict.fromkeys(range(len(shares)), 0)
        self._tokens = dict(self._samples)
        for number in kept:
            self._all_of(number)
        self._tell()

    def computed(self, number: int, tokens: int) -> None:
        """This process computed `tokens` more tokens of share `number`."""
        with self._lock:
            self._tokens[number] += tokens
            if tokens:
                self._tell()

    def finished(self, number: int) -> None:
        """Share `number` is complete."""
        with self._lock:
            self._all_of(number)
            self._tell()

    def _all_of(self, number: int) -> None:
        self._samples[number] = self._shares[number].samples
        self._tokens[number] = self._shares[number].tokens

    def _tell(self) -> None:
        share = sum(self._tokens.values()) / self._all_tokens
        self._progress(Done(sum(self._samples.values()), self._total, share))


class Remaining:
    """The time left, from the progress since the first call; `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, float] | None = None

    def seconds(self, done: Done) -> float | None:
        """None as long as the speed is unknown."""
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
        """Record the progress."""
        left, now = self._remaining.seconds(done), time.monotonic()
        if now - self._written < INTERVAL_SECONDS and done.samples < done.total:
            return
        self._written = now
        value = EvaluationProgress(
            done=done.samples, total=done.total, remaining_seconds=left, at=datetime.now(UTC)
        )
        objects.write(self._store, self._key, value)
