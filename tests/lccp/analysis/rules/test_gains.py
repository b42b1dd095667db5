"""Gains and their intervals."""

import math

import numpy as np
import pytest
from grids import a_grid, alike
from hypothesis import given
from hypothesis import strategies as st

from lccp.analysis.rules.gains import Gains
from lccp.analysis.rules.grid import Grid
from lccp.analysis.simulation import Jitter, SimulatedClusters, simulated

spacings = st.lists(st.integers(1, 500), min_size=3, max_size=15)
values = st.lists(st.floats(-1, 1), min_size=15, max_size=15)


def clusters(values: np.ndarray, count: int = 6, spread: float = 0.01) -> dict[str, np.ndarray]:
    scatter = np.random.default_rng(0).normal(0, spread, (count, len(values)))
    return {"haystack": values + scatter - scatter.mean(axis=0)}


def numbers(gains: Gains) -> np.ndarray:
    return np.stack([gains.gain, *gains.interval(0.95)])[:, 2:]


@pytest.mark.slow
@given(spacings, values, st.floats(-5, 5))
def test_adding_a_constant_changes_no_gain(
    steps: list[int], y: list[float], constant: float
) -> None:
    grid, of = Grid(np.cumsum(steps) / 400), np.array(y[: len(steps)])
    kinds = clusters(of)
    shifted = {kind: part + constant for kind, part in kinds.items()}
    assert numbers(Gains.of(grid, of, kinds)) == pytest.approx(
        numbers(Gains.of(grid, of + constant, shifted)), rel=1e-5, abs=1e-6
    )


@pytest.mark.slow
@given(spacings, values, st.randoms(use_true_random=False))
def test_the_order_of_haystacks_does_not_matter(
    steps: list[int], y: list[float], random: st.DataObject
) -> None:
    grid, of = Grid(np.cumsum(steps) / 400), np.array(y[: len(steps)])
    kinds = clusters(of)
    order = list(range(6))
    random.shuffle(order)
    mixed = {"haystack": kinds["haystack"][order]}
    assert numbers(Gains.of(grid, of, kinds)) == pytest.approx(
        numbers(Gains.of(grid, of, mixed)), rel=1e-9
    )


def test_the_first_two_checkpoints_have_no_gain() -> None:
    for count in (1, 2, 3):
        grid = a_grid(4, count / 4)
        rise = 0.1 * grid.at
        gains = Gains.of(grid, rise, alike(rise))
        assert np.isnan(gains.gain[:2]).all()
        assert gains.gain[2:] == pytest.approx(0.1)
        assert numbers(gains)[:, :1] == pytest.approx(0.1)


def test_the_unit_of_values_scales_gain_and_interval() -> None:
    rng, grid = np.random.default_rng(2), a_grid(5, 3)
    of = rng.normal(size=15)
    small = {kind: 0.01 * part for kind, part in clusters(of).items()}
    assert 0.01 * numbers(Gains.of(grid, of, clusters(of))) == pytest.approx(
        numbers(Gains.of(grid, 0.01 * of, small))
    )


def test_haystacks_and_needles_both_count() -> None:
    grid = a_grid(5, 2)
    own = np.array([-1.0, 1.0])[:, None] * grid.at
    gains = Gains.of(grid, np.zeros(10), {"haystack": own, "needle": 2 * own})
    assert gains.noise.sampling.value[2:] == pytest.approx(2 / 2 + 8 / 2)


def test_jitter_widens_the_interval_however_many_haystacks_there_are() -> None:
    rng, grid = np.random.default_rng(2), a_grid(4, 3)
    jitter = rng.normal(0, 0.006, 12)
    gains = Gains.of(grid, jitter, clusters(jitter, 40, 1e-6))
    assert gains.noise.checkpoint[-1] > 1e4 * gains.noise.sampling.value[-1]


def test_claims_are_false_less_often_than_the_confidence_allows() -> None:
    """One-sided, by checkpoint; at the third one alone it may pass 5 % a little."""
    rng, grid, true = np.random.default_rng(3), a_grid(4, 5 / 4), 1.0
    kinds = {"haystack": SimulatedClusters(20, 0.1, 0.2), "needle": SimulatedClusters(8, 0.2, 0.1)}
    values, by = simulated(grid.at, true * grid.at, Jitter(0.15), kinds, 4_000, rng)
    lower, upper = Gains.of(grid, values, by).interval(0.95)
    for missed in ((lower > true).mean(axis=0), (upper < true).mean(axis=0)):
        assert missed[3:].max() < 0.05 + 2 * math.sqrt(0.05 / 4_000)
        assert missed[2] < 0.065
