"""What must last before it is declared, and what holds until it is refuted.

A gain covers one horizon, so on a true plateau its interval misses 0 at some checkpoint of most
runs. A loss is therefore declared only if it lasts, and a saturation retracted only by a gain that
lasts.
"""

from dataclasses import replace

import numpy as np

from lccp.analysis.rules.gains import Gains
from lccp.analysis.rules.grid import Array, Flags, Grid, window_sums
from lccp.analysis.rules.measure import Measure
from lccp.analysis.rules.noise import memory_inflation, memory_ratio

LASTS = 0.4
"""Horizons."""
FEWEST = 4
"""Checkpoints."""
CHECKPOINTS = 20
"""Checkpoints of a run up to which each may be wrong by 1 - confidence about a loss."""
MEMORY_HORIZONS = 4.0
SPARSE = 2.5
"""Checkpoints a horizon below which no more than two in a row can be required."""


def regressing(grid: Grid, values: Array, gains: Gains, measure: Measure) -> Flags:
    """[..., K]: a loss that lasts: the upper end of the gain's interval stays below 0.

    The interval is wider than the one shown: beyond twenty checkpoints the error of 1 - confidence
    is spread over those of the run, and a memory of the noise widens it.
    """
    inflation = memory_inflation(*memory_ratio(grid, values, MEMORY_HORIZONS))
    noise = replace(gains.noise, noise=inflation * gains.noise.noise)
    error = 1 - measure.confidence
    share = np.minimum(1.0, CHECKPOINTS / np.maximum(measure.checkpoints(grid), 1.0))
    half = noise.half_width(share * error, error)
    return lasting(grid, gains.gain + half < 0)


def resumed(grid: Grid, gains: Gains, min_gain: float) -> Flags:
    """[..., K]: a gain that pays again, and lasts: it refutes a saturation."""
    return lasting(grid, gains.gain >= min_gain)


def lasting(grid: Grid, flags: Flags) -> Flags:
    """[..., K]: `flags` were true at every checkpoint of the last 0.4 horizons, and at four.

    Where there are fewer than 2.5 checkpoints a horizon, two in a row are enough.
    """
    last = grid.indices
    dense = np.minimum(grid.window(LASTS, 1), last + 1 - FEWEST)
    first = np.where(grid.density < SPARSE, last - 1, dense)
    seen = window_sums(flags.astype(float), np.maximum(first, 0), last)
    lasts: Flags = (first >= 0) & (seen == last - np.maximum(first, 0) + 1)
    return lasts


def held(said: Flags, refuted: Flags) -> Flags:
    """[..., K]: `said` at some checkpoint, and `refuted` neither since nor at this one."""
    standing = np.zeros_like(said)
    before = np.zeros(said.shape[:-1], dtype=np.bool_)
    for k in range(said.shape[-1]):
        before = (before | said[..., k]) & ~refuted[..., k]
        standing[..., k] = before
    return standing
