"""All rules about one signal."""

import numpy as np
import pytest
from grids import a_grid, alike, course, standing

from lccp.analysis.rules.course import Course, stands_still
from lccp.analysis.rules.grid import Grid
from lccp.analysis.rules.measure import Measure


def test_a_rise_is_improving_from_the_third_checkpoint() -> None:
    grid = a_grid(4, 3)
    found = course(grid, 3 * grid.at)
    assert found.improving.tolist() == [False] * 2 + [True] * 10
    assert not found.plateau.any()
    assert not found.regressing.any()


def test_a_fall_is_regressing_once_it_has_lasted() -> None:
    grid = a_grid(4, 3)
    found = course(grid, -3 * grid.at)
    assert found.regressing.tolist() == [False] * 5 + [True] * 7


def test_a_small_loss_is_a_plateau() -> None:
    grid = a_grid(4, 4)
    found = course(grid, -0.2 * grid.at)
    assert found.plateau.tolist() == [False] * 4 + [True] * 12
    assert not found.regressing[4:].any()


def test_a_plateau_needs_a_whole_horizon_and_is_counted_end_to_end() -> None:
    grid = a_grid(4, 4)
    found = course(grid, 1e-3 * np.random.default_rng(0).normal(size=16))
    assert found.plateau_horizons().tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4


@pytest.mark.parametrize("level", [1.0, 0.1, -0.7])
def test_weights_that_do_not_move_are_never_judged(level: float) -> None:
    grid = Grid(np.cumsum([0.15, 0.2, 0.35, 0.3, 0.41, 0.9, 0.8, 0.7]))
    found = course(grid, np.full(8, level))
    assert found.still.tolist() == [False] * 2 + [True] * 6
    assert not (found.plateau | found.improving | found.regressing).any()
    assert not standing(found).any()


def test_a_saturation_ends_where_the_weights_stop_moving() -> None:
    grid = a_grid(5, 6)
    moves = 1e-3 * np.random.default_rng(0).normal(size=30)
    moves[25:] = moves[25]
    assert standing(course(grid, moves)).tolist()[-6:] == [True] * 3 + [False] * 3


def test_one_cluster_that_moves_is_enough() -> None:
    flat = np.ones(4)
    clusters = {"haystack": np.stack([flat, flat + np.array([0.0, 0.1, 0.0, 0.1])])}
    assert not stands_still(flat, clusters).any()


def test_sparse_checkpoints_improve_by_their_order() -> None:
    paper = Grid(np.array([20, 50, 100, 150, 200]) / 25)
    falls = np.array([-0.30, -0.22, -0.17, -0.15, -0.145]) / 0.01
    clusters = alike(falls)
    found = Course.of(paper, falls, clusters, Measure())
    assert found.improving[3:].all()


def test_a_saturation_is_said_only_where_it_may_be() -> None:
    grid = a_grid(5, 6)
    found = course(grid, 1e-3 * np.random.default_rng(0).normal(size=30))
    late = found.saturated(grid.at >= 5)
    assert grid.at[late.argmax()] == pytest.approx(5)
    assert not found.saturated(np.zeros(30, dtype=np.bool_)).any()
