"""Where the time of an attempt goes, as rank 0 sees it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from lccp.api.objects.training import Ledger

Activity = Literal["starting", "productive", "waiting_for_data", "saving", "measuring", "ending"]


class WallClock:
    """Adds up the seconds of activities, one at a time. May be read from other threads.

    Args:
        started: when the attempt began, by `now`, a clock shared by this machine's processes.
    """

    def __init__(self, started: float, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._since = started
        self._activity: Activity = "starting"
        self._seconds: dict[Activity, float] = {}
        self._safe = 0.0
        self._at_state: dict[int, float] = {}
        self._stepped = started

    def turn_to(self, activity: Activity) -> None:
        """Count time as `activity` from now on."""
        with self._lock:
            now = self._now()
            self._seconds[self._activity] = self._of(self._activity, now)
            self._activity, self._since = activity, now

    @contextmanager
    def during(self, activity: Activity) -> Iterator[None]:
        """Count time within it as `activity`, and after it as the activity before."""
        before = self._activity
        self.turn_to(activity)
        try:
            yield
        finally:
            self.turn_to(before)

    def stepped(self) -> None:
        """Note that a step ended."""
        with self._lock:
            self._stepped = self._now()

    def step_seconds(self) -> float:
        """Seconds since the last step ended, or since the start."""
        with self._lock:
            return self._now() - self._stepped

    def state_taken(self, tokens: int) -> None:
        """Note that the state of `tokens` will hold the work up to now, once it is complete."""
        with self._lock:
            self._at_state[tokens] = self._of("productive", self._now())

    def state_complete(self, tokens: int) -> None:
        """Note that this state is complete: the work in it can no longer be lost."""
        with self._lock:
            self._safe = max(self._safe, self._at_state.pop(tokens, 0.0))

    def ledger(self) -> Ledger:
        """The seconds of everything so far."""
        with self._lock:
            now = self._now()
            return Ledger(**(self._seconds | {self._activity: self._of(self._activity, now)}))

    def unsaved_seconds(self) -> float:
        """Productive seconds that no complete state holds."""
        with self._lock:
            return self._of("productive", self._now()) - self._safe

    def _of(self, activity: Activity, now: float) -> float:
        running = now - self._since if activity == self._activity else 0.0
        return self._seconds.get(activity, 0.0) + running
