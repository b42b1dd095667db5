"""Evaluators that run, but report nothing, or nothing any more, or that seem lost, but report."""

from collections.abc import Iterator
from datetime import datetime

from lccp.api.labels import ANNEAL, INTRINSIC
from lccp.facts.facts import EvaluationKey
from lccp_operator.plan.context import Context
from lccp_operator.plan.evaluations.stages import name_of, outstanding
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.state import WorkloadState

UNHEARD_SECONDS = 15.0
"""Evaluators report their progress from the first sample on, which follows loading. The report of
an external suite is written within seconds of the end of its program."""

SILENT_SECONDS = 20.0
"""Evaluators report every five seconds from then on, however long a pass takes."""

LOADING = "it loads the checkpoint; if this lasts, its node is gone, or it can't reach the store"
REPORTING = "its program has ended; if this lasts, it can't reach the store"
SILENT = "it can't reach the store, it is frozen, or its node is gone"


def unheard(context: Context) -> Iterator[str]:
    """A sentence about each evaluator that has run for a while and reported nothing since."""
    for workload, state in context.evaluations.items():
        since, sentence = _silence(context, workload, state)
        if since is not None and context.seconds_left(*since) <= 0:
            yield f"that of {name_of(workload.key)} {sentence}"


def unheard_seconds_left(context: Context) -> Iterator[float]:
    """Seconds until each of those that are not silent yet would be."""
    for workload, state in context.evaluations.items():
        since, _ = _silence(context, workload, state)
        if since is not None and context.seconds_left(*since) > 0:
            yield context.seconds_left(*since)


def still_heard(context: Context) -> dict[EvaluationKey, float]:
    """Evaluations that nobody sees, but that may still work: seconds until each is silent.

    Nothing is begun beside it: its report will count. A command knows its processes itself.
    """
    unseen = {*outstanding(context)} - {workload.key for workload in context.evaluations}
    left = {key: _heard_for(context, key) for key in sorted(unseen)}
    return {} if context.by_command else {key: one for key, one in left.items() if one > 0}


def told_of_heard(key: EvaluationKey) -> str:
    """A sentence about one of these."""
    return (
        f"evaluation of {name_of(key)}: an evaluator may still work on it where nobody sees it: no "
        f"other is begun until its progress has not changed for {SILENT_SECONDS:g} s"
    )


def _heard_for(context: Context, key: EvaluationKey) -> float:
    """Its clock may be wrong, so this depends only on when its progress was first seen.

    That it ended counts only by its own word: anybody may write an end into its pod's status.
    """
    progress, seen = context.facts.progress.get(key), context.facts.progress_seen.get(key)
    word = context.facts.failures.get(key)
    if progress is None or seen is None or not progress.beats:
        return 0.0
    if word is not None and word.at >= progress.at:
        return 0.0
    return context.seconds_left(seen, SILENT_SECONDS)


def _silence(
    context: Context, workload: Evaluation, state: WorkloadState
) -> tuple[tuple[datetime, float] | None, str]:
    """Since when it reports nothing, and for how long it may; and what is said of it then."""
    outcome = context.outcome(workload.key)
    if not state.begun or (outcome is not None and outcome.result == "Succeeded"):
        return None, ""
    if workload.suite not in (INTRINSIC, ANNEAL):
        reporting = min((p.reports_since for p in state.pods if p.reports_since), default=None)
        return _for(reporting, UNHEARD_SECONDS), state.unheard(REPORTING)
    began = min((pod.began_at for pod in state.pods if pod.began_at), default=None)
    progress = context.facts.progress.get(workload.key)
    if began is None or progress is None or progress.at < began:
        return _for(began, UNHEARD_SECONDS), state.unheard(LOADING)
    heard = progress.at if progress.beats else None
    return _for(heard, SILENT_SECONDS), state.silent(progress.at, SILENT)


def _for(since: datetime | None, seconds: float) -> tuple[datetime, float] | None:
    return None if since is None else (since, seconds)
