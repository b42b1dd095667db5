"""The two kinds of noise, and a memory of the jitter."""

import numpy as np
import pytest
from grids import a_grid
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lccp.analysis.rules.grid import Grid
from lccp.analysis.rules.noise import (
    Sampling,
    SlopeNoise,
    Variance,
    effective_count,
    memory_inflation,
    memory_ratio,
    recent_differences,
    second_differences,
    several,
    variance_of_mean,
)
from lccp.analysis.simulation import Jitter

spacings = st.lists(st.integers(1, 500), min_size=3, max_size=15)


def variance(value: float, degrees: float) -> Variance:
    return Variance(np.array(value), np.array(degrees))


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.5, 50), st.floats(0.5, 50))
def test_degrees_of_a_sum_lie_between_the_least_and_the_sum(
    a: float, b: float, degrees_a: float, degrees_b: float
) -> None:
    total = variance(a, degrees_a) + variance(b, degrees_b)
    assert total.value == a + b
    assert min(degrees_a, degrees_b) * (1 - 1e-9) <= total.degrees
    assert total.degrees <= (degrees_a + degrees_b) * (1 + 1e-9)


def test_degrees_are_those_of_welch() -> None:
    total = variance(3.0, 4) + variance(1.0, 9)
    assert total.degrees == pytest.approx(16 / (9 / 4 + 1 / 9))
    assert total.half_width(0.9) == pytest.approx(stats.t.ppf(0.9, total.degrees) * 2)


@pytest.mark.slow
@given(spacings, st.floats(-1, 1), st.floats(-1, 1))
def test_a_line_has_no_checkpoint_noise(steps: list[int], slope: float, start: float) -> None:
    grid = Grid(np.cumsum(steps) / 400)
    assert second_differences(grid, start + slope * grid.at) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("lag", [1, 2])
def test_differences_have_the_variance_of_the_noise_at_any_spacing(lag: int) -> None:
    rng = np.random.default_rng(0)
    grid = Grid(np.cumsum([10, 90, 300, 20, 20, 160]) / 400)
    drawn = second_differences(grid, rng.normal(0, 0.003, (40_000, 6)), lag)
    assert (drawn**2).mean(axis=0) == pytest.approx(9e-6, rel=0.03)


def test_noise_is_taken_from_two_horizons_or_the_last_three_differences() -> None:
    rng, grid = np.random.default_rng(1), a_grid(4, 3)
    values = rng.normal(size=12)
    mean, count = recent_differences(grid, values)
    assert count[2:].tolist() == [1, 2, 3, 4, 5, 6, 7, 7, 7, 7]
    squares = second_differences(grid, values) ** 2
    assert mean[-1] == pytest.approx(squares[-7:].mean())
    sparse = Grid(8 * grid.at)
    assert recent_differences(sparse, values)[0][-1] == pytest.approx(squares[-3:].mean())


def test_kinds_with_one_cluster_alone_say_nothing() -> None:
    many, one = np.zeros((3, 5)), np.zeros((1, 5))
    assert len(several({"haystack": many, "needle": one})) == 1
    assert variance_of_mean(np.array([[1.0], [3.0]])) == pytest.approx(1.0)


def test_what_samples_explain_of_the_noise_is_counted_once() -> None:
    kinds = (Sampling(7, np.array(2.0), np.array(0.5)), Sampling(3, np.array(1.0), np.array(1.0)))
    noise = SlopeNoise(np.array(4.0), np.array(10.0), kinds)
    assert noise.checkpoint == pytest.approx(2.5)
    assert noise.sampling.value == pytest.approx(3.0)
    assert noise.variance.value == pytest.approx(5.5)
    all_sampling = SlopeNoise(np.array(1.0), np.array(10.0), kinds)
    assert all_sampling.checkpoint == 0


def test_a_look_weighs_scatter_and_what_persists_by_their_own_errors() -> None:
    t = stats.t.ppf
    persists = SlopeNoise(
        np.array(1.0), np.array(9.0), (Sampling(3, np.array(4.0), np.array(0.0)),)
    )
    expected = t(0.999, 9) ** 2 * 1.0 + t(0.99, 3) ** 2 * 4.0
    assert persists.half_width(0.001, 0.01) ** 2 == pytest.approx(expected)
    scatters = SlopeNoise(
        np.array(1.0), np.array(9.0), (Sampling(30, np.array(1.0), np.array(1.0)),)
    )
    assert scatters.half_width(0.001, 0.01) ** 2 == pytest.approx(t(0.999, 9) ** 2)


@pytest.mark.parametrize(("memory", "ratio"), [(0.0, 1.0), (0.5, 1.65), (0.8, 1.93)])
def test_the_ratio_tells_a_memory(memory: float, ratio: float) -> None:
    grid = a_grid(5, 80)
    drawn = Jitter(1.0, memory=memory).draw((50, 400), np.random.default_rng(2))
    found, count = memory_ratio(grid, drawn, 80)
    assert np.median(found[:, -1]) == pytest.approx(ratio, rel=0.05)
    assert (count[-1], np.isnan(found[:, 6]).all()) == (400, True)


def test_a_curve_makes_a_ratio_that_no_memory_makes() -> None:
    grid = a_grid(5, 8)
    assert memory_ratio(grid, np.exp(-grid.at), 4)[0][-1] > 10


def test_only_a_clear_memory_widens_an_interval_and_a_curve_does_not() -> None:
    ratios, count = np.array([np.nan, 0.9, 1.2, 1.65, 5.0]), np.full(5, 40.0)
    widened = memory_inflation(ratios, count)
    assert widened[[0, 1, 2, 4]].tolist() == [1, 1, 1, 1]
    assert widened[3] == pytest.approx(3 * 1.5 / 0.625, rel=0.02)


def test_residuals_that_follow_each_other_count_as_fewer() -> None:
    n = np.array(40.0)
    assert effective_count(n, np.array(10.0), np.array(-5.0)) == 40
    half = effective_count(n, np.array(10.0), np.array(5.0))
    assert half == pytest.approx(40 * (1 - 0.6) / (1 + 0.6))
    assert effective_count(n, np.array(0.0), np.array(0.0)) == pytest.approx(40 * 0.95 / 1.05)
