"""What a process keeps of a run between two reconciles."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from lccp.api.run import LCCPRun
from lccp.contract.errors import Conflict, LccpError, NotFound
from lccp.store.port import Store
from lccp_operator.hearing import Hearing
from lccp_operator.intents import Plan
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import KubernetesRuns, KubernetesWorkloads
from lccp_operator.kubernetes.lease import NotLeading
from lccp_operator.kubernetes.reconcile.resync import Resync
from lccp_operator.kubernetes.workloads.reading import WorkloadReader
from lccp_operator.kubernetes.workloads.seen import KubeletTime, RunKey
from lccp_operator.observe import StoreObserver
from lccp_operator.observed import HeardBeat, Known, Observed, Unknown
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import WorkloadState
from lccp_operator.workloads.training import Training

RACE_SECONDS = 5.0
"""How long a race with another writer, or with a deletion, may be lost again and again."""


@dataclass
class RunMemory:
    """Memory of one run object; all of it can be lost."""

    uid: str
    store: str
    """Name of its store."""
    workloads: KubernetesWorkloads
    observer: StoreObserver
    kubelets: Hearing[KubeletTime] = field(default_factory=Hearing)
    workloads_unknown_since: datetime | None = None
    runs: KubernetesRuns | None = None
    """Of the last reconcile: it has the version of the run object that this process wrote."""
    resync: Resync | None = None
    status_is_own: bool = True
    """No other process has changed the status since this one first read it, or last wrote it."""
    status_hash: int | None = None
    """Of the status as this process last read or wrote it."""
    events_posted: bool = False
    """The last plan was carried out completely, and the API server took its events."""
    heard: HeardBeat | None = None
    """The newest attempt's heartbeat at the last reconcile that followed the store."""
    begun: bool = False
    """The run has begun, as the status of a reconcile told."""
    races_since: float | None = None
    """Since when, by the monotonic clock, every reconcile has lost one."""
    idle: bool = False
    """Nothing of it ran, and nothing was to do, when its store was last read."""

    @contextmanager
    def noting_races(self) -> Iterator[None]:
        """A race that is lost inside is raised, and noted until a reconcile loses none.

        So is an object that is not found, since it may have been deleted just now. A process that
        has lost the lead has lost none.
        """
        try:
            yield
        except NotLeading:
            self.races_since = None
            raise
        except (Conflict, NotFound):
            self.races_since = self.races_since or time.monotonic()
            raise
        except Exception:
            self.races_since = None
            raise
        self.races_since = None

    @contextmanager
    def noting_status(self, runs: KubernetesRuns) -> Iterator[None]:
        """What is written inside is this process's own, also if another part of the plan fails."""
        try:
            yield
        finally:
            if runs.written:
                self.wrote_status(runs.written)

    @property
    def loses_races(self) -> bool:
        """Each reconcile has lost one, for longer than a race takes."""
        since = self.races_since
        return since is not None and time.monotonic() - since >= RACE_SECONDS

    def read_workloads(
        self, reader: WorkloadReader, run: LCCPRun, now: datetime
    ) -> Known[dict[Workload, WorkloadState]] | Unknown:
        """The run's workloads, or the time since which they are unknown, and why."""
        try:
            found = reader.read(run, now, self.kubelets)
        except LccpError as error:
            self.workloads_unknown_since = self.workloads_unknown_since or now
            return Unknown(self.workloads_unknown_since, str(error))
        self.workloads_unknown_since = None
        return Known(found)

    def wrote(self, body: Object) -> bool:
        """The run object is unchanged since the last reconcile."""
        return self.runs is not None and self.runs.version == body["metadata"]["resourceVersion"]

    def read_status(self, body: Object) -> None:
        """The run object is now `body`: notice whether another process changed its status."""
        found = status_hash(body)
        self.status_is_own &= self.status_hash in (None, found)
        self.status_hash = found

    def wrote_status(self, body: Object) -> None:
        """The run object is now `body`, since this process wrote its status."""
        self.status_is_own, self.status_hash = True, status_hash(body)

    def carried_out(self, result: Plan, observed: Observed, unchanged: bool) -> None:
        """The plan is carried out; `unchanged`: that changed nothing, and the run may rest.

        An outage of its store does not change whether the run is idle.
        """
        self.heard = result.heard or self.heard
        self.begun |= result.status.start_time is not None
        if isinstance(observed.store, Known):
            self.idle = result.idle
        if unchanged:
            self.resync = Resync.of(result, observed)
        if unchanged and result.idle:
            self.observer.forget()

    def pack(self) -> None:
        """Keep what is needed for the next reconcile in less memory."""
        self.observer.pack()
        if self.runs is not None:
            self.runs.written = None

    def is_unchanged(self) -> bool:
        """No resync is due, and nothing in its part of the store changed."""
        if self.resync is None or self.resync.is_due:
            return False
        return not self.observer.moved(self.resync.is_idle)


class Memories(dict[RunKey, RunMemory]):
    """Memories of reconciled runs; other threads read them while one thread changes them."""

    def to_be_told(
        self, store: Store, seconds: float, idle: float, pace: float
    ) -> Iterator[tuple[RunKey, float]]:
        """The runs in that store, and after how many seconds each hears of a change of the store.

        Those that are under way do after `seconds`, the idle ones from `idle` on, `pace` of them a
        second: they may be many, and others wait for the same workers.
        """
        number = count()
        for key, memory in self._in(store):
            yield key, idle + next(number) / pace if memory.idle else seconds

    def found_in(self, store: Store) -> Iterator[RunKey]:
        """The runs that this store held when they were last reconciled."""
        return (key for key, memory in self._in(store) if memory.observer.found_run)

    def _in(self, store: Store) -> Iterator[tuple[RunKey, RunMemory]]:
        known = self.copy().items()
        return ((key, memory) for key, memory in known if memory.observer.store is store)


def without_gang(run: LCCPRun, workloads: Known[dict[Workload, WorkloadState]] | Unknown) -> bool:
    """It is being deleted, or had attempts and has no gang: perhaps since its namespace goes."""
    if run.metadata.deletion_timestamp is not None:
        return True
    if isinstance(workloads, Unknown) or run.status is None or not run.status.attempt:
        return False
    return not any(isinstance(w, Training) and s.live for w, s in workloads.value.items())


def status_hash(body: Object) -> int:
    """Equal for equal statuses of run objects."""
    return hash(json.dumps(body.get("status", {}), sort_keys=True))
