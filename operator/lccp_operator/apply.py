"""Carrying out a plan, in such an order that the next look heals a crash between any two steps.

Finalizer, identity, journal, control, children, verdict, status, events; last what lets go of the
run. Every step is idempotent. A lost race raises Conflict, and what follows is left to a new look.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lccp.api.objects.base import StoreObject
from lccp.api.objects.journal import Pinned
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.store import objects
from lccp.store.keys import RunKeys
from lccp.store.port import Store
from lccp_operator.children import Child
from lccp_operator.intents import (
    ApplyChild,
    ClaimIdentity,
    DeleteChild,
    DeleteRun,
    Event,
    Intent,
    Plan,
    RecordJournal,
    SetFinalizer,
    WriteControl,
    WriteVerdict,
)

ORDER = (
    SetFinalizer,
    ClaimIdentity,
    RecordJournal,
    WriteControl,
    DeleteChild,
    ApplyChild,
    WriteVerdict,
)


class Children(Protocol):
    """What runs children. Calls have timeouts and bounded retries, and are idempotent."""

    def apply(self, run: LCCPRun, child: Child, pinned: Pinned) -> None:
        """Create the child unless it exists.

        A child that is refused (quota, admission) raises nothing: the next look observes it as
        `rejected`, and the rest of the plan is carried out.
        """

    def delete(self, run: LCCPRun, child: Child, wait_for_pods: bool = True) -> None:
        """Delete the child with its pods, which get their grace period; nothing if it is gone.

        It stays, `deleting`, until its last pod is gone; without `wait_for_pods` it goes at once.
        """


class Runs(Protocol):
    """Where run objects live."""

    def write_status(self, run: LCCPRun, status: LCCPRunStatus) -> None:
        """Write the whole status, conditions included, in one patch."""

    def post(self, run: LCCPRun, event: Event) -> None:
        """Tell the event; failing to do so fails nothing."""

    def set_finalizer(self, run: LCCPRun, present: bool) -> None:
        """Put LCCP's finalizer on the run object, or take it away."""

    def delete(self, run: LCCPRun) -> None:
        """Delete the run object."""


@dataclass(frozen=True)
class Edge:
    """What a plan is carried out with."""

    store: Store
    children: Children
    runs: Runs
    guard: Callable[[], None] = lambda: None
    """Called before every write; raises Conflict if this process may no longer write."""
    remember: Callable[[str, StoreObject, str], None] = lambda *_: None
    """Told of the identity, journal and verdict that were written: key, object, ETag."""


def apply(plan: Plan, run: LCCPRun, edge: Edge) -> None:
    """Carry out the plan.

    Raises:
        Conflict: another writer was first; look again.
        StoreUnavailable: the store does not answer; look again.
    """
    act(plan, run, edge)
    tell(plan, run, edge)


def act(plan: Plan, run: LCCPRun, edge: Edge) -> None:
    """The first half: all that makes the run go on. What is not told yet is left to a new look."""
    for intent in _ordered(plan.intents)[0]:
        edge.guard()
        _carry_out(intent, run, edge)


def tell(plan: Plan, run: LCCPRun, edge: Edge) -> None:
    """The second half: status and events, and what lets go of the run."""
    after = _ordered(plan.intents)[1]
    if plan.status != run.status:
        edge.guard()
        edge.runs.write_status(run, plan.status)
    for event in plan.events:
        edge.runs.post(run, event)
    for intent in after:
        edge.guard()
        _carry_out(intent, run, edge)


def _ordered(intents: tuple[Intent, ...]) -> tuple[list[Intent], list[Intent]]:
    after: list[Intent] = [i for i in intents if i in (SetFinalizer(False), DeleteRun())]
    before: list[Intent] = [i for i in intents if i not in after]
    return sorted(before, key=lambda intent: ORDER.index(type(intent))), after


def _carry_out(intent: Intent, run: LCCPRun, edge: Edge) -> None:
    keys = RunKeys(run.metadata.namespace, run.metadata.name)
    match intent:
        case SetFinalizer(present):
            edge.runs.set_finalizer(run, present)
        case ClaimIdentity(identity):
            etag = objects.write_if_absent(edge.store, keys.identity, identity)
            edge.remember(keys.identity, identity, etag)
        case RecordJournal(journal):
            edge.remember(keys.journal, journal, _record(intent, keys, edge.store))
        case WriteControl(attempt, control):
            objects.write(edge.store, keys.control(attempt), control)
        case ApplyChild(child, pinned):
            edge.children.apply(run, child, pinned)
        case DeleteChild(child, wait_for_pods):
            edge.children.delete(run, child, wait_for_pods)
        case WriteVerdict(verdict):
            edge.remember(keys.verdict, verdict, objects.write(edge.store, keys.verdict, verdict))
        case DeleteRun():
            edge.runs.delete(run)


def _record(intent: RecordJournal, keys: RunKeys, store: Store) -> str:
    if intent.etag is None:
        return objects.write_if_absent(store, keys.journal, intent.journal)
    return objects.write_if_match(store, keys.journal, intent.journal, intent.etag)
