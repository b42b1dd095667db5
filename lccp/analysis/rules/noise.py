"""The two noises of a signal: sampling, and the jitter of the weights between checkpoints.

- Sampling: all checkpoints answer the same samples, so a constant effect of a cluster (haystack,
  needle, document) cancels in every contrast; what is left is how clusters differ in following the
  curve. Samples are crossed, so the variances by each kind of cluster add.
- Checkpoint noise: the weights jitter from checkpoint to checkpoint, which no number of samples
  removes. Its variance is the mean square of the scaled second differences, which a straight line
  leaves at zero (Gasser, Sroka and Jennen-Steinmetz, Biometrika 73, 1986). The part that samples
  explain (the clusters' own second differences) is subtracted, so that it is counted once.

Noise may have a memory: the jitter of a checkpoint is like that of the one before. It is detected
by the ratio of second differences at lag 2 to those at lag 1, as the square of their mean absolute
values, which one step or kink moves little. For noise without memory the ratio is 1. For a
first-order autoregression with coefficient φ it is (1 + φ)(3 - φ²) / (3 - φ): 1.65 at φ = 0.5, and
never above 2. For a curve that bends it is up to 16.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from lccp.analysis.rules.grid import Array, Flags, Grid, window_sums

DIFFERENCES_PER_DEGREE = 1.94
"""1 + 2 (ρ₁² + ρ₂²), with the correlations ρ₁ = -2/3 and ρ₂ = 1/6 of overlapping differences."""
FEWEST_DIFFERENCES = 3

FEWEST_FOR_MEMORY = 8
"""Checkpoints from which a memory of the noise is looked for."""
MEMORY_MAX = 0.7
SMALLEST = 1e-150
CURVED = 2.0
"""Ratio that noise with a memory exceeds only by chance: above, the differences show the curve."""
LIKELY, SIGNIFICANT, CHANCE = 2.1, 3.8, 1.0
"""How far a ratio of n checkpoints must be above its limit, in 1 / √n of its logarithm (by
simulation): noise without memory exceeds these in one case of five, and of twenty."""

Clusters = Mapping[str, Array]


@dataclass(frozen=True)
class Variance:
    """An estimated variance and the degrees of freedom of the estimate."""

    value: Array
    degrees: Array

    def __add__(self, other: "Variance") -> "Variance":
        """The variance of a sum of independent parts (Welch, Biometrika 34, 1947)."""
        total = self.value + other.value
        whole = np.where(total > 0, total, 1.0)
        parts = [(part.value / whole) ** 2 / part.degrees for part in (self, other)]
        least = np.minimum(self.degrees, other.degrees)
        shared = np.where(total > 0, parts[0] + parts[1], 1 / least)
        return Variance(total, 1 / shared)

    def half_width(self, confidence: float | Array) -> Array:
        """Half the interval whose ends are each exceeded with 1 - `confidence`: Student's t."""
        half: Array = stdtrit(self.degrees, confidence) * np.sqrt(self.value)
        return half


@dataclass(frozen=True)
class Sampling:
    """One kind of cluster's contribution to the variance of a slope."""

    degrees: int
    spread: Array
    """Variance of the clusters' slopes: how they differ in following the curve, plus scatter."""
    scatter: Array
    """Variance from only their scatter, which is new at every checkpoint."""


@dataclass(frozen=True)
class SlopeNoise:
    """Everything that makes a slope uncertain."""

    noise: Array
    """Variance from what is new at every checkpoint: jitter of the weights, scatter of samples."""
    degrees: Array
    kinds: tuple[Sampling, ...]

    @property
    def checkpoint(self) -> Array:
        """Variance from the weights' jitter: the noise without the part that samples explain."""
        rest: Array = np.maximum(0.0, self.noise - sum(kind.scatter for kind in self.kinds))
        return rest

    @property
    def sampling(self) -> Variance:
        """Variance from samples, which are crossed: the sum over all kinds."""
        total = Variance(np.zeros_like(self.noise), np.full_like(self.noise, np.inf))
        for kind in self.kinds:
            total += Variance(kind.spread, np.full_like(self.noise, kind.degrees))
        return total

    @property
    def variance(self) -> Variance:
        """Variance of the slope. The rest of the noise is as uncertain as all of it."""
        total = self.sampling.value + self.checkpoint
        whole = np.where(total > 0, total, 1.0)
        shares = (self.noise / whole) ** 2 / self.degrees
        least = self.degrees
        for kind in self.kinds:
            shares = shares + (kind.spread / whole) ** 2 / kind.degrees
            least = np.minimum(least, kind.degrees)
        return Variance(total, 1 / np.clip(shares, SMALLEST, 1 / least))

    def half_width(self, look_error: float | Array, cluster_error: float) -> Array:
        """Half an interval that is looked at repeatedly along a run.

        Noise that is new at every checkpoint may mislead at every look, so its error is the smaller
        one. How clusters differ in following the curve stays the same along the run, so it misleads
        only once. For each kind of cluster the larger of two counts: its spread at `cluster_error`,
        or its scatter at `look_error`.
        """
        look = stdtrit(self.degrees, 1 - look_error) ** 2
        squared = look * self.checkpoint
        for kind in self.kinds:
            follows = stdtrit(kind.degrees, 1 - cluster_error) ** 2 * kind.spread
            squared = squared + np.maximum(follows, look * kind.scatter)
        half: Array = np.sqrt(squared)
        return half


def several(clusters: Clusters) -> list[Array]:
    """The kinds of clusters [..., C, K] of which there are at least two."""
    return [values for values in clusters.values() if values.shape[-2] > 1]


def own_courses(by_cluster: Array) -> Array:
    """[..., C, K]: what each cluster's course differs by from the mean over all of them."""
    own: Array = by_cluster - by_cluster.mean(axis=-2, keepdims=True)
    return own


def variance_of_mean(by_cluster: Array) -> Array:
    """Variance of the mean over clusters, from values [..., C, K]."""
    mean: Array = by_cluster.var(axis=-2, ddof=1) / by_cluster.shape[-2]
    return mean


def second_differences(grid: Grid, values: Array, lag: int = 1) -> Array:
    """[..., K - 2 lag]: distances from the line through both neighbours, in units of the noise."""
    left, middle, right = slice(None, -2 * lag), slice(lag, -lag), slice(2 * lag, None)
    x = grid.at
    share = (x[middle] - x[left]) / (x[right] - x[left])
    before, after = (values[..., side] - values[..., middle] for side in (left, right))
    bend = (1 - share) * before + share * after
    scaled: Array = bend / np.sqrt(1 + share**2 + (1 - share) ** 2)
    return scaled


def recent_differences(grid: Grid, values: Array) -> tuple[Array, Array]:
    """[..., K]: mean square of the second differences of the last two horizons, or of the last
    three, and how many they are. Below three checkpoints they are not defined."""
    last = np.maximum(grid.indices - 2, 0)
    first = np.clip(grid.window(2, 3), 0, np.maximum(grid.indices - 1 - FEWEST_DIFFERENCES, 0))
    count = (last - first + 1).astype(np.float64)
    return window_sums(second_differences(grid, values) ** 2, first, last) / count, count


def memory_ratio(grid: Grid, values: Array, horizons: float) -> tuple[Array, Array]:
    """[..., K]: lag-2 to lag-1 differences of the last `horizons`, and how many checkpoints they
    hold; the ratio is nan where they are fewer than eight."""
    first = grid.window(horizons, FEWEST_FOR_MEMORY)
    count = (grid.indices + 1 - first).astype(np.float64)
    ratio = np.full(values.shape, np.nan)
    known = count >= FEWEST_FOR_MEMORY
    if known.any():
        near, far = (
            window_sums(np.abs(second_differences(grid, values, lag)), first[known], last)
            / (count[known] - 2 * lag)
            for lag in (1, 2)
            for last in [grid.indices[known] - 2 * lag]
        )
        ratio[..., known] = (far / np.maximum(near, SMALLEST)) ** 2
    return ratio, count


def exceeds(ratio: Array | float, count: Array | float, limit: float, distance: float) -> Flags:
    """A `memory_ratio` of `count` checkpoints lies clearly above `limit`; never if it is nan."""
    above: Flags = np.asarray(ratio > limit * np.exp(distance / np.sqrt(count)))
    return above


def memory_inflation(ratio: Array, count: Array) -> Array:
    """By how much a memory makes a gain's variance larger than second differences suggest.

    It is 1 unless the ratio is above what noise without memory exceeds in about one case of five.
    It is also 1 where the ratio is higher than any memory explains: the differences show the curve.
    """
    grows = exceeds(ratio, count, 1.0, LIKELY) & ~exceeds(ratio, count, CURVED, CHANCE)
    steps = np.linspace(0, MEMORY_MAX, 91)
    memory = np.interp(ratio, (1 + steps) * (3 - steps**2) / (3 - steps), steps)
    inflation = (1 + memory) / (1 - memory) * 1.5 / (1.5 - 2 * memory + 0.5 * memory**2)
    return np.where(grows, inflation, 1.0)


def effective_count(count: Array | float, squares: Array, products: Array) -> Array:
    """How many independent checkpoints the residuals of a line are worth: n (1 - r) / (1 + r).

    `squares` and `products` are the sums of squared residuals and of products of consecutive ones
    (Santer et al., J. Geophys. Res. 105, 2000). Their first autocorrelation r is too small by about
    (2 + 4 r) / n, since the line absorbs part of them (Kendall, Biometrika 41, 1954).
    """
    raw = np.clip(products / np.maximum(squares, SMALLEST), -1.0, 1.0)
    memory = np.clip(raw + (2 + 4 * np.maximum(raw, 0)) / count, 0.0, 0.99)
    effective: Array = count * (1 - memory) / (1 + memory)
    return effective
