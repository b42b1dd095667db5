"""Loss, gradient norm, learning rate and throughput against tokens."""

import a_run
import pytest
from drawn import trace
from hypothesis import given
from hypothesis import strategies as st

from lccp.report.figures.training import loss_and_speed, running_mean


def test_loss_and_throughput_are_the_history() -> None:
    history = a_run.history()
    figure = loss_and_speed(history)
    assert figure is not None
    assert list(trace(figure, "loss").y) == [line.loss for line in history]
    norms = list(trace(figure, "gradient norm").y)
    assert norms == [line.gradient_norm for line in history]
    assert list(trace(figure, "learning rate").y) == [line.learning_rate for line in history]
    speeds = [line.tokens_per_second for line in history]
    assert list(trace(figure, "tokens per second").y) == speeds


@pytest.mark.slow
def test_a_long_history_is_thinned() -> None:
    figure = loss_and_speed(a_run.history(steps=9_000))
    assert figure is not None
    assert len(trace(figure, "loss").y) <= 2_000
    assert loss_and_speed(()) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80))
def test_a_running_mean_stays_within_the_values(values: list[float]) -> None:
    means = running_mean(values)
    assert len(means) == len(values)
    assert min(values) - 1e-6 <= min(means) <= max(means) <= max(values) + 1e-6


def test_a_running_mean_is_over_a_thirtieth_and_cut_at_the_ends() -> None:
    assert running_mean([0.0, 3.0, 6.0, 0.0]) == pytest.approx([1.5, 3.0, 3.0, 3.0])
    assert running_mean([float(n) for n in range(120)])[60] == 60.0
