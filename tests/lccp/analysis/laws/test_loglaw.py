"""The law PPL = A ln N + B."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from lccp.analysis.laws.loglaw import LogLaw
from lccp.contract.errors import InvalidInput

TOKENS = np.array([20, 50, 100, 150, 200]) * 1e9


def test_a_law_is_found_again() -> None:
    law = LogLaw.fit(TOKENS, -0.3 * np.log(TOKENS) + 12)
    assert law.slope == pytest.approx(-0.3)
    assert law.at(np.array([1e12]))[0] == pytest.approx(-0.3 * np.log(1e12) + 12)
    assert law.r_squared == pytest.approx(1)


@pytest.mark.slow
@given(st.lists(st.floats(1, 3), min_size=5, max_size=5))
def test_slope_and_interval_are_those_of_a_regression_with_fewer_checkpoints(
    ppl: list[float],
) -> None:
    assume(np.ptp(ppl) > 1e-3)
    law, theirs = LogLaw.fit(TOKENS, np.array(ppl)), stats.linregress(np.log(TOKENS), ppl)
    assert law.slope == pytest.approx(theirs.slope, abs=1e-9)
    assert law.r_squared == pytest.approx(theirs.rvalue**2, abs=1e-6)
    assert law.degrees <= 3
    half = stats.t.ppf(0.95, 3) * theirs.stderr
    lower, upper = law.slope_interval(0.95)
    assert lower <= theirs.slope - half + 1e-9
    assert upper >= theirs.slope + half - 1e-9


def test_the_bend_is_tested_as_a_quadratic_term() -> None:
    rng, tokens = np.random.default_rng(0), np.arange(1, 13) * 1e9
    ppl = 2 - 0.1 * np.log(tokens / 1e9) + rng.normal(0, 0.01, 12)
    x = np.log(tokens) - np.log(tokens).mean()
    design = np.stack([np.ones(12), x, x**2], axis=1)
    term, squares, *_ = np.linalg.lstsq(design, ppl, rcond=None)
    error = np.sqrt(squares[0] / 9 * np.linalg.inv(design.T @ design)[2, 2])
    expected = 2 * stats.t.sf(abs(term[2]) / error, 9)
    assert LogLaw.fit(tokens, ppl).bend_probability == pytest.approx(expected)


def test_a_curve_that_bends_away_is_noticed() -> None:
    tokens = np.arange(1, 21) * 1e6
    assert LogLaw.fit(tokens, 1.1 + 0.2 * np.exp(-tokens / 3e6)).bend_probability < 1e-6


def test_many_runs_are_fitted_at_once() -> None:
    ppl = np.random.default_rng(1).normal(2, 0.1, (3, 4, 5))
    many, one = LogLaw.fit(TOKENS, ppl), LogLaw.fit(TOKENS, ppl[1, 2])
    assert many.slope[1, 2] == pytest.approx(one.slope)
    assert many.bend_probability[1, 2] == pytest.approx(one.bend_probability)


def test_three_checkpoints_make_no_law() -> None:
    with pytest.raises(InvalidInput, match="at least 4 trained checkpoints, not 3"):
        LogLaw.fit(TOKENS[:3], np.ones(3))
