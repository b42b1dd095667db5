"""The goal of a run: what its training is to do next, by past decisions and endings."""

from dataclasses import dataclass
from enum import StrEnum

from lccp.api.causes import MEANINGS, Cause
from lccp.api.conditions import Reason
from lccp.api.objects.journal import AttemptRecord, StopRecord
from lccp_operator.plan.context import Context


class Aim(StrEnum):
    """What the training is to do."""

    TRAIN = "Train"
    HOLD = "Hold"
    END = "End"
    FAIL = "Fail"


@dataclass(frozen=True)
class Goal:
    """The aim, and why."""

    aim: Aim
    reason: Reason
    message: str


SUSPENDED = Goal(Aim.HOLD, Reason.SUSPENDED_BY_USER, "to resume, set suspend to false")


def goal(context: Context) -> Goal:
    """The goal that follows from the context: the run's own training, then its branches."""
    own = _of_the_run(context)
    if own.aim is not Aim.END or branch_due(context) is None:
        return own
    if context.spec.suspend:
        return SUSPENDED
    return Goal(Aim.TRAIN, Reason.RUNNING, "")


def branch_due(context: Context) -> int | None:
    """The oldest branch to train, by the tokens at which it begins.

    Branches that failed for good are skipped, and those whose state the run did not keep.
    """
    points = (point for point in context.spec.branch_points if point in context.facts.checkpoints)
    untrained = (point for point in points if point not in context.facts.branches)
    return next((one for one in untrained if final_failure(context, one) is None), None)


def passed_points(context: Context) -> list[int]:
    """Points of branches that the training had passed, by its checkpoints, when they were added.

    It kept no state there, so no branch can begin there.
    """
    newest, made = context.newest_checkpoint or 0, context.facts.checkpoints
    return [point for point in context.spec.branch_points if point < newest and point not in made]


def branch_trained(context: Context) -> int | None:
    """The branch that is being trained, or None: the run itself is, or nothing."""
    return branch_due(context) if _of_the_run(context).aim is Aim.END else None


def failed_branches(context: Context) -> list[Goal]:
    """Why branches failed for good, oldest first."""
    missing = (one for one in context.spec.branch_points if one not in context.facts.branches)
    failures = (final_failure(context, one) for one in missing)
    return [failure for failure in failures if failure is not None]


def failed_for_good(context: Context) -> bool:
    """The run failed, or a branch of it: no new attempt follows unless somebody asks."""
    return final_failure(context) is not None or bool(failed_branches(context))


def _of_the_run(context: Context) -> Goal:
    """The goal of the run's own training; the first thing that ended it decides."""
    stop = context.journal.stop
    if context.training_complete:
        return Goal(Aim.END, Reason.COMPLETED, "trained its budget of tokens")
    if stop is not None and stop.action == "Stop":
        return _stopped(stop)
    failure = final_failure(context)
    if failure is not None:
        return failure
    if stop is not None:
        message = (
            f"held because the run is saturated at {stop.at_tokens:,} tokens: "
            "to resume, set saturation.action to Notify or None"
        )
        return Goal(Aim.HOLD, Reason.SATURATED, message)
    if context.spec.suspend:
        return SUSPENDED
    return Goal(Aim.TRAIN, Reason.RUNNING, "")


def counted_failures(context: Context, branch: int | None = None) -> list[AttemptRecord]:
    """Failures since this run object was accepted that count against maxRestarts.

    They are those of a branch, by the tokens at which it begins, or of the run's own training.
    """
    earlier = context.acceptance.earlier_attempts
    own = (a for a in context.journal.attempts if a.branch == branch)
    return [a for a in own if a.counted and a.number > earlier]


def final_failure(context: Context, branch: int | None = None) -> Goal | None:
    """The goal after a failure, of the run or of a branch, that no new attempt follows."""
    own = [a for a in context.journal.attempts if a.branch == branch]
    last, failures = own[-1] if own else None, counted_failures(context, branch)
    if last is None or last.cause is None or last not in failures:
        return None
    policy = context.spec.restart_policy
    if last.cause is Cause.CONFIGURATION:
        return _failed(context, Reason.CONFIGURATION, last)
    if last.cause is Cause.NOT_FINITE and not policy.retry_not_finite:
        return _failed(context, Reason.NOT_FINITE, last)
    if len(failures) > policy.max_restarts:
        return _failed(context, Reason.RESTARTS_EXHAUSTED, last)
    return None


def _failed(context: Context, reason: Reason, last: AttemptRecord) -> Goal:
    assert last.cause is not None
    meaning = MEANINGS[last.cause]
    remedy = (context.by_command and meaning.command_remedy) or meaning.remedy
    if reason is Reason.RESTARTS_EXHAUSTED:
        remedy += "; to try again, raise restartPolicy.maxRestarts"
    return Goal(Aim.FAIL, reason, f"{attempt_name(last)} {_told(last)}: {remedy}")


def last_number(context: Context) -> int:
    """Of the newest attempt, also of one that the journal has lost; 0: there was none."""
    known = {attempt.number for attempt in context.journal.attempts}
    return max({*known, *context.facts.heartbeats, *context.facts.ends}, default=0)


def attempt_name(attempt: AttemptRecord) -> str:
    """The attempt in words."""
    of = "" if attempt.branch is None else f" (branch from {attempt.branch:,} tokens)"
    return f"attempt {attempt.number}{of}"


def _told(attempt: AttemptRecord) -> str:
    return f"ended as {attempt.cause}: {attempt.message}"


def _stopped(stop: StopRecord) -> Goal:
    if stop.reason == "Saturated":
        message = f"stopped: the run is saturated at {stop.at_tokens:,} tokens"
        return Goal(Aim.END, Reason.SATURATED, message)
    message = "ran longer than activeDeadlineSeconds: raise or remove it to resume the run"
    return Goal(Aim.FAIL, Reason.DEADLINE_EXCEEDED, message)
