"""The length of a run, as far as it is known."""

import numpy as np

from lccp.analysis.rules.grid import Grid
from lccp.analysis.rules.measure import Measure

GRID = Grid(np.array([0.5, 1.0, 1.5, 4.5]))


def test_without_a_budget_a_run_is_as_long_as_was_trained() -> None:
    assert Measure().length(GRID).tolist() == [0.5, 1.0, 1.5, 4.5]


def test_a_budget_is_the_least_length() -> None:
    assert Measure(horizons=2.0).length(GRID).tolist() == [2.0, 2.0, 2.0, 4.5]


def test_checkpoints_are_expected_at_the_density_so_far() -> None:
    """None at the first; then two a horizon, and three quarters after a long gap."""
    assert Measure(horizons=10.0).checkpoints(GRID).tolist() == [0.0, 20.0, 20.0, 7.5]
