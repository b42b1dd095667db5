"""Loss, gradient norm, learning rate and throughput against tokens."""

import a_run
import pytest
from drawn import trace
from hypothesis import given
from hypothesis import strategies as st

from lccp.report.figures.training import loss_and_speed, running_mean
from lccp.report.text import tokens_text


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


def test_a_branch_has_its_own_loss_and_learning_rate_beside_the_runs() -> None:
    history = a_run.history(steps=40)
    branch = tuple(
        line.model_copy(update={"loss": 2.0, "learning_rate": 1e-5}) for line in history[30:]
    )
    figure = loss_and_speed(history[:30], {history[29].tokens: branch, history[9].tokens: ()})
    assert figure is not None
    name = f"branch from {tokens_text(history[29].tokens)}"
    loss, rate = trace(figure, name), trace(figure, f"{name}: learning rate")
    assert (list(loss.y), list(rate.y)) == ([2.0] * 10, [1e-5] * 10)
    assert loss.x[0] > trace(figure, "loss").x[-1]
    assert [one.name for one in figure.data if one.name.startswith("branch")] == [
        name,
        f"{name}: learning rate",
    ]


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
