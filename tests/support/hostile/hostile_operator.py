"""The operator of a hostile world: it may look at old facts, and end between any two steps."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hostile_cluster import Cluster
from operator_world import KEYS, NEVER, START, Crash, MemoryStore

from lccp.api.objects.journal import Pinned
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import Conflict
from lccp_operator.apply import Backend, apply
from lccp_operator.facts import Facts
from lccp_operator.intents import Event, Plan
from lccp_operator.observe import StoreObserver
from lccp_operator.observed import HeardBeat, Known, Observed, Owner, Unknown
from lccp_operator.plan import plan
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import WorkloadState
from lccp_operator.workloads.training import Training

OWNER = Owner("lccp/lccp@1")
OFFERED = Pinned(trainer_image="trainer:1", evaluator_image="evaluator:1")


class Place(MemoryStore):
    """What a store's name leads to."""

    def copy(self) -> dict[str, bytes]:
        return {key: entry.data for key, entry in self.objects.items()}

    def put_back(self, copy: Mapping[str, bytes]) -> None:
        """Object by object, each with a new time."""
        for key in self.objects.keys() - copy.keys():
            self.delete(key)
        for key, data in sorted(copy.items()):
            self.put(key, data)


class Name:
    """A store's name, which leads to the run's place, or to another one."""

    def __init__(self) -> None:
        self.own, self.other = Place(), Place()
        self.other.version = 10**6  # so that no ETag is the same
        self.elsewhere = False

    @property
    def place(self) -> Place:
        return self.other if self.elsewhere else self.own

    def __getattr__(self, name: str) -> Any:
        return getattr(self.place, name)


@dataclass
class RunObject:
    """The run object, as the API server keeps it."""

    run: LCCPRun
    version: int = 0
    began: tuple[str, datetime] = ("", START)
    """The annotation that the operator writes before it deletes a gang's Job."""
    reevaluate: str | None = None
    finalizer: bool = False

    def change(self, **parts: Any) -> None:
        self.run, self.version = self.run.model_copy(update=parts), self.version + 1

    @property
    def status(self) -> LCCPRunStatus:
        return self.run.status or LCCPRunStatus()

    @property
    def read(self) -> LCCPRun:
        """As the operator reads it: the annotation tells that it began if the status does not."""
        uid, at = self.began
        if uid != self.run.metadata.uid or self.status.start_time is not None:
            return self.run
        told = self.status.model_copy(update={"start_time": at})
        return self.run.model_copy(update={"status": told})


@dataclass
class Memory:
    """What the operator knows of the run from one reconcile to the next."""

    observer: StoreObserver
    begun: bool = False
    heard: HeardBeat | None = None
    status_is_own: bool = True
    status_hash: int | None = None
    is_new: bool = True
    """It has not carried out a plan yet."""

    def read_status(self, status: LCCPRunStatus) -> None:
        found = _hash(status)
        self.status_is_own &= self.status_hash in (None, found)
        self.status_hash = found

    def wrote_status(self, status: LCCPRunStatus) -> None:
        self.status_is_own, self.status_hash = True, _hash(status)


class Operator:
    """Reconciles `object`; the ports of its backend."""

    def __init__(self, run_object: RunObject, cluster: Cluster, store: Name) -> None:
        self._object, self._cluster, self._store = run_object, cluster, store
        self._looked: tuple[LCCPRun, Observed, datetime, int] | None = None
        self._version = 0
        """Of the run object, as it was when it looked, or wrote last."""
        self._now = START
        self.steps_before_crash: int | None = None
        self.restart()

    def restart(self) -> None:
        self.memory, self._looked = Memory(StoreObserver(self._store, KEYS)), None

    def look(
        self, now: datetime, workloads: Mapping[Workload, WorkloadState] | None = None
    ) -> None:
        """Observe; `workloads` may be as they were a while ago."""
        run, memory = self._object.read, self.memory
        memory.read_status(self._object.status)
        store = memory.observer.part(now)
        observed = Observed(
            Known(self._cluster.states() if workloads is None else workloads),
            store,
            unmarked=self._unmarked(run, store),
            offered=OFFERED,
            owner=OWNER,
            finalizer=self._object.finalizer,
            reevaluate=self._object.reevaluate,
            status_is_own=memory.status_is_own,
            heard=memory.heard,
            begun=memory.begun,
        )
        self._looked = run, observed, now, self._object.version

    @property
    def has_looked(self) -> bool:
        return self._looked is not None

    def act(self, now: datetime) -> Plan | None:
        """Carry out what follows from the last look; None if it ends, or loses a race."""
        if self._looked is None:
            return None
        (run, observed, then, self._version), self._looked = self._looked, None
        decided, self._now = plan(run, observed, then, NEVER), now
        remember = self.memory.observer.remember
        try:
            apply(decided, run, Backend(self._store, self, self, self._guard, remember))
        except Crash:
            self.restart()
            return None
        except Conflict:
            return None
        self.memory.heard = decided.heard or self.memory.heard
        self.memory.begun |= decided.status.start_time is not None
        self.memory.is_new = False
        return decided

    def _unmarked(self, run: LCCPRun, store: Known[Facts] | Unknown) -> str | None:
        begun = run.status is not None and run.status.start_time is not None
        if begun or isinstance(store, Unknown) or store.value.identity is not None:
            return None
        return "it lacks the mark" if self._store.elsewhere else None

    def _guard(self) -> None:
        if self.steps_before_crash == 0:
            self.steps_before_crash = None
            raise Crash
        if self.steps_before_crash is not None:
            self.steps_before_crash -= 1

    # The backend's ports ---------------------------------------------------------------------

    def apply(self, run: LCCPRun, workload: Workload, pinned: Pinned) -> None:
        self._cluster.create(workload, self._now)

    def tell_state(self, *_: Any) -> None:
        raise AssertionError("there is no queue that asks for it")

    def delete(
        self, run: LCCPRun, workload: Workload | None = None, wait_for_pods: bool = True
    ) -> None:
        assert workload is not None
        told = run.status.start_time if run.status is not None else None
        began = run.metadata.uid, told or START
        if isinstance(workload, Training) and told and self._object.began != began:
            self._object.began = began
            self._object.change()
        self._cluster.delete(workload, wait_for_pods)

    def write_status(self, run: LCCPRun, status: LCCPRunStatus) -> None:
        if self._object.version != self._version:
            raise Conflict("the run object was changed")
        self._object.change(status=status)
        self._version = self._object.version
        self.memory.wrote_status(status)

    def post(self, run: LCCPRun, event: Event) -> None:
        self._guard()

    def set_finalizer(self, run: LCCPRun, present: bool) -> None:
        self._object.finalizer = present

    def end_reevaluation(self, run: LCCPRun, asked: str) -> None:
        self._guard()
        if self._object.reevaluate == asked:
            self._object.reevaluate = None


def _hash(status: LCCPRunStatus) -> int:
    return hash(json.dumps(status.document(), sort_keys=True, default=str))
