"""Stores are read in the background, so that a scrape never waits for one."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from lccp.contract.errors import LccpError
from lccp_exporter.facts import RunFacts, StoreReader

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class StoreHealth:
    """How the reading of one store goes."""

    store: str
    errors: int = 0
    refreshed_at: datetime | None = None
    duration_seconds: float | None = None
    runs: int = 0


class StoreWatch:
    """The runs of one store as last read. A store that can't be read keeps what was known of it."""

    def __init__(
        self,
        name: str,
        reader: StoreReader,
        finished_ttl: timedelta,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._reader = reader
        self._finished_ttl = finished_ttl
        self._now = now
        self.runs: tuple[RunFacts, ...] = ()
        self.health = StoreHealth(name)

    def refresh(self) -> None:
        """Read the store once; what goes wrong is counted and logged."""
        start = time.monotonic()
        try:
            runs = tuple(facts for facts in self._reader.runs() if self._shown(facts))
        except LccpError as error:
            logger.warning("store %s: %s", self.health.store, error)
            self.health = replace(self.health, errors=self.health.errors + 1)
            return
        took = time.monotonic() - start
        self.runs = runs
        self.health = replace(
            self.health, refreshed_at=self._now(), duration_seconds=took, runs=len(runs)
        )

    def _shown(self, facts: RunFacts) -> bool:
        at = facts.finished_at
        return at is None or self._now() - at < self._finished_ttl


class Refresher:
    """Refreshes every watch in a thread of its own, until it is closed."""

    def __init__(self, watches: Mapping[str, StoreWatch], every_seconds: float) -> None:
        self._watches = watches
        self._every_seconds = every_seconds
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._loop, args=(watch,), name=f"store-{name}", daemon=True)
            for name, watch in watches.items()
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self, timeout_seconds: float = 5.0) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout_seconds)

    @property
    def alive(self) -> bool:
        """Every thread runs: what makes the process healthy, whether or not stores answer."""
        return all(thread.is_alive() for thread in self._threads)

    def _loop(self, watch: StoreWatch) -> None:
        while not self._stopped.is_set():
            watch.refresh()
            self._stopped.wait(self._every_seconds)
