"""The end of a run, and when to reconcile it again."""

from lccp.api.objects.journal import Journal
from lccp_operator.intents import DeleteRun, Intent
from lccp_operator.plan import attempts, evaluations, stops
from lccp_operator.plan.context import Context
from lccp_operator.plan.goals import Aim, failed_for_good, goal

POLL_SECONDS = 15.0
"""Time between two polls of the store while something writes to it."""

ENDING_SECONDS = 5.0
"""Time between two reconciles while pods should end: one that does not counts as lost."""

LEAST_SECONDS = 0.2


def noted(context: Context) -> Journal:
    """The journal with the time since which nothing is left to do, and the spec of a failed run."""
    failed_with = context.seen_spec if failed_for_good(context) else None
    finished_at = (context.journal.finished_at or context.now) if finished(context) else None
    return context.noted(finished_at=finished_at, failed_with=failed_with)


def finished(context: Context) -> bool:
    """It succeeded or failed, and no evaluation is outstanding."""
    return idle(context) and goal(context).aim in (Aim.END, Aim.FAIL)


def idle(context: Context) -> bool:
    """Nothing runs, and there is nothing to do until the run object changes."""
    busy = context.open_attempt is not None or any(
        state.live for state in context.workloads.values()
    )
    return not (busy or evaluations.outstanding(context) or goal(context).aim is Aim.TRAIN)


def intents(context: Context) -> list[Intent]:
    """The deletion of a finished run whose time to live is over."""
    left = _seconds_to_live(context)
    return [DeleteRun()] if left is not None and left <= 0 else []


def seconds_to_requeue(context: Context) -> float | None:
    """Seconds until the next poll of the store, or until something is due; None: never."""
    waits = [seconds_to_due(context), None if idle(context) else POLL_SECONDS]
    pods = (pod for state in context.workloads.values() for pod in state.pods)
    if any((pod.deleting or pod.exit_code is not None) and not pod.over for pod in pods):
        waits.append(ENDING_SECONDS)
    return min((wait for wait in waits if wait is not None), default=None)


def seconds_to_due(context: Context) -> float | None:
    """Seconds until something is due, whatever the store says; None: never."""
    waits = [_seconds_to_live(context)]
    if not finished(context):
        waits += [stops.seconds_to_deadline(context), attempts.drain_seconds_left(context)]
    if not idle(context):
        waits += [
            attempts.backoff_seconds_left(context),
            attempts.still_heard_seconds_left(context),
            attempts.gathering_seconds_left(context),
            attempts.silence_seconds_left(context),
            attempts.stay_seconds_left(context),
            *evaluations.stay_seconds_left(context),
            *evaluations.backing_off(context).values(),
            *evaluations.unheard_seconds_left(context),
            *evaluations.still_heard(context).values(),
        ]
    due = [max(LEAST_SECONDS, wait) for wait in waits if wait is not None and wait > 0]
    return min(due, default=None)


def _seconds_to_live(context: Context) -> float | None:
    ttl, since = context.spec.ttl_seconds_after_finished, context.journal.finished_at
    if ttl is None or since is None:
        return None
    return context.seconds_left(since, ttl)
