"""The reconcile core: what follows from one observation of a run. No I/O, no clock, no randomness.

The journal is brought up to date with observations and decisions, one policy after another; then
the intents make the world match the journal. That can be interrupted anywhere: the next reconcile
completes it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from lccp.analysis.verdict import judge
from lccp.api.conditions import ConditionType, Reason
from lccp.api.objects.verdict import Verdict
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp_operator.facts import Facts
from lccp_operator.intents import (
    DeleteWorkload,
    Intent,
    Plan,
    RecordJournal,
    SetFinalizer,
    WriteVerdict,
)
from lccp_operator.observed import Known, Observed, Owner, Unknown
from lccp_operator.plan import (
    acceptance,
    attempts,
    conditions,
    deletion,
    evaluations,
    events,
    finish,
    older,
    status,
    stops,
)
from lccp_operator.plan.acceptance import Refusal
from lccp_operator.plan.context import Context
from lccp_operator.plan.contradiction import contradiction, lost_before
from lccp_operator.plan.goals import goal
from lccp_operator.plan.status import said
from lccp_operator.plan.stops import Judge
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.reported import as_reported
from lccp_operator.workloads.state import WorkloadState

__all__ = ["ended", "hindered", "invalid_spec", "plan", "said"]

UNKNOWN_REQUEUE_SECONDS = 5.0

REFUSED_SECONDS = 600.0
"""Time until the next check whether the store still holds another run."""


def plan(run: LCCPRun, observed: Observed, now: datetime, judge: Judge = judge) -> Plan:
    """The plan that follows from the observations of `run` at `now` (UTC).

    `judge` is the analysis.
    """
    other = acceptance.other_installation(run, observed)
    if other is not None:
        return _left_alone(run, observed, other, now)
    if run.metadata.deletion_timestamp is not None:
        return deletion.planned(run, observed, now)
    decided = _decided(run, observed, now, judge)
    told = said(run, observed.store, decided.status)
    return replace(decided, intents=(*decided.intents, *told))


def _decided(run: LCCPRun, observed: Observed, now: datetime, judge: Judge) -> Plan:
    if isinstance(observed.store, Unknown):
        if acceptance.told_by_any(run, observed.owner, observed.store.reason):
            return Plan((), run.status or LCCPRunStatus(), idle=True)
        return _unreached(run, observed, observed.store, now)
    if isinstance(observed.workloads, Unknown):
        return _uncertain(run, observed.workloads, observed.workloads, now)
    context = _context(run, observed.store.value, observed.workloads.value, observed, now)
    missing = contradiction(context, observed)
    if missing is None and observed.unmarked is not None:
        missing = Refusal(Reason.STORE_UNMARKED, observed.unmarked)
    if missing is not None:
        return _contradicted(context, missing, observed)
    refusal = acceptance.refusal(context) or lost_before(context)
    if refusal is not None:
        return _refused(context, refusal)
    return _accepted(context, observed, judge)


def _unreached(run: LCCPRun, observed: Observed, store: Unknown, now: datetime) -> Plan:
    """Of several installations that reach no store of a new run, only the first says so."""
    unreached = _uncertain(run, store, observed.workloads, now)
    if observed.status_is_own:
        return unreached
    told = acceptance.told_by_any(run, observed.owner, store.reason, ConditionType.DEGRADED)
    return replace(unreached, status=run.status or unreached.status) if told else unreached


def _context(
    run: LCCPRun,
    facts: Facts,
    workloads: Mapping[Workload, WorkloadState],
    observed: Observed,
    now: datetime,
) -> Context:
    return Context(
        run,
        facts,
        as_reported(workloads, facts),
        observed.rejected,
        observed.offered,
        observed.owner,
        now,
        journal=facts.journal,
        reevaluate=observed.reevaluate,
        model_config=observed.model_config,
        by_command=observed.by_command,
        state_boost=observed.state_boost,
        namespace_terminating=observed.namespace_terminating,
        events_posted=observed.events_posted,
    )


def _contradicted(context: Context, missing: Refusal, observed: Observed) -> Plan:
    """Held; of several installations without a claim on it, only one says so."""
    run, now = context.run, context.now
    why = Unknown(now, missing.message, missing.reason)
    waits = _uncertain(run, why, Known(context.workloads), now)
    if acceptance.told_by_any(run, context.owner, missing.reason, ConditionType.DEGRADED):
        return replace(waits, status=run.status or waits.status)
    held = older.withheld(waits, context, missing, observed.heard)
    return replace(held, events=events.of_refusal(context, missing))


def _accepted(context: Context, observed: Observed, judge: Judge) -> Plan:
    seen = context.after(acceptance.accepted, attempts.settled, evaluations.settled)
    judgement, verdict = stops.judged(seen, judge)
    final = replace(seen, judgement=judgement).after(
        stops.decided, attempts.steered, acceptance.pinned, finish.noted
    )
    aim, heard = goal(final), older.heard(final, observed.heard)
    return Plan(
        intents=(*_finalizer(final, observed), *_intents(final, verdict)),
        status=older.told_of(status.projected(final, aim), heard),
        verdict=verdict,
        events=events.of(final, aim),
        requeue_after_seconds=finish.seconds_to_requeue(final),
        due_after_seconds=finish.seconds_to_due(final),
        idle=finish.idle(final),
        heard=heard,
    )


def _finalizer(context: Context, observed: Observed) -> list[Intent]:
    wanted = deletion.finalizer_wanted(context.run)
    return [] if observed.finalizer == wanted else [SetFinalizer(wanted)]


def _intents(context: Context, verdict: Verdict | None) -> list[Intent]:
    return [
        *acceptance.claims(context),
        *_record(context, context.facts),
        *attempts.intents(context),
        *evaluations.intents(context),
        *_changed(context),
        *([WriteVerdict(verdict)] if verdict is not None else []),
        *finish.intents(context),
    ]


def _changed(context: Context) -> list[Intent]:
    """The ends of workloads that are not as requested: they are created again."""
    return [
        DeleteWorkload(workload, wait_for_pods=False)
        for workload, state in context.workloads.items()
        if state.changed and not state.deleting
    ]


def _record(context: Context, facts: Facts) -> list[Intent]:
    if context.journal == facts.journal:
        return []
    return [RecordJournal(context.journal, facts.journal_etag)]


def ended(run: LCCPRun, observed: Observed, now: datetime) -> tuple[Intent, ...]:
    """The record of observed endings, for a backend that shuts down."""
    if isinstance(observed.store, Unknown) or isinstance(observed.workloads, Unknown):
        return ()
    context = _context(run, observed.store.value, observed.workloads.value, observed, now)
    if contradiction(context, observed) or acceptance.refusal(context):
        return ()
    seen = context.after(acceptance.accepted, attempts.settled, evaluations.settled)
    return tuple(_record(seen, context.facts))


def invalid_spec(
    before: LCCPRunStatus | None, generation: int, sentence: str, now: datetime, owner: Owner
) -> LCCPRunStatus:
    """The status of a run object that is not a valid LCCPRun; `sentence` says what is wrong."""
    refusal = Refusal(Reason.INVALID_SPEC, sentence)
    return _refused_status(acceptance.claimed(before, owner), generation, refusal, now)


def hindered(
    run: LCCPRun, sentence: str, now: datetime, reason: Reason = Reason.ACTION_REFUSED
) -> LCCPRunStatus:
    """The status of a run whose plan partly fails: unchanged, except that Degraded says so."""
    why = Unknown(now, sentence, reason)
    return _uncertain(run, why, why, now).status


def _left_alone(run: LCCPRun, observed: Observed, other: str, now: datetime) -> Plan:
    """Nothing is written, so that two installations do not undo each other's work."""
    at = run.metadata.creation_timestamp or now
    told = acceptance.left_alone(run.metadata.namespace, observed.owner, other, at)
    status, news = run.status or LCCPRunStatus(), observed.left_to != other
    return Plan((), status, events=(told,) if news else (), idle=True, left_to=other)


def _refused(context: Context, refusal: Refusal) -> Plan:
    """The run is also claimed, so that no other installation refuses it in different words."""
    run, foreign = context.run, acceptance.foreign_owner(context.facts, context.owner)
    told = Plan((), run.status or LCCPRunStatus(), due_after_seconds=REFUSED_SECONDS, idle=True)
    if foreign is not None and acceptance.told_by_any(run, context.owner, refusal.reason):
        return told
    before = run.status if foreign is not None else acceptance.claimed(run.status, context.owner)
    return replace(
        told,
        status=_refused_status(before, run.metadata.generation, refusal, context.now),
        events=events.of_refusal(context, refusal),
    )


def _refused_status(
    before: LCCPRunStatus | None, generation: int, refusal: Refusal, now: datetime
) -> LCCPRunStatus:
    return status.held(before, generation, conditions.refused(refusal), now)


def _uncertain(run: LCCPRun, part: Unknown, workloads: conditions.Workloads, now: datetime) -> Plan:
    before = run.status.conditions if run.status else ()
    refused = (ConditionType.ACCEPTED,) if part.reason is Reason.UNKNOWN_STORE else ()
    findings = conditions.uncertain(before, refused, part.reason, part.why, workloads)
    return Plan(
        intents=(),
        status=status.held(run.status, run.metadata.generation, findings, now),
        requeue_after_seconds=None if part.watched else UNKNOWN_REQUEUE_SECONDS,
    )
