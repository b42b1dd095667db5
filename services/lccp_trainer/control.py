"""Requests to the training: by SIGTERM on any rank, or by a control object for rank 0."""

import logging
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from lccp.api.objects.journal import Control
from lccp.contract.errors import LccpError
from lccp.store.objects import read_or_none
from lccp.store.port import Store

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class Stop(IntEnum):
    """How it is requested to end; the greater one counts."""

    NO = 0
    DRAIN = 1
    TERMINATE = 2


@dataclass(frozen=True)
class Asked:
    """What is requested of a rank, or of any rank."""

    stop: Stop = Stop.NO
    save: bool = False
    """Save a state, because the last one is old."""

    def flags(self) -> list[float]:
        """As numbers whose sum over the ranks `of_flags` reads."""
        stops = [float(self.stop >= stop) for stop in list(Stop)[1:]]
        return [*stops, float(self.save)]

    @classmethod
    def of_flags(cls, sums: Sequence[float]) -> Self:
        *stops, save = sums
        asked = [stop for stop, votes in zip(list(Stop)[1:], stops, strict=True) if votes]
        return cls(max(asked, default=Stop.NO), save > 0)


class Requests:
    """The requests that this rank received."""

    def __init__(self) -> None:
        self._stop = Stop.NO
        self._state_seconds: float | None = None
        self._saved = time.monotonic()

    @property
    def asked(self) -> Asked:
        limit = self._state_seconds
        old = limit is not None and time.monotonic() - self._saved >= limit
        return Asked(self._stop, old)

    def ask(self, stop: Stop) -> None:
        self._stop = max(self._stop, stop)

    def save_every(self, seconds: float | None) -> None:
        """Request a state this long after the last one. Only on rank 0, whose clock counts."""
        self._state_seconds = seconds

    def saved(self) -> None:
        """Note that a state was saved just now."""
        self._saved = time.monotonic()

    def listen(self) -> None:
        """Let SIGTERM request TERMINATE. The launcher handles SIGINT."""
        signal.signal(signal.SIGTERM, lambda *_: self.ask(Stop.TERMINATE))
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def poll(self, store: Store, key: str) -> None:
        """Read the control object `key` every second, in a thread, until it says Drain."""
        arguments = (store, key)
        threading.Thread(target=self._poll, args=arguments, name="control", daemon=True).start()

    def _poll(self, store: Store, key: str) -> None:
        pause = threading.Event()
        while self._stop is Stop.NO:
            try:
                control = read_or_none(store, key, Control)
                if control is not None and control.request == "Drain":
                    logger.info("drain requested")
                    self.ask(Stop.DRAIN)
            except LccpError as error:
                logger.warning("control: %s", error)
            pause.wait(POLL_SECONDS)
