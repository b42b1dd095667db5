"""`progress.json`: how far an evaluation is, written at most every other second."""

import time
from datetime import UTC, datetime

from lccp.api.objects.report import EvaluationProgress
from lccp.store import objects
from lccp.store.port import Store

INTERVAL_SECONDS = 2.0


class ProgressFile:
    """A progress callback that keeps the object at `key` current."""

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self._start = time.monotonic()
        self._written = float("-inf")

    def __call__(self, done: int, total: int) -> None:
        """Note that `done` of `total` samples are done."""
        now = time.monotonic()
        if done == 0:
            self._start = now
        if now - self._written < INTERVAL_SECONDS and done < total:
            return
        self._written = now
        left = (now - self._start) / done * (total - done) if done else None
        value = EvaluationProgress(
            done=done, total=total, remaining_seconds=left, at=datetime.now(UTC)
        )
        objects.write(self._store, self._key, value)
