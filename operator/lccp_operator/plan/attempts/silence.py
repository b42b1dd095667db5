"""Attempts whose pods run, but report nothing, or only what hampers them; nodes that are silent."""

from datetime import datetime

from lccp_operator.plan.attempts.gangs import beat, present, told_of_remade
from lccp_operator.plan.context import Context

SILENT_SECONDS = 30.0
"""Trainers write a heartbeat every two seconds, importers every ten."""

KEPT_SECONDS = 10.0
"""A store shows what it took within this time."""


def problems(context: Context) -> list[str]:
    """What hampers running workloads, or keeps anybody from knowing about them, in sentences."""
    return [
        *_silent_nodes(context),
        *_silence(context),
        *told_of_remade(context),
        *_unasked(context),
        *_hampered(context),
    ]


def _silence(context: Context) -> list[str]:
    """A sentence if the open attempt reports nothing, with what to check; else none."""
    since, attempt, gang = _heard_at(context), context.open_attempt, context.gang
    if since is None or attempt is None or gang is None or _seconds_left(context, since) > 0:
        return []
    log = f" ({gang.log})" if gang.log else ""
    return [
        f"attempt {attempt.number} has reported nothing since {since:%Y-%m-%d %H:%M:%S} UTC, "
        "although it runs: it can't reach the store, it is frozen, or its node is gone or has a "
        f"wrong clock; see its log{log}"
    ]


def _unasked(context: Context) -> list[str]:
    """A sentence if the request to drain was stored, and is not there; else none."""
    attempt, gang = context.open_attempt, context.gang
    asked_at = attempt.drain_asked_at if attempt is not None else None
    if attempt is None or asked_at is None or gang is None or not gang.live:
        return []
    told = context.facts.controls.get(attempt.number)
    if told is not None and told.request == "Drain":
        return []
    if context.seconds_left(asked_at, KEPT_SECONDS) > 0:
        return []
    return [
        f"attempt {attempt.number} does not learn that it is to save its state and exit: the "
        f"store does not keep control/{attempt.number}.json, which is written again and again; "
        "find out whether another program restores older objects there"
    ]


def _silent_nodes(context: Context) -> list[str]:
    """The nodes that no longer report on pods of live workloads."""
    live = (state for state in context.workloads.values() if state.live)
    nodes = {pod.silent_node for state in live for pod in state.pods if pod.silent_node}
    return [
        f"node {node} does not answer, so that nobody knows whether what the run has there still "
        "works: Kubernetes gives its pods up, by default after five minutes more, and they are "
        "then replaced on other nodes"
        for node in sorted(nodes)
    ]


def silence_seconds_left(context: Context) -> float | None:
    """Seconds until a heartbeat is overdue; None if no heartbeat is expected."""
    since = _heard_at(context)
    return None if since is None else _seconds_left(context, since)


def _seconds_left(context: Context, since: datetime) -> float:
    return context.seconds_left(since, SILENT_SECONDS)


def _hampered(context: Context) -> list[str]:
    """Problems that an attempt, a branch's included, reports: a store that takes no uploads.

    Those of a trainer end with it; an importer's last ones are about the checkpoints that it left.
    """
    imports = context.spec.source is not None
    last, told = context.last_attempt, beat(context)
    if imports and last is not None:
        told = context.facts.heartbeats.get(last.number)
    return [told.problem] if told is not None and told.problem else []


def _heard_at(context: Context) -> datetime | None:
    """When the open attempt's pods last reported while they run; None before their first time."""
    gang, told, last = context.gang, present(context), beat(context)
    if gang is None or not gang.begun or told is None or told.end is not None or last is None:
        return None
    newest = last == context.facts.heartbeats.get(told.attempt)
    return (context.facts.heard_at if newest else None) or last.at
