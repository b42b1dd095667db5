"""Student's t against scipy and against what must hold for any distribution."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lccp.analysis.student import cdf, density, quantile, upper_tail

DEGREES = (0.3, 0.5, 0.515, 1.0, 1.55, 2.0, 3.7, 30.0, 99.0, 101.0, 1e3, 1e6)
PROBABILITIES = (1e-6, 0.001, 0.05, 0.3, 0.4999, 0.5, 0.51, 0.7, 0.9, 0.95, 0.99, 0.9999)


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize("probability", PROBABILITIES)
def test_quantiles_agree_with_scipy(probability: float, degrees: float) -> None:
    expected = stats.t.ppf(probability, degrees)
    assert quantile(probability, degrees) == pytest.approx(expected, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize("t", [1e-9, 0.01, 0.5, 1.7, 3.0, 12.0, 63.0, 1e4])
def test_tails_and_densities_agree_with_scipy(t: float, degrees: float) -> None:
    assert upper_tail(t, degrees) == pytest.approx(stats.t.sf(t, degrees), rel=1e-8)
    assert cdf(-t, degrees) == pytest.approx(stats.t.cdf(-t, degrees), rel=1e-8)
    assert density(t, degrees) == pytest.approx(stats.t.pdf(t, degrees), rel=1e-8)


@given(st.floats(0.501, 0.9999), st.floats(0.2, 1e5))
def test_the_quantile_inverts_the_distribution_function(p: float, degrees: float) -> None:
    assert cdf(quantile(p, degrees), degrees) == pytest.approx(p, rel=1e-9)


@given(st.floats(0.01, 0.99), st.floats(0.2, 1e4))
def test_the_distribution_is_symmetric(probability: float, degrees: float) -> None:
    mirrored = -quantile(1 - probability, degrees)
    assert quantile(probability, degrees) == pytest.approx(mirrored, rel=1e-9, abs=1e-12)


def test_one_degree_of_freedom_is_cauchy() -> None:
    assert quantile(0.95, 1.0) == pytest.approx(math.tan(0.45 * math.pi), rel=1e-12)


@pytest.mark.parametrize(("p", "degrees"), [(0.0, 3.0), (1.0, 3.0), (0.9, 0.0), (0.9, math.inf)])
def test_values_outside_the_domain_are_refused(p: float, degrees: float) -> None:
    with pytest.raises(ValueError, match="must"):
        quantile(p, degrees)
