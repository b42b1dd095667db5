"""What stopping saves."""

import a_run
import pytest

from lccp.cost.savings import Savings, Throughput


def test_a_stop_saves_the_rest_of_the_budget() -> None:
    saved = Savings.of(200 * 10**9, 150 * 10**9, 13 * 10**9, Throughput(10**6, 512))
    assert (saved.tokens, saved.share) == (50 * 10**9, 0.25)
    assert saved.flops == pytest.approx(6 * 13e9 * 50e9)
    assert saved.accelerator_hours == pytest.approx(512 * 50_000 / 3_600)


def test_hours_are_unknown_without_a_throughput() -> None:
    assert Savings.of(100, 50, 10).accelerator_hours is None
    assert Savings.of(100, 50, 10, Throughput(0.0, 8)).accelerator_hours is None


def test_a_run_that_used_its_budget_saves_nothing() -> None:
    saved = Savings.of(100, 120, 10, Throughput(1.0, 1))
    assert (saved.tokens, saved.share, saved.flops, saved.accelerator_hours) == (0, 0, 0, 0)


@pytest.mark.parametrize("unknown", [{"accelerators": None}, {"accelerators": 0}, {"rate": None}])
def test_a_throughput_needs_accelerators_and_a_rate(unknown: dict[str, int | None]) -> None:
    told = {"accelerators": 8, "rate": 1_000} | unknown
    beat = a_run.heartbeat().model_copy(
        update={"accelerators": told["accelerators"], "tokens_per_second": told["rate"]}
    )
    assert Throughput.told_by(beat) is None
    assert Throughput.told_by(a_run.heartbeat()) == Throughput(17_000.0, 8)
