"""Jobs and pods of a cluster to which anything may happen; the pods run simulated processes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import EndingRule, Phase, Pod, WorkloadState
from lccp_operator.workloads.training import Training


@dataclass(eq=False, repr=False)
class Process:
    """A pod, and the process in it, which goes on until it ends, whoever sees it."""

    uid: str
    workload: Workload
    job: "Job | None"
    """None: nobody controls it any more."""
    stage: str = "Pending"
    """Pending, Begun, Looking (what a trainer is to do), Working, Ended."""
    exit_code: int | None = None
    deleting: bool = False
    disrupted: bool = False
    lost: bool = False
    """Its node is cut off: nobody hears of its end."""
    began_at: datetime | None = None
    place: Any = None
    """What its store's name led to when it began."""
    spec: Any = None
    """What a trainer is to train, or the manifest of what is evaluated."""
    tokens: int = 0
    due: list[Callable[["Process"], None]] = field(default_factory=list)
    """What is to be saved before the next step."""

    states: list[int] = field(default_factory=list)
    checkpoints: list[int] = field(default_factory=list)
    """What it knows to be complete, by tokens."""

    def __repr__(self) -> str:
        return f"{self.workload} of {self.uid}: {self.stage}, {self.tokens}, {self.exit_code}"

    @property
    def works(self) -> bool:
        return self.stage == "Working"

    @property
    def ended(self) -> bool:
        return self.stage == "Ended"

    def end(self, code: int) -> None:
        self.stage, self.exit_code = "Ended", int(code)

    @property
    def phase(self) -> Phase:
        if self.stage == "Pending":
            return Phase.PENDING
        if not self.ended or self.lost:
            return Phase.RUNNING
        return Phase.FAILED if self.exit_code else Phase.SUCCEEDED


@dataclass(eq=False)
class Job:
    """One workload's Job."""

    workload: Workload
    started_at: datetime
    deleting: bool = False
    queued: bool = False
    finished: Phase | None = None
    rule: EndingRule | None = None


class Cluster:
    """All Jobs of the run, and all pods, its own and orphaned ones."""

    def __init__(self) -> None:
        self.jobs: dict[Workload, Job] = {}
        self.pods: list[Process] = []
        self._numbers = count(1)

    def create(self, workload: Workload, now: datetime) -> bool:
        """False if it exists."""
        if workload in self.jobs:
            return False
        self.jobs[workload] = Job(workload, now)
        self._new_pod(self.jobs[workload])
        return True

    def delete(self, workload: Workload, wait_for_pods: bool) -> None:
        """As the operator does it."""
        job = self.jobs.get(workload)
        if job is None:
            return
        job.deleting = True
        for pod in self.of(job):
            pod.deleting = True
        if not wait_for_pods:
            self._let_go(job)
        self.settle()

    def delete_by_hand(self, job: Job, orphan: bool) -> None:
        """The Job goes at once; its pods end some time later, or go on as orphans."""
        for pod in self.of(job):
            pod.deleting |= not orphan
        self._let_go(job)
        self.settle()

    def evict(self, job: Job) -> None:
        """A queue takes its pods; those that work may save first."""
        job.queued = True
        for pod in self.of(job):
            pod.deleting = True

    def admit(self, now: datetime) -> None:
        """The queue lets all gangs go on whose pods are gone, with new pods."""
        for job in self.jobs.values():
            if job.queued and not self.of(job):
                job.queued, job.started_at = False, now
                self._new_pod(job)

    def of(self, job: Job) -> list[Process]:
        return [pod for pod in self.pods if pod.job is job]

    @property
    def alive(self) -> list[Process]:
        """Whose process may yet do something."""
        return [pod for pod in self.pods if not pod.ended]

    def settle(self) -> None:
        """What the controllers of Jobs and of garbage do."""
        for job in self.jobs.values():
            own = self.of(job)
            ended = own and all(pod.ended and not pod.lost for pod in own)
            if ended and not job.queued and job.finished is None:
                job.finished = own[0].phase
                job.rule = EndingRule.DISRUPTION if own[0].disrupted else None
        gone = [p for p in self.pods if p.ended and (p.deleting or p.job is None) and not p.lost]
        self.pods = [pod for pod in self.pods if pod not in gone]
        for job in [job for job in self.jobs.values() if job.deleting and not self.of(job)]:
            del self.jobs[job.workload]

    def end_everything(self) -> None:
        """The run object is deleted, and the garbage collector has ended its work."""
        self.jobs, self.pods = {}, []

    def states(self) -> Mapping[Workload, WorkloadState]:
        left: dict[Workload, list[Process]] = {}
        for pod in self.pods:
            if pod.job is None:
                left.setdefault(pod.workload, []).append(pod)
        orphans = {w: _orphaned(own) for w, own in left.items() if not all(map(_over, own))}
        return orphans | {w: self._state(job) for w, job in self.jobs.items()}

    def trainers(self) -> Iterator[Process]:
        return (pod for pod in self.pods if isinstance(pod.workload, Training))

    def _state(self, job: Job) -> WorkloadState:
        own = self.of(job)
        return WorkloadState(
            phase=job.finished or (Phase.QUEUED if job.queued else _phase_of(own)),
            pods=tuple(map(_seen, own)),
            started_at=job.started_at,
            deleting=job.deleting,
            rule=job.rule,
            log=f"kubectl logs job/{job.workload.suffix}",
        )

    def _new_pod(self, job: Job) -> None:
        number = next(self._numbers)
        uid = f"{(number * 0x9E3779B1) % 2**32:08x}"
        self.pods.append(Process(uid, job.workload, job))

    def _let_go(self, job: Job) -> None:
        for pod in self.of(job):
            pod.job = None
        del self.jobs[job.workload]


def _seen(pod: Process) -> Pod:
    return Pod(
        index=0,
        uid=pod.uid,
        phase=pod.phase,
        began_at=pod.began_at,
        deleting=pod.deleting,
        exit_code=None if pod.lost else pod.exit_code,
        disrupted=pod.disrupted,
        lost=pod.lost,
    )


def _over(pod: Process) -> bool:
    return _seen(pod).over


def _phase_of(pods: list[Process]) -> Phase:
    return Phase.RUNNING if any(p.phase is Phase.RUNNING for p in pods) else Phase.PENDING


def _orphaned(pods: list[Process]) -> WorkloadState:
    return WorkloadState(_phase_of(pods), tuple(map(_seen, pods)), len(pods), deleting=True)
