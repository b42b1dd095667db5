"""The progress of an evaluation, and `progress.json`, written at most every two seconds."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from typing import Self

from lccp.api.objects.report import EvaluationProgress
from lccp.contract.errors import LccpError
from lccp.store import objects
from lccp.store.port import Store

INTERVAL_SECONDS = 2.0
BEAT_SECONDS = 5.0
"""Time between two writes without progress, by which others know that the evaluator works."""

logger = logging.getLogger(__name__)


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
    """A progress callback that keeps the object at `key` current.

    As a context manager it also writes it anew while a pass lasts, from the first progress on. Of
    these writes a failure is only logged; with progress it is raised. At its end, a write that has
    begun is waited for, five seconds at most.
    """

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self._remaining = Remaining()
        self._written = float("-inf")
        self._last: tuple[Done, float | None] | None = None
        self._ended = Event()
        self._writing = Lock()
        self._thread = Thread(target=self._beat, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(BEAT_SECONDS)

    def __call__(self, done: Done) -> None:
        """Record the progress."""
        self._last = done, self._remaining.seconds(done)
        if self._idle_seconds >= INTERVAL_SECONDS or done.samples >= done.total:
            self._write()

    @property
    def _idle_seconds(self) -> float:
        return time.monotonic() - self._written

    def _beat(self) -> None:
        while not self._ended.wait(INTERVAL_SECONDS):
            if self._last is not None and self._idle_seconds >= BEAT_SECONDS - INTERVAL_SECONDS:
                try:
                    self._write()
                except LccpError as error:
                    logger.warning("the progress was not written: %s", error)

    def _write(self) -> None:
        """Write the newest progress. One write at a time: an older one would else land last."""
        with self._writing:
            assert self._last is not None
            done, left = self._last
            self._written = time.monotonic()
            value = EvaluationProgress(
                done=done.samples,
                total=done.total,
                remaining_seconds=left,
                at=datetime.now(UTC),
                beats=True,
            )
            objects.write(self._store, self._key, value)
