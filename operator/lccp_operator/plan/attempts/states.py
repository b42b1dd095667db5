"""The newest complete state, told on the gang's workload: a queue may evict who has just saved."""

from datetime import datetime, timedelta

from lccp_operator.intents import TellState
from lccp_operator.plan.context import Context
from lccp_operator.workloads.state import SavedState
from lccp_operator.workloads.training import Training

TOLD_EVERY = timedelta(minutes=1)
"""Least age of the state that is told, before another one is."""


def intents(context: Context) -> list[TellState]:
    """What tells the newest state of the open attempt, if it is not told yet."""
    attempt, gang = context.open_attempt, context.gang
    if not context.tells_states or attempt is None or gang is None or gang.deleting:
        return []
    newest, told = _newest(context, attempt.number), gang.saved
    if newest is None or (told is not None and not _follows(newest, told, context.now)):
        return []
    return [TellState(Training.of(attempt), newest)]


def _newest(context: Context, attempt: int) -> int | None:
    """Tokens of the newest state, by the attempt's heartbeat; also of one that it began from."""
    beat = context.facts.heartbeats.get(attempt)
    return max((*beat.states, *beat.checkpoints), default=None) if beat is not None else None


def _follows(newest: int, told: SavedState, now: datetime) -> bool:
    return newest > told.tokens and now - told.at >= TOLD_EVERY
