"""The newest complete state, told on the gang's workload: a queue may evict who has just saved."""

from datetime import timedelta

from lccp_operator.intents import TellState
from lccp_operator.plan.context import Context
from lccp_operator.workloads.state import SavedState
from lccp_operator.workloads.training import Training

TOLD_EVERY = timedelta(minutes=1)
"""Least time between two states that are told."""


def intents(context: Context) -> list[TellState]:
    """What tells the newest state of the open attempt, if it is not told yet."""
    attempt, gang = context.open_attempt, context.gang
    if not context.tells_states or attempt is None or gang is None or gang.deleting:
        return []
    newest, told = _newest(context, attempt.number), gang.saved
    if newest is None or (told is not None and not _follows(newest, told)):
        return []
    return [TellState(Training(attempt.number), newest)]


def _newest(context: Context, attempt: int) -> SavedState | None:
    """By the attempt's heartbeat, which counts the seconds of work since that state."""
    beat = context.facts.heartbeats.get(attempt)
    tokens = max((*beat.states, *beat.checkpoints), default=None) if beat is not None else None
    if beat is None or tokens is None:
        return None
    return SavedState(tokens, beat.at - timedelta(seconds=beat.unsaved_seconds))


def _follows(newest: SavedState, told: SavedState) -> bool:
    return newest.tokens > told.tokens and newest.at - told.at >= TOLD_EVERY
