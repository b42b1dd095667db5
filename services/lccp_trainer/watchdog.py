"""Finds a hang: no step within the limit."""

import faulthandler
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LINGER_SECONDS = 5.0


class Watchdog:
    """Calls `on_hang` once, from a thread, if `touch` is not called for `limit_seconds`.

    Before that it writes the stacks of all threads to `stacks`, and waits a while: the other
    ranks, which wait for this one, have watchdogs that must write theirs too.
    """

    def __init__(
        self,
        limit_seconds: float,
        stacks: Path,
        on_hang: Callable[[], None],
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self._limit = limit_seconds
        self._stacks = stacks
        self._on_hang = on_hang
        self._linger = linger_seconds
        self._touched = time.monotonic()
        self._paused = False
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def touch(self) -> None:
        """Note that there was progress."""
        self._touched = time.monotonic()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within it nothing counts as a hang: waits there have their own limit."""
        self._paused = True
        try:
            yield
        finally:
            self.touch()
            self._paused = False

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        left = self._limit
        while not self._stopped.wait(max(left, 0.01)):
            left = self._touched + self._limit - time.monotonic()
            if self._paused:
                left = self._limit
            if left <= 0:
                self._report_hang()
                return

    def _report_hang(self) -> None:
        with self._stacks.open("w") as file:
            faulthandler.dump_traceback(file, all_threads=True)
        if not self._stopped.wait(self._linger):
            self._on_hang()
