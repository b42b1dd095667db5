"""The workloads that train, made to match the journal, and the requests to their attempts."""

from datetime import datetime, timedelta

from lccp.api.identity import settings_of
from lccp.api.objects.journal import AttemptRecord, Control, StopMarker
from lccp_operator.intents import (
    ApplyWorkload,
    DeleteWorkload,
    Intent,
    TellState,
    TellStop,
    WriteControl,
)
from lccp_operator.plan.attempts.gangs import (
    drain_seconds_left,
    has_begun,
    old_gang_lives,
    remade,
)
from lccp_operator.plan.context import Context
from lccp_operator.workloads.state import SavedState
from lccp_operator.workloads.training import Training

ATTEMPTS_KEPT = 2
"""Number of ended attempts whose workloads are kept for their logs."""

TOLD_EVERY = timedelta(minutes=1)
"""Least age of the recorded state before another one is recorded."""


def intents(context: Context) -> list[Intent]:
    """The intents that make the workloads match the journal."""
    return [
        *_deletions(context),
        *_of_lost_attempt(context),
        *_of_open_attempt(context),
        *_stop_told(context),
        *_state_told(context),
    ]


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


def _of_lost_attempt(context: Context) -> list[Intent]:
    """A request to drain, to an attempt that ended without its trainer's word.

    A process of it may be left that neither the API server nor anybody else shows, and would train
    on beside the next attempt. Only the newest attempt's requests are known: the next one gets its
    own after this.
    """
    number, known = max(context.facts.controls.items(), default=(0, Control()))
    over = {attempt.number for attempt in context.journal.attempts if attempt.ended_at is not None}
    if number not in over or number in context.facts.ends or known.request == "Drain":
        return []
    return [WriteControl(number, known.model_copy(update={"request": "Drain"}))]


def _of_open_attempt(context: Context) -> list[Intent]:
    attempt, gang = context.open_attempt, context.gang
    if attempt is None:
        return []
    found: list[Intent] = _control(context, attempt)
    due = not old_gang_lives(context) if gang is None else remade(context)
    if due:
        found.append(ApplyWorkload(Training.of(attempt), context.pinned))
    overdue = (drain_seconds_left(context) or 0) < 0
    if gang is not None and overdue and not gang.deleting:
        found.append(DeleteWorkload(Training.of(attempt)))
    return found


def _stop_told(context: Context) -> list[Intent]:
    """The request that the trainer of an attached run end: only it can do so."""
    if context.spec.source is None:
        return []
    stop = context.journal.stop
    if (stop is not None) == context.facts.tells_to_stop:
        return []
    if stop is None:
        return [TellStop(None)]
    told = stop.model_dump(include=set(StopMarker.model_fields))
    return [TellStop(StopMarker.model_validate(told))]


def _control(context: Context, attempt: AttemptRecord) -> list[Intent]:
    """The requests to the attempt: while it has no gang, its settings and from which state it
    resumes; and to drain.
    """
    known = context.facts.controls.get(attempt.number, Control())
    wanted = known
    if context.gang is None and not has_begun(context, attempt):
        newest = context.facts.newest_state if attempt.branch is None else None
        begins = {"settings": settings_of(context.spec), "newest_state": newest}
        wanted = wanted.model_copy(update=begins)
    if attempt.drain_asked_at is not None:
        wanted = wanted.model_copy(update={"request": "Drain"})
    return [] if wanted == known else [WriteControl(attempt.number, wanted)]


def _state_told(context: Context) -> list[Intent]:
    """The newest complete state, on the gang's workload: a queue may evict one that just saved."""
    attempt, gang = context.open_attempt, context.gang
    if context.state_boost is None or attempt is None or gang is None or gang.deleting:
        return []
    beat, told = context.facts.heartbeats.get(attempt.number), gang.saved
    saved = sorted({*beat.states, *beat.checkpoints}) if beat is not None else []
    if beat is None or not saved:
        return []
    old, points = _is_old(saved, beat.tokens), context.state_boost
    boost = points * old if points else None
    state = TellState(Training.of(attempt), saved[-1], old, boost)
    return [state] if told is None or _follows(state, told, context.now) else []


def _is_old(saved: list[int], trained: int) -> bool:
    """Whether more than half of the tokens between the last two states was trained since; before
    the second state, of those up to the first.
    """
    before, newest = ([0, *saved])[-2:]
    return 2 * (trained - newest) > newest - before


def _follows(state: TellState, told: SavedState, now: datetime) -> bool:
    changed = state.tokens > told.tokens or (state.tokens == told.tokens and state.old != told.old)
    recent = timedelta() <= now - told.at < TOLD_EVERY  # a store's clock may be ahead
    return changed and not recent
