"""Logging of runs to the trackers in their specs, in a separate thread."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from lccp.api.spec.export import ExportSpec, TrackerKind
from lccp.contract.errors import LccpError
from lccp.report.load import RunData
from lccp.store.keys import RunKeys
from lccp.store.port import Store
from lccp_exporter.facts import ExportedFacts
from lccp_exporter.health import ExportHealth
from lccp_exporter.refresh import Runs, ShownRun
from lccp_exporter.trackers.kinds import tracker_of
from lccp_exporter.trackers.rows import TrackedRun, rows_of
from lccp_exporter.trackers.tracker import Tracker

logger = logging.getLogger(__name__)
MakeTracker = Callable[[TrackerKind, str, Store, str, Path], Tracker]
Key = tuple[str, str, ExportSpec]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Exports:
    """Exports of all runs; trackers keep their local files in `folder`."""

    def __init__(
        self,
        runs: Runs,
        every_seconds: float,
        folder: Path,
        make: MakeTracker = tracker_of,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._runs = runs
        self._every_seconds = every_seconds
        self._folder = folder
        self._make = make
        self._now = now
        self._logged: dict[Key, ExportedFacts] = {}
        """Facts that were exported successfully."""
        self._health: dict[Key, ExportHealth] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="exports", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_seconds: float = 5.0) -> None:
        self._stopped.set()
        self._thread.join(timeout_seconds)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def health(self) -> list[ExportHealth]:
        """The health of each export."""
        return list(self._health.values())

    def once(self) -> None:
        """Export every run that has changed; failures are logged and reported."""
        wanted = [
            ((run.facts.namespace, run.facts.run, spec), run)
            for run in self._runs.all()
            for spec in run.facts.exports
        ]
        keys = {key for key, _ in wanted}
        self._logged = {key: facts for key, facts in self._logged.items() if key in keys}
        self._health = {key: health for key, health in self._health.items() if key in keys}
        for key, run in wanted:
            if self._stopped.is_set():
                return
            if self._logged.get(key) is not run.facts:
                self._export(key, run)

    def _export(self, key: Key, run: ShownRun) -> None:
        namespace, name, spec = key
        health = self._health.get(key, ExportHealth(namespace, name, spec.to))
        try:
            self._log(RunKeys(namespace, name), spec, run.store)
        except (LccpError, ModuleNotFoundError) as error:
            logger.warning("run %s/%s: export to %s: %s", namespace, name, spec.to, error)
            self._health[key] = replace(health, failed=True)
            return
        self._health[key] = replace(health, failed=False, exported_at=self._now())
        self._logged[key] = run.facts

    def _log(self, keys: RunKeys, spec: ExportSpec, store: Store) -> None:
        data = RunData.from_store(store, keys)
        tracker = self._make(spec.to, spec.project, store, keys.event_files, self._folder)
        tracker.export(TrackedRun.of(data), rows_of(data))

    def _loop(self) -> None:
        while not self._stopped.wait(self._every_seconds):
            self.once()
