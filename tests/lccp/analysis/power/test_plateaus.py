"""How well a plan detects a plateau."""

import math

import pytest

from lccp.analysis.power.designs import MOST_CLUSTERS, Design
from lccp.analysis.power.outcomes import Plateaus
from lccp.analysis.power.plateaus import Power
from lccp.analysis.simulation import Noise
from lccp.api.objects.policy import Policy
from lccp.probes.probe import ClusterKind

POLICY = Policy(horizon_tokens=1_000, horizon_source="Given", min_gain=0.02)
KINDS = (ClusterKind("haystack", 8, "Text"), ClusterKind("needle", 4, "Question"))


def power(design: Design, noise: Noise, policy: Policy) -> Power:
    return Power.of(Plateaus.of(design, noise, policy))


def stated(jitter: float) -> Noise:
    return Noise.stated(jitter, KINDS)


def crossed(haystacks: int, needles: int) -> dict[str, int]:
    return {"haystack": haystacks, "needle": needles}


NOISE = stated(0.3)
PLAN = Design.even(8.0, 5.0, crossed(8, 4))


@pytest.mark.slow
def test_denser_checkpoints_and_less_noise_see_more() -> None:
    shares = [
        power(Design.even(8.0, d, crossed(8, 4)), stated(0.6), POLICY).within for d in (2.5, 10)
    ]
    assert shares[0] < 0.6 < 0.9 < shares[1]
    assert power(PLAN, stated(2.0), POLICY).within < 0.2
    assert power(PLAN, stated(0.1), POLICY).within > 0.95


def test_two_needles_are_few() -> None:
    assert power(Design.even(8.0, 5.0, crossed(10, 2)), NOISE, POLICY).within < 0.6


def test_a_plan_without_five_checkpoints_never_sees_one() -> None:
    seen = power(Design.even(8.0, 0.5, crossed(8, 4)), NOISE, POLICY)
    assert (seen.within, seen.whole, seen.median_horizons) == (0.0, 0.0, math.inf)


def test_nothing_is_saturated_before_the_least_tokens() -> None:
    late = POLICY.model_copy(update={"min_tokens": 8_000})
    seen = power(PLAN, stated(0.1), late)
    assert (seen.within, seen.median_horizons) == (0.0, pytest.approx(7.8))
    beyond = POLICY.model_copy(update={"min_tokens": 8_001})
    assert power(PLAN, stated(0.1), beyond).whole == 0.0


def test_checkpoints_at_the_ends_of_steps_are_judged_as_those_that_were_asked_for() -> None:
    at = tuple(min(2.0, 0.500001 * i) for i in range(1, 5))
    design = Design((0.000001, *at), crossed(8, 4))
    exact = POLICY.model_copy(update={"patience": 2})
    rounded = exact.model_copy(update={"rounding_tokens": 1})
    assert power(design, stated(0.1), exact).whole == 0.0
    assert power(design, stated(0.1), rounded).whole > 0.5


def test_clusters_of_one_kind_are_simulated_alone() -> None:
    few, many = (power(Design.even(8.0, 5.0, {"needle": n}), NOISE, POLICY) for n in (2, 16))
    assert few.within < 0.6 < 0.9 < many.within


def test_more_clusters_than_matter_cost_no_more_memory() -> None:
    most, more = ({"haystack": count} for count in (MOST_CLUSTERS, 10_000))
    seen = [power(Design.even(4.0, 5.0, one), NOISE, POLICY).within for one in (most, more)]
    assert seen[0] == seen[1]
