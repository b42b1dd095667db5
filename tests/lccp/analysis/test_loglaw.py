"""The law PPL = A ln N + B."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from lccp.analysis.loglaw import LogLaw, runs_probability
from lccp.contract.errors import InvalidInput

TOKENS = np.array([20, 50, 100, 150, 200]) * 10**9


def test_an_exact_law_is_found() -> None:
    law = LogLaw.fit(TOKENS, -0.3 * np.log(TOKENS) + 12, 0.95)
    assert (law.slope, law.intercept) == (pytest.approx(-0.3), pytest.approx(12))
    assert law.slope_interval == pytest.approx((-0.3, -0.3))
    assert law.at(1e12) == pytest.approx(-0.3 * np.log(1e12) + 12)
    assert law.r_squared == pytest.approx(1)


@given(st.lists(st.floats(1, 3), min_size=5, max_size=5))
def test_slope_and_interval_agree_with_scipy(ppl: list[float]) -> None:
    assume(np.ptp(ppl) > 1e-6)
    law, theirs = LogLaw.fit(TOKENS, np.array(ppl), 0.95), stats.linregress(np.log(TOKENS), ppl)
    half = stats.t.ppf(0.95, 3) * theirs.stderr
    assert law.slope == pytest.approx(theirs.slope, abs=1e-9)
    assert law.slope_interval == pytest.approx(
        (theirs.slope - half, theirs.slope + half), rel=1e-6, abs=1e-6
    )


def test_leaving_one_out_shows_what_hangs_on_one_checkpoint() -> None:
    ppl = -0.3 * np.log(TOKENS) + 12
    ppl[0] += 0.5
    law = LogLaw.fit(TOKENS, ppl, 0.95)
    assert law.leave_one_out[0] < law.slope < law.leave_one_out[1]
    assert law.leave_one_out[1] == pytest.approx(-0.3)


def test_three_checkpoints_make_no_law() -> None:
    with pytest.raises(InvalidInput, match="at least 4 trained checkpoints, not 3"):
        LogLaw.fit(TOKENS[:3], np.ones(3), 0.95)


def runs(signs: tuple[bool, ...]) -> int:
    return 1 + sum(a != b for a, b in pairwise(signs))


@pytest.mark.parametrize("positive", [1, 2, 3, 4])
def test_the_runs_test_counts_all_orders(positive: int) -> None:
    orders = set(permutations([True] * positive + [False] * (7 - positive)))
    for signs in orders:
        fewer = sum(runs(other) <= runs(signs) for other in orders)
        assert runs_probability(np.array(signs)) == pytest.approx(fewer / len(orders))


def test_residuals_of_one_sign_say_nothing() -> None:
    assert runs_probability(np.ones(5, dtype=np.bool_)) == 1.0


def test_a_curve_that_bends_away_is_noticed() -> None:
    tokens = np.arange(1, 21) * 10**6
    law = LogLaw.fit(tokens, 1.1 + 0.2 * np.exp(-tokens / 3e6), 0.95)
    assert law.runs_p < 0.05
