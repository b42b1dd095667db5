"""How far an evaluation is, and `progress.json`, written at most every other second."""

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
    """How far an evaluation is."""

    samples: int
    total: int
    """Samples in all."""
    share: float
    """Of the tokens that are computed, 0 to 1; time goes with these, not with samples."""


Progress = Callable[[Done], None]


@dataclass(frozen=True)
class Share:
    """Of an evaluation: what is read together."""

    samples: int
    tokens: int
    """That are computed."""


class Told:
    """Tells `progress` what was done, from the start on what was `kept`: it tells no speed."""

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
        """So many tokens of the share of that number were computed by this process."""
        with self._lock:
            self._tokens[number] += tokens
            if tokens:
                self._tell()

    def finished(self, number: int) -> None:
        """All of a share is known."""
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
