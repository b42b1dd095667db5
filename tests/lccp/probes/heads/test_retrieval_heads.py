"""Heads followed from checkpoint to checkpoint."""

import numpy as np
import pytest

from lccp.probes.heads import retrieval_heads
from lccp.probes.heads.retrieval_heads import RetrievalHeadsSettings
from lccp.probes.statistics import head_scores

SETTINGS = RetrievalHeadsSettings(top_heads=3)
FIRST = np.array([[0.30, 0.20, 0.0, 0.01], [0.12, 0.02, 0.03, 0.0]])
LATER = np.array([[0.40, 0.095, 0.0, 0.01], [0.105, 0.02, 0.3, 0.0]])


def test_checkpoints_are_compared_with_the_first_and_with_the_one_before() -> None:
    details = [{"scores": map_, "halves": np.stack([map_, map_])} for map_ in (FIRST, LATER, LATER)]
    found = retrieval_heads.compared(SETTINGS, details)
    assert found["retrieval_heads_steady"] == [3, 4, 4]
    assert found["head_overlap"] == [None, pytest.approx(2 / 3), 1.0]
    assert found["initial_heads_score"] == pytest.approx([0.62 / 3, 0.2, 0.2])


def test_agreement_is_told_beside_its_noise_ceiling() -> None:
    noisy = np.stack([FIRST, np.flip(FIRST)])
    alike = np.stack([LATER, LATER])
    details = [{"scores": FIRST, "halves": noisy}, {"scores": LATER, "halves": alike}]
    found = retrieval_heads.compared(SETTINGS, details)
    assert found["head_overlap_ceiling"] == [0.0, 1.0]
    first, second = found["head_spearman_ceiling"]
    assert first is not None
    assert first < 0
    assert second == pytest.approx(1.0)
    assert found["head_spearman"][0] is None
    assert found["head_spearman"][1] == pytest.approx(
        head_scores.spearman(FIRST.ravel(), LATER.ravel())
    )


def a_checkpoint(true: np.ndarray, samples: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of heads that copy in a share `true` of the samples [samples, heads]."""
    copies = samples < true
    halves = np.stack([copies[::2].mean(axis=0), copies[1::2].mean(axis=0)])
    return {"scores": copies.mean(axis=0), "halves": halves}


@pytest.mark.slow
def test_only_heads_that_moved_lie_clearly_below_the_ceiling() -> None:
    """Two checkpoints answer the same samples; a tenth of the heads retrieves at all."""
    settings = RetrievalHeadsSettings(top_heads=30)
    below = {"the same": 0, "others": 0}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        true = np.where(rng.random(300) < 0.1, rng.uniform(0.1, 0.9, 300), 0.02)
        samples = rng.random((40, 300))
        for name, later in (("the same", true), ("others", rng.permutation(true))):
            again = np.where(rng.random(samples.shape) < 0.1, rng.random(samples.shape), samples)
            pair = [a_checkpoint(true, samples), a_checkpoint(later, again)]
            found = retrieval_heads.compared(settings, pair)
            overlap, ceiling = found["head_overlap"][1], found["head_overlap_ceiling"][1]
            assert overlap is not None
            assert ceiling is not None
            below[name] += overlap < ceiling - 0.1
    assert below["the same"] <= 2
    assert below["others"] >= 95


def test_without_a_head_above_the_threshold_there_are_no_initial_heads() -> None:
    none = {"scores": 0.1 * FIRST, "halves": np.stack([0.1 * FIRST, 0.1 * FIRST])}
    found = retrieval_heads.compared(SETTINGS, [none, none])
    assert found["initial_heads_score"] == [None, None]


def test_every_comparison_is_declared() -> None:
    details = {"scores": FIRST, "halves": np.stack([FIRST, FIRST])}
    comparison = retrieval_heads.PROBE.comparison
    assert comparison is not None
    declared = {signal.name for signal in comparison.signals}
    assert set(comparison.values(SETTINGS, [details])) == declared
