"""Grids, values and clusters for the rules, in horizons and least gains."""

from collections.abc import Mapping

import numpy as np

from lccp.analysis.rules.course import Course
from lccp.analysis.rules.grid import Array, Grid
from lccp.analysis.rules.measure import Measure
from lccp.analysis.simulation import Jitter, SimulatedClusters, simulated

KINDS = {"haystack": SimulatedClusters(8, 0.05, 0.3), "needle": SimulatedClusters(4, 0.15, 0.1)}


def a_grid(density: float, horizons: float) -> Grid:
    """Evenly spaced checkpoints, `density` a horizon."""
    return Grid(np.arange(1, round(density * horizons) + 1) / density)


def alike(values: Array) -> Mapping[str, Array]:
    """Two kinds of clusters that all hold the same as the whole."""
    return {kind: np.stack([values, values, values], axis=-2) for kind in ("haystack", "needle")}


def course(grid: Grid, values: Array, measure: Measure | None = None) -> Course:
    """Of values without sampling noise."""
    return Course.of(grid, values, alike(values), measure or Measure())


def simulated_course(
    grid: Grid,
    curve: Array,
    sigma: float,
    runs: int = 400,
    seed: int = 0,
    jitter: Jitter | None = None,
) -> Course:
    """Of runs around a curve, eight haystacks and four needles."""
    rng = np.random.default_rng(seed)
    drawn = jitter or Jitter(sigma)
    values, clusters = simulated(grid.at, curve, drawn, KINDS, runs, rng)
    return Course.of(grid, values, clusters, Measure(horizons=float(grid.at[-1])))


def standing(of: Course) -> np.ndarray:
    """[runs, K]: Saturated, where it may be said anywhere."""
    return of.saturated(np.ones(len(of.grid), dtype=np.bool_))
