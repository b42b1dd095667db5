"""The growing line: when a plateau is a saturation, and when it is not."""

import numpy as np
import pytest
from grids import a_grid, alike, course, simulated_course, standing

from lccp.analysis.rules.course import Course
from lccp.analysis.rules.grid import Grid
from lccp.analysis.rules.measure import Measure
from lccp.analysis.rules.plateau import levels, look_error
from lccp.analysis.simulation import Jitter


def first_said(at: np.ndarray, of: Course) -> float | None:
    said = standing(of)
    return float(at[said.argmax()]) if said.any() else None


def wobble(grid: Grid, size: float = 1e-3) -> np.ndarray:
    """Jitter that goes up and down, without a memory."""
    return size * (-1.0) ** np.arange(len(grid))


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_a_flat_course_is_saturated_once_it_spans_the_patience(patience: int) -> None:
    grid = a_grid(5, 8)
    found = course(grid, wobble(grid), Measure(patience=patience))
    assert first_said(grid.at, found) == pytest.approx(grid.at[0] + patience)


def test_a_plateau_counts_from_where_the_rise_ends() -> None:
    grid = a_grid(5, 12)
    found = course(grid, np.minimum(4 * grid.at, 12) + wobble(grid))
    assert first_said(grid.at, found) == pytest.approx(3 + 2, abs=0.21)


@pytest.mark.slow
@pytest.mark.parametrize("gain", [1.0, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("jitter", [Jitter(0.3), Jitter(0.3, memory=0.5), Jitter(0.6, "Growing")])
def test_a_drift_that_pays_is_rarely_saturated(gain: float, jitter: Jitter) -> None:
    grid = a_grid(5, 8)
    found = simulated_course(grid, gain * grid.at, 0, jitter=jitter)
    assert standing(found).any(axis=1).mean() <= (0.045 if gain == 1.0 else 0.005)


@pytest.mark.slow
def test_jitter_with_a_memory_decides_later_but_decides() -> None:
    grid, flat = a_grid(10, 8), np.zeros(80)
    white, remembers = (
        standing(simulated_course(grid, flat, 0, jitter=jitter))
        for jitter in (Jitter(0.6), Jitter(0.6, memory=0.5))
    )
    assert white.any(axis=1).mean() > 0.99
    assert remembers.any(axis=1).mean() > 0.9
    assert np.median(remembers.argmax(axis=1)) > np.median(white.argmax(axis=1))


@pytest.mark.slow
def test_a_drop_inside_a_drift_is_no_plateau() -> None:
    grid = a_grid(10, 8)
    drop = 1.5 * grid.at - 3 * (grid.at > 4)
    assert standing(simulated_course(grid, drop, 0.1)).any(axis=1).mean() < 0.02


def test_clusters_that_follow_each_in_its_own_way_are_heeded() -> None:
    """The mean is flat, but of its four needles two gain 1.2 least gains a horizon and two lose."""
    grid = a_grid(5, 8)
    flat = wobble(grid)
    own = np.array([-1.2, -1.2, 1.2, 1.2])[:, None] * grid.at
    needles = Course.of(grid, flat, {"needle": flat + own}, Measure())
    assert not standing(needles).any()
    assert standing(Course.of(grid, flat, alike(flat), Measure())).any()


def test_errors_are_spread_over_the_looks_of_a_run() -> None:
    dense, sparse = a_grid(10, 8), a_grid(1, 8)
    assert look_error(dense, Measure(horizons=8))[-1] == pytest.approx(0.02 / 40)
    assert look_error(dense, Measure(horizons=16))[-1] == pytest.approx(0.02 / 80)
    assert look_error(sparse, Measure(horizons=8))[-1] == pytest.approx(0.02 / 1.6)
    assert look_error(dense, Measure(confidence=0.9, horizons=8))[-1] == pytest.approx(0.04 / 40)


def test_a_line_needs_five_checkpoints_and_its_whole_length() -> None:
    grid = a_grid(2, 3)
    shortest = next(levels(grid, wobble(grid), alike(wobble(grid)), Measure()))
    assert np.isinf(shortest.half[:4]).all()
    assert np.isfinite(shortest.half[4:]).all()
    longest = list(levels(grid, wobble(grid), alike(wobble(grid)), Measure()))[-1]
    assert np.isinf(longest.half).all()
