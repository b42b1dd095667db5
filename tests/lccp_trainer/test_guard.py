import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp_trainer.guard import FEWEST, WINDOW, Guard

RNG = np.random.default_rng(0)


def watched(losses: list[float], norms: list[float] | None = None) -> Guard:
    guard = Guard()
    for loss, norm in zip(losses, norms or [1.0] * len(losses), strict=True):
        assert guard.watch(loss, norm) is None, (loss, norm)
    return guard


def noisy(steps: int = 200) -> list[float]:
    return [float(loss) for loss in 3 - np.arange(steps) / 500 + RNG.normal(0, 0.05, steps)]


def test_noise_and_a_falling_loss_are_no_spikes() -> None:
    watched(noisy(2_000), [float(norm) for norm in RNG.lognormal(0, 0.2, 2_000)])


def test_a_loss_that_jumps_is_a_spike_and_changes_nothing_known() -> None:
    guard = watched(noisy())
    before = guard.typical
    found = guard.watch(4.0, 1.0)
    assert found is not None
    assert (found.signal, found.value) == ("Loss", 4.0)
    assert found.median == pytest.approx(2.7, abs=0.2)
    assert guard.typical == before


def test_a_gradient_norm_that_jumps_is_a_spike() -> None:
    found = watched(noisy()).watch(2.6, 9.0)
    assert found is not None
    assert found.signal == "GradientNorm"


def test_a_loss_that_falls_suddenly_is_none() -> None:
    assert watched(noisy()).watch(0.1, 1.0) is None


def test_the_first_steps_are_never_spikes() -> None:
    assert watched([3.0] * (FEWEST - 1)).watch(100.0, 100.0) is None


def test_a_step_that_was_left_out_is_not_typical() -> None:
    guard = watched(noisy())
    before = guard.typical
    assert guard.watch(math.nan, None) is None
    assert guard.typical == before


@given(st.lists(st.floats(0.1, 10), max_size=300))
def test_what_it_knows_can_be_handed_on(values: list[float]) -> None:
    guard = Guard()
    for value in values:
        guard.watch(value, value)
    again = Guard.of(guard.typical)
    assert again.typical == guard.typical
    assert len(again.typical[0]) <= WINDOW
    assert again.watch(50.0, 1.0) == guard.watch(50.0, 1.0)
