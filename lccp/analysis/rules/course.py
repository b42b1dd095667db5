"""What all rules say about one signal along a run, checkpoint by checkpoint."""

from dataclasses import dataclass

import numpy as np

from lccp.analysis.rules.gains import FEWEST, Gains
from lccp.analysis.rules.grid import Array, Flags, Grid, Indices
from lccp.analysis.rules.measure import Measure
from lccp.analysis.rules.noise import Clusters
from lccp.analysis.rules.patience import held, regressing, resumed
from lccp.analysis.rules.plateau import Level, levels, saturated
from lccp.analysis.rules.trend import rise_probability


@dataclass(frozen=True)
class Course:
    """Flags and numbers at every fitted checkpoint [..., K]."""

    grid: Grid
    gains: Gains
    lower: Array
    upper: Array
    still: Flags
    """The newest three checkpoints hold the same numbers: nothing can be concluded from them."""
    plateau: Flags
    """The whole interval lies within (-δ, δ), and a horizon is spanned."""
    improving: Flags
    regressing: Flags
    resumed: Flags
    """A gain of δ or more that lasts."""
    levels: tuple[Level, ...]
    """Lines over several horizons."""
    level: Flags
    """One of the lines makes a saturation."""

    @classmethod
    def of(cls, grid: Grid, values: Array, clusters: Clusters, measure: Measure) -> "Course":
        """The course of `values` [..., K] with their `clusters` [..., C, K]."""
        gains = Gains.of(grid, values, clusters)
        lower, upper = gains.interval(measure.confidence)
        delta = measure.min_gain
        still = stands_still(values, clusters)
        inside = (-delta < lower) & (upper < delta) & grid.spans(1) & ~still
        rises = (lower > 0) | (rise_probability(grid, values) <= 1 - measure.confidence)
        lines = tuple(levels(grid, values, clusters, measure))
        return cls(
            grid=grid,
            gains=gains,
            lower=lower,
            upper=upper,
            still=still,
            plateau=inside,
            improving=rises & ~inside & ~still,
            regressing=regressing(grid, values, gains, measure) & ~inside & ~still,
            resumed=resumed(grid, gains, delta),
            levels=lines,
            level=saturated(grid, gains.gain, lines, measure) & ~still,
        )

    def saturated(self, allowed: Flags) -> Flags:
        """[..., K]: declared at a checkpoint where it is `allowed` [K], and not refuted since."""
        return held(self.level & allowed, self.resumed | self.regressing | self.still)

    def plateau_horizons(self) -> Indices:
        """[..., K]: windows on a plateau, end to end, that end at each checkpoint."""
        before = self.grid.before(self.grid.window(1, FEWEST))
        horizons = np.zeros(self.plateau.shape, dtype=np.intp)
        for k in range(len(self.grid)):
            earlier = horizons[..., before[k]] if before[k] >= 0 else 0
            horizons[..., k] = np.where(self.plateau[..., k], 1 + earlier, 0)
        return horizons


def stands_still(values: Array, clusters: Clusters) -> Flags:
    """[..., K]: the newest three checkpoints hold the same numbers, in every cluster as well."""
    same = _as_before(values)
    for kind in clusters.values():
        same &= _as_before(kind).all(axis=-2)
    still = same.copy()
    still[..., 1:] &= same[..., :-1]
    return still


def _as_before(values: Array) -> Flags:
    same = np.zeros(values.shape, dtype=np.bool_)
    same[..., 1:] = values[..., 1:] == values[..., :-1]
    return same
