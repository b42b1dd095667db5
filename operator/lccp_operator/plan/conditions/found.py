"""The conditions of an accepted run. Times move only when a status flips.

Messages contain no steadily changing number, so that a run at rest writes nothing.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Literal

from lccp.analysis.possible import obstacle
from lccp.api.causes import Cause
from lccp.api.conditions import Condition, ConditionType, Reason
from lccp.api.labels import REEVALUATE
from lccp.api.objects.verdict import Answer, VerdictState
from lccp.facts.facts import EvaluationKey
from lccp_operator.plan import attempts, evaluations
from lccp_operator.plan.conditions import findings
from lccp_operator.plan.conditions.findings import NAMED, Finding, Findings
from lccp_operator.plan.context import SET_BACK, Context
from lccp_operator.plan.goals import Aim, Goal, failed_branches, passed_points

PROBLEMS_NAMED = 3
GATE_ANSWERS: Mapping[Answer, tuple[Literal["True", "False", "Unknown"], Reason]] = {
    "Yes": ("True", Reason.GATE_MET),
    "No": ("False", Reason.GATE_NOT_MET),
    "Undecided": ("Unknown", Reason.GATE_UNDECIDED),
}


def found(context: Context, goal: Goal) -> Findings:
    """All conditions of an accepted run."""
    asked = context.spec.saturation.gate
    gate = {ConditionType.GATE_PASSED: _gate(context)} if asked else {}
    return {
        ConditionType.ACCEPTED: Finding("True", Reason.VALID, _acceptance(context)),
        ConditionType.TRAINING: findings.training(context, goal),
        ConditionType.EVALUATING: findings.evaluating(context),
        ConditionType.SATURATED: _saturated(context),
        ConditionType.SUSPENDED: _suspended(context, goal),
        ConditionType.DEGRADED: _degraded(context, goal),
        ConditionType.SUCCEEDED: _succeeded(context, goal),
        ConditionType.FAILED: _failed(context, goal),
        **gate,
        **_impossible(context),
    }


def dated(
    previous: tuple[Condition, ...], found: Findings, generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The conditions in the order of their types, with the time of their last flip."""
    before = {condition.type: condition for condition in previous}
    return tuple(
        Condition(
            type=type_,
            status=found[type_].status,
            reason=found[type_].reason,
            message=found[type_].message,
            last_transition_time=_last_flip(before.get(type_), found[type_], now),
            observed_generation=generation,
        )
        for type_ in ConditionType
        if type_ in found
    )


def _last_flip(before: Condition | None, finding: Finding, now: datetime) -> datetime:
    if before is None or before.status != finding.status:
        return now
    since = before.last_transition_time  # somebody may have written it, or the clock went back
    return since if since <= now + SET_BACK else now


def _acceptance(context: Context) -> str:
    """Says that it is accepted, and which of its settings have yet to take effect."""
    changed = [difference.path for difference in context.changed_settings]
    if context.open_attempt is None or not changed:
        return f"the run is accepted{_answered(context)}{_passed(context)}"
    more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    return (
        "the run is accepted; changed, and taking effect at the next attempt: "
        f"{', '.join(changed[:NAMED])}{more}; to apply it now, set suspend to true, and then to "
        f"false{_passed(context)}"
    )


def _passed(context: Context) -> str:
    """Branches that can no longer begin."""
    if not (points := ", ".join(f"{point:,}" for point in passed_points(context)[:NAMED])):
        return ""
    return (
        f"; no branch starts at {points} tokens: the training had passed that point before it was "
        "added to checkpoints.anneal.atTokens, and kept no state there"
    )


def _answered(context: Context) -> str:
    """Says that the same request was answered before, if it is repeated."""
    if (asked := context.reevaluate) is None or context.asked_anew is not None:
        return ""
    return (
        f"; {REEVALUATE}={asked} was carried out: to request it again, add a word (`{asked} again`)"
    )


def _saturated(context: Context) -> Finding:
    judgement = context.judgement
    if judgement is None:
        return Finding("Unknown", Reason.PENDING, "no checkpoint was measured yet")
    status: Literal["True", "False"] = (
        "True" if judgement.state is VerdictState.SATURATED else "False"
    )
    return Finding(status, Reason(judgement.state.value), judgement.headline)


def _gate(context: Context) -> Finding:
    """Whether the newest checkpoint may be released, by the sentence that decides it."""
    gate = context.judgement.gate if context.judgement else None
    if gate is None:
        return Finding("Unknown", Reason.PENDING, "no checkpoint was measured yet")
    status, reason = GATE_ANSWERS[gate.answer]
    told = [f"{s.sentence}: {s.evidence}" for s in gate.sentences if s.answer == gate.answer]
    return Finding(status, reason, "; ".join(told[:PROBLEMS_NAMED]))


def _impossible(context: Context) -> Findings:
    """Says that no checkpoint of the plan can ever be Saturated; empty if one can."""
    problem = obstacle(context.run)
    if not problem:
        return {}
    return {ConditionType.VERDICT_POSSIBLE: Finding("False", Reason.NEVER_SATURATED, problem)}


def _suspended(context: Context, goal: Goal) -> Finding:
    if goal.aim is not Aim.HOLD:
        return Finding("False", Reason.NOT_SUSPENDED)
    if context.open_attempt is not None:
        return Finding("False", Reason.DRAINING, "the training first saves its state and ends")
    return Finding("True", goal.reason, goal.message)


def _degraded(context: Context, goal: Goal) -> Finding:
    """What is wrong, beginning with what concerns workloads that run."""
    unbegun = attempts.unbegun(context) if goal.aim is Aim.TRAIN else None
    restarts = [findings.ended(context, unbegun)] if unbegun else []
    restarts += [_evaluation_told(context, key) for key in evaluations.fruitless(context)]
    by_urgency = {
        Reason.RESTARTING: restarts,
        Reason.OBSERVATION_INCOMPLETE: [
            *attempts.problems(context),
            *findings.refused_evaluations(context),
        ],
        Reason.EVALUATION_FAILED: [
            _evaluation_problem(context, key) for key in evaluations.failed(context)
        ],
    }
    lasting, repeats = _lasting(context), _repeats(context)
    problems = [*chain(*by_urgency.values()), *lasting, *repeats]
    if not problems:
        return Finding("False", Reason.HEALTHY)
    other = Reason.OBSERVATION_INCOMPLETE if lasting else Reason.DATA_REPEATS
    reason = next((reason for reason, found in by_urgency.items() if found), other)
    more = len(problems) - PROBLEMS_NAMED
    tail = [f"and {more} more"] if more > 0 else []
    return Finding("True", reason, "; ".join([*problems[:PROBLEMS_NAMED], *tail]))


def _lasting(context: Context) -> list[str]:
    """What does not pass by itself, apart from evaluations that failed for good."""
    gone = (findings.evaluation(key) for key in evaluations.gone(context))
    return [
        *(failure.message for failure in failed_branches(context)),
        *(f"{evaluation}: {evaluations.REPORT_GONE.message}" for evaluation in gone),
        *evaluations.told_of_lost(context),
        *_damaged(context),
        *findings.unknown_fields(context),
        *(one.reason for one in (context.judgement.excluded if context.judgement else ())),
    ]


def _repeats(context: Context) -> list[str]:
    """The sources that were read more often than allowed."""
    data, beat = context.spec.data, context.facts.heartbeat
    if data is None:
        return []
    most = data.max_epochs
    return [
        f"source {name} was read {epochs:.3g} times, and data.maxEpochs is {most:g}: repetition "
        "teaches the model less and less; give it more documents, or raise data.maxEpochs"
        for name, epochs in sorted(beat.epochs.items() if beat else ())
        if epochs > most
    ]


def _evaluation_problem(context: Context, key: EvaluationKey) -> str:
    outcome = context.outcome(key)
    final = outcome is not None and outcome.cause is Cause.CONFIGURATION
    remedy = "" if final else "; raise evaluation.retries to retry"
    return f"{_evaluation_told(context, key)}{remedy}"


def _evaluation_told(context: Context, key: EvaluationKey) -> str:
    outcome = context.outcome(key)
    return f"{findings.evaluation(key)}: {outcome.message if outcome is not None else ''}"


def _succeeded(context: Context, goal: Goal) -> Finding:
    if goal.aim is Aim.FAIL:
        return Finding("False", goal.reason, goal.message)
    if goal.aim is not Aim.END or context.open_attempt is not None:
        return Finding("False", Reason.NOT_FINISHED, "the training continues")
    if evaluations.outstanding(context):
        return Finding("False", Reason.NOT_FINISHED, "the last checkpoints are being evaluated")
    return Finding("True", goal.reason, goal.message)


def _failed(context: Context, goal: Goal) -> Finding:
    if goal.aim is Aim.FAIL and context.open_attempt is None:
        return Finding("True", goal.reason, goal.message)
    return Finding("False", Reason.NOT_FINISHED if goal.aim is not Aim.END else goal.reason)


def _damaged(context: Context) -> Iterator[str]:
    """What is damaged in the store; of a report that was whole, how to have it made again."""
    again = {
        sentence: evaluations.repeated(context, *key)
        for key, sentence in context.facts.damaged_reports.items()
        if _was_made(context, key)
    }
    for sentence in context.facts.damaged.values():
        remedy = f"; to evaluate it again, {again[sentence]}" if sentence in again else ""
        yield f"{sentence}{remedy}"


def _was_made(context: Context, key: EvaluationKey) -> bool:
    outcome = context.outcome(key)
    return outcome is not None and outcome.result == "Succeeded"
