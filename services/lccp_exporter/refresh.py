"""Background reading of stores, so that a scrape never waits for one."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from lccp.contract.errors import LccpError
from lccp.store.port import Store
from lccp_exporter.exposition import Lines, lines, unchanged
from lccp_exporter.facts import ExportedFacts
from lccp_exporter.health import ReadHealth
from lccp_exporter.reading import StoreReader

logger = logging.getLogger(__name__)
RunKey = tuple[str, str]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class ShownRun:
    """A run that is exported."""

    facts: ExportedFacts
    lines: Lines
    """Its lines on the page that Prometheus scrapes."""
    store: Store
    read: ExportedFacts
    """The facts as they were read: others than `facts` if the exporter fails to export these."""


class StoreWatch:
    """The runs of one store as last read; while it can't be read, the last known ones remain."""

    def __init__(
        self,
        name: str,
        store: Store,
        finished_ttl: timedelta,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._reader = StoreReader(store, self._is_shown)
        self._finished_ttl = finished_ttl
        self._now = now
        self.runs: Mapping[RunKey, ShownRun] = {}
        self.health = ReadHealth(name, refreshed_at=now())

    def refresh(self) -> None:
        """Read the store once; failures are counted and logged."""
        start = time.monotonic()
        try:
            found = [facts for facts in self._reader.runs() if self._is_shown(facts)]
        except Exception as error:
            foreseen = isinstance(error, LccpError)
            logger.warning("store %s: %s", self.health.store, error, exc_info=not foreseen)
            self.health = replace(self.health, errors=self.health.errors + 1)
            return
        self.runs = {(facts.namespace, facts.run): self._shown(facts) for facts in found}
        self.health = replace(
            self.health,
            refreshed_at=self._now(),
            duration_seconds=time.monotonic() - start,
            runs=len(found),
        )

    def _is_shown(self, facts: ExportedFacts) -> bool:
        if facts.deleted:
            return False
        at = facts.finished_at
        return at is None or self._now() - at < self._finished_ttl

    def _shown(self, facts: ExportedFacts) -> ShownRun:
        known = self.runs.get((facts.namespace, facts.run))
        if known is not None and known.read is facts:
            return known
        shown = facts
        try:
            found = lines(facts)
        except Exception:
            logger.exception("the run %s/%s is left out", facts.namespace, facts.run)
            shown = ExportedFacts.unreadable(facts.namespace, facts.run)
            found = lines(shown)
        kept = unchanged(known.lines if known else (), found)
        return ShownRun(shown, kept, self._store, facts)


class Runs:
    """The runs of all stores."""

    def __init__(self, watches: Iterable[StoreWatch]) -> None:
        self._watches = tuple(watches)

    def all(self) -> list[ShownRun]:
        """One for each namespace and run, by name; if two stores have it, the one trained last."""
        found: dict[RunKey, ShownRun] = {}
        for watch in self._watches:
            for key, run in watch.runs.items():
                if key not in found or _last_sign(run) > _last_sign(found[key]):
                    found[key] = run
        return [run for _, run in sorted(found.items())]

    def get(self, namespace: str, name: str) -> ShownRun | None:
        """The run of that name."""
        having = [w.runs[namespace, name] for w in self._watches if (namespace, name) in w.runs]
        return max(having, key=_last_sign, default=None)

    def stores(self) -> list[ReadHealth]:
        return [watch.health for watch in self._watches]


def _last_sign(run: ShownRun) -> float:
    return run.facts.heartbeat.at.timestamp() if run.facts.heartbeat else 0.0


class Refresher:
    """Refreshes every watch in a separate thread, until it is closed."""

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
        """Every thread runs: the process is healthy, whether or not stores answer."""
        return all(thread.is_alive() for thread in self._threads)

    def _loop(self, watch: StoreWatch) -> None:
        while not self._stopped.is_set():
            watch.refresh()
            self._stopped.wait(self._every_seconds)
