"""Which runs to look at, and when: each at most once at a time, urgent ones before the rest."""

import heapq
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")


class WorkQueue(Generic[K]):
    """A queue of keys with due times. Safe to use from several threads.

    Of the keys that are due, urgent ones are handed out first, else the one due longest. A key that
    is added while a worker has it is handed out again when that worker is done. Adding and taking
    cost O(log n).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, K]] = []
        self._ready: list[tuple[bool, float, int, K]] = []
        self._due: dict[K, float] = {}
        self._urgent: set[K] = set()
        self._taken: dict[K, float] = {}
        self._count = 0
        self.closed = False

    def add(self, key: K, after_seconds: float = 0.0, urgent: bool = False) -> None:
        """Hand `key` out after so many seconds, or sooner if it is already due sooner."""
        with self._changed:
            due = self._clock() + after_seconds
            if urgent:
                self._urgent.add(key)
            if due < self._due.get(key, float("inf")):
                self._due[key] = due
                self._push(key, due)
                self._changed.notify()

    def take(self) -> K | None:
        """The key to hand out now, waiting for one; None once the queue is closed."""
        with self._changed:
            while not self.closed:
                key, wait = self._next()
                if key is not None:
                    del self._due[key]
                    self._urgent.discard(key)
                    self._taken[key] = self._clock()
                    return key
                self._changed.wait(wait)
        return None

    def done(self, key: K) -> None:
        """The worker has finished with `key`."""
        with self._changed:
            self._taken.pop(key, None)
            if key in self._due:
                self._push(key, self._due[key])
            self._changed.notify()

    def close(self) -> None:
        """Wake all workers and send them home."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """Keys that are due now."""
        now = self._clock()
        with self._changed:
            return sum(due <= now for due in self._due.values())

    def overdue_seconds(self) -> float:
        """How long the longest waiting key has been due, or the slowest worker has had its own."""
        with self._changed:
            since = min((*self._due.values(), *self._taken.values()), default=float("inf"))
            return max(0.0, self._clock() - since)

    def _push(self, key: K, due: float) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (due, self._count, key))

    def _next(self) -> tuple[K | None, float | None]:
        """The key to hand out now, or how long to wait; entries that are old go."""
        self._collect()
        while self._ready:
            _, due, _, key = heapq.heappop(self._ready)
            if self._is_open(key, due):
                return key, None
        return None, self._waiting[0][0] - self._clock() if self._waiting else None

    def _collect(self) -> None:
        """Move what has become due to where the urgent ones go first."""
        while self._waiting and self._waiting[0][0] <= self._clock():
            due, count, key = heapq.heappop(self._waiting)
            if self._is_open(key, due):
                heapq.heappush(self._ready, (key not in self._urgent, due, count, key))

    def _is_open(self, key: K, due: float) -> bool:
        """Whether the entry still stands, and no worker has its key."""
        return self._due.get(key) == due and key not in self._taken
