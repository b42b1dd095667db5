"""The stages of the evaluations, by the journal and their workloads: one for every complete
checkpoint and suite.
"""

from collections.abc import Iterator
from enum import StrEnum

from lccp.api.causes import Cause
from lccp.api.labels import ANNEAL, INTRINSIC
from lccp.api.objects.journal import EvaluationOutcome
from lccp.facts.facts import EvaluationKey
from lccp_operator.plan.context import Context
from lccp_operator.workloads.endings import Ending


class Stage(StrEnum):
    """The stage of an evaluation."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


BY_URGENCY = (Stage.FAILED, Stage.RUNNING, Stage.PENDING, Stage.SUCCEEDED)

REPORT_GONE = Ending(Cause.LOST, "its report was deleted from the store: it is evaluated again")


def name_of(key: EvaluationKey) -> str:
    """The evaluation in words."""
    tokens, suite = key
    return f"checkpoint {tokens:,}" + ("" if suite == INTRINSIC else f", suite {suite}")


def wanted(context: Context) -> Iterator[EvaluationKey]:
    """The evaluations to make: the probes at every complete checkpoint, oldest first, then others.

    A verdict depends on the probes: a suite slower than the checkpoints delays only itself.
    """
    keys = ((tokens, suite) for tokens, suites in context.suites.items() for suite in suites)
    yield from sorted(keys, key=lambda key: (key[1] != INTRINSIC, key))


def stage(context: Context, key: EvaluationKey) -> Stage:
    """The stage of the evaluation, by the journal and its workload."""
    outcome, workload = context.outcome(key), context.evaluation(key)
    if outcome is not None and outcome.result == "Succeeded":
        return Stage.SUCCEEDED
    if outcome is not None and outcome.exhausted:
        return Stage.FAILED
    return Stage.RUNNING if workload is not None and workload[1].live else Stage.PENDING


def stage_of_checkpoint(context: Context, tokens: int) -> Stage:
    """The common stage of all evaluations of the checkpoint at `tokens`."""
    stages = {stage(context, (tokens, suite)) for suite in context.suites[tokens]}
    return next(one for one in BY_URGENCY if one in stages)


def outstanding(context: Context) -> list[EvaluationKey]:
    """Evaluations that have yet to end, oldest first."""
    open_stages = (Stage.PENDING, Stage.RUNNING)
    return [key for key in wanted(context) if stage(context, key) in open_stages]


def failed(context: Context) -> list[EvaluationKey]:
    """Evaluations that failed for good, oldest first."""
    return [key for key in wanted(context) if stage(context, key) is Stage.FAILED]


def fruitless(context: Context) -> list[EvaluationKey]:
    """Evaluations whose last try ended before it began, or that are disrupted again and again.

    Not those that the store refuses, nor once another try runs; oldest first.
    """
    running = {workload.key for workload, state in context.evaluations.items() if state.begun}
    ends = ((key, context.outcome(key)) for key in outstanding(context) if key not in running)
    return [key for key, end in ends if end is not None and _is_fruitless(end)]


def _is_fruitless(end: EvaluationOutcome) -> bool:
    interrupted = end.interruptions > 1 and end.cause is not Cause.STORE_REFUSED
    return interrupted or end.cause is Cause.NOT_BEGUN


def gone(context: Context) -> list[EvaluationKey]:
    """Evaluations that succeeded but whose report is gone, oldest first."""
    outcomes = ((key, context.outcome(key)) for key in outstanding(context))
    return [key for key, one in outcomes if one is not None and one.message == REPORT_GONE.message]


def lost(context: Context) -> list[EvaluationKey]:
    """Evaluations that succeeded, but whose report is gone, and whose checkpoint is: oldest first.

    Nothing can repeat them. Those of suites that are no longer in the spec do not matter.
    """
    asked = {INTRINSIC, ANNEAL, *(suite.name for suite in context.spec.evaluation.suites)}
    succeeded = [k for k, one in context.journal.evaluations.items() if one.result == "Succeeded"]
    parts = (key.partition("/") for key in sorted(succeeded))
    keys = ((int(tokens), suite) for tokens, _, suite in parts if tokens.isdecimal())
    there = context.facts.reports.keys() | context.facts.damaged_reports.keys()
    passed = context.newest_checkpoint or 0
    return [
        key
        for key in keys
        if key[0] < passed and key[1] in asked and key not in there
        if context.facts.evaluated(key) is None
    ]


def backoff_seconds_left(context: Context, key: EvaluationKey) -> float:
    """Seconds until the wait after the last failed try is over."""
    outcome = context.outcome(key)
    if outcome is None or outcome.at is None or outcome.result == "Succeeded":
        return 0.0
    waits = max(outcome.tries, outcome.interruptions - 1 if outcome.interruptions else 1)
    if waits < 1:
        return 0.0
    return context.wait_left(outcome.at, context.spec.restart_policy.wait_seconds(waits))


def backing_off(context: Context) -> dict[EvaluationKey, float]:
    """Seconds until the next try of the evaluations that wait after a failed one."""
    waits = {key: backoff_seconds_left(context, key) for key in outstanding(context)}
    return {key: wait for key, wait in waits.items() if wait > 0}
