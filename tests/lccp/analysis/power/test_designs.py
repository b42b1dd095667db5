"""Designs to choose from, and the cheapest that is enough."""

from lccp.analysis.power.designs import Design, cheapest, continued, designs
from lccp.analysis.power.plateaus import Power


def crossed(haystacks: int, needles: int) -> dict[str, int]:
    return {"haystack": haystacks, "needle": needles}


PLAN = Design.even(8.0, 5.0, crossed(8, 4))


def test_the_plan_is_the_first_of_its_designs() -> None:
    assert next(iter(designs(PLAN))) is PLAN


def test_others_have_half_and_twice_the_clusters_but_of_a_kind_whose_number_is_fixed() -> None:
    planned = Design.even(8.0, 5.0, {"document": 10, "attribute": 6})
    others = list(designs(planned, {"attribute"}))[1:]
    assert {one.clusters["document"] for one in others} == {5, 10, 20}
    assert {one.clusters["attribute"] for one in others} == {6}


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
