"""Least-squares lines over many windows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.analysis.rules.grid import Grid
from lccp.analysis.rules.lines import Lines, Points

spacings = st.lists(st.integers(1, 500), min_size=3, max_size=15)
values = st.lists(st.floats(-1, 1), min_size=15, max_size=15)


@pytest.mark.slow
@given(spacings, values)
def test_slope_and_residuals_are_those_of_a_fit_to_the_window(
    steps: list[int], y: list[float]
) -> None:
    grid, of = Grid(np.cumsum(steps) / 400), np.array(y[: len(steps)])
    lines = Lines.fit(grid, of, grid.window(1, 3))
    for k in range(2, len(steps)):
        inside = slice(lines.first[k], k + 1)
        x = grid.at[inside]
        slope, level = np.polyfit(x, of[inside], 1)
        left = of[inside] - level - slope * x
        assert lines.slope[k] == pytest.approx(slope, abs=1e-6)
        assert lines.residual_squares[k] == pytest.approx(left @ left, abs=1e-8)
        assert lines.residual_products[k] == pytest.approx(left[1:] @ left[:-1], abs=1e-8)


@pytest.mark.slow
@given(spacings, values, st.floats(-5, 5))
def test_a_constant_changes_no_slope(steps: list[int], y: list[float], constant: float) -> None:
    grid, of = Grid(np.cumsum(steps) / 400), np.array(y[: len(steps)])
    windows = grid.window(2, 4)
    plain, shifted = (Lines.fit(grid, part, windows) for part in (of, of + constant))
    assert plain.slope == pytest.approx(shifted.slope, abs=1e-6)


def test_what_does_not_move_has_a_slope_of_exactly_zero() -> None:
    grid = Grid(np.array([0.1, 0.23, 0.57, 0.9, 1.3]))
    lines = Lines.fit(grid, np.full(5, 0.7), grid.window(1, 3))
    assert not lines.slope.any()
    assert not lines.residual_squares.any()


def test_many_runs_are_fitted_at_once() -> None:
    rng, grid = np.random.default_rng(0), Grid(np.arange(1, 11) / 5)
    runs = rng.normal(size=(3, 4, 10))
    windows = grid.window(1, 3)
    single = Lines.fit(grid, runs[2, 1], windows)
    assert Lines.fit(grid, runs, windows).slope[2, 1] == pytest.approx(single.slope)


def test_lines_of_several_lengths_are_drawn_through_the_same_points() -> None:
    grid = Grid(np.arange(1, 21) / 5)
    y = np.random.default_rng(0).normal(size=(3, 20))
    points = Points.of(grid, y)
    for length in (1, 2, 3):
        shared, own = (
            Lines(points, grid.window(length, 3)),
            Lines.fit(grid, y, grid.window(length, 3)),
        )
        for of in ("slope", "residual_squares", "residual_products"):
            assert np.array_equal(getattr(shared, of), getattr(own, of))


def test_a_line_far_from_the_origin_is_as_exact() -> None:
    rng = np.random.default_rng(1)
    near = Grid(np.arange(1, 10_001) / 100)
    far = Grid(near.at + 1_000)
    y = rng.normal(0, 1e-3, 10_000)
    of_near, of_far = (Lines.fit(grid, y, grid.window(1, 3)).slope for grid in (near, far))
    assert of_near == pytest.approx(of_far, abs=1e-9)
    assert of_near[-1] == pytest.approx(np.polyfit(near.at[-101:], y[-101:], 1)[0], abs=1e-9)
