"""An event that a signal handler sets."""

import time
from contextlib import suppress
from math import inf
from queue import Empty, SimpleQueue

LOOK_SECONDS = 0.5


class SignalEvent:
    """An event that a signal handler may set while the main thread waits for it.

    `threading.Event` holds a lock as it begins to wait; a handler that runs just then would wait
    for that lock for ever in `set`. And Python may block although a signal has arrived: its handler
    runs after the next one. So this has no lock, and looks again from time to time.
    """

    def __init__(self) -> None:
        self._set = False
        self._news: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Set it, for good."""
        self._set = True
        self._news.put(None)

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._set

    def wait(self, seconds: float = inf) -> bool:
        """Wait until it is set, for so long at most; whether it is."""
        end = time.monotonic() + seconds
        while not self._set and (left := end - time.monotonic()) > 0:
            with suppress(Empty):
                self._news.get(timeout=min(left, LOOK_SECONDS))
        return self._set
