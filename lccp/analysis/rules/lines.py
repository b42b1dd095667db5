"""Least-squares lines over many windows at once, by cumulative sums from the first checkpoint."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lccp.analysis.rules.grid import Array, Grid, Indices, window_sums


@dataclass(frozen=True)
class Lines:
    """The line through `values` from checkpoint `first[k]` to k, for every checkpoint k."""

    at: Array
    """[K], from the first checkpoint on."""
    values: Array
    """[..., K], less the first one: exactly 0 where nothing moves."""
    first: Indices

    @classmethod
    def fit(cls, grid: Grid, values: Array, first: Indices) -> "Lines":
        """Lines over the windows that begin at `first`; a line over one checkpoint is level."""
        return cls(grid.span, values - values[..., :1], first)

    @cached_property
    def count(self) -> Array:
        """[K]: checkpoints in the window."""
        return (self._last - self.first + 1).astype(np.float64)

    @cached_property
    def squares(self) -> Array:
        """[K]: Σ (x - mean x)²; a slope's variance is the noise's over it. 1 of one checkpoint."""
        spread = self._sum(self.at**2) - self._mean_at * self._sum(self.at)
        return np.where(self.count > 1, spread, 1.0)

    @cached_property
    def slope(self) -> Array:
        """[..., K]: gain per horizon."""
        crossed = self._sum(self.at * self.values) - self._mean_at * self._sum(self.values)
        return crossed / self.squares

    @cached_property
    def residual_squares(self) -> Array:
        """[..., K]: sum of the squared residuals."""
        spread = self._sum(self.values**2) - self._mean_value * self._sum(self.values)
        return np.maximum(0.0, spread - self.slope**2 * self.squares)

    @cached_property
    def residual_products(self) -> Array:
        """[..., K]: sum of the products of consecutive residuals."""
        before, after = slice(None, -1), slice(1, None)
        x, y, level = self.at, self.values, self._mean_value - self.slope * self._mean_at
        pairs = self.count - 1
        products = self._pairs(y[..., before] * y[..., after])
        products -= level * self._pairs(y[..., before] + y[..., after])
        products -= self.slope * self._pairs(y[..., before] * x[after] + y[..., after] * x[before])
        products += level * (level * pairs + self.slope * self._pairs(x[before] + x[after]))
        return products + self.slope**2 * self._pairs(x[before] * x[after])

    @cached_property
    def _last(self) -> Indices:
        return np.arange(len(self.at))

    @cached_property
    def _mean_at(self) -> Array:
        return self._sum(self.at) / self.count

    @cached_property
    def _mean_value(self) -> Array:
        return self._sum(self.values) / self.count

    def _sum(self, of: Array) -> Array:
        return window_sums(of, self.first, self._last)

    def _pairs(self, of: Array) -> Array:
        """Sums over the pairs (j, j + 1) inside the window, given at j."""
        return window_sums(of, self.first, self._last - 1)
