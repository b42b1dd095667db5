"""When training is expected to stop paying."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from series import a_series, with_changes

from lccp.analysis.forecast import forecast
from lccp.analysis.trajectory import Series
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import Forecast, Gain, GainState, VerdictState

TOKENS = np.arange(100, 1_100, 100) * 10**6
POLICY = Policy(horizon_tokens=10**8, min_gain=0.01, budget_tokens=10**10)
IMPROVING, SATURATED = VerdictState.IMPROVING, VerdictState.SATURATED
UNKNOWN = Forecast()


def by_law(slope: float, noise: float = 0.0, seed: int = 0, start: float = 2.0) -> Series:
    rng = np.random.default_rng(seed)
    ppl = start + slope * np.log(TOKENS / 10**8) + rng.normal(0, noise, len(TOKENS))
    return a_series(TOKENS, -np.log(ppl))


def gain(lower: float, upper: float, state: GainState) -> Gain:
    return Gain(
        signal="niah_ppl",
        gain=(lower + upper) / 2,
        lower=lower,
        upper=upper,
        degrees_of_freedom=5,
        sampling_sd=0,
        checkpoint_sd=0,
        spans_horizon=True,
        state=state,
    )


@pytest.mark.slow
@given(st.floats(-0.3, -0.05), st.floats(0.002, 0.05))
def test_at_the_forecast_the_next_horizon_gains_just_the_least(slope: float, least: float) -> None:
    found = forecast(by_law(slope), with_changes(POLICY, min_gain=least), IMPROVING, None)
    if found.tokens is None or found.tokens <= TOKENS[0]:
        return
    now, then = (2.0 + slope * math.log(n / 10**8) for n in (found.tokens, found.tokens + 10**8))
    assert (now - then) / now == pytest.approx(least, rel=1e-5)
    assert found.lower == pytest.approx(found.tokens, rel=1e-5)


def test_noise_opens_the_interval() -> None:
    found = forecast(by_law(-0.1, noise=0.01), POLICY, IMPROVING, None)
    assert found.tokens is not None
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < found.tokens < found.upper


@pytest.mark.parametrize(
    ("budget", "expected"),
    [(10**10, "Sufficient"), (3 * 10**8, "Insufficient"), (None, "Unknown")],
)
def test_the_budget_is_held_against_the_interval(budget: int | None, expected: str) -> None:
    policy = with_changes(POLICY, budget_tokens=budget)
    assert forecast(by_law(-0.1), policy, IMPROVING, None).budget == expected


def test_a_budget_inside_the_interval_is_unknown() -> None:
    found = forecast(by_law(-0.1, noise=0.01), POLICY, IMPROVING, None)
    policy = with_changes(POLICY, budget_tokens=found.tokens)
    assert forecast(by_law(-0.1, noise=0.01), policy, IMPROVING, None).budget == "Unknown"


BENT = a_series(TOKENS, -np.log(1.1 + 0.2 * np.exp(-TOKENS / 1.5e8)))
UNSAYABLE = {
    "PPL rises": (by_law(0.1), POLICY),
    "seven checkpoints": (
        a_series(TOKENS[:7], -np.log(2 - 0.1 * np.log(TOKENS[:7] / 1e8))),
        POLICY,
    ),
    "a score": (a_series(TOKENS, 0.5 + 0.1 * np.log(TOKENS / 1e8), "niah_score"), POLICY),
    "warm-up": (by_law(-0.1), with_changes(POLICY, warmup_tokens=700 * 10**6)),
    "decaying rate": (by_law(-0.1), with_changes(POLICY, constant_schedule=False)),
    "bends away": (BENT, POLICY),
    "PPL below 1": (by_law(-0.1, start=1.25), with_changes(POLICY, min_gain=0.005)),
}


@pytest.mark.parametrize(("series", "policy"), UNSAYABLE.values(), ids=UNSAYABLE)
def test_what_cannot_be_said_is_unknown(series: Series, policy: Policy) -> None:
    assert forecast(series, policy, IMPROVING, None) == UNKNOWN


def test_a_saturated_run_has_budget_enough() -> None:
    assert forecast(by_law(0.1), POLICY, SATURATED, None) == Forecast(budget="Sufficient")


def test_without_a_budget_none_is_judged() -> None:
    policy = with_changes(POLICY, budget_tokens=None)
    assert forecast(by_law(0.1), policy, SATURATED, None) == UNKNOWN
    assert forecast(by_law(-0.1), policy, IMPROVING, None).budget == "Unknown"


def test_what_lies_beyond_all_measure_has_no_end() -> None:
    never = with_changes(POLICY, min_gain=1e-8, budget_tokens=10**9)
    assert forecast(by_law(-0.001), never, IMPROVING, None).tokens is None


def test_a_regressing_run_has_no_known_budget() -> None:
    found = forecast(by_law(-0.1), POLICY, VerdictState.REGRESSING, None)
    assert (found.budget, found.tokens is None) == ("Unknown", False)


def test_a_gain_that_contradicts_the_law_makes_it_unknown() -> None:
    over = with_changes(POLICY, min_gain=0.04)
    assert forecast(by_law(-0.1), over, IMPROVING, None).upper == pytest.approx(2e8, rel=0.5)
    still_pays = gain(0.05, 0.07, GainState.IMPROVING)
    assert forecast(by_law(-0.1), over, IMPROVING, still_pays) == UNKNOWN
    later = with_changes(POLICY, min_gain=0.002)
    assert (forecast(by_law(-0.1), later, IMPROVING, None).lower or 0) > TOKENS[-1]
    plateau = gain(-0.001, 0.001, GainState.PLATEAU)
    assert forecast(by_law(-0.1), later, VerdictState.UNDETERMINED, plateau) == UNKNOWN
