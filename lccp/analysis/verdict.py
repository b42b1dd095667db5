"""The verdict: what the gains of a run's signals say together, checkpoint by checkpoint."""

from collections.abc import Iterable, Mapping, Sequence

from lccp.analysis.evidence import Findings, advice, evidence
from lccp.analysis.forecast import forecast
from lccp.analysis.gains import gains, window_before
from lccp.analysis.policy import CEILING
from lccp.analysis.trajectory import Series, Tokens, Trajectory, can_be_judged, in_its_unit
from lccp.api.objects.policy import Policy
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import (
    CheckpointVerdict,
    Forecast,
    Gain,
    GainState,
    Verdict,
    VerdictState,
)
from lccp.contract.signals import Role, Signal

Gains = Mapping[str, Mapping[int, Gain]]
"""By signal and tokens."""


def judge(reports: Iterable[EvaluationReport], policy: Policy) -> Verdict:
    """The verdict over one run's `reports`, in any order; none at all are Undetermined."""
    return judge_trajectory(Trajectory.from_reports(reports), policy)


def judge_trajectory(trajectory: Trajectory, policy: Policy) -> Verdict:
    """The verdict over a trajectory."""
    checkpoints = judge_checkpoints(trajectory, policy)
    signals = tuple(series.signal for series in trajectory.series.values())
    findings = Findings(checkpoints, {signal.name: signal for signal in signals}, policy)
    return Verdict(
        state=checkpoints[-1].state if checkpoints else VerdictState.UNDETERMINED,
        since_tokens=_since(checkpoints),
        at_tokens=checkpoints[-1].tokens if checkpoints else None,
        policy=policy,
        signals=signals,
        evidence=evidence(findings),
        advice=advice(findings),
        checkpoints=checkpoints,
        forecast=_forecast(trajectory, policy, checkpoints),
        excluded=trajectory.excluded,
    )


def judge_checkpoints(trajectory: Trajectory, policy: Policy) -> tuple[CheckpointVerdict, ...]:
    """Values and verdict at each checkpoint, as known with those up to it.

    They are the checkpoints at which the policy's signal was measured; all, where it never was.
    """
    primary = trajectory.series.get(policy.signal)
    tokens = trajectory.checkpoints() if primary is None else primary.tokens.tolist()
    values = {name: _values(series) for name, series in trajectory.series.items()}
    gained = {name: _gains(series, policy) for name, series in trajectory.series.items()}
    plateaus = {} if primary is None else _plateaus(primary, gained[policy.signal], policy)
    signals = [series.signal for series in trajectory.series.values()]
    return tuple(
        _checkpoint(
            at,
            {name: known[at] for name, known in values.items() if at in known},
            {name: known[at] for name, known in gained.items() if at in known},
            plateaus.get(at, 0),
            signals,
            policy,
        )
        for at in tokens
    )


def _values(series: Series) -> dict[int, float]:
    values = in_its_unit(series.signal, series.values)
    return dict(zip(series.tokens.tolist(), values.tolist(), strict=True))


def _gains(series: Series, policy: Policy) -> dict[int, Gain]:
    if not can_be_judged(series):
        return {}
    fitted = series.at(series.fitted(policy.warmup_tokens))
    by_tokens = zip(fitted.tokens.tolist(), gains(fitted, policy), strict=True)
    return {tokens: gain for tokens, gain in by_tokens if gain is not None}


def _plateaus(series: Series, known: Mapping[int, Gain], policy: Policy) -> dict[int, int]:
    tokens = series.tokens[series.fitted(policy.warmup_tokens)]
    horizons = plateau_horizons(tokens, [known.get(int(at)) for at in tokens], policy)
    return dict(zip(tokens.tolist(), horizons, strict=True))


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


def _checkpoint(
    tokens: int,
    values: Mapping[str, float],
    known: Mapping[str, Gain],
    horizons: int,
    signals: Sequence[Signal],
    policy: Policy,
) -> CheckpointVerdict:
    lasting = horizons >= policy.patience and tokens >= policy.min_tokens
    saturated = lasting and policy.constant_schedule
    return CheckpointVerdict(
        tokens=tokens,
        values=dict(values),
        plateau_horizons=horizons,
        gains=tuple(known.values()),
        state=verdict_state(values, known, signals, policy.signal, saturated),
    )


def verdict_state(
    values: Mapping[str, float],
    known: Mapping[str, Gain],
    signals: Sequence[Signal],
    primary: str,
    saturated: bool,
) -> VerdictState:
    """The state by precedence, from the values and gains by signal at one checkpoint."""
    gain = known.get(primary)
    if gain is None:
        return VerdictState.UNDETERMINED
    guarded = (gain, *(known.get(signal.name) for signal in signals if signal.role is Role.GUARD))
    if any(one and one.state is GainState.REGRESSING for one in guarded):
        return VerdictState.REGRESSING
    if saturated:
        return VerdictState.SATURATED
    if gain.state is not GainState.IMPROVING:
        return VerdictState.UNDETERMINED
    ceilings = (signal.name for signal in signals if signal.role is Role.CEILING)
    still = any(stands_still(name, values, known) for name in ceilings)
    return VerdictState.DECEPTIVELY_SATURATED if still else VerdictState.IMPROVING


def stands_still(name: str, values: Mapping[str, float], known: Mapping[str, Gain]) -> bool:
    """The signal is at its ceiling, or on a plateau."""
    gain = known.get(name)
    plateau = gain is not None and gain.state is GainState.PLATEAU
    return values.get(name, 0.0) >= CEILING or plateau


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
    series = trajectory.series.get(policy.signal)
    if series is None or not len(series.fitted(policy.warmup_tokens)):
        return None
    newest = checkpoints[-1]
    return forecast(series, policy, newest.state, newest.gain(policy.signal))
