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
    """The requests to the attempt: its settings, while it has no gang, and to drain."""
    known = context.facts.controls.get(attempt.number, Control())
    wanted = known
    if context.gang is None and not has_begun(context, attempt):
        wanted = wanted.model_copy(update={"settings": settings_of(context.spec)})
    if attempt.drain_asked_at is not None:
        wanted = wanted.model_copy(update={"request": "Drain"})
    return [] if wanted == known else [WriteControl(attempt.number, wanted)]


def _state_told(context: Context) -> list[Intent]:
    """The newest complete state, on the gang's workload: a queue may evict one that just saved."""
    attempt, gang = context.open_attempt, context.gang
    if not context.tells_states or attempt is None or gang is None or gang.deleting:
        return []
    newest, told = _newest(context, attempt.number), gang.saved
    if newest is None or (told is not None and not _follows(newest, told, context.now)):
        return []
    return [TellState(Training.of(attempt), newest)]


def _newest(context: Context, attempt: int) -> int | None:
    """Tokens of the newest state, by the attempt's heartbeat; possibly the one it began from."""
    beat = context.facts.heartbeats.get(attempt)
    return max((*beat.states, *beat.checkpoints), default=None) if beat is not None else None


def _follows(newest: int, told: SavedState, now: datetime) -> bool:
    return newest > told.tokens and now - told.at >= TOLD_EVERY
