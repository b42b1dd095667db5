"""When a perplexity that follows the log law stops to pay: expectation and interval.

Training pays at N tokens while the next horizon T lowers PPL by at least the share δ of it:
-A ln(1 + T/N) >= δ (A ln N + B). Tokens are counted in horizons here, so T = 1.

The interval of ln N has two parts: the law's own noise (by the derivatives of ln N with respect to
slope and level, which are independent at the centroid), and that of the samples: the jackknife over
every kind of cluster (Efron and Stein, Annals of Statistics 9, 1981).
"""

from dataclasses import dataclass

import numpy as np

from lccp.analysis.laws.loglaw import LogLaw
from lccp.analysis.rules.grid import Array, Flags
from lccp.analysis.rules.noise import Clusters, Variance, several

FEWEST = 8
"""Checkpoints."""
BENDS_AWAY = 0.05
"""Probability of the quadratic term below which the law is rejected."""
HALVINGS = 60


@dataclass(frozen=True)
class Stopping:
    """Logarithm of the horizons from which the next one no longer pays, [...]."""

    log_at: Array
    half: Array
    """Half its interval, whose ends are each exceeded with 1 - the given confidence."""
    known: Flags
    """The law is credible, falls, and gets there above PPL 1."""


def stopping(
    horizons: Array, log_ppl: Array, clusters: Clusters, min_gain: float, confidence: float
) -> Stopping:
    """From log-PPL [..., K] at `horizons` [K], at least eight, and that of clusters [..., C, K]."""
    law = LogLaw.fit(horizons, np.exp(log_ppl))
    log_at = stops_paying(law, min_gain)
    variance = _of_the_law(law, log_at, min_gain)
    for kind in several(clusters):
        variance += _of_clusters(horizons, log_ppl, kind, min_gain)
    half = variance.half_width(confidence)
    known = np.isfinite(log_at) & np.isfinite(half) & (law.bend_probability >= BENDS_AWAY)
    return Stopping(log_at, half, known)


def stops_paying(law: LogLaw, min_gain: float) -> Array:
    """ln N, by bisection: the next horizon's gain falls with N up to 1/δ - 1; nan: never."""

    def excess(log_n: Array) -> Array:
        level = law.level + law.slope * (log_n - law.log_tokens)
        return -law.slope * np.log1p(np.exp(-log_n)) - min_gain * level

    low = np.full_like(law.slope, law.log_tokens + law.centred[0] - 30)
    high = np.full_like(law.slope, np.log(1 / min_gain - 1))
    reached = (law.slope < 0) & (excess(low) > 0) & (excess(high) < 0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        pays = excess(middle) > 0
        low, high = np.where(pays, middle, low), np.where(pays, high, middle)
    level = law.level + law.slope * (high - law.log_tokens)
    return np.where(reached & (level >= 1), high, np.nan)


def _of_the_law(law: LogLaw, log_at: Array, min_gain: float) -> Variance:
    distance = log_at - law.log_tokens
    at = np.exp(log_at)
    by_slope = -np.log1p(1 / at) - min_gain * distance
    by_log = law.slope * (1 / (at + 1) - min_gain)
    parts = by_slope**2 / law.spread + min_gain**2 / len(law.centred)
    return Variance(law.noise * parts / by_log**2, law.degrees)


def _of_clusters(horizons: Array, log_ppl: Array, kind: Array, min_gain: float) -> Variance:
    count = kind.shape[-2]
    without = (count * log_ppl[..., None, :] - kind) / (count - 1)
    log_at = stops_paying(LogLaw.fit(horizons, np.exp(without)), min_gain)
    spread = ((log_at - log_at.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    return Variance((count - 1) / count * spread, np.full(spread.shape, count - 1.0))
