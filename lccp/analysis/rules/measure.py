"""The thresholds that a signal is judged by."""

from dataclasses import dataclass

import numpy as np

from lccp.analysis.rules.grid import Array, Grid


@dataclass(frozen=True)
class Measure:
    """Thresholds of the rules, and the length of the run, over which their errors are spread."""

    min_gain: float = 1.0
    """δ per horizon, in the unit of the values."""
    patience: int = 2
    confidence: float = 0.95
    horizons: float | None = None
    """In the budget; None: unknown, then those trained so far."""

    def length(self, grid: Grid) -> Array:
        """[K]: horizons of the run, as known at each checkpoint."""
        return np.maximum(grid.at, self.horizons or 0.0)

    def checkpoints(self, grid: Grid) -> Array:
        """[K]: checkpoints of the run, at the density so far."""
        expected: Array = self.length(grid) * grid.density
        return expected
