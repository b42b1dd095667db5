"""Least-squares lines over many windows at once, by cumulative sums from the first checkpoint."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lccp.analysis.rules.grid import Array, Grid, Indices, RunningSums, window_sums


@dataclass(frozen=True)
class Points:
    """What lines are drawn through, with the sums that lines of every length share."""

    at: Array
    """[K], from the first checkpoint on."""
    values: Array
    """[..., K], less the first one: exactly 0 where nothing moves."""

    @classmethod
    def of(cls, grid: Grid, values: Array) -> "Points":
        """`values` [..., K] at the grid's checkpoints."""
        return cls(grid.span, values - values[..., :1])

    @cached_property
    def sums(self) -> RunningSums:
        """Σ y"""
        return RunningSums.of(self.values)

    @cached_property
    def crossed(self) -> RunningSums:
        """Σ x y"""
        return RunningSums.of(self.at * self.values)

    @cached_property
    def squares(self) -> RunningSums:
        """Σ y²"""
        return RunningSums.of(self.values**2)


@dataclass(frozen=True)
class Lines:
    """The line through `points` from checkpoint `first[k]` to k, for every checkpoint k.

    A line over one checkpoint is level.
    """

    points: Points
    first: Indices

    @classmethod
    def fit(cls, grid: Grid, values: Array, first: Indices) -> "Lines":
        """Lines through `values` over the windows that begin at `first`."""
        return cls(Points.of(grid, values), first)

    @cached_property
    def count(self) -> Array:
        """[K]: checkpoints in the window."""
        return (self._last - self.first + 1).astype(np.float64)

    @cached_property
    def squares(self) -> Array:
        """[K]: Σ (x - mean x)²; a slope's variance is the noise's over it. 1 of one checkpoint."""
        at = self.points.at
        spread = self._sum(at**2) - self._mean_at * self._sum(at)
        return np.where(self.count > 1, spread, 1.0)

    @cached_property
    def slope(self) -> Array:
        """[..., K]: gain per horizon."""
        crossed = self.points.crossed.since(self.first) - self._mean_at * self._sum_of_values
        return crossed / self.squares

    @cached_property
    def residual_squares(self) -> Array:
        """[..., K]: sum of the squared residuals."""
        spread = self.points.squares.since(self.first) - self._mean_value * self._sum_of_values
        return np.maximum(0.0, spread - self.slope**2 * self.squares)

    @cached_property
    def residual_products(self) -> Array:
        """[..., K]: sum of the products of consecutive residuals."""
        before, after = slice(None, -1), slice(1, None)
        x, y = self.points.at, self.points.values
        level = self._mean_value - self.slope * self._mean_at
        pairs = self.count - 1
        products = self._pairs(y[..., before] * y[..., after])
        products -= level * self._pairs(y[..., before] + y[..., after])
        products -= self.slope * self._pairs(y[..., before] * x[after] + y[..., after] * x[before])
        products += level * (level * pairs + self.slope * self._pairs(x[before] + x[after]))
        return products + self.slope**2 * self._pairs(x[before] * x[after])

    @cached_property
    def _last(self) -> Indices:
        return np.arange(len(self.first))

    @cached_property
    def _mean_at(self) -> Array:
        return self._sum(self.points.at) / self.count

    @cached_property
    def _mean_value(self) -> Array:
        return self._sum_of_values / self.count

    @cached_property
    def _sum_of_values(self) -> Array:
        return self.points.sums.since(self.first)

    def _sum(self, of: Array) -> Array:
        return RunningSums.of(of).since(self.first)

    def _pairs(self, of: Array) -> Array:
        """Sums over the pairs (j, j + 1) inside the window, given at j."""
        return window_sums(of, self.first, self._last - 1)
