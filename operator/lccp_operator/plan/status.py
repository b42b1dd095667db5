"""The status: a projection of store and workloads; equal facts give an equal status."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from lccp.api.causes import Cause
from lccp.api.conditions import summary
from lccp.api.labels import ANNEAL, INTRINSIC, is_of_branch, signal_of_suite
from lccp.api.objects.conditions import RunConditions
from lccp.api.objects.journal import AttemptRecord
from lccp.api.objects.training import Heartbeat
from lccp.api.run import LCCPRun
from lccp.api.status import (
    ATTEMPTS_SHOWN,
    CHECKPOINTS_SHOWN,
    SIGNALS_SHOWN,
    BranchesStatus,
    CheckpointStatus,
    ForecastStatus,
    LCCPRunStatus,
    ProgressStatus,
    ResolvedImages,
    VerdictStatus,
)
from lccp.probes.registry import PROBES
from lccp_operator.facts import Facts
from lccp_operator.intents import WriteConditions
from lccp_operator.judgement import CheckpointJudgement, Judgement
from lccp_operator.observed import Known, Unknown
from lccp_operator.plan import conditions, evaluations
from lccp_operator.plan.conditions.findings import Findings
from lccp_operator.plan.context import Context
from lccp_operator.plan.evaluations import Stage
from lccp_operator.plan.goals import Aim, Goal
from lccp_operator.workloads.endings import without_log
from lccp_operator.workloads.training import Training

SAVED = (Cause.COMPLETED, Cause.DRAINED, Cause.TERMINATED)
"""Ends that follow a saved state."""

PROGRESS_SECONDS = 90
"""Least time between two writes of a status in which only the progress changed."""


def projected(context: Context, goal: Goal) -> LCCPRunStatus:
    """The status of an accepted run."""
    before = context.run.status or LCCPRunStatus()
    findings, generation = conditions.found(context, goal), context.run.metadata.generation
    status = LCCPRunStatus(
        observed_generation=generation,
        conditions=conditions.dated(before.conditions, findings, generation, context.now),
        attempt=context.last_attempt.number if context.last_attempt else 0,
        attempts=_attempts(context),
        progress=_progress(context, goal),
        checkpoints=_checkpoints(context),
        latest=_latest(context),
        verdict=_verdict(context.judgement),
        forecast=_forecast(context.judgement),
        branches=_branches(context),
        images=_images(context),
        installation=context.owner.id or None,
        start_time=context.acceptance.at,
        completion_time=context.journal.finished_at,
    )
    return _steadied(before, status)


def _attempts(context: Context) -> tuple[AttemptRecord, ...]:
    """The newest attempts; if a Job is gone, the attempt's message names no log."""
    return tuple(
        attempt
        if Training.of(attempt) in context.trainings
        else attempt.model_copy(update={"message": without_log(attempt.message)})
        for attempt in context.journal.attempts[-ATTEMPTS_SHOWN:]
    )


def held(
    before: LCCPRunStatus | None, generation: int, findings: Findings, now: datetime
) -> LCCPRunStatus:
    """The earlier status with these conditions: nothing else is known."""
    known = before or LCCPRunStatus()
    dated = conditions.dated(known.conditions, findings, generation, now)
    update = {
        "observed_generation": generation,
        "conditions": dated,
        "summary": summary(dated),
    }
    return known.model_copy(update=update)


def said(
    run: LCCPRun, store: Known[Facts] | Unknown, status: LCCPRunStatus
) -> list[WriteConditions]:
    """The intent to write changed conditions of `status` to the store, once a run has a status.

    Empty if the store does not hold the run of exactly this object.
    """
    if run.status is None or isinstance(store, Unknown) or store.value.identity is None:
        return []
    accepted, told = store.value.journal.accepted, RunConditions(conditions=status.conditions)
    own = accepted is not None and accepted.run_uid == run.metadata.uid
    return [WriteConditions(told)] if own and told.digest != store.value.said else []


def _steadied(before: LCCPRunStatus, status: LCCPRunStatus) -> LCCPRunStatus:
    """`status`, with the progress of `before` if only that changed, and only a moment ago."""
    if before.model_copy(update={"progress": status.progress}) != status:
        return status
    old, new = before.progress.last_heartbeat_time, status.progress.last_heartbeat_time
    near = timedelta(seconds=PROGRESS_SECONDS)
    recent = old is not None and new is not None and abs(new - old) < near
    return before if recent else status


def _progress(context: Context, goal: Goal) -> ProgressStatus:
    total, beat = context.spec.budget_tokens, context.facts.heartbeat
    reached = _reached(context)
    if beat is None:
        return ProgressStatus(tokens=reached, tokens_total=total, percent=_percent(reached, total))
    tokens = beat.tokens if beat.phase != "Starting" else max(beat.tokens, reached)
    attempt = context.open_attempt
    trains = goal.aim is Aim.TRAIN and attempt is not None and attempt.branch is None
    return ProgressStatus(
        tokens=tokens,
        tokens_total=total,
        percent=_percent(tokens, total),
        step=beat.step,
        loss=_decimal(beat.loss),
        tokens_per_second=round(beat.tokens_per_second) if beat.tokens_per_second else None,
        remaining_seconds=_remaining_seconds(beat, total) if trains else None,
        last_heartbeat_time=beat.at,
    )


def _reached(context: Context) -> int:
    """Tokens from which a starting attempt resumes: of a checkpoint, or of a saved state."""
    own = (end for n, end in context.facts.ends.items() if n not in context.facts.of_branches)
    saved = (end.tokens for end in own if end.result in SAVED)
    return max([context.newest_checkpoint or 0, *saved])


def _percent(tokens: int, total: int) -> int:
    return min(100, 100 * tokens // total)


def _remaining_seconds(beat: Heartbeat, total: int) -> int | None:
    if not beat.tokens_per_second:
        return None
    return math.ceil(max(0, total - beat.tokens) / beat.tokens_per_second)


def _checkpoints(context: Context) -> tuple[CheckpointStatus, ...]:
    shown = sorted(context.facts.checkpoints)[-CHECKPOINTS_SHOWN:]
    names = _short_table(context.judgement)
    return tuple(_checkpoint(context, tokens, names) for tokens in shown)


def _latest(context: Context) -> CheckpointStatus | None:
    """The newest checkpoint whose evaluation succeeded, with all its values."""
    done = [
        tokens
        for tokens in context.facts.checkpoints
        if evaluations.stage(context, (tokens, INTRINSIC)) is Stage.SUCCEEDED
    ]
    if not done:
        return None
    judged = _judged(context, max(done))
    own = [name for name in sorted(judged.values if judged else ()) if not is_of_branch(name)]
    return _checkpoint(context, max(done), own[:SIGNALS_SHOWN])


def _judged(context: Context, tokens: int) -> CheckpointJudgement | None:
    return context.judgement.checkpoints.get(tokens) if context.judgement else None


def _short_table(judgement: Judgement | None) -> list[str]:
    """Signals that the status shows for every checkpoint: the policy's, and those of tables."""
    named = [column.signal for column in PROBES.columns()]
    return list(dict.fromkeys([judgement.signal, *named])) if judgement else named


def _checkpoint(context: Context, tokens: int, names: Sequence[str]) -> CheckpointStatus:
    judged = _judged(context, tokens)
    values = judged.values if judged else {}
    outcomes = (context.outcome((tokens, suite)) for suite in context.suites[tokens])
    return CheckpointStatus(
        tokens=tokens,
        evaluation=evaluations.stage_of_checkpoint(context, tokens).value,
        values={name: f"{values[name]:.4g}" for name in names if name in values},
        verdict=judged.state if judged else None,
        message=next((o.message for o in outcomes if o is not None and o.message), None),
    )


def _verdict(judgement: Judgement | None) -> VerdictStatus | None:
    if judgement is None:
        return None
    gain = judgement.gain
    return VerdictStatus(
        state=judgement.state,
        since_tokens=judgement.since_tokens,
        at_tokens=judgement.at_tokens,
        gain=_decimal(gain.gain) if gain else None,
        interval=f"{_decimal(gain.lower)} … {_decimal(gain.upper)}" if gain else None,
        advice=judgement.advice,
    )


def _forecast(judgement: Judgement | None) -> ForecastStatus | None:
    if judgement is None or judgement.forecast is None:
        return None
    tokens, budget = judgement.forecast
    return ForecastStatus(tokens=tokens, budget=budget)


def _branches(context: Context) -> BranchesStatus | None:
    asked, trained = context.spec.branch_points, context.facts.branches
    if not asked:
        return None
    ended = [t for t in trained if evaluations.stage(context, (t, ANNEAL)) is Stage.SUCCEEDED]
    latest = max(ended, default=None)
    judged = None if latest is None else _judged(context, latest)
    names = {name: signal_of_suite(ANNEAL, name) for name in _short_table(context.judgement)}
    values = judged.values if judged else {}
    return BranchesStatus(
        asked=len(asked),
        trained=len(trained),
        evaluated=len(ended),
        at_tokens=latest,
        values={name: f"{values[own]:.4g}" for name, own in names.items() if own in values},
    )


def _images(context: Context) -> ResolvedImages | None:
    pinned = context.pinned
    if not (pinned.trainer_image or pinned.evaluator_image):
        return None
    return ResolvedImages(trainer=pinned.trainer_image, evaluator=pinned.evaluator_image)


def _decimal(value: float | None) -> str | None:
    """Four significant digits."""
    return None if value is None else f"{value:.4g}"
