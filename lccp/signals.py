"""What programs do on signals."""

import os
import signal
import time
from contextlib import suppress
from math import inf
from queue import Empty, SimpleQueue

from lccp.logs import leave_termination_message

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


def end_on_sigterm(code: int) -> None:
    """Have SIGTERM end this process at once with `code`, until a handler replaces this one.

    A container's first process ignores the signal as long as it has no handler. Programs call this
    before the imports that take them seconds, in which there is nothing to save.
    """

    def end(*_: object) -> None:
        leave_termination_message("received SIGTERM before the start: there was nothing to save")
        os._exit(code)

    signal.signal(signal.SIGTERM, end)
