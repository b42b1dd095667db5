"""Evaluations: one for every complete checkpoint and suite, oldest first.

How an evaluation ended is in the journal, under the checkpoint's digest, before the workload that
it comes from is deleted. A failure is never an evaluation.
"""

from collections.abc import Iterator
from enum import StrEnum

from lccp.api.causes import Cause
from lccp.api.conditions import Reason
from lccp.api.labels import INTRINSIC, evaluation_key, tokens_key
from lccp.api.objects.journal import EvaluationOutcome, Journal
from lccp.contract.quantities import TOKENS
from lccp.facts.facts import EvaluationKey
from lccp_operator.compact import CompactReport
from lccp_operator.intents import (
    ApplyWorkload,
    DeleteEvaluation,
    DeleteWorkload,
    EndReevaluation,
    Intent,
)
from lccp_operator.plan.context import Context
from lccp_operator.workloads.endings import Ending
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.state import WorkloadState


class Stage(StrEnum):
    """Where an evaluation is."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


EVERYTHING = "all"
BY_URGENCY = (Stage.FAILED, Stage.RUNNING, Stage.PENDING, Stage.SUCCEEDED)


REPORT_GONE = Ending(Cause.LOST, "its report was deleted from the store: it is evaluated anew")


def settled(context: Context) -> Journal:
    """The journal with the outcomes that are seen, and without those that are asked anew."""
    anew = asked_anew(context)
    seen = {
        evaluation_key(*key): _with_exhaustion(context, outcome)
        for key in wanted(context)
        if (outcome := _outcome(context, key)) is not None
    }
    outcomes = context.journal.evaluations | seen
    for key in anew:
        outcomes.pop(evaluation_key(*key), None)
    return context.noted(evaluations=dict(sorted(outcomes.items())))


def asked_anew(context: Context) -> list[EvaluationKey]:
    """The evaluations that the run's annotation asks for anew, oldest first.

    As long as it is there nothing of them begins, so that what is asked once is done once.
    """
    if context.asked_anew is None:
        return []
    asked = _parts(context.asked_anew)
    return [key for key in wanted(context) if EVERYTHING in asked or key[0] in asked.values()]


def not_to_be_asked(context: Context) -> list[str]:
    """What the annotation names that is no complete checkpoint."""
    asked = context.asked_anew
    parts = _parts(asked) if asked is not None else {EVERYTHING: None}
    if EVERYTHING in parts:
        return []
    return [text for text, n in parts.items() if n not in context.facts.checkpoints]


def name_of(key: EvaluationKey) -> str:
    """The evaluation in words."""
    tokens, suite = key
    return f"checkpoint {tokens:,}" + ("" if suite == INTRINSIC else f", suite {suite}")


def wanted(context: Context) -> Iterator[EvaluationKey]:
    """What is to be evaluated: every suite at every complete checkpoint, oldest first."""
    for tokens in sorted(context.facts.checkpoints):
        for suite in context.spec.evaluation.suites:
            yield tokens, suite


def stage(context: Context, key: EvaluationKey) -> Stage:
    """Where the evaluation is, by the journal and its workload."""
    outcome, workload = context.outcome(key), context.evaluation(key)
    if outcome is not None and outcome.result == "Succeeded":
        return Stage.SUCCEEDED
    if outcome is not None and outcome.exhausted:
        return Stage.FAILED
    return Stage.RUNNING if workload is not None and workload[1].live else Stage.PENDING


def stage_of_checkpoint(context: Context, tokens: int) -> Stage:
    """Where all evaluations of the checkpoint at `tokens` are."""
    stages = {stage(context, (tokens, suite)) for suite in context.spec.evaluation.suites}
    return next(one for one in BY_URGENCY if one in stages)


def outstanding(context: Context) -> list[EvaluationKey]:
    """Evaluations that are still to end, oldest first."""
    open_stages = (Stage.PENDING, Stage.RUNNING)
    return [key for key in wanted(context) if stage(context, key) in open_stages]


def failed(context: Context) -> list[EvaluationKey]:
    """Evaluations that failed for good, oldest first."""
    return [key for key in wanted(context) if stage(context, key) is Stage.FAILED]


def gone(context: Context) -> list[EvaluationKey]:
    """Evaluations that had succeeded, and whose report is gone, oldest first."""
    outcomes = ((key, context.outcome(key)) for key in outstanding(context))
    return [key for key, one in outcomes if one is not None and one.message == REPORT_GONE.message]


def reports(context: Context) -> list[CompactReport]:
    """The reports of the checkpoints that there are, oldest first."""
    found = context.facts.reports.items()
    anew = asked_anew(context)
    return [
        report for key, report in found if key not in anew and Evaluation(*key).done(context.facts)
    ]


def backoff_seconds_left(context: Context, key: EvaluationKey) -> float:
    """Seconds until the wait after the last failed try is over."""
    outcome = context.outcome(key)
    if outcome is None or outcome.at is None or outcome.result == "Succeeded":
        return 0.0
    waits = max(outcome.tries, outcome.interruptions - 1 if outcome.interruptions else 1)
    if waits < 1:
        return 0.0
    return context.seconds_left(outcome.at, context.spec.restart_policy.wait_seconds(waits))


def backing_off(context: Context) -> dict[EvaluationKey, float]:
    """Seconds until the next try of the evaluations that wait after a failed one."""
    waits = {key: backoff_seconds_left(context, key) for key in outstanding(context)}
    return {key: wait for key, wait in waits.items() if wait > 0}


def intents(context: Context) -> list[Intent]:
    """What deletes the workloads that have ended, and begins the oldest that are due."""
    return [*_deletions(context), *_anew(context), *_beginnings(context)]


def _parts(asked: str) -> dict[str, int | None]:
    """The tokens that an annotation names, by the text that does; None for text that is none.

    Further words of a part say nothing: they tell one question from the next.
    """
    return {text: _tokens(text) for text in map(_first_word, asked.split(","))}


def _first_word(part: str) -> str:
    return next(iter(part.split()), "")


def _tokens(text: str) -> int | None:
    try:
        return 0 if text == "0" else TOKENS.parse(text)
    except ValueError:
        return None


def _anew(context: Context) -> Iterator[Intent]:
    """What forgets the evaluations that are asked anew, and then the question."""
    if context.asked_anew is None:
        return
    asked = asked_anew(context)
    for workload, state in context.evaluations.items():
        if workload.key in asked and not state.deleting:
            yield DeleteWorkload(workload)
    for key in asked:
        yield DeleteEvaluation(*key)
    yield EndReevaluation(context.asked_anew)


def _outcome(context: Context, key: EvaluationKey) -> EvaluationOutcome | None:
    known, workload = context.outcome(key), context.evaluation(key)
    tries = workload[0].number if workload is not None else known.tries if known is not None else 0
    if known is not None and known.result == "Succeeded":
        there = key in context.facts.reports or key in context.facts.damaged_reports
        return known if there else _record(context, key, 0, REPORT_GONE)
    if Evaluation(*key).done(context.facts):
        unseen = workload is None and known is not None
        return _record(context, key, tries + unseen, None)
    if key in context.facts.damaged_reports or key in context.facts.reports:
        return _record(context, key, tries, _unusable(context, key))
    if workload is None or not (workload[1].ended or workload[1].stuck):
        return known
    ending = workload[0].ending(workload[1], context.facts)
    if ending.counted:
        return _record(context, key, tries, ending)
    return known if workload[1].deleting else _interrupted(context, key, ending)


def _record(
    context: Context, key: EvaluationKey, tries: int, failure: Ending | None
) -> EvaluationOutcome:
    known = context.outcome(key)
    record = EvaluationOutcome(
        checkpoint_digest=context.facts.checkpoints[key[0]].digest,
        result="Failed" if failure else "Succeeded",
        tries=tries,
        at=context.now,
        cause=failure.cause if failure else None,
        message=failure.message if failure else "",
    )
    if known is not None and (known.result, known.tries) == (record.result, tries):
        return record.model_copy(update={"at": known.at})
    return record


def _interrupted(context: Context, key: EvaluationKey, ending: Ending) -> EvaluationOutcome:
    """One more end that counts as no try."""
    known = context.outcome(key)
    tries, before = (known.tries, known.interruptions) if known is not None else (0, 0)
    record = _record(context, key, tries, ending)
    return record.model_copy(update={"at": context.now, "interruptions": before + 1})


def _unusable(context: Context, key: EvaluationKey) -> Ending:
    damage = context.facts.damaged_reports.get(key)
    why = damage or "its report is about another checkpoint's files"
    where = f"evaluations/{tokens_key(key[0])}/{key[1]}/"
    remedy = f"delete {where} from the store and apply the run again"
    return Ending(Cause.CONFIGURATION, f"{why}: {remedy}")


def _with_exhaustion(context: Context, outcome: EvaluationOutcome) -> EvaluationOutcome:
    """The outcome, saying whether it is tried again, by the retries that are allowed now."""
    final = outcome.cause is Cause.CONFIGURATION
    no_more = final or outcome.tries > context.spec.evaluation.retries
    exhausted = outcome.result == "Failed" and no_more
    return outcome.model_copy(update={"exhausted": exhausted})


def _deletions(context: Context) -> list[Intent]:
    kept = {*failed(context), *asked_anew(context)}
    return [
        DeleteWorkload(workload, wait_for_pods=not state.abandoned)
        for workload, state in context.evaluations.items()
        if (_has_ended(state) and (state.lingers or workload.key not in kept))
        or _is_outdated(context, workload, state)
    ]


def _is_outdated(context: Context, workload: Evaluation, state: WorkloadState) -> bool:
    """It has not begun, and by now it would be made otherwise: such a Job counts as no try."""
    if state.deleting or state.pods_begun or not state.live:
        return False
    asked = workload.pods(context.run, context.pinned).digest
    return state.settings not in (None, asked) or _lacks_an_old_image(context, state)


def _lacks_an_old_image(context: Context, state: WorkloadState) -> bool:
    """Its image can't be had, and by now it would get another."""
    trouble, changed = state.trouble, context.pinned.evaluator_image != context.due.evaluator_image
    waits = trouble is not None and trouble.reason is Reason.IMAGE_UNAVAILABLE
    return changed and waits


def _has_ended(state: WorkloadState) -> bool:
    return state.abandoned or (state.ended and not state.deleting)


def _beginnings(context: Context) -> list[Intent]:
    present = {workload.key for workload in context.evaluations}
    busy = sum(state.live for state in context.evaluations.values())
    free = max(0, context.spec.evaluation.concurrency - busy)
    held = present | backing_off(context).keys() | {*asked_anew(context)}
    due = [key for key in outstanding(context) if key not in held]
    return [ApplyWorkload(_next_try(context, key), context.pinned) for key in due[:free]]


def _next_try(context: Context, key: EvaluationKey) -> Evaluation:
    outcome = context.outcome(key)
    return Evaluation(*key, outcome.tries + 1 if outcome is not None else 1)
