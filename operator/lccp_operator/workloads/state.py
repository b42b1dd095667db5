"""Workloads as observed: Jobs and pods of a cluster, or processes of this machine."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lccp.api.conditions import Reason
from lccp.contract.errors import InvalidInput
from lccp.store.keys import writer_name


class Phase(StrEnum):
    """Where a workload, or one of its pods, is."""

    QUEUED = "Queued"
    """Held by a queue: it has no pods."""
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


TERMINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED})


class EndingRule(StrEnum):
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
class SavedState:
    """A complete training state: a gang that ends now would resume from it."""

    tokens: int
    at: datetime
    """When it was complete, UTC."""
    old: bool = False
    """More than half of what is usually trained between two states was trained since."""
    boost: int | None = None
    """Points to add to the gang's priority in its queue; None: its priority is left alone."""


@dataclass(frozen=True)
class Pod:
    """One pod of a workload; on a laptop, its process."""

    index: int
    uid: str
    phase: Phase
    began_at: datetime | None = None
    """When its node accepted it, UTC."""
    deleting: bool = False
    exit_code: int | None = None
    out_of_memory: bool = False
    disrupted: bool = False
    failure: str = ""
    """Why it failed before its main container began: a kubelet's refusal, or an init container."""
    program: str = ""
    """How the program of its external suite failed, in words."""
    message: str = ""
    """The message of its process about its end, from the pod's status."""
    killed: str = ""
    """Why its node ended it though it had begun, in the node's words."""
    silent_node: str = ""
    """Its node, if that no longer reports its state."""
    reports_since: datetime | None = None
    """When the program of its external suite had ended, and its report began, which it writes."""
    lost: bool = False
    """It should have ended, but nothing reports that it has: its node is gone, or cut off."""
    lingers: bool = False
    """Its main container ended, as its phase shows; others in it still run and hold its node."""

    @property
    def over(self) -> bool:
        """There is nothing left to wait for."""
        return self.phase in TERMINAL or self.lost


@dataclass(frozen=True)
class WorkloadState:
    """A workload as observed. A deleted one remains, `deleting`, until its last pod is gone."""

    phase: Phase
    pods: tuple[Pod, ...] = ()
    pods_expected: int = 1
    started_at: datetime | None = None
    """Start time of the Job; another one after a queue admitted it again, with new pods."""
    deleting: bool = False
    rule: EndingRule | None = None
    exit_code: int | None = None
    """Exit code that the rule matched: it stays known after the pods are gone."""
    trouble: Trouble | None = None
    log: str | None = None
    """Where its output is, for messages."""
    settings: str | None = None
    """Digest of the `PodSet` that it was made from; None: not recorded."""
    saved: SavedState | None = None
    """The newest state recorded on its Job."""
    changed: bool = False
    """It lacks something that was asked of it, as `trouble` says: it must not go on."""
    apart: bool = False
    """What its pods need to find each other, a Service, is gone, or does not select them."""

    @property
    def pods_ended(self) -> bool:
        """No pod of it works any more, if one has; a lost one still may."""
        return all(pod.phase in TERMINAL for pod in self.pods)

    @property
    def ended(self) -> bool:
        """It ended on its own, and no pod of it works any more."""
        return self.phase in TERMINAL and self.pods_ended

    @property
    def lingers(self) -> bool:
        """A pod of it still works, until somebody deletes it."""
        return any(pod.lingers for pod in self.pods)

    @property
    def live(self) -> bool:
        """It holds, or may yet take, the resources of its pods."""
        return not self.ended or self.lingers

    @property
    def has_lost_pod(self) -> bool:
        """A pod of it is lost."""
        return any(pod.lost for pod in self.pods)

    @property
    def stuck(self) -> bool:
        """It can't continue, and does not end without help."""
        failed = any(pod.lingers and pod.phase is Phase.FAILED for pod in self.pods)
        return failed or self.has_lost_pod

    @property
    def abandoned(self) -> bool:
        """Only lost pods still hold it up."""
        return self.has_lost_pod and all(pod.over for pod in self.pods)

    @property
    def pods_begun(self) -> int:
        """How many of its pods run, or have run."""
        return sum(pod.phase is not Phase.PENDING for pod in self.pods)

    @property
    def begun(self) -> bool:
        """A pod of it runs."""
        return any(pod.phase is Phase.RUNNING for pod in self.pods)

    def writers(self, attempt: int) -> frozenset[str]:
        """Names under which its present pods write for that attempt; none without a UID."""
        found = set()
        for pod in self.pods:
            with suppress(InvalidInput):
                found.add(writer_name(attempt, pod.uid))
        return frozenset(found)

    def unheard(self, why: str) -> str:
        """What is said of it while it runs, but has reported nothing yet; `why` that may be."""
        return f"has started, and reported nothing yet: {why}{self._see_log}"

    def silent(self, since: datetime, why: str) -> str:
        """What is said of it while it runs, but has reported nothing `since` (UTC)."""
        return f"has reported nothing since {since:%Y-%m-%d %H:%M:%S} UTC: {why}{self._see_log}"

    @property
    def _see_log(self) -> str:
        return f": see its log ({self.log})" if self.log else ""
