"""Attempts of the training gang: one at a time, each ended before the next begins.

The journal is brought up to date first (`settled`, `steered`); the intents then make the workloads
what the journal says. So a crash between the two is healed by the next reconcile.
"""

import hashlib
from itertools import takewhile

from lccp.api.causes import Cause
from lccp.api.conditions import Reason
from lccp.api.identity import settings_of
from lccp.api.objects.journal import AttemptRecord, Control, Gang, Journal
from lccp_operator.intents import ApplyWorkload, DeleteWorkload, Intent, WriteControl
from lccp_operator.plan.context import Context
from lccp_operator.plan.goals import Course, counted_failures, goal
from lccp_operator.workloads.endings import Ending
from lccp_operator.workloads.state import Phase, WorkloadState
from lccp_operator.workloads.training import Training

ATTEMPTS_KEPT = 2
"""Ended attempts whose workloads stay, for their logs."""

MEETING_SECONDS = 60
"""A gang all of whose pods began is seen whole in less."""

UNMET = Ending.of(Cause.INCOMPLETE_GANG, None)
NOT_BEGUN = Ending(Cause.DRAINED, "had not begun when it was no longer wanted")
REPLACED = Ending(Cause.DRAINED, "had not begun when its settings were changed")


def settled(context: Context) -> Journal:
    """The journal with the end of the open attempt, if it is seen, and the pods of its gang."""
    attempt = context.open_attempt
    if attempt is None:
        return context.journal
    ending = _ending(context, attempt)
    if ending is not None:
        unmet = ending.cause is Cause.INTERNAL and _never_met(context, attempt)
        return _closed(context, attempt, UNMET if unmet else ending)
    gang = _gang(context, attempt)
    return context.journal if gang is None else context.noted(gang=gang)


def steered(context: Context) -> Journal:
    """The journal with what the goal asks for: a new attempt, or a drain of the open one."""
    attempt, course = context.open_attempt, goal(context).course
    if attempt is None:
        return _opened(context) if course is Course.TRAIN and ready(context) else context.journal
    if context.training_complete or attempt.drain_asked_at is not None:
        return context.journal
    if course is Course.TRAIN:
        stale = context.gang is not None and not _has_begun(context, attempt)
        replaced = stale and (bool(context.changed_settings) or _lacks_an_old_image(context))
        return _closed(context, attempt, REPLACED) if replaced else context.journal
    if not _has_begun(context, attempt):
        return _closed(context, attempt, NOT_BEGUN)
    return _replaced(context, attempt.model_copy(update={"drain_asked_at": context.now}))


def intents(context: Context) -> list[Intent]:
    """What makes the workloads those that the journal asks for."""
    return [*_deletions(context), *_of_open_attempt(context)]


def ready(context: Context) -> bool:
    """A new attempt may begin: the old ones are gone, and the wait is over."""
    return not old_gang_lives(context) and backoff_seconds_left(context) <= 0


def old_gang_lives(context: Context) -> bool:
    current = context.open_attempt
    number = current.number if current else None
    return any(
        state.live for workload, state in context.trainings.items() if workload.attempt != number
    )


def backoff_seconds_left(context: Context) -> float:
    """Seconds until the wait is over, after a counted failure, or after attempts without a step."""
    last, failures = context.last_attempt, counted_failures(context)
    if last is None or last.ended_at is None or last.cause is Cause.DRAINED:
        return 0.0
    tries = max(len(failures) if last in failures else 0, _fruitless(context) - 1)
    if tries < 1:
        return 0.0
    return context.seconds_left(last.ended_at, context.spec.restart_policy.wait_seconds(tries))


def _fruitless(context: Context) -> int:
    """The attempts in a row, up to the last, that ended unasked before a process had begun."""
    attempts = reversed(context.journal.attempts)
    unbegun = takewhile(lambda attempt: not _worked(context, attempt), attempts)
    earlier = context.acceptance.earlier_attempts
    return sum(a.number > earlier and a.cause is not Cause.DRAINED for a in unbegun)


def _worked(context: Context, attempt: AttemptRecord) -> bool:
    """A process of it sent a heartbeat, and not only to fetch, to load or to wait for its peers."""
    beat = context.facts.heartbeats.get(attempt.number)
    ranks_began = beat is not None and beat.fetched is None and beat.phase != "Starting"
    return ranks_began and attempt.cause is not Cause.INCOMPLETE_GANG


def unbegun(context: Context) -> AttemptRecord | None:
    """The last attempt that ended, if it did so unasked before a process of it began.

    None once a process of the next one works.
    """
    last = next((a for a in reversed(context.journal.attempts) if a.ended_at is not None), None)
    if last is None or last.number <= context.acceptance.earlier_attempts:
        return None
    attempt = context.open_attempt
    works = attempt is not None and _has_begun(context, attempt)
    asked = last.cause is Cause.DRAINED
    return None if works or asked or _worked(context, last) else last


def gathering_seconds_left(context: Context) -> float | None:
    """Seconds that a gang of which some pods run has left to be whole; None: it is not limited."""
    limit, attempt = context.spec.topology.gang_timeout_seconds, context.open_attempt
    state = context.gang
    if limit is None or attempt is None or state is None or not _gathers(context, attempt):
        return None
    began = [pod.began_at for pod in state.pods if pod.phase is Phase.RUNNING and pod.began_at]
    whole = state.pods_begun >= state.pods_expected
    return None if whole or not began else context.seconds_left(min(began), limit)


def drain_seconds_left(context: Context) -> float | None:
    """Seconds that the open attempt has left to save and end; None: it was not asked to."""
    attempt = context.open_attempt
    if attempt is None or attempt.drain_asked_at is None:
        return None
    limit = context.spec.saturation.drain_timeout_seconds
    return context.seconds_left(attempt.drain_asked_at, limit)


def _lacks_an_old_image(context: Context) -> bool:
    """The image of its gang can't be had, and by now it would get another."""
    trouble = context.gang.trouble if context.gang is not None else None
    pinned, due = context.pinned, context.due
    changed = (pinned.trainer_image, pinned.templates) != (due.trainer_image, due.templates)
    return changed and trouble is not None and trouble.reason is Reason.IMAGE_UNAVAILABLE


def _has_begun(context: Context, attempt: AttemptRecord) -> bool:
    """A process of it worked, or works."""
    seen = context.gang is not None and context.gang.begun
    return seen or attempt.number in {*context.facts.heartbeats, *context.facts.ends}


def _ending(context: Context, attempt: AttemptRecord) -> Ending | None:
    gang, state = Training(attempt.number), context.gang
    begun = gang.done(context.facts) or attempt.number in context.facts.heartbeats
    if state.ended or state.stuck if state is not None else begun:
        return gang.ending(state, context.facts)
    if state is not None and _incoherent(context, attempt, state):
        return Ending.of(Cause.INCOHERENT_GANG, state)
    left = gathering_seconds_left(context)
    return _ungathered(state) if state is not None and left is not None and left <= 0 else None


def _ungathered(state: WorkloadState) -> Ending:
    told = f": {state.trouble.message}" if state.trouble is not None else ""
    parts = f"had {state.pods_begun} of {state.pods_expected} pods"
    return Ending(Cause.INCOMPLETE_GANG, f"{parts} for topology.gangTimeoutSeconds{told}")


def _gathers(context: Context, attempt: AttemptRecord) -> bool:
    """It was never seen whole, and works at nothing yet."""
    seen, beat = context.journal.gang, context.facts.heartbeats.get(attempt.number)
    whole = seen is not None and seen.attempt == attempt.number
    return not whole and (beat is None or beat.phase == "Starting")


def _incoherent(context: Context, attempt: AttemptRecord, state: WorkloadState) -> bool:
    before, now = context.journal.gang, _gang_of(attempt, state)
    if before is None or now is None:
        return False
    same_start = (before.attempt, before.started_at) == (now.attempt, now.started_at)
    return same_start and before.digest != now.digest


def _never_met(context: Context, attempt: AttemptRecord) -> bool:
    """Its pods waited for one that never began, and failed by that."""
    state = context.gang
    if state is None or state.started_at is None or state.pods_begun >= state.pods_expected:
        return False
    waited = -context.seconds_left(state.started_at, MEETING_SECONDS) > 0
    rejected = any(pod.failure for pod in state.pods)
    return waited and _gathers(context, attempt) and not rejected


def _gang(context: Context, attempt: AttemptRecord) -> Gang | None:
    return None if context.gang is None else _gang_of(attempt, context.gang)


def _gang_of(attempt: AttemptRecord, workload: WorkloadState) -> Gang | None:
    """The gang, once all its pods have begun."""
    pods = sorted((pod.index, pod.uid) for pod in workload.pods if pod.phase is not Phase.PENDING)
    if workload.started_at is None or len(pods) != workload.pods_expected:
        return None
    digest = hashlib.sha256(repr(pods).encode()).hexdigest()
    return Gang(attempt=attempt.number, started_at=workload.started_at, digest=digest)


def _opened(context: Context) -> Journal:
    told = {*context.facts.heartbeats, *context.facts.ends}
    last = max((a.number for a in context.journal.attempts), default=0)
    record = AttemptRecord(number=max(last, *told, 0) + 1, started_at=context.now)
    return context.noted(attempts=(*context.journal.attempts, record))


def _closed(context: Context, attempt: AttemptRecord, ending: Ending) -> Journal:
    update = {
        "ended_at": context.now,
        "cause": ending.cause,
        "counted": ending.counted,
        "message": ending.message,
    }
    return _replaced(context, AttemptRecord.model_validate(attempt.model_dump() | update))


def _replaced(context: Context, last: AttemptRecord) -> Journal:
    return context.noted(attempts=(*context.journal.attempts[:-1], last))


def _deletions(context: Context) -> list[Intent]:
    current, last = context.open_attempt, context.last_attempt
    newest = last.number if last else 0
    return [
        DeleteWorkload(workload, wait_for_pods=not state.abandoned)
        for workload, state in context.trainings.items()
        if (state.abandoned or not state.deleting)
        and (current is None or workload.attempt != current.number)
        and (state.live or workload.attempt <= newest - ATTEMPTS_KEPT)
    ]


def _of_open_attempt(context: Context) -> list[Intent]:
    attempt, gang = context.open_attempt, context.gang
    if attempt is None:
        return []
    found: list[Intent] = _control(context, attempt)
    if gang is None and not old_gang_lives(context):
        found.append(ApplyWorkload(Training(attempt.number), context.pinned))
    overdue = (drain_seconds_left(context) or 0) < 0
    if gang is not None and overdue and not gang.deleting:
        found.append(DeleteWorkload(Training(attempt.number)))
    return found


def _control(context: Context, attempt: AttemptRecord) -> list[Intent]:
    """What the attempt is asked: its settings as long as it has no gang, and to drain."""
    known = context.facts.controls.get(attempt.number, Control())
    wanted = known
    if context.gang is None and not _has_begun(context, attempt):
        wanted = wanted.model_copy(update={"settings": settings_of(context.spec)})
    if attempt.drain_asked_at is not None:
        wanted = wanted.model_copy(update={"request": "Drain"})
    return [] if wanted == known else [WriteControl(attempt.number, wanted)]
