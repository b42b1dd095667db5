"""Gain of a signal over a horizon at each checkpoint, with an interval that covers both noises.

The gain at checkpoint k is the least-squares slope of the signal over the window of the last
horizon (at least its last three checkpoints), times the horizon. Its interval is Student's t with
the Welch-Satterthwaite degrees of freedom (Welch, Biometrika 34, 1947).
"""

from dataclasses import dataclass

import numpy as np

from lccp.analysis.rules.grid import Array, Grid
from lccp.analysis.rules.lines import Lines
from lccp.analysis.rules.noise import (
    DIFFERENCES_PER_DEGREE,
    Clusters,
    Sampling,
    SlopeNoise,
    own_courses,
    recent_differences,
    several,
    variance_of_mean,
)

FEWEST = 3
"""Checkpoints in a window, where there are that many."""
LEAST_SPAN = 0.1
"""Horizons that the fitted checkpoints must span: a line is not drawn out more than tenfold."""


@dataclass(frozen=True)
class Gains:
    """At each checkpoint [..., K]; nan at the first two."""

    gain: Array
    noise: SlopeNoise

    @classmethod
    def of(cls, grid: Grid, values: Array, clusters: Clusters) -> "Gains":
        """Gains of `values` [..., K]; `clusters` are their means by haystack and so on."""
        if len(grid) < FEWEST:
            nothing = np.full(values.shape, np.nan)
            return cls(nothing, SlopeNoise(nothing, nothing, ()))
        line = Lines.fit(grid, values, grid.window(1, FEWEST))
        mean, count = recent_differences(grid, values)
        kinds = tuple(_sampling(grid, kind, line) for kind in several(clusters))
        gain = np.where(grid.indices + 1 >= FEWEST, line.slope, np.nan)
        degrees = count / DIFFERENCES_PER_DEGREE
        return cls(gain, SlopeNoise(mean / line.squares, degrees, kinds))

    def interval(self, confidence: float) -> tuple[Array, Array]:
        """Ends that are each exceeded with 1 - `confidence`, at one checkpoint."""
        half = self.noise.variance.half_width(confidence)
        return self.gain - half, self.gain + half


def _sampling(grid: Grid, kind: Array, line: Lines) -> Sampling:
    count = kind.shape[-2]
    own = own_courses(kind)
    scatter, _ = recent_differences(grid, own)
    return Sampling(
        degrees=count - 1,
        spread=variance_of_mean(Lines.fit(grid, own, line.first).slope),
        scatter=scatter.sum(axis=-2) / (count - 1) / count / line.squares,
    )
