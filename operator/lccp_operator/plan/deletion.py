"""Deletion with `DeleteArtifacts`: the gang ends, a purge deletes the run's objects, then the run.

With `Retain` there is no finalizer: the workloads are deleted with the run, and the objects stay.
If another program's finalizer keeps the run object, its workloads are deleted nevertheless.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from lccp.api.conditions import OF_EVERY_RUN, ConditionType, Reason
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp_operator.facts import Facts
from lccp_operator.intents import (
    ApplyWorkload,
    DeleteWorkload,
    Event,
    EventReason,
    Intent,
    Plan,
    SetFinalizer,
)
from lccp_operator.observed import Known, Observed, Unknown
from lccp_operator.plan import status
from lccp_operator.plan.acceptance import foreign_owner, of_another
from lccp_operator.plan.conditions.findings import Finding
from lccp_operator.plan.conditions.held import WORKS, kept
from lccp_operator.plan.contradiction import is_of_another_object
from lccp_operator.workloads.endings import Ending, failure, without_log
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.purge import Purge
from lccp_operator.workloads.state import Phase, WorkloadState

REQUEUE_SECONDS = 5.0
AGAIN_AFTER = timedelta(seconds=30)
"""From the start of a purge that left objects, until another one."""


def finalizer_wanted(run: LCCPRun) -> bool:
    return run.spec.deletion_policy == "DeleteArtifacts"


def planned(run: LCCPRun, observed: Observed, now: datetime) -> Plan:
    """What a run whose deletion was requested still needs."""
    if observed.held_by and not observed.finalizer:
        return _held(run, observed, now)
    if not observed.finalizer:
        return _plan(run, now, idle=True)
    return _telling(_decided(run, observed, now), run, observed)


def _held(run: LCCPRun, observed: Observed, now: datetime) -> Plan:
    workloads = observed.workloads
    but = f" (not yet: {workloads.why})" if isinstance(workloads, Unknown) else ""
    found = workloads.value if isinstance(workloads, Known) else {}
    message = (
        f"the run is being deleted, and its workloads with it{but}; its object stays until the "
        f"programs that set these finalizers remove them: {', '.join(observed.held_by)}"
    )
    idle = not (found or but)
    return Plan(
        intents=tuple(DeleteWorkload(workload) for workload, s in found.items() if not s.deleting),
        status=_told(run, now, Finding("False", Reason.DELETING, message)),
        requeue_after_seconds=None if idle else REQUEUE_SECONDS,
        idle=idle,
    )


def _telling(plan: Plan, run: LCCPRun, observed: Observed) -> Plan:
    """The plan, which also writes conditions to the store, unless it releases the run.

    Nothing is written during a purge, since it would remain afterwards.
    """
    if plan.idle or isinstance(observed.workloads, Unknown):
        return plan
    if Purge() in observed.workloads.value:
        return plan
    said = status.said(run, observed.store, plan.status)
    return replace(plan, intents=(*plan.intents, *said))


def _decided(run: LCCPRun, observed: Observed, now: datetime) -> Plan:
    if observed.namespace_terminating or not finalizer_wanted(run):
        return _plan(run, now, SetFinalizer(False), idle=True)
    foreign = _of_another(run, observed)
    if _overdue(run, now):
        event = _given_up(run, foreign, now)
        return _plan(run, now, SetFinalizer(False), event=event, idle=True)
    if foreign:
        return _plan(run, now, why=foreign)
    if isinstance(observed.workloads, Unknown):
        return _plan(run, now, why=observed.workloads.why)
    return _purge(run, observed.workloads.value, observed, now)


def _purge(
    run: LCCPRun,
    workloads: Mapping[Workload, WorkloadState],
    observed: Observed,
    now: datetime,
) -> Plan:
    others = {workload: state for workload, state in workloads.items() if workload != Purge()}
    purge = workloads.get(Purge())
    if others:
        gone = (DeleteWorkload(workload) for workload, s in others.items() if not s.deleting)
        return _plan(run, now, *gone, why=kept(others.values()))
    if purge is None:
        return _begin(run, observed, now)
    if purge.ended and purge.phase is Phase.SUCCEEDED:
        return _after(run, purge, observed, now)
    if purge.ended and not purge.deleting:
        return _plan(run, now, DeleteWorkload(Purge()), why=_failure(purge))
    return _plan(run, now, why=_trouble(purge))


def _after(run: LCCPRun, purge: WorkloadState, observed: Observed, now: datetime) -> Plan:
    """The release of the run; if the purge worked elsewhere another purge, after a while."""
    store = observed.store
    if isinstance(store, Unknown):
        return _plan(run, now, why=f"a purge ended, but what it left is unknown: {store.why}")
    if Purge().done(store.value):
        return _plan(run, now, SetFinalizer(False), event=_purged(run, now), idle=True)
    again = purge.started_at is not None and now - purge.started_at > AGAIN_AFTER
    why = (
        f"a purge ended, and store {run.spec.checkpoints.store_name} still holds objects of this "
        "run: its pods reached another store, or mount another volume there (topology.podTemplate)"
    )
    return _plan(run, now, *([DeleteWorkload(Purge())] if again else []), why=why)


def _begin(run: LCCPRun, observed: Observed, now: datetime) -> Plan:
    """The purge, unless the store can't be read, or is not the one that holds this run's objects:
    the purge could not tell.
    """
    store = observed.store
    held = store.why if isinstance(store, Unknown) else _elsewhere(run, store.value)
    if held:
        return _plan(run, now, why=held)
    rejected = observed.rejected.get(Purge())
    why = rejected.message if rejected else ""
    return _plan(run, now, ApplyWorkload(Purge(), observed.offered), why=why)


def _elsewhere(run: LCCPRun, facts: Facts) -> str:
    """What shows that the objects of a run that had begun are not here; else empty.

    A purge would find nothing, and call it deleted, or delete what is another's.
    """
    if run.status is None or run.status.start_time is None:
        return ""
    store = f"store {run.spec.checkpoints.store_name}"
    wrong = "the store's url in the installation is wrong, or somebody"
    if Purge().done(facts):
        told = "holds nothing of this run, although it had begun"
        return f"{store} {told}: {wrong} deleted the objects"
    if is_of_another_object(run, facts.journal):
        return f"{store} holds the journal.json of another run object: {wrong} put it there"
    return ""


def _trouble(purge: WorkloadState) -> str:
    """What keeps the purge from running, or why a pod of it failed."""
    if purge.trouble:
        return purge.trouble.message
    return _failure(purge) if any(pod.phase is Phase.FAILED for pod in purge.pods) else ""


def _failure(purge: WorkloadState) -> str:
    """Without its log, which is deleted with the Job."""
    said = without_log(Ending.of(failure(purge), purge).message)
    return f"{said}, and it is retried"


def _given_up_at(run: LCCPRun) -> datetime | None:
    asked = run.metadata.deletion_timestamp
    return asked and asked + timedelta(seconds=run.spec.purge_timeout_seconds)


def _of_another(run: LCCPRun, observed: Observed) -> str:
    """The owner of the store's run, if this run may not delete its objects; else empty."""
    store, owner = observed.store, observed.owner
    other = foreign_owner(store.value, owner) if isinstance(store, Known) else None
    return of_another(run, owner, other) if other else ""


def _overdue(run: LCCPRun, now: datetime) -> bool:
    at = _given_up_at(run)
    return at is not None and now >= at


def _purged(run: LCCPRun, now: datetime) -> Event:
    asked = run.metadata.deletion_timestamp or now
    return Event("Normal", EventReason.ARTIFACTS_PURGED, "the run's objects are deleted", asked)


def _given_up(run: LCCPRun, foreign: str, now: datetime) -> Event:
    where = f"{run.metadata.namespace}/{run.metadata.name}/"
    by_hand = (
        f"delete {where} from store {run.spec.checkpoints.store_name} by hand, unless its run.json "
        "names another installation"
    )
    left = f"{foreign}: its objects are left alone"
    message = f"the purge did not end within purgeTimeoutSeconds: {left if foreign else by_hand}"
    return Event("Warning", EventReason.PURGE_GIVEN_UP, message, _given_up_at(run) or now)


def _plan(
    run: LCCPRun,
    now: datetime,
    *intents: Intent,
    event: Event | None = None,
    why: str = "",
    idle: bool = False,
) -> Plan:
    """`why` says what holds up the purge; the last reason is reported until another replaces it."""
    return Plan(
        intents=intents,
        status=_status(run, now, why),
        events=(event,) if event else (),
        requeue_after_seconds=None if idle else REQUEUE_SECONDS,
        idle=idle,
    )


def _status(run: LCCPRun, now: datetime, why: str) -> LCCPRunStatus:
    before = run.status or LCCPRunStatus()
    told = next((c for c in before.conditions if c.type is ConditionType.TRAINING), None)
    message = "the run is being deleted"
    if told is not None and told.reason is Reason.PURGING and not why:
        message = told.message
    if why:
        message += (
            f"; the purge of its objects is blocked: {why}: fix that, or set deletionPolicy "
            "to Retain to keep them and release the run"
        )
    return _told(run, now, Finding("False", Reason.PURGING, message))


def _told(run: LCCPRun, now: datetime, training: Finding) -> LCCPRunStatus:
    """The status as it was, but `Training` and `Evaluating` say this, and what said nothing yet."""
    before = run.status or LCCPRunStatus()
    known = {c.type: Finding(c.status, c.reason, c.message) for c in before.conditions}
    others = dict.fromkeys(OF_EVERY_RUN, Finding("Unknown", training.reason, training.message))
    findings = others | known | dict.fromkeys(WORKS, training)
    return status.held(before, run.metadata.generation, findings, now)
