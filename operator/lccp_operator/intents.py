"""What a reconcile leads to: intents, a status, events, and when to reconcile again."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from lccp.api.objects.conditions import RunConditions
from lccp.api.objects.journal import Control, Journal, Pinned, StopMarker
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.verdict import Verdict
from lccp.api.status import LCCPRunStatus
from lccp_operator.workloads.kind import Workload


@dataclass(frozen=True)
class ClaimRun:
    """Write the status as it was read, but for who carries the run out."""

    status: LCCPRunStatus


@dataclass(frozen=True)
class ClaimIdentity:
    """Write `run.json` over the one with `etag`; without one, if it is absent."""

    identity: RunIdentity
    etag: str | None = None


@dataclass(frozen=True)
class RecordJournal:
    """Write the journal over the one with `etag`; without one, if it is absent."""

    journal: Journal
    etag: str | None


@dataclass(frozen=True)
class WriteControl:
    """Ask the trainer of `attempt` for something."""

    attempt: int
    control: Control


@dataclass(frozen=True)
class TellStop:
    """Tell the trainer of an attached run to end; None: no longer."""

    marker: StopMarker | None


@dataclass(frozen=True)
class ApplyWorkload:
    """Create the workload, from what was pinned at the run's start; nothing if it exists."""

    workload: Workload
    pinned: Pinned


@dataclass(frozen=True)
class DeleteWorkload:
    """Delete the workload and its pods; nothing if it is gone."""

    workload: Workload
    wait_for_pods: bool = True
    """The workload stays until its last pod is gone; else it goes at once."""


@dataclass(frozen=True)
class TellState:
    """Tell on the gang's workload which state it saved last."""

    workload: Workload
    tokens: int


@dataclass(frozen=True)
class DeleteEvaluation:
    """Delete what the store holds of the evaluation, its report first."""

    tokens: int
    suite: str


@dataclass(frozen=True)
class EndReevaluation:
    """Note that `asked` was answered, and take the annotation that asked off the run object."""

    asked: str


@dataclass(frozen=True)
class WriteVerdict:
    """Write the verdict."""

    verdict: Verdict


@dataclass(frozen=True)
class SetFinalizer:
    """Put LCCP's finalizer on the run object, or take it away."""

    present: bool


@dataclass(frozen=True)
class WriteConditions:
    """Write what the status says to the store, for who reads it there."""

    conditions: RunConditions


@dataclass(frozen=True)
class DeleteRun:
    """Delete the run object: its time to live is over."""


Intent = (
    ClaimRun
    | SetFinalizer
    | ClaimIdentity
    | RecordJournal
    | WriteControl
    | TellStop
    | DeleteWorkload
    | DeleteEvaluation
    | ApplyWorkload
    | TellState
    | WriteVerdict
    | WriteConditions
    | EndReevaluation
    | DeleteRun
)


class EventReason(StrEnum):
    """Why an event is posted: few, and stable."""

    ACCEPTED = "Accepted"
    REFUSED = "Refused"
    ATTEMPT_STARTED = "AttemptStarted"
    ATTEMPT_ENDED = "AttemptEnded"
    ATTEMPT_FAILED = "AttemptFailed"
    DRAINING = "Draining"
    CHECKPOINT_EVALUATED = "CheckpointEvaluated"
    EVALUATION_FAILED = "EvaluationFailed"
    REEVALUATING = "Reevaluating"
    VERDICT_CHANGED = "VerdictChanged"
    STOPPING = "Stopping"
    GOING_ON = "GoingOn"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ARTIFACTS_PURGED = "ArtifactsPurged"
    PURGE_GIVEN_UP = "PurgeGivenUp"


@dataclass(frozen=True)
class Event:
    """Something that changed, posted once. Nothing is driven by it.

    Reason, `at` and `about` make its identity: posted again, it is the same event.
    """

    type: Literal["Normal", "Warning"]
    reason: EventReason
    message: str
    at: datetime
    """When it happened, or was asked for, UTC."""
    about: str = ""
    """What it is about, if several things happen at once."""


@dataclass(frozen=True)
class Plan:
    """What follows from one reconcile."""

    intents: tuple[Intent, ...]
    status: LCCPRunStatus
    verdict: Verdict | None = None
    """The verdict over all reports that there are."""
    events: tuple[Event, ...] = ()
    requeue_after_seconds: float | None = None
    """Longest time until the next reconcile; None: not before something changes."""
    due_after_seconds: float | None = None
    """Time until something is due by itself, whatever the store says; None: never."""
    idle: bool = False
    """Nothing runs, and nothing is to be done until the run object changes."""
    left_to: str | None = None
    """Another installation, which carries the run out: nothing is done here."""

    @property
    def applies_workloads(self) -> bool:
        return any(isinstance(intent, ApplyWorkload) for intent in self.intents)

    @property
    def changes_nothing(self) -> bool:
        """The same reconcile would plan the same again."""
        return not self.intents and not self.events
