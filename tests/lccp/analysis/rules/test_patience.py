"""What must last before it is declared, and what holds until it is refuted."""

import numpy as np
import pytest
from grids import a_grid, simulated_course, standing

from lccp.analysis.rules.grid import Grid
from lccp.analysis.rules.patience import held, lasting
from lccp.analysis.simulation import Jitter

pytestmark = pytest.mark.slow


def flags(text: str) -> np.ndarray:
    return np.array([mark == "x" for mark in text])


@pytest.mark.parametrize(
    ("density", "seen", "lasts"),
    [
        (10, "xxxx.xxxxxx", "...x.....xx"),
        (20, ".xxxxxxxxxx", ".........xx"),
        (5, "xxx.xxxxx", ".......xx"),
        (2, "x.xx.xxx", "...x..xx"),
    ],
)
def test_flags_last_a_stretch_and_four_checkpoints_or_two_where_they_are_sparse(
    density: float, seen: str, lasts: str
) -> None:
    grid = a_grid(density, len(seen) / density)
    assert lasting(grid, flags(seen)).tolist() == flags(lasts).tolist()


def test_what_was_said_stands_until_it_is_refuted() -> None:
    said, refuted = flags(".x...x..."), flags("...x...x.")
    assert held(said, refuted).tolist() == flags(".xx..xx..").tolist()
    assert held(said, said).tolist() == [False] * 9


@pytest.mark.parametrize("jitter", [Jitter(0.3), Jitter(0.6), Jitter(0.6, "HeavyTails")])
@pytest.mark.parametrize("density", [1.0, 2.5, 5.0, 10.0])
def test_a_plateau_is_rarely_called_a_loss(density: float, jitter: Jitter) -> None:
    grid = a_grid(density, 8)
    course = simulated_course(grid, 0 * grid.at, 0, jitter=jitter)
    assert course.regressing.any(axis=1).mean() <= 0.03


@pytest.mark.parametrize(("density", "within"), [(2.0, 2.5), (5.0, 1.6), (10.0, 1.2)])
def test_a_loss_is_seen_soon(density: float, within: float) -> None:
    grid = a_grid(density, 8)
    loss = np.where(grid.at > 5, -3 * (grid.at - 5), 0.0)
    course = simulated_course(grid, loss, 0.2)
    soon = (grid.at > 5) & (grid.at <= 5 + within + 1e-9)
    assert course.regressing[:, soon].any(axis=1).mean() > 0.8


@pytest.mark.parametrize("sigma", [0.2, 0.6])
def test_a_saturation_stands_on_a_plateau_and_ends_when_learning_starts_again(sigma: float) -> None:
    grid = a_grid(5, 9)
    still = standing(simulated_course(grid, 0 * grid.at, sigma))
    first = still.argmax(axis=1)
    after = still & (np.arange(len(grid)) >= first[:, None])
    assert after.sum() / (len(grid) - first).sum() > 0.97
    again = np.where(grid.at > 5, 3 * (grid.at - 5), 0.0)
    learning = standing(simulated_course(grid, again, sigma))
    before, later = grid.at <= 5, grid.at > 6.5
    held_then = learning[:, before][:, -1]
    assert held_then.any()
    assert learning[held_then][:, later].mean() < 0.03


def test_a_single_checkpoint_lasts_nothing() -> None:
    assert not lasting(Grid(np.array([1.0])), flags("x")).any()
