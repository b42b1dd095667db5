"""Which runs to reconcile, and when: each at most once at a time, urgent ones first."""

import heapq
import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")

HEAD_START_SECONDS = 20.0
"""How much sooner an urgent key counts as due: limited, so as not to starve the others."""

BESIDE_URGENT = 2
"""Other keys in work at a time besides urgent ones, which share the API server with them."""

CALM_SECONDS = 1.0
"""How long after an urgent key others are held back still: the next one is likely near."""

SLOW_SECONDS = 5.0
"""How long after its last progress a worker no longer counts: the call that it waits for, such as
one that a webhook delays, hinders no other."""


class WorkQueue(Generic[K]):
    """A queue of keys with due times. Safe to use from several threads.

    The key due longest is handed out first, and an urgent one has a head start. While workers have
    urgent keys, and a moment longer, only a few others are in work; workers that wait long for an
    answer don't count. A key that is added while a worker has it is handed out again when that
    worker is done. Adding costs O(log n); taking also looks at every worker.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, K]] = []
        self._ready: dict[bool, list[tuple[float, int, K]]] = {True: [], False: []}
        """Heaps of the keys that are due: urgent ones, and others."""
        self._due: dict[K, float] = {}
        self._urgent: set[K] = set()
        self._taken: dict[K, float] = {}
        """When a worker took the key, or last made progress with it."""
        self._holders: dict[int, K] = {}
        """The key that a worker has, by its thread."""
        self._taken_urgent: set[K] = set()
        self._was_urgent_at = -math.inf
        """When a worker last took or finished an urgent key."""
        self._got_on_at = -math.inf
        """When a worker last took a key, was done with one, or made progress with one."""
        self._looked_at = -math.inf
        """When a worker last looked for a key; without one it waits for what was left then."""
        self._count = 0
        self.closed = False

    def add(self, key: K, after_seconds: float = 0.0, urgent: bool = False) -> None:
        """Hand out `key` after `after_seconds`, or sooner if it is already due sooner."""
        with self._changed:
            known = self._due.get(key, math.inf)
            due = min(known, self._clock() + after_seconds)
            hurries = urgent and key not in self._urgent
            if hurries:
                self._urgent.add(key)
            if due < known or hurries:
                self._due[key] = due
                self._push(key, due)
                self._changed.notify()

    def take(self) -> K | None:
        """The key to hand out now, waiting for one; None once the queue is closed."""
        with self._changed:
            while not self.closed:
                key = self.take_now()
                if key is not None:
                    return key
                self._changed.wait(self._pause_seconds())
        return None

    def take_now(self) -> K | None:
        """The key to hand out now; None where there is none."""
        with self._changed:
            key = self._next()
            if key is not None:
                del self._due[key]
                self._got_on_at = self._taken[key] = self._clock()
                if key in self._urgent:
                    self._urgent.remove(key)
                    self._taken_urgent.add(key)
                    self._was_urgent_at = self._got_on_at
                self._holders[threading.get_ident()] = key
            return key

    def note_progress(self) -> None:
        """A call that this thread waited for has ended: if it is a worker, it does not hang."""
        with self._changed:
            key = self._holders.get(threading.get_ident())
            if key is not None:
                self._got_on_at = self._taken[key] = self._clock()

    def done(self, key: K) -> None:
        """The worker has finished with `key`."""
        with self._changed:
            self._got_on_at = self._clock()
            self._taken.pop(key, None)
            self._holders.pop(threading.get_ident(), None)
            if key in self._due:
                self._push(key, self._due[key])
            if key in self._taken_urgent:
                self._taken_urgent.remove(key)
                self._was_urgent_at = self._got_on_at
                self._changed.notify_all()
            else:
                self._changed.notify()

    def close(self) -> None:
        """Wake all workers, which then end."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """Keys that are due now."""
        now = self._clock()
        with self._changed:
            return sum(due <= now for due in self._due.values())

    def overdue_seconds(self) -> float:
        """How long a worker was stuck with its key, or a key has been due and no worker got on."""
        with self._changed:
            waiting = (due for key, due in self._due.items() if key not in self._taken)
            unmoved = max(min(waiting, default=math.inf), self._got_on_at)
            since = min(unmoved, *self._taken.values(), math.inf)
            return max(0.0, self._clock() - since)

    def _push(self, key: K, due: float) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (due, self._count, key))

    def _next(self) -> K | None:
        """The key to hand out now; old entries are dropped."""
        self._looked_at = self._clock()
        self._collect()
        urgent, other = self._first(True), self._first(False)
        if self._others_wait(urgent is not None):
            other = None
        if other is None or (urgent is not None and urgent - HEAD_START_SECONDS < other):
            return None if urgent is None else heapq.heappop(self._ready[True])[-1]
        return heapq.heappop(self._ready[False])[-1]

    def _others_wait(self, urgent_due: bool) -> bool:
        """Whether as many keys are in work beside urgent ones as may be."""
        quick = [key for key, since in self._taken.items() if self._left(since, SLOW_SECONDS) > 0]
        others = sum(key not in self._taken_urgent for key in quick)
        near = urgent_due or self._left(self._was_urgent_at, CALM_SECONDS) > 0
        return (near or others < len(quick)) and others >= BESIDE_URGENT

    def _pause_seconds(self) -> float | None:
        """How long there is nothing to hand out, unless keys are added or done; None: for good."""
        left = [self._left(self._waiting[0][0], 0.0)] if self._waiting else []
        if self._ready[False]:
            held = [self._left(since, SLOW_SECONDS) for since in self._taken.values()]
            held.append(self._left(self._was_urgent_at, CALM_SECONDS))
            left += [seconds for seconds in held if seconds > 0]
        return min(left, default=None)

    def _left(self, since: float, seconds: float) -> float:
        """What was left of the `seconds` since then at the last look."""
        return since + seconds - self._looked_at

    def _collect(self) -> None:
        """Move entries that have become due to their heap."""
        while self._waiting and self._waiting[0][0] <= self._looked_at:
            entry = heapq.heappop(self._waiting)
            heapq.heappush(self._ready[entry[-1] in self._urgent], entry)

    def _first(self, urgent: bool) -> float | None:
        """Since when the first of that heap is due."""
        ready = self._ready[urgent]
        while ready and not self._is_open(*ready[0], urgent):
            heapq.heappop(ready)
        return ready[0][0] if ready else None

    def _is_open(self, due: float, _: int, key: K, urgent: bool) -> bool:
        """Whether the entry is still valid, and no worker has its key."""
        valid = self._due.get(key) == due and (key in self._urgent) == urgent
        return valid and key not in self._taken
