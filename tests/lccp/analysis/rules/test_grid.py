"""Windows on a grid of checkpoints."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.analysis.rules.grid import Grid, window_sums

spacings = st.lists(st.integers(1, 500), min_size=3, max_size=15)


@pytest.mark.parametrize(
    ("tokens", "first", "before"),
    [
        ((100, 200, 300, 400, 500, 600, 700), 2, 2),
        ((100, 200, 250, 350, 500, 600, 700), 3, 2),
        ((100, 299, 301, 302, 303, 304, 700), 2, 1),
        ((100, 200, 300, 1_000, 2_000, 3_000), 3, 3),
        ((500, 600, 700), 0, -1),
        ((100, 650, 700), 0, 0),
    ],
)
def test_windows_share_at_most_their_ends(tokens: tuple[int, ...], first: int, before: int) -> None:
    grid = Grid(np.array(tokens) / 400)
    windows = grid.window(1, 3)
    assert (windows[-1], grid.before(windows)[-1]) == (first, before)


@pytest.mark.slow
@given(spacings, st.integers(1, 2_000), st.integers(0, 50))
def test_windows_end_to_end_hold_a_horizon_each(
    steps: list[int], horizon: int, rounding: int
) -> None:
    tokens = np.cumsum(steps)
    grid = Grid(tokens / horizon, rounding / horizon)
    windows = grid.window(1, 3)
    for k, before in enumerate(grid.before(windows)):
        if k >= 2 and before >= 0:
            assert before <= windows[k] < k
            assert tokens[k] - tokens[before] >= horizon - rounding - 1e-6


def test_checkpoints_made_at_the_end_of_a_step_keep_their_windows() -> None:
    asked_every_100_with_steps_of_8 = np.array([104, 200, 304, 400, 504, 600])
    exact = Grid(asked_every_100_with_steps_of_8 / 300)
    rounded = Grid(asked_every_100_with_steps_of_8 / 300, 7 / 300)
    assert rounded.window(1, 3)[3:].tolist() == [0, 1, 2]
    assert rounded.before(rounded.window(1, 3))[3:].tolist() == [0, 1, 2]
    assert exact.window(1, 3)[4] == 2
    assert exact.before(exact.window(1, 3))[3] == -1


def test_span_and_density_grow_with_the_run() -> None:
    grid = Grid(np.array([0.5, 1.0, 1.5, 3.5]))
    assert grid.span.tolist() == [0, 0.5, 1.0, 3.0]
    assert grid.density.tolist() == [0, 2, 2, 1]
    assert grid.spans(1).tolist() == [False, False, True, True]


@pytest.mark.slow
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=12), st.data())
def test_sums_of_windows_are_those_of_their_slices(
    values: list[float], data: st.DataObject
) -> None:
    last = np.arange(len(values))
    first = np.array([data.draw(st.integers(0, k)) for k in last])
    sums = window_sums(np.array(values), first, last)
    assert sums == pytest.approx([sum(values[a : k + 1]) for a, k in zip(first, last, strict=True)])
