"""Simulated runs have the noises that were requested, and a run's own noise is found."""

import numpy as np
import pytest
from series import NIAH_PPL, a_trajectory

from lccp.analysis.simulation import NOISES, Jitter, Noise, SimulatedClusters, simulated
from lccp.analysis.trajectory import Series
from lccp.api.objects.policy import Policy
from lccp.contract.errors import InvalidInput

POLICY = Policy(horizon_tokens=1_000, horizon_source="Given", min_gain=0.02)
AT = np.arange(1, 41) / 5


@pytest.mark.parametrize("name", ["normal", "t3", "AR .5"])
def test_jitter_has_its_standard_deviation(name: str) -> None:
    drawn = NOISES[name].draw((4_000, 40), np.random.default_rng(0))
    assert np.median(drawn.std(axis=0)) == pytest.approx(1, rel=0.1)


def test_a_memory_is_from_checkpoint_to_checkpoint() -> None:
    drawn = Jitter(2.0, memory=0.5).draw((2_000, 40), np.random.default_rng(0))
    assert drawn.std(axis=0) == pytest.approx(2.0, rel=0.1)
    assert np.corrcoef(drawn[:, 20], drawn[:, 21])[0, 1] == pytest.approx(0.5, abs=0.06)


def test_growing_noise_grows() -> None:
    drawn = Jitter(1.0, "Growing").draw((4_000, 40), np.random.default_rng(0))
    assert drawn[:, 0].std() == pytest.approx(0.5, rel=0.1)
    assert drawn[:, -1].std() == pytest.approx(1.5, rel=0.1)


def test_the_whole_is_the_mean_over_each_kind_of_cluster() -> None:
    kinds = {"haystack": SimulatedClusters(8, 0.1, 0.3), "needle": SimulatedClusters(4, 0.3, 0.1)}
    rng = np.random.default_rng(0)
    values, clusters = simulated(AT, 2 * AT, Jitter(0.1), kinds, 30, rng)
    for kind, count in (("haystack", 8), ("needle", 4)):
        assert clusters[kind].shape == (30, count, 40)
        assert clusters[kind].mean(axis=1) == pytest.approx(values)


@pytest.mark.slow
def test_clusters_follow_the_curve_in_their_own_way_all_along() -> None:
    kinds = {"needle": SimulatedClusters(4, 0.3, 0.0)}
    rng = np.random.default_rng(0)
    values, clusters = simulated(AT, 0 * AT, Jitter(0.0), kinds, 500, rng)
    own = clusters["needle"] - values[:, None]
    assert np.diff(own, n=2) == pytest.approx(0, abs=1e-12)
    assert ((own[:, :, -1] - own[:, :, 0]) / (AT[-1] - AT[0])).std() == pytest.approx(0.26, rel=0.1)


def test_one_cluster_alone_is_the_population() -> None:
    rng = np.random.default_rng(0)
    values, clusters = simulated(
        AT, AT, Jitter(0.0), {"needle": SimulatedClusters(1, 9.0, 9.0)}, 2, rng
    )
    assert values == pytest.approx(np.stack([AT, AT]))
    assert clusters["needle"][:, 0] == pytest.approx(values)


def a_noisy_series(jitter: float, kinds: dict[str, SimulatedClusters], seed: int) -> Series:
    at = np.arange(1, 41) / 5
    rng = np.random.default_rng(seed)
    values, clusters = simulated(at, 3 * at, Jitter(jitter), kinds, 1, rng)
    declared = a_trajectory([1], [0.0]).series[NIAH_PPL].signal
    delta = POLICY.min_gain
    of = {kind: delta * means[0].T for kind, means in clusters.items()}
    return Series(declared, (1_000 * at).astype(np.int64), delta * values[0], of)


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
