"""How much worse the middle of a context is than its ends."""

import numpy as np
import pytest

from lccp_evaluator.probes.statistics.depths import lost_in_the_middle

DEPTH = np.tile([0, 50, 100], 4)
HAYSTACK, NEEDLE = np.repeat([0, 1], 6), np.tile(np.repeat([0, 1], 3), 2)
CLUSTERS = {"haystack": HAYSTACK, "needle": NEEDLE}


def test_it_is_the_middles_nll_above_the_mean_of_both_ends() -> None:
    nll = np.tile([1.0, 2.0, 2.0], 4) + HAYSTACK * np.tile([0.0, 1.0, 0.0], 4)

    found = lost_in_the_middle(nll, DEPTH, CLUSTERS)

    assert found is not None
    np.testing.assert_allclose(found.by_cluster["haystack"], [0.5, 1.5])
    np.testing.assert_allclose(found.by_cluster["needle"], [1.0, 1.0])
    assert found.value == pytest.approx(1.0)


@pytest.mark.parametrize("depths", [(0, 50, 100), (0, 50, 70), (10, 35, 100)])
def test_an_even_rise_is_no_loss(depths: tuple[int, int, int]) -> None:
    depth = np.tile(depths, 4)
    found = lost_in_the_middle(depth / 100, depth, CLUSTERS)

    assert found is not None
    assert found.value == pytest.approx(0)


def test_clusters_of_the_first_kind_weigh_the_same_however_many_their_samples() -> None:
    depth, kind = np.append(DEPTH, [50] * 8), np.append(HAYSTACK, [1] * 8)
    nll = np.where((depth == 50) & (kind == 1), 4.0, 1.0)

    found = lost_in_the_middle(nll, depth, {"haystack": kind})

    assert found is not None
    assert found.value == pytest.approx((0 + 3) / 2)


def test_a_cluster_without_a_third_leaves_it_unmeasured() -> None:
    depth = np.where((NEEDLE == 1) & (DEPTH == 50), 100, DEPTH)

    assert lost_in_the_middle(DEPTH / 1.0, depth, {"haystack": HAYSTACK}) is not None
    assert lost_in_the_middle(DEPTH / 1.0, depth, CLUSTERS) is None
