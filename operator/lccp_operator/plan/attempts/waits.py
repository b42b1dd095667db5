"""How long a new attempt waits after those that failed, or that ended before they began."""

from itertools import takewhile

from lccp.api.causes import Cause
from lccp.api.objects.journal import AttemptRecord
from lccp_operator.plan.attempts.gangs import has_begun, old_gang_lives
from lccp_operator.plan.context import Context
from lccp_operator.plan.goals import counted_failures

FRUITLESS = (Cause.INCOMPLETE_GANG, Cause.STORE_REFUSED)
"""Ends that another attempt without a wait would only repeat, whatever this one had done."""


HEARD_SECONDS = 10.0
"""Trainers write a heartbeat every two seconds."""

IMPORTER_HEARD_SECONDS = 25.0
"""Importers write one every ten seconds, between two pieces of their work."""


def ready(context: Context) -> bool:
    """A new attempt may begin: the old ones are gone, the wait is over, the namespace stays."""
    waits = max(backoff_seconds_left(context), still_heard_seconds_left(context)) > 0
    return not (waits or old_gang_lives(context) or context.namespace_terminating)


def still_heard_seconds_left(context: Context) -> float:
    """Seconds until the last attempt, which ended without its trainer's word, would be silent.

    A process of it may train where nobody sees it, or though somebody wrote another end into its
    pod's status, until it reads that it is to drain. Its clock may be wrong, so this depends only
    on when its heartbeat was first seen. A command knows its processes itself.
    """
    last, beats = context.last_attempt, context.facts.heartbeats
    if context.by_command or last is None or last.ended_at is None:
        return 0.0
    if last.number in context.facts.ends or last.number != max(beats, default=None):
        return 0.0
    since = context.facts.seen_at or beats[last.number].at
    return context.seconds_left(since, _heard_seconds(context))


def _heard_seconds(context: Context) -> float:
    return HEARD_SECONDS if context.spec.source is None else IMPORTER_HEARD_SECONDS


def why_it_waits(context: Context) -> str:
    """Why the next attempt has not started yet, though nothing of the last one is seen."""
    if still_heard_seconds_left(context) <= 0:
        return "the next attempt starts after a wait"
    return (
        "it may still work where nobody sees it: the next attempt starts once its heartbeat has "
        f"not changed for {_heard_seconds(context):.0f} s, or says that it has ended"
    )


def backoff_seconds_left(context: Context) -> float:
    """Seconds until the wait is over, after a counted failure, or after attempts without a step."""
    last = context.last_attempt
    if last is None or last.ended_at is None or last.cause is Cause.DRAINED:
        return 0.0
    failures = counted_failures(context, last.branch)
    tries = max(len(failures) if last in failures else 0, _fruitless(context) - 1)
    if tries < 1:
        return 0.0
    return context.wait_left(last.ended_at, context.spec.restart_policy.wait_seconds(tries))


def _fruitless(context: Context) -> int:
    """Consecutive attempts, up to the last, that ended unrequested before a process had begun."""
    attempts = reversed(context.journal.attempts)
    unbegun = takewhile(lambda attempt: not _worked(context, attempt), attempts)
    earlier = context.acceptance.earlier_attempts
    return sum(a.number > earlier and a.cause is not Cause.DRAINED for a in unbegun)


def _worked(context: Context, attempt: AttemptRecord) -> bool:
    """A process of it sent a heartbeat for more than fetching, loading or waiting for peers."""
    beat = context.facts.heartbeats.get(attempt.number)
    ranks_began = beat is not None and beat.fetched is None and beat.phase != "Starting"
    return ranks_began and attempt.cause not in FRUITLESS


def unbegun(context: Context) -> AttemptRecord | None:
    """The last ended attempt, if it ended unrequested before a process of it began.

    None once a process of the next one works.
    """
    last = next((a for a in reversed(context.journal.attempts) if a.ended_at is not None), None)
    if last is None or last.number <= context.acceptance.earlier_attempts:
        return None
    attempt = context.open_attempt
    works = attempt is not None and has_begun(context, attempt)
    asked = last.cause is Cause.DRAINED
    return None if works or asked or _worked(context, last) else last
