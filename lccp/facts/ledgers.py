"""Where the time of attempts went, by what their writers told and by the journal."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from lccp.api.causes import Cause
from lccp.api.objects.journal import AttemptRecord
from lccp.api.objects.training import Heartbeat, Ledger
from lccp.facts.facts import Told

SAVED = (Cause.COMPLETED, Cause.DRAINED, Cause.TERMINATED)
"""Ends before which everything was saved."""

SECONDS_MAX = 1e10
"""Three centuries."""


def closed(beat: Heartbeat | None, result: Cause, total_seconds: float) -> Ledger:
    """The ledger of processes that ended with `result` after `total_seconds`, its sum.

    Args:
        beat: their last heartbeat, if they wrote any.
    """
    ledger = _possible(beat.ledger) if beat else Ledger()
    seconds = ledger.model_dump()
    if beat and result not in SAVED:
        step = max(0.0, beat.step_seconds) if result is Cause.HANG else 0.0
        hanging = min(step, ledger.productive)
        lost = min(max(0.0, beat.unsaved_seconds - hanging), ledger.productive - hanging)
        seconds["productive"] -= hanging + lost
        seconds |= {"hanging": hanging, "lost": lost}
    begun = "ending" if ledger.productive else "starting"
    seconds[begun] += max(0.0, total_seconds - ledger.total)
    return Ledger(**{name: round(value, 3) for name, value in seconds.items()})


def ledgers(told: Iterable[Told], attempts: Sequence[AttemptRecord]) -> dict[int, Ledger]:
    """By attempt, where its time went, over all its writers, which come in order.

    An attempt is left out if no ledger of it is known, unless it ended before a process began.
    """
    by_attempt: dict[int, list[Told]] = {attempt.number: [] for attempt in attempts}
    records = {attempt.number: attempt for attempt in attempts}
    for one in told:
        by_attempt.setdefault(one.attempt, []).append(one)
    made = {n: ledger_of(writers, records.get(n)) for n, writers in by_attempt.items()}
    return {n: ledger for n, ledger in made.items() if ledger is not None}


def ledger_of(told: Sequence[Told], attempt: AttemptRecord | None) -> Ledger | None:
    """Where the time of one attempt went; None: no writer of it told.

    A writer's ledger begins with its first process. Before that the attempt was queued: since it
    was decided, or since the previous writer ended. Of an attempt that ended the sum is its wall
    time, as far as the clocks of its nodes agree with the journal's.
    """
    wall = _wall_seconds(attempt)
    if not told:
        return Ledger(queued=wall) if wall is not None else None
    accounts = [account for one in told[:-1] if (account := account_of(one, Cause.DISRUPTED))]
    last = account_of(told[-1], attempt.cause if attempt else None)
    accounts += [last] if last else []
    if not accounts:
        return None
    worked = Ledger.of_all(ledger for ledger, _ in accounts)
    queued = _queued_seconds(accounts, attempt)
    if wall is None:
        return worked.model_copy(update={"queued": queued})
    rest = max(0.0, wall - worked.total)
    queued = min(queued, rest)
    tail = "ending" if told[-1].end is not None else "hanging"
    update = {"queued": queued, tail: getattr(worked, tail) + rest - queued}
    return worked.model_copy(update=update)


def account_of(told: Told, cause: Cause | None = None) -> tuple[Ledger, datetime] | None:
    """A writer's ledger and when it was closed: by its end, or by its last heartbeat.

    Args:
        cause: why its processes ended, if they did without telling.
    """
    end, beat = told.end, told.heartbeat
    if end is not None and (ledger := _possible(end.ledger)).total:
        return ledger, end.at
    if beat is None or not (ledger := _possible(beat.ledger)).total:
        return None
    return ledger if cause is None else closed(beat, cause, ledger.total), beat.at


def whole_seconds(ledger: Ledger) -> Mapping[str, int]:
    """The ledger in whole seconds, which add up to its rounded sum; parts of none are left out."""
    seconds: dict[str, int] = {}
    before, total = 0, 0.0
    for name, value in ledger.document().items():
        total += value
        part, before = round(total) - before, round(total)
        seconds |= {name: part} if part else {}
    return seconds


def _possible(ledger: Ledger) -> Ledger:
    """The ledger where no part is below zero, as after its node's clock was set back."""
    told = ledger.model_dump().items()
    return Ledger(**{name: min(max(0.0, value), SECONDS_MAX) for name, value in told})


def _wall_seconds(attempt: AttemptRecord | None) -> float | None:
    if attempt is None or attempt.ended_at is None:
        return None
    return max(0.0, (attempt.ended_at - attempt.started_at).total_seconds())


def _queued_seconds(
    accounts: Iterable[tuple[Ledger, datetime]], attempt: AttemptRecord | None
) -> float:
    """Seconds before and between its writers; clocks that differ make no negative ones."""
    since, queued = attempt.started_at if attempt else None, 0.0
    for ledger, until in accounts:
        begun = until.timestamp() - ledger.total
        queued += max(0.0, begun - since.timestamp()) if since else 0.0
        since = until
    return queued
