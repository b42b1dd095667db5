"""Runs are logged to the trackers that their specs name, in a thread of its own."""

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
from lccp_exporter.facts import RunFacts
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
    """Exports of all runs; `folder` holds what trackers keep on this machine."""

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
        self._logged: dict[Key, RunFacts] = {}
        """Facts that an export was made of, successfully."""
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
        """How each export goes."""
        return list(self._health.values())

    def once(self) -> None:
        """Log every run of which there is something new; what goes wrong is logged and told."""
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
