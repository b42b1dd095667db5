"""The verdict: what the gains of a run's signals say together, checkpoint by checkpoint."""

from collections.abc import Mapping, Sequence

import numpy as np

from lccp.analysis.evidence import advice, evidence
from lccp.analysis.forecast import forecast
from lccp.analysis.gains import gains, window_before
from lccp.analysis.heads import HeadSeries
from lccp.analysis.policy import SCORE_CEILING, Policy
from lccp.analysis.trajectory import NIAH_PPL, NIAH_PPL_GUARD, NIAH_SCORE, Tokens, Trajectory
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import (
    CheckpointVerdict,
    Forecast,
    Gain,
    GainState,
    Verdict,
    VerdictState,
)


def judge(reports: Sequence[EvaluationReport], policy: Policy) -> Verdict:
    """The verdict over one run's `reports`, in any order; none at all are Undetermined.

    Raises:
        InvalidInput: the reports are not comparable, or hold no length beyond the source context.
    """
    return judge_trajectory(Trajectory.from_reports(reports), policy)


def judge_trajectory(trajectory: Trajectory, policy: Policy) -> Verdict:
    """The verdict over a trajectory."""
    checkpoints = judge_checkpoints(trajectory, policy)
    return Verdict(
        state=checkpoints[-1].state if checkpoints else VerdictState.UNDETERMINED,
        since_tokens=_since(checkpoints),
        at_tokens=checkpoints[-1].tokens if checkpoints else None,
        signal=NIAH_PPL,
        horizon_tokens=policy.horizon_tokens,
        min_gain=policy.min_gain,
        confidence=policy.confidence,
        patience=policy.patience,
        min_tokens=policy.min_tokens,
        evidence=evidence(checkpoints, policy),
        advice=advice(checkpoints, policy),
        checkpoints=checkpoints,
        forecast=_forecast(trajectory, policy, checkpoints),
    )


def judge_checkpoints(trajectory: Trajectory, policy: Policy) -> tuple[CheckpointVerdict, ...]:
    """Values and verdict at each checkpoint, as known with those up to it."""
    fitted = trajectory.fitted(policy.warmup_tokens)
    unfitted = len(trajectory.tokens) - len(fitted)
    tokens = trajectory.tokens[fitted]
    series = {
        name: (None,) * unfitted + gains(tokens, signal.at(fitted), policy)
        for name, signal in trajectory.signals.items()
    }
    plateaus = [0] * unfitted
    if series:
        plateaus += plateau_horizons(tokens, series[NIAH_PPL][unfitted:], policy)
    heads = HeadSeries.of(trajectory.heads) if trajectory.heads else None
    return tuple(
        _checkpoint(i, trajectory, _known(series, i), plateaus[i], heads, policy)
        for i in range(len(trajectory.tokens))
    )


def plateau_horizons(
    tokens: Tokens, signal_gains: Sequence[Gain | None], policy: Policy
) -> list[int]:
    """Windows on a plateau, end to end, that end at each fitted checkpoint."""
    horizons: list[int] = []
    for k, gain in enumerate(signal_gains):
        if gain is None or gain.state is not GainState.PLATEAU:
            horizons.append(0)
            continue
        before = window_before(tokens, k, policy)
        horizons.append(1 + (0 if before is None else horizons[before]))
    return horizons


def verdict_state(signal_gains: Mapping[str, Gain], score: float, saturated: bool) -> VerdictState:
    """The state by precedence, from the gains by signal at one checkpoint and the NIAH score."""
    signal = signal_gains.get(NIAH_PPL)
    if signal is None:
        return VerdictState.UNDETERMINED
    guarded = (signal, signal_gains.get(NIAH_PPL_GUARD))
    if any(gain and gain.state is GainState.REGRESSING for gain in guarded):
        return VerdictState.REGRESSING
    if saturated:
        return VerdictState.SATURATED
    if signal.state is not GainState.IMPROVING:
        return VerdictState.UNDETERMINED
    still = score >= SCORE_CEILING or signal_gains[NIAH_SCORE].state is GainState.PLATEAU
    return VerdictState.DECEPTIVELY_SATURATED if still else VerdictState.IMPROVING


def _known(series: Mapping[str, Sequence[Gain | None]], i: int) -> dict[str, Gain]:
    at_checkpoint = ((name, of_signal[i]) for name, of_signal in series.items())
    return {name: gain for name, gain in at_checkpoint if gain is not None}


def _checkpoint(
    i: int,
    trajectory: Trajectory,
    signal_gains: Mapping[str, Gain],
    horizons: int,
    heads: HeadSeries | None,
    policy: Policy,
) -> CheckpointVerdict:
    values = {name: float(signal.values[i]) for name, signal in trajectory.signals.items()}
    tokens, score = int(trajectory.tokens[i]), values[NIAH_SCORE]
    guard = values.get(NIAH_PPL_GUARD)
    lasting = horizons >= policy.patience and tokens >= policy.min_tokens
    return CheckpointVerdict(
        tokens=tokens,
        niah_ppl=float(np.exp(-values[NIAH_PPL])),
        niah_score=score,
        guard_ppl=None if guard is None else float(np.exp(-guard)),
        retrieval_heads=heads.counts[i] if heads else None,
        retrieval_heads_steady=heads.steady_counts[i] if heads else None,
        initial_heads_score=heads.initial_scores[i] if heads else None,
        head_overlap=heads.overlaps[i] if heads else None,
        plateau_horizons=horizons,
        gains=tuple(signal_gains.values()),
        state=verdict_state(signal_gains, score, lasting and policy.constant_schedule),
    )


def _since(checkpoints: Sequence[CheckpointVerdict]) -> int | None:
    """The first of the checkpoints in a row up to the newest that have the newest's state."""
    since = None
    for checkpoint in reversed(checkpoints):
        if checkpoint.state is not checkpoints[-1].state:
            break
        since = checkpoint.tokens
    return since


def _forecast(
    trajectory: Trajectory, policy: Policy, checkpoints: Sequence[CheckpointVerdict]
) -> Forecast | None:
    if not len(trajectory.fitted(policy.warmup_tokens)):
        return None
    newest = checkpoints[-1]
    gain = next((gain for gain in newest.gains if gain.signal == NIAH_PPL), None)
    return forecast(trajectory, policy, newest.state, gain)
