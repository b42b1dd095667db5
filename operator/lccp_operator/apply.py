"""Carrying out a plan, in an order that makes a crash between any two steps harmless.

Claim, finalizer, identity, journal, control, conditions, workloads, verdict, status, events; last
the intents that release the run or answer a request. Every step is idempotent. A lost race raises
Conflict; the next reconcile does the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lccp.api.objects.base import StoreObject
from lccp.api.objects.journal import Journal, Pinned, StopMarker
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.store import objects
from lccp.store.keys import RunKeys
from lccp.store.port import Store
from lccp_operator.intents import (
    ApplyWorkload,
    ClaimIdentity,
    ClaimRun,
    DeleteEvaluation,
    DeleteRun,
    DeleteWorkload,
    EndReevaluation,
    Event,
    Intent,
    Plan,
    RecordJournal,
    SetFinalizer,
    TellState,
    TellStop,
    WriteConditions,
    WriteControl,
    WriteVerdict,
)
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import SavedState

ORDER = (
    ClaimRun,
    SetFinalizer,
    ClaimIdentity,
    RecordJournal,
    WriteControl,
    TellStop,
    DeleteWorkload,
    DeleteEvaluation,
    WriteConditions,
    ApplyWorkload,
    TellState,
    WriteVerdict,
)

ANSWERS_KEPT = 32
"""Words of `lccp.io/reevaluate` that are remembered as answered, however often they return."""


class Workloads(Protocol):
    """What runs workloads. Calls have timeouts and bounded retries, and are idempotent."""

    def apply(self, run: LCCPRun, workload: Workload, pinned: Pinned) -> None:
        """Create the workload unless it exists.

        A refused workload (quota, admission) raises nothing: the next reconcile observes it as
        `rejected`, and the rest of the plan is carried out.
        """

    def delete(self, run: LCCPRun, workload: Workload, wait_for_pods: bool = True) -> None:
        """Delete the workload with its pods, which get their grace period; no error if it is gone.

        It stays, `deleting`, until its last pod is gone; without `wait_for_pods` it goes at once.
        """

    def tell_state(self, run: LCCPRun, workload: Workload, state: SavedState) -> None:
        """Record on the workload which state it saved last; no error if it is gone.

        A failure is logged, not raised: the next reconcile tries again.
        """


class RunObjects(Protocol):
    """Where run objects live."""

    def write_status(self, run: LCCPRun, status: LCCPRunStatus) -> None:
        """Write the whole status, conditions included, in one patch."""

    def post(self, run: LCCPRun, event: Event) -> None:
        """Post the event; a failure to post is logged, not raised."""

    def set_finalizer(self, run: LCCPRun, present: bool) -> None:
        """Add LCCP's finalizer to the run object, or remove it."""

    def end_reevaluation(self, run: LCCPRun, asked: str) -> None:
        """Remove the annotation that requests a re-evaluation, if it still says `asked`."""

    def delete(self, run: LCCPRun) -> None:
        """Delete the run object."""


@dataclass(frozen=True)
class Backend:
    """The means to carry out a plan."""

    store: Store
    workloads: Workloads
    runs: RunObjects
    guard: Callable[[], None] = lambda: None
    """Called before every write; raises Conflict if this process may no longer write."""
    remember: Callable[[str, StoreObject, str], None] = lambda *_: None
    """Called with each written object that is read again: key, object, ETag."""


def apply(plan: Plan, run: LCCPRun, backend: Backend) -> None:
    """Carry out the plan.

    Raises:
        Conflict: another writer was first; reconcile again.
        StoreUnavailable: the store does not answer; reconcile again.
    """
    act(plan, run, backend)
    publish(plan, run, backend)


def act(plan: Plan, run: LCCPRun, backend: Backend) -> None:
    """The first half: all but status and events, on which the next reconcile catches up."""
    for intent in _ordered(plan.intents)[0]:
        backend.guard()
        _carry_out(intent, run, backend)


def publish(plan: Plan, run: LCCPRun, backend: Backend) -> None:
    """The second half: status, events, and the release of the run."""
    after = _ordered(plan.intents)[1]
    if plan.status != (run.status or LCCPRunStatus()):
        backend.guard()
        backend.runs.write_status(run, plan.status)
    for event in plan.events:
        backend.runs.post(run, event)
    for intent in after:
        backend.guard()
        _carry_out(intent, run, backend)


def _ordered(intents: tuple[Intent, ...]) -> tuple[list[Intent], list[Intent]]:
    last = (DeleteRun, EndReevaluation)
    after: list[Intent] = [i for i in intents if i == SetFinalizer(False) or isinstance(i, last)]
    before: list[Intent] = [i for i in intents if i not in after]
    return sorted(before, key=lambda intent: ORDER.index(type(intent))), after


def _carry_out(intent: Intent, run: LCCPRun, backend: Backend) -> None:
    keys = RunKeys(run.metadata.namespace, run.metadata.name)
    match intent:
        case ClaimRun(status):
            backend.runs.write_status(run, status)
        case SetFinalizer(present):
            backend.runs.set_finalizer(run, present)
        case ClaimIdentity(identity, before):
            etag = _conditional(backend.store, keys.identity, identity, before)
            backend.remember(keys.identity, identity, etag)
        case RecordJournal(journal, before):
            etag = _conditional(backend.store, keys.journal, journal, before)
            backend.remember(keys.journal, journal, etag)
        case WriteControl(attempt, control):
            _write(backend, keys.control(attempt), control)
        case TellStop(None):
            backend.store.delete(keys.stop)
        case TellStop(StopMarker() as marker):
            objects.write(backend.store, keys.stop, marker)
        case ApplyWorkload(workload, pinned):
            backend.workloads.apply(run, workload, pinned)
        case DeleteWorkload(workload, wait_for_pods):
            backend.workloads.delete(run, workload, wait_for_pods)
        case TellState():
            _tell_state(intent, run, keys, backend)
        case DeleteEvaluation(tokens, suite):
            _delete_evaluation(backend.store, keys, tokens, suite)
        case EndReevaluation(asked):
            _note_answered(backend, keys, asked)
            backend.runs.end_reevaluation(run, asked)
        case WriteVerdict(verdict):
            _write(backend, keys.verdict, verdict)
        case WriteConditions(said):
            _write(backend, keys.conditions, said)
        case DeleteRun():
            backend.runs.delete(run)


def _write(backend: Backend, key: str, value: StoreObject) -> None:
    """Write an object of the next observation, which then need not read it."""
    backend.remember(key, value, objects.write(backend.store, key, value))


def _note_answered(backend: Backend, keys: RunKeys, asked: str) -> None:
    """After the evaluations are deleted: until then the request is open."""
    known = objects.read_versioned(backend.store, keys.journal, Journal)
    answered = (*known.value.reevaluations, asked)[-ANSWERS_KEPT:]
    journal = known.value.model_copy(update={"reevaluations": answered})
    etag = objects.write_if_match(backend.store, keys.journal, journal, known.etag)
    backend.remember(keys.journal, journal, etag)


def _tell_state(told: TellState, run: LCCPRun, keys: RunKeys, backend: Backend) -> None:
    """With the time of its manifest, which makes it complete; a state that is gone is skipped."""
    manifests = (keys.state_manifest(told.tokens), keys.checkpoint_manifest(told.tokens))
    found = next(filter(None, map(backend.store.stat, manifests)), None)
    if found is not None:
        state = SavedState(told.tokens, found.modified, told.old, told.boost)
        backend.workloads.tell_state(run, told.workload, state)


def _delete_evaluation(store: Store, keys: RunKeys, tokens: int, suite: str) -> None:
    """The report first: without it the rest belongs to no evaluation."""
    report = keys.report(tokens, suite)
    store.delete(report)
    for info in store.list(keys.evaluation(tokens, suite)):
        store.delete(info.key)


def _conditional(store: Store, key: str, value: StoreObject, etag: str | None) -> str:
    if etag is None:
        return objects.write_if_absent(store, key, value)
    return objects.write_if_match(store, key, value, etag)
