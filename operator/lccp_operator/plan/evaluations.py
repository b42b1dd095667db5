"""Evaluations: one for every complete checkpoint, oldest first; a failure is never an evaluation.

How the evaluation of a checkpoint ended is in the journal, under the checkpoint's digest, before
the workload that it comes from is deleted.
"""

from enum import StrEnum

from lccp.api.causes import Cause
from lccp.api.labels import tokens_key
from lccp.api.objects.journal import EvaluationOutcome, Journal
from lccp_operator.intents import ApplyWorkload, DeleteWorkload, Intent
from lccp_operator.packed import PackedReport
from lccp_operator.plan.context import Context
from lccp_operator.workloads.endings import Ending
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.state import WorkloadState


class Stage(StrEnum):
    """Where the evaluation of a checkpoint is."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


def settled(context: Context) -> Journal:
    """The journal with the outcomes that are seen."""
    seen = {
        tokens_key(tokens): outcome
        for tokens in context.facts.checkpoints
        if (outcome := _outcome(context, tokens)) is not None
    }
    return context.noted(evaluations=dict(sorted((context.journal.evaluations | seen).items())))


def stage(context: Context, tokens: int) -> Stage:
    """Where the evaluation of the checkpoint at `tokens` is, by the journal and its workload."""
    outcome, workload = context.outcome(tokens), context.evaluation(tokens)
    if outcome is not None and outcome.result == "Succeeded":
        return Stage.SUCCEEDED
    if outcome is not None and _exhausted(context, outcome):
        return Stage.FAILED
    return Stage.RUNNING if workload is not None and workload[1].live else Stage.PENDING


def outstanding(context: Context) -> list[int]:
    """Checkpoints whose evaluation is still to end, oldest first."""
    open_stages = (Stage.PENDING, Stage.RUNNING)
    return [t for t in sorted(context.facts.checkpoints) if stage(context, t) in open_stages]


def failed(context: Context) -> list[int]:
    """Checkpoints whose evaluation failed for good, oldest first."""
    return [t for t in sorted(context.facts.checkpoints) if stage(context, t) is Stage.FAILED]


def reports(context: Context) -> tuple[PackedReport, ...]:
    """The reports of the checkpoints that there are, oldest first."""
    found = sorted(context.facts.reports.items())
    return tuple(report for tokens, report in found if Evaluation(tokens).done(context.facts))


def backoff_seconds_left(context: Context, tokens: int) -> float:
    """Seconds until the wait after the last failed try at `tokens` is over."""
    outcome = context.outcome(tokens)
    if outcome is None or outcome.at is None or outcome.result == "Succeeded":
        return 0.0
    wait = context.spec.restart_policy.wait_seconds(max(1, outcome.tries))
    return context.seconds_left(outcome.at, wait)


def backing_off(context: Context) -> dict[int, float]:
    """Seconds until the next try, by tokens, of the evaluations that wait after a failed one."""
    waits = {tokens: backoff_seconds_left(context, tokens) for tokens in outstanding(context)}
    return {tokens: wait for tokens, wait in waits.items() if wait > 0}


def intents(context: Context) -> list[Intent]:
    """What deletes the workloads that have ended, and begins the oldest that are due."""
    return [*_deletions(context), *_beginnings(context)]


def _outcome(context: Context, tokens: int) -> EvaluationOutcome | None:
    known, workload = context.outcome(tokens), context.evaluation(tokens)
    tries = workload[0].number if workload is not None else known.tries if known is not None else 0
    if known is not None and known.result == "Succeeded":
        return known
    if Evaluation(tokens).done(context.facts):
        unseen = workload is None and known is not None
        return _record(context, tokens, tries + unseen, None)
    if tokens in context.facts.damaged_reports or tokens in context.facts.reports:
        return _record(context, tokens, tries, _unusable(context, tokens))
    if workload is None or not (workload[1].ended or workload[1].has_lost_pod):
        return known
    ending = workload[0].ending(workload[1], context.facts)
    return _record(context, tokens, tries, ending) if ending.counted else known


def _record(context: Context, tokens: int, tries: int, failure: Ending | None) -> EvaluationOutcome:
    known = context.outcome(tokens)
    record = EvaluationOutcome(
        checkpoint_digest=context.facts.checkpoints[tokens].digest,
        result="Failed" if failure else "Succeeded",
        tries=tries,
        at=context.now,
        cause=failure.cause if failure else None,
        message=failure.message if failure else "",
    )
    record = record.model_copy(update={"exhausted": bool(failure) and _exhausted(context, record)})
    if known is not None and (known.result, known.tries) == (record.result, tries):
        return record.model_copy(update={"at": known.at})
    return record


def _unusable(context: Context, tokens: int) -> Ending:
    why = context.facts.damaged_reports.get(
        tokens, "its report is about another checkpoint's files"
    )
    remedy = f"delete evaluations/{tokens_key(tokens)}/ from the store and apply the run again"
    return Ending(Cause.CONFIGURATION, f"{why}: {remedy}")


def _exhausted(context: Context, outcome: EvaluationOutcome) -> bool:
    final = outcome.cause is Cause.CONFIGURATION
    return final or outcome.tries > context.spec.evaluation.retries


def _deletions(context: Context) -> list[Intent]:
    failed_for_good = set(failed(context))
    return [
        DeleteWorkload(workload, wait_for_pods=not state.abandoned)
        for workload, state in context.evaluations.items()
        if _has_ended(state) and workload.tokens not in failed_for_good
    ]


def _has_ended(state: WorkloadState) -> bool:
    return state.abandoned or (state.ended and not state.deleting)


def _beginnings(context: Context) -> list[Intent]:
    present = {workload.tokens for workload in context.evaluations}
    busy = sum(state.live for state in context.evaluations.values())
    free = max(0, context.spec.evaluation.concurrency - busy)
    held = present | backing_off(context).keys()
    due = [tokens for tokens in outstanding(context) if tokens not in held]
    return [ApplyWorkload(_next_try(context, tokens), context.pinned) for tokens in due[:free]]


def _next_try(context: Context, tokens: int) -> Evaluation:
    outcome = context.outcome(tokens)
    return Evaluation(tokens, outcome.tries + 1 if outcome is not None else 1)
