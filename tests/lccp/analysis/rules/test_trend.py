"""The exact test for a rise where checkpoints are sparse."""

from itertools import permutations

import numpy as np
import pytest
from grids import a_grid

from lccp.analysis.rules.grid import Grid
from lccp.analysis.rules.trend import rise_probability

PAPER = np.array([20, 50, 100, 150, 200]) / 25


def rising_pairs(values: tuple[int, ...]) -> int:
    return sum(b > a for i, a in enumerate(values) for b in values[i + 1 :])


@pytest.mark.parametrize("count", [4, 5])
def test_the_probability_counts_all_orders(count: int) -> None:
    grid, orders = a_grid(1, count), list(permutations(range(count)))
    for order in orders[::7]:
        as_clear = sum(rising_pairs(other) >= rising_pairs(order) for other in orders)
        found = rise_probability(grid, np.array(order, dtype=float))
        assert found[-1] == pytest.approx(as_clear / len(orders))


def test_a_curve_that_bends_is_a_rise_all_the_same() -> None:
    rises = -np.exp(-PAPER)
    assert rise_probability(Grid(PAPER), rises).tolist() == pytest.approx(
        [1, 1, 1, 1 / 24, 1 / 120]
    )


def test_only_the_newest_five_are_looked_at() -> None:
    early = np.array([9.0, 8.0, 7.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    assert rise_probability(a_grid(1, 8), early)[-1] == pytest.approx(1 / 120)


def test_values_that_are_equal_neither_rise_nor_fall() -> None:
    assert rise_probability(a_grid(1, 5), np.ones(5))[-1] > 0.5


def test_where_checkpoints_are_dense_the_interval_alone_speaks() -> None:
    assert rise_probability(a_grid(5, 4), np.arange(20.0)).tolist() == [1.0] * 20


def test_on_a_plateau_it_is_wrong_as_often_as_it_says() -> None:
    values = np.random.default_rng(0).normal(size=(20_000, 5))
    claimed = rise_probability(a_grid(1, 5), values)[:, -1] <= 0.05
    assert claimed.mean() == pytest.approx(5 / 120, abs=0.005)
