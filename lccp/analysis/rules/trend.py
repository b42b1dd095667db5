"""An exact test for a rise where checkpoints are too few for an interval.

Mann-Kendall (Mann, Econometrica 13, 1945): how many pairs of checkpoints rise, less those that
fall. Under no trend every order is equally likely, so its distribution is known exactly, without
any estimate of the noise: a curve that bends is not read as jitter.
"""

import math
from functools import cache

import numpy as np

from lccp.analysis.rules.grid import Array, Grid

CHECKPOINTS = 5
"""The newest checkpoints that are tested; four where there are no more."""
SPARSE = 4.0
"""Checkpoints a horizon from which the interval of the gain is the better test."""


def rise_probability(grid: Grid, values: Array) -> Array:
    """[..., K]: probability of as clear a rise of the newest checkpoints without any trend.

    1 where there are fewer than four, or more than four a horizon.
    """
    probability = np.ones(values.shape)
    for k in range(3, len(grid)):
        if grid.density[k] < SPARSE:
            newest = values[..., max(0, k + 1 - CHECKPOINTS) : k + 1]
            probability[..., k] = _upper_tail(newest)
    return probability


def _upper_tail(values: Array) -> Array:
    n = values.shape[-1]
    before, after = np.triu_indices(n, 1)
    score = np.sign(values[..., after] - values[..., before]).sum(axis=-1)
    rising = np.ceil((len(before) + score) / 2).astype(np.intp)
    probability: Array = _tails(n)[rising]
    return probability


@cache
def _tails(n: int) -> Array:
    """Probability of at least r rising pairs among n values, for r = 0, 1, …

    Π (1 + q + … + qⁱ), i < n, counts the orders by their number of rising pairs.
    """
    counts = np.ones(1)
    for i in range(1, n):
        counts = np.convolve(counts, np.ones(i + 1))
    tails: Array = counts[::-1].cumsum()[::-1] / math.factorial(n)
    return tails
