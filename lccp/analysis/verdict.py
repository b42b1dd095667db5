"""The verdict: what a run's signals together show, checkpoint by checkpoint."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from lccp.analysis.forecast import forecast
from lccp.analysis.gate import gate
from lccp.analysis.judged import JudgedSignal
from lccp.analysis.policy import names_of, stands_still
from lccp.analysis.sentences.advice import advice
from lccp.analysis.sentences.evidence import evidence
from lccp.analysis.sentences.findings import Findings
from lccp.analysis.trajectory import Series, Trajectory, in_its_unit
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


def judge(reports: Iterable[EvaluationReport], policy: Policy) -> Verdict:
    """The verdict over one run's `reports`, in any order; Undetermined if there are none."""
    return judge_trajectory(Trajectory.from_reports(reports), policy)


def judge_trajectory(trajectory: Trajectory, policy: Policy) -> Verdict:
    """The verdict over a trajectory."""
    judged = {
        name: one
        for name, series in trajectory.series.items()
        if (one := JudgedSignal.of(series, policy)) is not None
    }
    run = _Run(trajectory, judged, policy)
    checkpoints = run.checkpoints()
    signals = tuple(series.signal for series in trajectory.series.values())
    declared = {signal.name: signal for signal in signals}
    looks = frozenset(name for name, series in trajectory.series.items() if series.is_look)
    findings = Findings(checkpoints, declared, policy, run.stands_still(), looks)
    newest = checkpoints[-1] if checkpoints else None
    return Verdict(
        state=newest.state if newest else VerdictState.UNDETERMINED,
        since_tokens=_since(checkpoints),
        at_tokens=newest.tokens if newest else None,
        policy=policy,
        signals=signals,
        evidence=evidence(findings),
        advice=advice(findings),
        checkpoints=checkpoints,
        forecast=_forecast(trajectory, policy, newest),
        gate=gate(policy, trajectory, judged, newest) if policy.gate else None,
        excluded=trajectory.excluded,
    )


def verdict_state(
    values: Mapping[str, float],
    known: Mapping[str, Gain],
    signals: Iterable[Signal],
    policy: Policy,
) -> VerdictState:
    """The state by precedence, from the signals' values and gains known at one checkpoint."""
    named = list(signals)
    primaries = [known[name] for name in policy.signals if name in known]
    watched = [*policy.signals, *names_of(Role.GUARD, named, policy)]
    if any(known[name].state is GainState.REGRESSING for name in watched if name in known):
        return VerdictState.REGRESSING
    if sum(gain.saturated for gain in primaries) >= policy.needed:
        return VerdictState.SATURATED
    if not any(gain.state is GainState.IMPROVING for gain in primaries):
        return VerdictState.UNDETERMINED
    ceilings = names_of(Role.CEILING, named, policy)
    still = any(stands_still(values.get(name), known.get(name)) for name in ceilings)
    return VerdictState.DECEPTIVELY_SATURATED if still else VerdictState.IMPROVING


@dataclass(frozen=True)
class _Run:
    """What is known of a run's signals."""

    trajectory: Trajectory
    judged: Mapping[str, JudgedSignal]
    policy: Policy

    def checkpoints(self) -> tuple[CheckpointVerdict, ...]:
        """Values and verdict at each checkpoint, as known with those up to it.

        They are the checkpoints with a measured primary signal; all, if none was ever measured.
        """
        return tuple(self._checkpoint(tokens) for tokens in self._tokens())

    def stands_still(self) -> bool:
        """No signal moved over the newest three checkpoints, the leading one included."""
        tokens = self._tokens()
        if not tokens or self.policy.signal not in self.judged:
            return False
        return all(one.still_at(tokens[-1]) for one in self.judged.values())

    def _tokens(self) -> list[int]:
        series = self.trajectory.series
        primaries = [series[name] for name in self.policy.signals if name in series]
        if not primaries:
            return self.trajectory.checkpoints()
        return sorted({int(tokens) for one in primaries for tokens in one.tokens})

    def _checkpoint(self, tokens: int) -> CheckpointVerdict:
        values = {name: known[tokens] for name, known in self._values.items() if tokens in known}
        known = {name: one.at(tokens) for name, one in self.judged.items()}
        newest = {name: gain for name, gain in known.items() if gain is not None}
        here = (one.gains.get(tokens) for one in self.judged.values())
        lead = self.judged.get(self.policy.signal)
        return CheckpointVerdict(
            tokens=tokens,
            values=values,
            plateau_horizons=lead.plateau_horizons.get(tokens, 0) if lead else 0,
            gains=tuple(gain for gain in here if gain is not None),
            state=verdict_state(values, newest, self._signals, self.policy),
        )

    @cached_property
    def _signals(self) -> list[Signal]:
        return [series.signal for series in self.trajectory.series.values()]

    @cached_property
    def _values(self) -> dict[str, dict[int, float]]:
        return {name: _values(series) for name, series in self.trajectory.series.items()}


def _values(series: Series) -> dict[int, float]:
    values = in_its_unit(series.signal, series.values)
    return dict(zip(series.tokens.tolist(), values.tolist(), strict=True))


def _since(checkpoints: tuple[CheckpointVerdict, ...]) -> int | None:
    """The first of the unbroken row of checkpoints up to the newest that share its state."""
    since = None
    for checkpoint in reversed(checkpoints):
        if checkpoint.state is not checkpoints[-1].state:
            break
        since = checkpoint.tokens
    return since


def _forecast(
    trajectory: Trajectory, policy: Policy, newest: CheckpointVerdict | None
) -> Forecast | None:
    series = trajectory.series.get(policy.signal)
    if series is None or newest is None or not len(series.fitted(policy.warmup_tokens)):
        return None
    return forecast(series, policy, newest.state, newest.gain(policy.signal))
