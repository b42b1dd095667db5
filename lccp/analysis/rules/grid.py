"""The positions of a run's fitted checkpoints, and the windows that end at each of them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

FLOATS = 1e-9


@dataclass(frozen=True)
class Grid:
    """Tokens of the fitted checkpoints, in horizons."""

    at: Array
    """[K], ascending."""
    rounding: float = 0.0
    """By how much a checkpoint may be later than requested, in horizons."""

    @property
    def slack(self) -> float:
        """By how much a window may be longer: this rounding, and that of floats."""
        return self.rounding + FLOATS

    def __len__(self) -> int:
        return len(self.at)

    @cached_property
    def indices(self) -> Indices:
        """[K]: 0, 1, …"""
        return np.arange(len(self.at))

    @cached_property
    def span(self) -> Array:
        """[K]: horizons from the first fitted checkpoint to each."""
        return self.at - self.at[:1]

    @cached_property
    def density(self) -> Array:
        """[K]: checkpoints a horizon so far; 0 at the first."""
        unknown = np.zeros(len(self))
        density: Array = np.divide(self.indices, self.span, out=unknown, where=self.span > 0)
        return density

    def window(self, length: float, fewest: int) -> Indices:
        """[K]: first checkpoint within `length` horizons of each, or the `fewest` newest."""
        begin = np.searchsorted(self.at, self.at - length - self.slack)
        return np.maximum(0, np.minimum(begin, self.indices + 1 - fewest))

    def before(self, first: Indices) -> Indices:
        """[K]: the checkpoint whose window is the next before [first, k]; -1: there is none.

        It is the newest one at least a horizon back that is not inside k's window.
        """
        newest = np.searchsorted(self.at, self.at - 1 + self.slack, "right") - 1
        return np.minimum(newest, first)

    def spans(self, length: float) -> Flags:
        """[K]: the fitted checkpoints up to each span `length` horizons."""
        return self.span >= length - self.slack


@dataclass(frozen=True)
class RunningSums:
    """Sums from the first value on, from which those of any windows follow."""

    up_to: Array
    """[..., n + 1]: the sum of the first 0, 1, … n values."""

    @classmethod
    def of(cls, values: Array) -> "RunningSums":
        """Of `values` [..., n]."""
        sums = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
        np.cumsum(values, axis=-1, out=sums[..., 1:])
        return cls(sums)

    def since(self, first: Indices) -> Array:
        """[..., n]: sums of the values from `first` [n] to each, both included."""
        sums: Array = self.up_to.take(first, axis=-1)
        return np.subtract(self.up_to[..., 1:], sums, out=sums)


def window_sums(values: Array, first: Indices, last: Indices) -> Array:
    """[..., K]: sums of `values` [..., n] from `first` to `last`, both included."""
    sums = RunningSums.of(values).up_to
    between: Array = sums.take(last + 1, axis=-1) - sums.take(first, axis=-1)
    return between
