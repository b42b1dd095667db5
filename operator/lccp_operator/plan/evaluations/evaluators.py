"""The workloads that evaluate: begun oldest first, and deleted once they have ended."""

from collections.abc import Iterator

from lccp.api.conditions import Reason
from lccp.api.labels import ANNEAL, INTRINSIC
from lccp.facts.facts import EvaluationKey
from lccp_operator.intents import (
    ApplyWorkload,
    DeleteEvaluation,
    DeleteWorkload,
    EndReevaluation,
    Intent,
)
from lccp_operator.plan.context import Context
from lccp_operator.plan.evaluations.reevaluation import asked_anew
from lccp_operator.plan.evaluations.silence import still_heard
from lccp_operator.plan.evaluations.stages import backing_off, failed, outstanding
from lccp_operator.workloads.endings import STAYS_SECONDS
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.state import WorkloadState


def intents(context: Context) -> list[Intent]:
    """Intents that delete the ended workloads, and begin the oldest that are due."""
    return [*_deletions(context), *_anew(context), *_beginnings(context)]


def _anew(context: Context) -> Iterator[Intent]:
    """Intents that delete the evaluations to repeat, and then the request."""
    if context.asked_anew is None:
        return
    asked = asked_anew(context)
    for workload, state in context.evaluations.items():
        if workload.key in asked and not state.deleting:
            yield DeleteWorkload(workload)
    for key in asked:
        yield DeleteEvaluation(*key)
    yield EndReevaluation(context.asked_anew)


def _deletions(context: Context) -> list[Intent]:
    kept = {*failed(context), *asked_anew(context)}
    return [
        DeleteWorkload(workload, wait_for_pods=not state.abandoned)
        for workload, state in context.evaluations.items()
        if (_has_ended(state) and (state.lingers or workload.key not in kept))
        or _is_outdated(context, workload, state)
        or not (_is_asked_for(context, workload) or state.deleting)
        or (_is_in_vain(context, workload) and state.live and not state.deleting)
        or _stays(context, workload, state)
    ]


def stay_seconds_left(context: Context) -> list[float]:
    """Seconds left to each evaluator whose report is there to end by itself."""
    stays = (_stay_seconds_left(context, *pair) for pair in context.evaluations.items())
    return [left for left in stays if left is not None]


def _stay_seconds_left(
    context: Context, workload: Evaluation, state: WorkloadState
) -> float | None:
    outcome = context.outcome(workload.key)
    if outcome is None or outcome.result != "Succeeded" or outcome.at is None:
        return None
    if state.deleting or not state.live:
        return None
    return context.seconds_left(outcome.at, STAYS_SECONDS)


def _stays(context: Context, workload: Evaluation, state: WorkloadState) -> bool:
    left = _stay_seconds_left(context, workload, state)
    return left is not None and left <= 0


def _is_asked_for(context: Context, workload: Evaluation) -> bool:
    """The spec still names its suite."""
    named = context.spec.evaluation.suite(workload.suite)
    return workload.suite in (INTRINSIC, ANNEAL) or named is not None


def _is_in_vain(context: Context, workload: Evaluation) -> bool:
    """No report of it would count: its checkpoint is gone, or the evaluation failed for good."""
    gone = context.facts.evaluated(workload.key) is None and not context.facts.damaged
    unusable = {*context.facts.reports, *context.facts.damaged_reports}
    return gone or (workload.key in unusable and workload.key in failed(context))


def _is_outdated(context: Context, workload: Evaluation, state: WorkloadState) -> bool:
    """It has not begun, and would now be made differently: such a Job does not count as a try."""
    if state.deleting or state.pods_begun or not state.live:
        return False
    asked = workload.pods(context.run, context.pinned).digest
    return state.settings not in (None, asked) or _lacks_an_old_image(context, state)


def _lacks_an_old_image(context: Context, state: WorkloadState) -> bool:
    """Its image can't be pulled, and a new one would get another."""
    trouble, changed = state.trouble, context.pinned.evaluator_image != context.due.evaluator_image
    waits = trouble is not None and trouble.reason is Reason.IMAGE_UNAVAILABLE
    return changed and waits


def _has_ended(state: WorkloadState) -> bool:
    return state.abandoned or (state.ended and not state.deleting)


def _beginnings(context: Context) -> list[Intent]:
    present = {workload.key for workload in context.evaluations}
    busy = sum(state.live for state in context.evaluations.values())
    free = max(0, context.spec.evaluation.concurrency - busy)
    waiting = backing_off(context).keys() | still_heard(context).keys()
    held = present | waiting | {*asked_anew(context)}
    due = [key for key in outstanding(context) if key not in held]
    return [ApplyWorkload(_next_try(context, key), context.pinned) for key in due[:free]]


def _next_try(context: Context, key: EvaluationKey) -> Evaluation:
    outcome = context.outcome(key)
    return Evaluation(*key, outcome.tries + 1 if outcome is not None else 1)
