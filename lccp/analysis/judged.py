"""What the rules say about one signal of a run, as the contract's gains by token count."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lccp.analysis.policy import may_saturate
from lccp.analysis.rules.course import Course
from lccp.analysis.rules.gains import FEWEST, LEAST_SPAN
from lccp.analysis.rules.grid import Array, Flags, Grid
from lccp.analysis.rules.lines import Lines
from lccp.analysis.rules.measure import Measure
from lccp.analysis.rules.noise import memory_ratio
from lccp.analysis.rules.patience import MEMORY_HORIZONS
from lccp.analysis.trajectory import Series, Tokens
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import Gain, GainState, Line
from lccp.contract.signals import Signal


@dataclass(frozen=True)
class JudgedSignal:
    """The fitted part of a signal's series, and its course by the rules."""

    signal: Signal
    tokens: Tokens
    """[K]: the fitted checkpoints."""
    values: Array
    """[K], oriented."""
    course: Course
    policy: Policy
    is_look: bool

    @classmethod
    def of(cls, series: Series, policy: Policy) -> "JudgedSignal | None":
        """The signal as judged by `policy`; None before its first fitted checkpoint, or where its
        sampling noise is unknown."""
        fitted = series.at(series.fitted(policy.warmup_tokens))
        several = any(means.shape[1] > 1 for means in fitted.clusters.values())
        if not several or not len(fitted.tokens):
            return None
        clusters = {kind: means.T for kind, means in fitted.clusters.items()}
        measure = measure_of(policy, series.signal.name)
        course = Course.of(grid_of(fitted.tokens, policy), fitted.values, clusters, measure)
        look = series.is_look
        return cls(series.signal, fitted.tokens, fitted.values, course, policy, look)

    @property
    def is_primary(self) -> bool:
        return self.signal.name in self.policy.signals

    @cached_property
    def saturated(self) -> Flags:
        """[K]: a saturation was declared, and is not refuted.

        Only for primary signals, and never by a first look.
        """
        late = self.tokens >= self.policy.min_tokens
        may_be = self.is_primary and not self.is_look and may_saturate(self.policy)
        return self.course.saturated(late & may_be)

    @cached_property
    def plateau_horizons(self) -> dict[int, int]:
        """By tokens: windows on a plateau, end to end."""
        horizons = self.course.plateau_horizons()
        return dict(zip(self.tokens.tolist(), horizons.tolist(), strict=True))

    @cached_property
    def gains(self) -> dict[int, Gain]:
        """By tokens, from the third fitted checkpoint on, once they span enough of a horizon."""
        enough = self.course.grid.spans(LEAST_SPAN)
        known = range(FEWEST - 1, len(self.tokens))
        return {int(self.tokens[k]): self._gain(k) for k in known if enough[k]}

    def at(self, tokens: int) -> Gain | None:
        """The newest gain at or before `tokens`."""
        known = bisect_right(self.tokens, tokens)
        return self.gains.get(int(self.tokens[known - 1])) if known else None

    def still_at(self, tokens: int) -> bool:
        """Its newest three values at or before `tokens` are the same."""
        known = bisect_right(self.tokens, tokens)
        return known > 0 and bool(self.course.still[known - 1])

    def _gain(self, k: int) -> Gain:
        course = self.course
        return Gain(
            signal=self.signal.name,
            gain=float(course.gains.gain[k]),
            lower=float(course.lower[k]),
            upper=float(course.upper[k]),
            degrees_of_freedom=float(self._degrees[k]),
            sampling_sd=math.sqrt(self._sampling[k]),
            checkpoint_sd=math.sqrt(self._checkpoint[k]),
            memory_ratio=self._memory_ratio[k],
            per_doubling=float(self._per_doubling[k]),
            spans_horizon=bool(self._spans[k]),
            state=state_of(course, k),
            saturated=bool(self.saturated[k]),
            line=self._line(k) if self.is_primary else None,
        )

    def _line(self, k: int) -> Line | None:
        known = [level for level in self.course.levels if np.isfinite(level.half[k])]
        if not known:
            return None
        delta = self.policy.delta(self.signal.name)
        inside = [level for level in known if level.inside(delta)[k]]
        chosen = inside[0] if inside else min(known, key=lambda level: float(level.half[k]))
        return Line(
            horizons=chosen.horizons,
            from_tokens=int(self.tokens[chosen.first[k]]),
            gain=float(chosen.gain[k]),
            half_width=float(chosen.half[k]),
        )

    @cached_property
    def _degrees(self) -> Array:
        return self.course.gains.noise.variance.degrees

    @cached_property
    def _sampling(self) -> Array:
        return self.course.gains.noise.sampling.value

    @cached_property
    def _checkpoint(self) -> Array:
        return self.course.gains.noise.checkpoint

    @cached_property
    def _spans(self) -> Flags:
        return self.course.grid.spans(1)

    @cached_property
    def _per_doubling(self) -> Array:
        doublings = Grid(np.log2(self.tokens))
        return Lines.fit(doublings, self.values, doublings.window(1, FEWEST)).slope

    @cached_property
    def _memory_ratio(self) -> list[float | None]:
        ratio, _ = memory_ratio(self.course.grid, self.values, MEMORY_HORIZONS)
        return [float(value) if np.isfinite(value) else None for value in ratio]


def state_of(course: Course, at: int | tuple[int, int]) -> GainState:
    """The state at checkpoint k, or in (run, checkpoint) of several runs."""
    for flags, state in (
        (course.plateau, GainState.PLATEAU),
        (course.regressing, GainState.REGRESSING),
        (course.improving, GainState.IMPROVING),
    ):
        if flags[at]:
            return state
    return GainState.UNDETERMINED


def grid_of(tokens: Tokens, policy: Policy) -> Grid:
    """The grid of checkpoints at `tokens`, in the policy's horizons."""
    horizon = policy.horizon_tokens
    return Grid(tokens / horizon, policy.rounding_tokens / horizon)


def measure_of(policy: Policy, signal: str) -> Measure:
    """The thresholds that `signal` is judged by."""
    budget = policy.budget_tokens
    return Measure(
        min_gain=policy.delta(signal),
        patience=policy.patience,
        confidence=policy.confidence,
        horizons=None if budget is None else budget / policy.horizon_tokens,
    )
