"""The conditions: what holds, why, and what to do. Times move only when a status flips.

Messages hold no number that changes by itself, so that a run at rest writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from lccp.analysis.possible import obstacle
from lccp.api.causes import Cause
from lccp.api.conditions import OF_EVERY_RUN, REMEDIES, Condition, ConditionType, Reason
from lccp.api.objects.verdict import Answer, VerdictState
from lccp.facts.facts import EvaluationKey
from lccp_operator.plan import attempts, evaluations
from lccp_operator.plan.acceptance import Refusal
from lccp_operator.plan.context import Context
from lccp_operator.plan.goals import Course, Goal
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import Phase, WorkloadState
from lccp_operator.workloads.training import Training

NAMED = 4
WHOLE_GANGS = (
    "its peers wait for it, and hold their nodes: topology.gangTimeoutSeconds bounds that; "
    "topology.queueName with Kueue, or a scheduler of whole gangs, admits all pods or none"
)
PROBLEMS_NAMED = 3
GATE_ANSWERS: Mapping[Answer, tuple[Literal["True", "False", "Unknown"], Reason]] = {
    "Yes": ("True", Reason.GATE_MET),
    "No": ("False", Reason.GATE_NOT_MET),
    "Undecided": ("Unknown", Reason.GATE_UNDECIDED),
}


@dataclass(frozen=True)
class Finding:
    """What a condition is found to be."""

    status: Literal["True", "False", "Unknown"]
    reason: Reason
    message: str = ""


Findings = Mapping[ConditionType, Finding]


def found(context: Context, goal: Goal) -> Findings:
    """All conditions of an accepted run."""
    asked = context.spec.saturation.gate
    gate = {ConditionType.GATE_PASSED: _gate(context)} if asked else {}
    return {
        ConditionType.ACCEPTED: Finding("True", Reason.VALID, _acceptance(context)),
        ConditionType.TRAINING: _training(context, goal),
        ConditionType.EVALUATING: _evaluating(context),
        ConditionType.SATURATED: _saturated(context),
        ConditionType.SUSPENDED: _suspended(context, goal),
        ConditionType.DEGRADED: _degraded(context, goal),
        ConditionType.SUCCEEDED: _succeeded(context, goal),
        ConditionType.FAILED: _failed(context, goal),
        **gate,
        **_impossible(context),
    }


def refused(refusal: Refusal) -> Findings:
    """All conditions of a run that is not accepted; it fails, so that nobody waits for it."""
    waiting = Finding("False", Reason.PENDING, "the run is not accepted")
    return dict.fromkeys(OF_EVERY_RUN, waiting) | {
        ConditionType.ACCEPTED: Finding("False", refusal.reason, refusal.message),
        ConditionType.SATURATED: Finding("Unknown", Reason.PENDING, "nothing was measured"),
        ConditionType.DEGRADED: Finding("False", Reason.HEALTHY),
        ConditionType.SUCCEEDED: Finding("False", refusal.reason, refusal.message),
        ConditionType.FAILED: Finding("True", refusal.reason, refusal.message),
    }


def uncertain(
    previous: tuple[Condition, ...], refused: tuple[ConditionType, ...], reason: Reason, why: str
) -> Findings:
    """All conditions while something can't be read: what was known stays, Degraded says why.

    `refused` are the conditions that are False for this reason.
    """
    unseen = Finding("Unknown", reason, why)
    known = {c.type: Finding(c.status, c.reason, c.message) for c in previous}
    return (
        dict.fromkeys(OF_EVERY_RUN, unseen)
        | known
        | dict.fromkeys(refused, Finding("False", reason, why))
        | {ConditionType.DEGRADED: Finding("True", reason, why)}
    )


def dated(
    previous: tuple[Condition, ...], findings: Findings, generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The conditions in the order of their types, with the time of their last flip."""
    before = {condition.type: condition for condition in previous}
    return tuple(
        Condition(
            type=type_,
            status=findings[type_].status,
            reason=findings[type_].reason,
            message=findings[type_].message,
            last_transition_time=_last_flip(before.get(type_), findings[type_], now),
            observed_generation=generation,
        )
        for type_ in ConditionType
        if type_ in findings
    )


def _last_flip(before: Condition | None, finding: Finding, now: datetime) -> datetime:
    same = before is not None and before.status == finding.status
    return before.last_transition_time if before is not None and same else now


def _acceptance(context: Context) -> str:
    """That it is accepted, and what of its spec is yet to take effect."""
    changed = [difference.path for difference in context.changed_settings]
    if context.open_attempt is None or not changed:
        return "the run is accepted"
    more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    return (
        f"the run is accepted; changed, and taking effect at the next attempt: "
        f"{', '.join(changed[:NAMED])}{more}; to have it now, set suspend to true, and "
        "then to false"
    )


def _training(context: Context, goal: Goal) -> Finding:
    attempt, gang = context.open_attempt, context.gang
    if attempt is None:
        return _no_attempt(context, goal)
    name = f"attempt {attempt.number}"
    if attempt.drain_asked_at is not None:
        return Finding("True", Reason.DRAINING, f"{name} saves its state and ends, as asked")
    if gang is None or gang.phase is Phase.QUEUED or not gang.begun:
        return _waiting(context, Training(attempt.number), gang, name)
    beat = context.facts.heartbeats.get(attempt.number)
    starting = beat is None or beat.phase == "Starting"
    if starting and gang.pods_begun < gang.pods_expected:
        parts = f"{name}, {gang.pods_begun} of {gang.pods_expected} pods"
        found = _waiting(context, Training(attempt.number), gang, parts)
        return replace(found, message=f"{found.message}; {WHOLE_GANGS}")
    if beat is None or beat.phase == "Starting":
        return Finding("True", Reason.STARTING, f"{name} loads model, data and state")
    if beat.phase == "Training":
        return Finding("True", Reason.RUNNING, f"{name} is training")
    return Finding("True", Reason.SAVING, f"{name} saves a checkpoint or its state")


def _no_attempt(context: Context, goal: Goal) -> Finding:
    last = context.last_attempt
    if goal.course is not Course.TRAIN:
        return Finding("False", goal.reason, goal.message)
    if last is None:
        return Finding("False", Reason.PENDING, "the first attempt waits for an older gang to end")
    told = f"attempt {last.number} {last.message}"
    if attempts.old_gang_lives(context):
        return Finding("False", Reason.RESTARTING, f"{told}; its last pods are ending")
    return Finding("False", Reason.BACKING_OFF, f"{told}; the next attempt follows after a wait")


def _waiting(
    context: Context, workload: Workload, state: WorkloadState | None, name: str
) -> Finding:
    trouble = context.rejected.get(workload) if state is None else state.trouble
    if trouble is not None:
        remedy = REMEDIES.get(trouble.reason, "")
        remedy = remedy.format(pods=workload.FIELD, image=workload.IMAGE_FIELD)
        message = f"{name}: {trouble.message}"
        return Finding("False", trouble.reason, f"{message}: {remedy}" if remedy else message)
    if state is None:
        return Finding("False", Reason.STARTING, f"{name} is being created")
    if state.phase is Phase.QUEUED:
        message = f"{name} waits in its queue: {REMEDIES[Reason.QUEUED]}"
        return Finding("False", Reason.QUEUED, message)
    return Finding("False", Reason.STARTING, f"{name}: its pods are starting")


def _evaluating(context: Context) -> Finding:
    outstanding = evaluations.outstanding(context)
    live = [(workload, state) for workload, state in context.evaluations.items() if state.live]
    begun = [workload.key for workload, state in live if state.begun]
    if begun:
        return Finding("True", Reason.RUNNING, f"evaluates {_named(begun)}")
    if live:
        workload, state = next((pair for pair in live if pair[1].trouble), live[0])
        return _waiting(context, workload, state, _evaluation(workload.key))
    rejected = next((c for c in context.rejected if isinstance(c, Evaluation)), None)
    if rejected is not None:
        return _waiting(context, rejected, None, _evaluation(rejected.key))
    if outstanding and len(evaluations.backing_off(context)) == len(outstanding):
        return Finding("False", Reason.BACKING_OFF, _next_try(context, outstanding[0]))
    if outstanding:
        return Finding("False", Reason.PENDING, f"{_named(outstanding)} waits")
    if not context.facts.checkpoints:
        return Finding("False", Reason.PENDING, "there is no checkpoint yet")
    return Finding("False", Reason.UP_TO_DATE, "all checkpoints are evaluated")


def _evaluation(key: EvaluationKey) -> str:
    return f"evaluation of {evaluations.name_of(key)}"


def _next_try(context: Context, key: EvaluationKey) -> str:
    outcome = context.outcome(key)
    told = outcome.message if outcome is not None else ""
    return f"{_evaluation(key)}: {told}; the next try follows after a wait"


def _named(keys: list[EvaluationKey]) -> str:
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(evaluations.name_of(key) for key in keys[:NAMED]) + more


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
    """That no checkpoint of the plan can ever be called Saturated; nothing where one can be."""
    problem = obstacle(context.run)
    if not problem:
        return {}
    return {ConditionType.VERDICT_POSSIBLE: Finding("False", Reason.NEVER_SATURATED, problem)}


def _suspended(context: Context, goal: Goal) -> Finding:
    if goal.course is not Course.HOLD:
        return Finding("False", Reason.NOT_SUSPENDED)
    if context.open_attempt is not None:
        return Finding("False", Reason.DRAINING, "the training saves its state and ends first")
    return Finding("True", goal.reason, goal.message)


def _degraded(context: Context, goal: Goal) -> Finding:
    failed = evaluations.failed(context)
    unbegun = attempts.unbegun(context) if goal.course is Course.TRAIN else None
    problems = [f"attempt {unbegun.number} {unbegun.message}"] if unbegun else []
    problems += [_evaluation_problem(context, key) for key in failed]
    problems += [
        f"{_evaluation(key)}: {evaluations.REPORT_GONE.message}"
        for key in evaluations.gone(context)
    ]
    problems += context.facts.damaged.values()
    problems += [one.reason for one in context.judgement.excluded] if context.judgement else []
    if not problems:
        return Finding("False", Reason.HEALTHY)
    other = Reason.EVALUATION_FAILED if failed else Reason.OBSERVATION_INCOMPLETE
    reason = Reason.RESTARTING if unbegun else other
    more = len(problems) - PROBLEMS_NAMED
    tail = [f"and {more} more"] if more > 0 else []
    return Finding("True", reason, "; ".join([*problems[:PROBLEMS_NAMED], *tail]))


def _evaluation_problem(context: Context, key: EvaluationKey) -> str:
    outcome = context.outcome(key)
    told = outcome.message if outcome is not None else ""
    final = outcome is not None and outcome.cause is Cause.CONFIGURATION
    remedy = "" if final else "; raise evaluation.retries to try again"
    return f"{_evaluation(key)}: {told}{remedy}"


def _succeeded(context: Context, goal: Goal) -> Finding:
    if goal.course is Course.FAIL:
        return Finding("False", goal.reason, goal.message)
    if goal.course is not Course.END or context.open_attempt is not None:
        return Finding("False", Reason.NOT_FINISHED, "the training goes on")
    if evaluations.outstanding(context):
        return Finding("False", Reason.NOT_FINISHED, "the last checkpoints are being evaluated")
    return Finding("True", goal.reason, goal.message)


def _failed(context: Context, goal: Goal) -> Finding:
    if goal.course is Course.FAIL and context.open_attempt is None:
        return Finding("True", goal.reason, goal.message)
    return Finding("False", Reason.NOT_FINISHED if goal.course is not Course.END else goal.reason)
