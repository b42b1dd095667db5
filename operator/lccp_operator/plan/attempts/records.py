"""The journal of attempts: one at a time, each ended before the next begins."""

from collections.abc import Mapping
from dataclasses import replace

from lccp.api.causes import Cause
from lccp.api.objects.journal import AttemptRecord, Journal
from lccp.facts.ledgers import ledger_of, whole_seconds
from lccp_operator.plan.attempts.gangs import (
    gathering_seconds_left,
    has_begun,
    has_met,
    incoherent,
    lacks_an_old_image,
    never_met,
    seen_gang,
    stay_seconds_left,
    ungathered,
)
from lccp_operator.plan.attempts.waits import ready
from lccp_operator.plan.context import Context
from lccp_operator.plan.goals import Aim, branch_trained, goal, last_number
from lccp_operator.plan.saved import noted_at_end
from lccp_operator.workloads.endings import Ending
from lccp_operator.workloads.training import Training

UNMET = Ending.of(Cause.INCOMPLETE_GANG, None)


NOT_BEGUN = Ending(Cause.DRAINED, "had not started when it was no longer needed")


REPLACED = Ending(Cause.DRAINED, "had not started when its settings were changed")


def settled(context: Context) -> Journal:
    """The journal with the observed end of the open attempt, and the pods of its gang."""
    attempt = context.open_attempt
    if attempt is None:
        return context.journal
    ending = _ending(context, attempt)
    if ending is not None:
        unmet = ending.cause is Cause.INTERNAL and never_met(context, attempt)
        return _closed(context, attempt, UNMET if unmet else ending)
    gang = seen_gang(context, attempt)
    return context.journal if gang is None else context.noted(gang=gang)


def steered(context: Context) -> Journal:
    """The journal with what the goal requires: a new attempt, or a drain of the open one."""
    attempt, aim = context.open_attempt, goal(context).aim
    if attempt is None:
        return _opened(context) if aim is Aim.TRAIN and ready(context) else context.journal
    if context.is_trained(attempt.branch) or attempt.drain_asked_at is not None:
        return context.journal
    if aim is Aim.TRAIN and attempt.branch == branch_trained(context):
        stale = context.gang is not None and not has_begun(context, attempt)
        replaced = stale and (bool(context.changed_settings) or lacks_an_old_image(context))
        return _closed(context, attempt, REPLACED) if replaced else context.journal
    if not has_begun(context, attempt):
        return _closed(context, attempt, NOT_BEGUN)
    return _replaced(context, attempt.model_copy(update={"drain_asked_at": context.now}))


def _ending(context: Context, attempt: AttemptRecord) -> Ending | None:
    gang, state = Training.of(attempt), context.gang
    beats, met = context.facts.heartbeats, has_met(context, attempt)
    begun = met or gang.done(context.facts) or attempt.number in beats
    if state.ended or state.stuck if state is not None else begun:
        return gang.ending(state, context.facts)
    if state is not None and incoherent(context, attempt, state):
        return Ending.of(Cause.INCOHERENT_GANG, state)
    stays = stay_seconds_left(context)
    if stays is not None and stays <= 0:
        ending = gang.ending(None, context.facts)
        return replace(ending, message=f"{ending.message}; its pods did not end: they are deleted")
    left = gathering_seconds_left(context)
    return ungathered(state) if state is not None and left is not None and left <= 0 else None


def _opened(context: Context) -> Journal:
    number, branch = last_number(context) + 1, branch_trained(context)
    record = AttemptRecord(number=number, branch=branch, started_at=context.now)
    return context.noted(attempts=(*context.journal.attempts, record))


def _closed(context: Context, attempt: AttemptRecord, ending: Ending) -> Journal:
    update = {
        "ended_at": context.now,
        "cause": ending.cause,
        "counted": ending.counted,
        "message": ending.message,
        "newest_state": noted_at_end(context, attempt),
    }
    ended = AttemptRecord.model_validate(attempt.model_dump() | update)
    return _replaced(context, ended.model_copy(update={"seconds": _seconds(context, ended)}))


def _seconds(context: Context, ended: AttemptRecord) -> Mapping[str, int]:
    """Where its time went."""
    told = [one for one in context.facts.told if one.attempt == ended.number]
    ledger = ledger_of(told, ended)
    return whole_seconds(ledger) if ledger is not None else {}


def _replaced(context: Context, last: AttemptRecord) -> Journal:
    return context.noted(attempts=(*context.journal.attempts[:-1], last))
