"""Saturated: one line over several horizons whose gain is too small to pay, and nothing else.

At checkpoint k, over the last p, p + 1 or p + 2 horizons (p: the patience), one least-squares line
is drawn. It makes a saturation if the whole interval of its gain per horizon is within (-δ, δ), and
so are the estimated gains of the last two horizons, end to end.

The interval has two parts, each at its own confidence.

- Noise, from the residuals, is new at every look. Its error is spread over the looks of a run
  (Bonferroni): five a horizon, or d² / 5 where there are d < 5 checkpoints a horizon, since lines
  that share most of their checkpoints are nearly one look (by simulation). Correlated residuals
  (jitter with a memory, a bend, a step) count as fewer, at worst as a single one. That does not
  matter where all of them are far smaller than δ.
- How clusters differ in following the curve stays the same along a run: one error, not one a look.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lccp.analysis.rules.grid import Array, Flags, Grid, Indices
from lccp.analysis.rules.lines import Lines, Points
from lccp.analysis.rules.measure import Measure
from lccp.analysis.rules.noise import (
    Clusters,
    Sampling,
    SlopeNoise,
    effective_count,
    own_courses,
    several,
    variance_of_mean,
)

LINES = 3
"""Lengths to try: p, p + 1 and p + 2 horizons."""
FEWEST = 5
"""Checkpoints in a line, where there are that many."""
LOOKS_PER_HORIZON = 5
FEWEST_DEGREES = 1.0
ERROR_OF_LOOKS = 0.4
"""Share of 1 - confidence by which all looks of a run together may be wrong due to noise."""
ERROR_OF_CLUSTERS = 0.1
"""Share of 1 - confidence: the same due to sampling."""


@dataclass(frozen=True)
class Level:
    """Lines of one length at each checkpoint [..., K]."""

    horizons: int
    first: Indices
    gain: Array
    half: Array
    """Half its interval; infinite where nothing can be concluded."""

    def inside(self, min_gain: float) -> Flags:
        """The whole interval lies within (-δ, δ)."""
        return np.abs(self.gain) + self.half < min_gain


def look_error(grid: Grid, measure: Measure) -> Array:
    """[K]: one-sided error of one look."""
    density = np.minimum(grid.density**2 / LOOKS_PER_HORIZON, LOOKS_PER_HORIZON)
    looks = np.maximum(measure.length(grid) * density, 1.0)
    error: Array = ERROR_OF_LOOKS * (1 - measure.confidence) / looks
    return error


def levels(grid: Grid, values: Array, clusters: Clusters, measure: Measure) -> Iterator[Level]:
    """Lines of each length, from the shortest."""
    points = Points.of(grid, values)
    kinds = [Points.of(grid, own_courses(kind)) for kind in several(clusters)]
    for horizons in range(measure.patience, measure.patience + LINES):
        first = grid.window(horizons, FEWEST)
        line = Lines(points, first)
        scattered = tuple(_sampling(Lines(kind, first)) for kind in kinds)
        known = grid.spans(horizons) & (line.count >= FEWEST)
        errors = (look_error(grid, measure), ERROR_OF_CLUSTERS * (1 - measure.confidence))
        half = np.minimum(
            *(noise.half_width(*errors) for noise in _noises(line, scattered)),
        )
        yield Level(horizons, first, line.slope, np.where(known, half, np.inf))


def saturated(grid: Grid, gains: Array, lines: Sequence[Level], measure: Measure) -> Flags:
    """[..., K]: one of the `lines` is within, and so are the `gains` of the last two horizons.

    With a patience of one horizon, the gain of the last one is enough.
    """
    inside = np.abs(gains) < measure.min_gain
    said = np.zeros_like(inside)
    for line in lines:
        said |= line.inside(measure.min_gain)
    said &= inside
    if measure.patience > 1:
        before = grid.before(grid.window(1, 3))
        said &= np.where(before >= 0, inside[..., before], False)
    return said


def _sampling(own: Lines) -> Sampling:
    """A kind's own slopes, and its part of the line's residual squares."""
    count = own.slope.shape[-2]
    scattered = own.residual_squares.sum(axis=-2) / (count - 1) / count
    return Sampling(count - 1, variance_of_mean(own.slope), scattered)


def _noises(line: Lines, kinds: tuple[Sampling, ...]) -> Iterator[SlopeNoise]:
    """Noise of a line: by its residuals' memory, and as if they were all a single residual."""
    effective = effective_count(line.count, line.residual_squares, line.residual_products)
    counted = np.maximum(effective - 2, FEWEST_DEGREES)
    several_degrees = np.maximum(line.count - 2, FEWEST_DEGREES)
    for degrees, weight in ((counted, 1.0), (several_degrees, line.count)):
        share = weight / degrees / line.squares
        scatter = tuple(replace(kind, scatter=share * kind.scatter) for kind in kinds)
        yield SlopeNoise(share * line.residual_squares, degrees * np.ones_like(share), scatter)
