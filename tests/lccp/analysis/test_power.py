"""How well a plan detects a plateau."""

import math

import numpy as np
import pytest
from series import NIAH_PPL, a_trajectory

from lccp.analysis.power import (
    MOST_CLUSTERS,
    Design,
    Noise,
    Power,
    cheapest,
    continued,
    designs,
    power,
)
from lccp.analysis.simulation import Jitter, SimulatedClusters, simulated
from lccp.analysis.trajectory import Series
from lccp.api.objects.policy import Policy
from lccp.contract.errors import InvalidInput
from lccp.probes.probe import ClusterKind

POLICY = Policy(horizon_tokens=1_000, horizon_source="Given", min_gain=0.02)
KINDS = (ClusterKind("haystack", 8, "Text"), ClusterKind("needle", 4, "Question"))


def stated(jitter: float) -> Noise:
    return Noise.stated(jitter, KINDS)


def crossed(haystacks: int, needles: int) -> dict[str, int]:
    return {"haystack": haystacks, "needle": needles}


NOISE = stated(0.3)
PLAN = Design.even(8.0, 5.0, crossed(8, 4))


def a_noisy_series(jitter: float, kinds: dict[str, SimulatedClusters], seed: int) -> Series:
    at = np.arange(1, 41) / 5
    rng = np.random.default_rng(seed)
    values, clusters = simulated(at, 3 * at, Jitter(jitter), kinds, 1, rng)
    declared = a_trajectory([1], [0.0]).series[NIAH_PPL].signal
    delta = POLICY.min_gain
    of = {kind: delta * means[0].T for kind, means in clusters.items()}
    return Series(declared, (1_000 * at).astype(np.int64), delta * values[0], of)


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


def test_the_plan_is_the_first_of_its_designs() -> None:
    assert next(iter(designs(PLAN))) is PLAN


def test_others_have_half_and_twice_the_clusters_but_of_a_kind_whose_number_is_fixed() -> None:
    planned = Design.even(8.0, 5.0, {"document": 10, "attribute": 6})
    others = list(designs(planned, {"attribute"}))[1:]
    assert {one.clusters["document"] for one in others} == {5, 10, 20}
    assert {one.clusters["attribute"] for one in others} == {6}


def test_clusters_of_one_kind_are_simulated_alone() -> None:
    few, many = (power(Design.even(8.0, 5.0, {"needle": n}), NOISE, POLICY) for n in (2, 16))
    assert few.within < 0.6 < 0.9 < many.within


def test_more_clusters_than_matter_cost_no_more_memory() -> None:
    most, more = ({"haystack": count} for count in (MOST_CLUSTERS, 10_000))
    seen = [power(Design.even(4.0, 5.0, one), NOISE, POLICY).within for one in (most, more)]
    assert seen[0] == seen[1]


def test_a_short_plan_has_no_other_without_checkpoints() -> None:
    assert all(one.at for one in designs(Design((0.1, 0.2), crossed(8, 4))))


def test_checkpoints_go_on_as_dense_until_the_budget() -> None:
    assert continued([1_000, 2_000, 3_000], 5_500) == [1_000, 2_000, 3_000, 4_000, 5_000]
    assert continued([1_000, 2_000, 3_000], None) == [1_000, 2_000, 3_000]
    assert continued([1_000, 2_000], 500) == [1_000, 2_000]


def test_the_cheapest_that_is_enough_is_named() -> None:
    by_samples = sorted(designs(PLAN), key=lambda one: one.samples)
    shares = [0.5, 0.79, 0.8, *[0.99] * (len(by_samples) - 3)]
    powers = [Power(d, w, w, 1.0) for d, w in zip(by_samples, shares, strict=True)]

    best = cheapest(powers[::-1])

    assert best is not None
    assert best.design.samples == by_samples[2].samples > by_samples[0].samples
    assert cheapest(powers[:2]) is None


def test_the_noise_of_a_run_is_found_again() -> None:
    kinds = {"haystack": SimulatedClusters(20, 0.4, 0.5), "needle": SimulatedClusters(12, 0.8, 0.2)}
    found = [Noise.of(a_noisy_series(0.6, kinds, seed), POLICY) for seed in range(60)]
    assert np.mean([one.jitter for one in found]) == pytest.approx(0.6, rel=0.1)
    assert np.mean([one.slopes["haystack"] for one in found]) == pytest.approx(0.4, rel=0.1)
    assert np.mean([one.slopes["needle"] for one in found]) == pytest.approx(0.8, rel=0.1)
    assert np.mean([one.scatter["haystack"] for one in found]) == pytest.approx(0.5, rel=0.1)


def test_a_run_without_jitter_has_none() -> None:
    noise = Noise.of(a_noisy_series(0.0, {"haystack": SimulatedClusters(8, 0.3, 0.0)}, 0), POLICY)
    assert noise.jitter == pytest.approx(0, abs=1e-6)
    assert noise.scatter["haystack"] == pytest.approx(0, abs=1e-6)


def test_two_checkpoints_tell_no_noise() -> None:
    with pytest.raises(InvalidInput, match="needs 3 checkpoints beyond the warm-up, not 2"):
        Noise.of(a_trajectory([1_000, 2_000], [0.0, 0.1]).series[NIAH_PPL], POLICY)
