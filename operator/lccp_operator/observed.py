"""What one reconcile of a run found: its workloads, and what its store holds.

A part that could not be read is `Unknown`, which is never read as empty. Both backends fill these
types. They observe the workloads before the store, so that what an ended workload wrote is seen
with its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from lccp.api.conditions import Reason
from lccp.api.objects.journal import Journal, Pinned
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import EvaluationFailure, EvaluationProgress
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import End, Heartbeat
from lccp.api.objects.verdict import Verdict
from lccp_operator.packed import PackedReport
from lccp_operator.workloads import Workload

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Known(Generic[T_co]):
    """A part that was read."""

    value: T_co


@dataclass(frozen=True)
class Unknown:
    """A part that could not be read: since when, why (one sentence), and as which reason."""

    since: datetime
    why: str
    reason: Reason = Reason.OBSERVATION_INCOMPLETE
    watched: bool = False
    """A change will be announced: nobody needs to poll for it."""


class Phase(StrEnum):
    """Where a workload, or one of its pods, is."""

    QUEUED = "Queued"
    """Held back by a queue: it has no pods."""
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


TERMINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED})


class Rule(StrEnum):
    """What ended a workload: the rule of its podFailurePolicy that matched, or its deadline."""

    DISRUPTION = "Disruption"
    CONFIGURATION = "Configuration"
    NOT_FINITE = "NotFinite"
    OTHER = "Other"
    DEADLINE = "Deadline"


@dataclass(frozen=True)
class Trouble:
    """What keeps a workload from running, as read from events, pods and queue: reason and facts."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Pod:
    """One pod of a workload; on a laptop, its process."""

    index: int
    uid: str
    phase: Phase
    deleting: bool = False
    exit_code: int | None = None
    out_of_memory: bool = False
    disrupted: bool = False
    lost: bool = False
    """It should have ended, and nobody says that it has: its node is gone, or cut off."""

    @property
    def over(self) -> bool:
        """Nothing more is waited for."""
        return self.phase in TERMINAL or self.lost


@dataclass(frozen=True)
class WorkloadState:
    """A workload as observed. A deleted one is there, `deleting`, until its last pod is gone."""

    workload: Workload
    phase: Phase
    pods: tuple[Pod, ...] = ()
    pods_expected: int = 1
    started_at: datetime | None = None
    """Start time of the Job; another one after a queue admitted it again, with new pods."""
    deleting: bool = False
    rule: Rule | None = None
    exit_code: int | None = None
    """Exit code that the rule matched: it is known longer than the pods are."""
    trouble: Trouble | None = None
    log: str | None = None
    """Where its output lies, for messages."""

    @property
    def ended(self) -> bool:
        """It ended, by itself, and no pod of it runs any more."""
        return self.phase in TERMINAL and all(pod.phase in TERMINAL for pod in self.pods)

    @property
    def live(self) -> bool:
        """It holds, or may yet take, the resources of its pods."""
        return not self.ended

    @property
    def has_lost_pod(self) -> bool:
        """A pod of it is lost: it can't go on, and does not end by itself."""
        return any(pod.lost for pod in self.pods)

    @property
    def abandoned(self) -> bool:
        """All that still holds it up are lost pods."""
        return self.has_lost_pod and all(pod.over for pod in self.pods)

    @property
    def begun(self) -> bool:
        """A pod of it runs."""
        return any(pod.phase is Phase.RUNNING for pod in self.pods)


@dataclass(frozen=True)
class Facts:
    """What the store holds of the run."""

    identity: RunIdentity | None = None
    journal: Journal = field(default_factory=Journal)
    journal_etag: str | None = None
    """None: there is no journal yet."""
    drains: frozenset[int] = frozenset()
    """Attempts whose control object asks them to drain."""
    heartbeats: Mapping[int, Heartbeat] = field(default_factory=dict)
    """Newest heartbeat, by attempt."""
    ends: Mapping[int, End] = field(default_factory=dict)
    """Newest end, by attempt."""
    checkpoints: Mapping[int, Manifest] = field(default_factory=dict)
    """Complete checkpoints, by tokens."""
    reports: Mapping[int, PackedReport] = field(default_factory=dict)
    progress: Mapping[int, EvaluationProgress] = field(default_factory=dict)
    failures: Mapping[int, EvaluationFailure] = field(default_factory=dict)
    verdict: Verdict | None = None
    damaged: Mapping[str, str] = field(default_factory=dict)
    """Objects that can't be read: sentence, by key."""
    damaged_reports: Mapping[int, str] = field(default_factory=dict)
    """Sentence of a damaged report, by tokens."""

    @property
    def heartbeat(self) -> Heartbeat | None:
        """The heartbeat of the newest attempt: an older one may still beat, cut off."""
        return self.heartbeats[max(self.heartbeats)] if self.heartbeats else None

    @property
    def holds_a_run(self) -> bool:
        """Whether a run left anything but its identity."""
        return self.journal_etag is not None or bool(self.heartbeats or self.checkpoints)


@dataclass(frozen=True)
class Observed:
    """All that `plan` is told beside the run object.

    `workloads` are Known only if they were read after this process's last write to them.
    """

    workloads: Known[tuple[WorkloadState, ...]] | Unknown
    store: Known[Facts] | Unknown
    rejected: Mapping[Workload, Trouble] = field(default_factory=dict)
    """Workloads that could not be created when it was last tried, and why."""
    offered: Pinned = field(default_factory=Pinned)
    """Images and templates that the installation would give a new run."""
    finalizer: bool = False
    """The run object carries LCCP's finalizer."""
    namespace_terminating: bool = False
    events_posted: bool = True
    """The events of what the journal says are posted; else its writer may have died first."""
