"""Gain of a signal over a horizon, with an interval that knows both noises.

The gain at checkpoint k is the least-squares slope of the signal y over the window [N_k - T, N_k]
times T: a linear contrast c'y. Its variance has two parts.

- Sampling: the variance of the contrasts of the clusters over their number; of the kinds of
  clusters (haystacks, needles, documents) the largest counts. All checkpoints answer the same
  samples, so what a cluster has of its own cancels.
- Checkpoint noise: the weights jitter from checkpoint to checkpoint, which no number of samples
  removes. Its variance σ² is the mean square of the scaled second differences of y, which a
  straight line leaves at zero (Gasser, Sroka and Jennen-Steinmetz, Biometrika 73, 1986). They
  overlap, so n of them are worth n / 1.94 degrees of freedom.

The interval is Student's t with the Welch-Satterthwaite degrees (Biometrics Bulletin 2, 1946). Its
one-sided error stays below 1 - confidence, but at the third fitted checkpoint, where one second
difference is all that is known of the jitter: there it reaches 0.062 at a confidence of 0.95.
"""

import math
from dataclasses import dataclass

import numpy as np

from lccp.analysis import student
from lccp.analysis.trajectory import Array, Series, Tokens
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import Gain, GainState

FEWEST = 3
"""Checkpoints in a window, and second differences in an estimate, where there are as many."""
DIFFERENCES_PER_DEGREE = 1.94
"""1 + 2 (ρ₁² + ρ₂²), with the correlations ρ₁ = -2/3 and ρ₂ = 1/6 of overlapping differences."""


@dataclass(frozen=True)
class Variance:
    """An estimated variance and the degrees of freedom that it was estimated with."""

    value: float
    degrees: float

    def __add__(self, other: "Variance") -> "Variance":
        """The variance of a sum of independent parts, by Welch and Satterthwaite."""
        total = self.value + other.value
        if total == 0:
            return Variance(0.0, min(self.degrees, other.degrees))
        shares = ((part.value / total) ** 2 / part.degrees for part in (self, other))
        return Variance(total, 1 / sum(shares))


def gains(series: Series, policy: Policy) -> tuple[Gain | None, ...]:
    """Gain at each of the fitted checkpoints of `series`, None at the first two."""
    noise = CheckpointNoise.of(series.tokens, series.values)
    return tuple(_gain(k, series, noise, policy) for k in range(len(series.tokens)))


def window_start(tokens: Tokens, k: int, policy: Policy) -> int:
    """The first checkpoint of k's window: within a horizon, or the third newest."""
    begin = tokens[k] - policy.horizon_tokens - policy.rounding_tokens
    return max(0, min(int(np.searchsorted(tokens, begin)), k + 1 - FEWEST))


def window_before(tokens: Tokens, k: int, policy: Policy) -> int | None:
    """The checkpoint whose window lies end to end before k's: a whole horizon back, or None.

    It is the newest one at or before N_k - T that does not lie inside k's window. So windows share
    at most their ends, and p windows end to end hold at least p horizons, whatever the spacing.
    """
    end = tokens[k] - policy.horizon_tokens + policy.rounding_tokens
    newest = min(int(np.searchsorted(tokens, end, "right")) - 1, window_start(tokens, k, policy))
    return newest if newest >= 0 else None


def spans_horizon(tokens: Tokens, k: int, policy: Policy) -> bool:
    """The fitted checkpoints up to k span a whole horizon."""
    return bool(tokens[k] - tokens[0] >= policy.horizon_tokens - policy.rounding_tokens)


def slope_contrast(tokens: Tokens, horizon_tokens: int) -> Array:
    """Weights c that make c'y the least-squares slope of y against `tokens`, times the horizon."""
    x = (tokens - tokens[0]) / horizon_tokens
    deviations = x - x.mean()
    contrast: Array = deviations / (deviations @ deviations)
    return contrast


def sampling_variance(contrast: Array, series: Series) -> Variance:
    """Variance of c'y from sampling; of the kinds of clusters, the largest one counts."""
    kinds = [means for means in series.clusters.values() if means.shape[1] > 1]
    variances = [_variance_of_mean(contrast @ means) for means in kinds]
    return max(variances, key=lambda variance: variance.value)


def _variance_of_mean(values: Array) -> Variance:
    return Variance(float(values.var(ddof=1)) / len(values), len(values) - 1)


@dataclass(frozen=True)
class CheckpointNoise:
    """Scaled second differences of a signal: what is known of the jitter between checkpoints."""

    tokens: Tokens
    squares: Array
    """[checkpoints - 2]; the square at i belongs to the checkpoints i, i + 1 and i + 2."""

    @classmethod
    def of(cls, tokens: Tokens, values: Array) -> "CheckpointNoise":
        """From a signal's `values` at ascending `tokens`."""
        right = (tokens[1:-1] - tokens[:-2]) / (tokens[2:] - tokens[:-2])
        line = (1 - right) * values[:-2] + right * values[2:]
        squares = (values[1:-1] - line) ** 2 / (1 + right**2 + (1 - right) ** 2)
        return cls(tokens, squares)

    def variance(self, k: int, policy: Policy) -> Variance:
        """σ² at checkpoint k >= 2, from the last two horizons, or the last three differences."""
        begin = self.tokens[k] - 2 * policy.horizon_tokens - policy.rounding_tokens
        first = min(int(np.searchsorted(self.tokens, begin)), k - 1 - FEWEST)
        squares = self.squares[max(0, first) : k - 1]
        return Variance(float(squares.mean()), len(squares) / DIFFERENCES_PER_DEGREE)


def _gain(k: int, series: Series, noise: CheckpointNoise, policy: Policy) -> Gain | None:
    if k + 1 < FEWEST:
        return None
    inside = series.at(np.arange(window_start(series.tokens, k, policy), k + 1))
    contrast = slope_contrast(inside.tokens, policy.horizon_tokens)
    sampling = sampling_variance(contrast, inside)
    jitter = noise.variance(k, policy)
    checkpoint = Variance(jitter.value * float(contrast @ contrast), jitter.degrees)
    variance = sampling + checkpoint
    gain = float(contrast @ (inside.values - inside.values[0]))  # exactly 0 if nothing moves
    half = math.sqrt(variance.value) * student.quantile(policy.confidence, variance.degrees)
    spans = spans_horizon(series.tokens, k, policy)
    return Gain(
        signal=series.signal.name,
        gain=gain,
        lower=gain - half,
        upper=gain + half,
        degrees_of_freedom=variance.degrees,
        sampling_sd=math.sqrt(sampling.value),
        checkpoint_sd=math.sqrt(checkpoint.value),
        spans_horizon=spans,
        state=gain_state(gain - half, gain + half, policy.min_gain, spans),
    )


def gain_state(lower: float, upper: float, min_gain: float, spans: bool) -> GainState:
    """What the interval from `lower` to `upper` allows to say; a plateau only if it `spans` T."""
    if spans and -min_gain < lower and upper < min_gain:
        return GainState.PLATEAU
    if lower > 0:
        return GainState.IMPROVING
    return GainState.REGRESSING if upper < 0 else GainState.UNDETERMINED
