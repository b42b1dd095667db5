"""The goal of a run: what its training is to come to, by what was decided and what ended."""

from dataclasses import dataclass
from enum import StrEnum

from lccp.api.causes import MEANINGS, Cause
from lccp.api.conditions import Reason
from lccp.api.objects.journal import AttemptRecord, StopRecord
from lccp_operator.plan.context import Context


class Course(StrEnum):
    """What the training is to do."""

    TRAIN = "Train"
    HOLD = "Hold"
    END = "End"
    FAIL = "Fail"


@dataclass(frozen=True)
class Goal:
    """The course, and why."""

    course: Course
    reason: Reason
    message: str


def goal(context: Context) -> Goal:
    """The goal that the context asks for; what ended the training first, rules."""
    stop = context.journal.stop
    if context.training_complete:
        return Goal(Course.END, Reason.COMPLETED, "trained its budget of tokens")
    if stop is not None and stop.action == "Stop":
        return _stopped(stop)
    failure = final_failure(context)
    if failure is not None:
        return failure
    if stop is not None:
        message = (
            f"held since the run is saturated at {stop.at_tokens:,} tokens: "
            "to go on, set saturation.action to Notify or None"
        )
        return Goal(Course.HOLD, Reason.SATURATED, message)
    if context.spec.suspend:
        return Goal(Course.HOLD, Reason.SUSPENDED_BY_USER, "to go on, set suspend to false")
    return Goal(Course.TRAIN, Reason.RUNNING, "")


def counted_failures(context: Context) -> list[AttemptRecord]:
    """Failures since this run object was accepted that count against maxRestarts."""
    earlier = context.acceptance.earlier_attempts
    return [a for a in context.journal.attempts if a.counted and a.number > earlier]


def final_failure(context: Context) -> Goal | None:
    """The goal after a failure that is not answered by a new attempt."""
    last, failures = context.last_attempt, counted_failures(context)
    if last is None or last.cause is None or last not in failures:
        return None
    policy = context.spec.restart_policy
    if last.cause is Cause.CONFIGURATION:
        return _failed(Reason.CONFIGURATION, last)
    if last.cause is Cause.NOT_FINITE and not policy.retry_not_finite:
        return _failed(Reason.NOT_FINITE, last)
    if len(failures) > policy.max_restarts:
        return _failed(Reason.RESTARTS_EXHAUSTED, last)
    return None


def _failed(reason: Reason, last: AttemptRecord) -> Goal:
    assert last.cause is not None
    remedy = MEANINGS[last.cause].remedy
    return Goal(Course.FAIL, reason, f"attempt {last.number} {_told(last)}: {remedy}")


def _told(attempt: AttemptRecord) -> str:
    return f"ended as {attempt.cause}: {attempt.message}"


def _stopped(stop: StopRecord) -> Goal:
    if stop.reason == "Saturated":
        message = f"stopped: the run is saturated at {stop.at_tokens:,} tokens"
        return Goal(Course.END, Reason.SATURATED, message)
    message = "ran longer than activeDeadlineSeconds: raise or remove it, and the run goes on"
    return Goal(Course.FAIL, Reason.DEADLINE_EXCEEDED, message)
