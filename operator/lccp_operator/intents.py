"""The results of a reconcile: intents, a status, events, and when to reconcile again."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from lccp.api.objects.conditions import RunConditions
from lccp.api.objects.journal import Control, Journal, Pinned, StopMarker
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.verdict import Verdict
from lccp.api.status import LCCPRunStatus
from lccp_operator.observed import HeardBeat
from lccp_operator.workloads.kind import Workload


@dataclass(frozen=True)
class ClaimRun:
    """Write the status as it was read, changing only who carries out the run."""

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
    """Send a request to the trainer of `attempt`."""

    attempt: int
    control: Control


@dataclass(frozen=True)
class TellStop:
    """Request the trainer of an attached run to end; None: withdraw the request."""

    marker: StopMarker | None


@dataclass(frozen=True)
class ApplyWorkload:
    """Create the workload with the settings pinned at the run's start, unless it exists."""

    workload: Workload
    pinned: Pinned


@dataclass(frozen=True)
class DeleteWorkload:
    """Delete the workload and its pods, unless it is gone."""

    workload: Workload
    wait_for_pods: bool = True
    """The workload stays until its last pod is gone; else it goes at once."""


@dataclass(frozen=True)
class TellState:
    """Record on the gang's workload which state it saved last."""

    workload: Workload
    tokens: int
    old: bool = False
    """More than half of what is usually trained between two states was trained since."""
    boost: int | None = None
    """Points to add to the gang's priority in its queue; None: its priority is left alone."""


@dataclass(frozen=True)
class DeleteEvaluation:
    """Delete the evaluation's objects from the store, its report first."""

    tokens: int
    suite: str


@dataclass(frozen=True)
class EndReevaluation:
    """Record that `asked` was answered, and remove the annotation that requested it."""

    asked: str


@dataclass(frozen=True)
class WriteVerdict:
    """Write the verdict."""

    verdict: Verdict


@dataclass(frozen=True)
class SetFinalizer:
    """Add LCCP's finalizer to the run object, or remove it."""

    present: bool


@dataclass(frozen=True)
class WriteConditions:
    """Write the status's conditions to the store, for its readers."""

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
    """Reasons for events: few, and stable."""

    ACCEPTED = "Accepted"
    REFUSED = "Refused"
    ANSWER_LATE = "AnswerLate"
    FAULT = "Fault"
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
    """A change, posted once. Nothing depends on it.

    Reason, `at` and `about` are its identity: posted again, it is the same event.
    """

    type: Literal["Normal", "Warning"]
    reason: EventReason
    message: str
    at: datetime
    """When it happened, or was requested, UTC."""
    about: str = ""
    """Its subject, if several things happen at once."""


@dataclass(frozen=True)
class Plan:
    """What follows from one reconcile."""

    intents: tuple[Intent, ...]
    status: LCCPRunStatus
    verdict: Verdict | None = None
    """The verdict over all existing reports."""
    events: tuple[Event, ...] = ()
    requeue_after_seconds: float | None = None
    """Longest time until the next reconcile; None: not before something changes."""
    due_after_seconds: float | None = None
    """Time until something is due, whatever the store says; None: never."""
    idle: bool = False
    """Nothing runs, and there is nothing to do until the run object changes."""
    heard: HeardBeat | None = None
    """The newest attempt's heartbeat; None: the store is not followed, or has none."""
    left_to: str | None = None
    """Another installation, which carries out the run: nothing is done here."""

    @property
    def applies_workloads(self) -> bool:
        return any(isinstance(intent, ApplyWorkload) for intent in self.intents)

    @property
    def changes_nothing(self) -> bool:
        """Another reconcile would produce the same plan."""
        return not self.intents and not self.events
