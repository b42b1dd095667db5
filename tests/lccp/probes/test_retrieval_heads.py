"""Heads followed from checkpoint to checkpoint."""

import numpy as np
import pytest

from lccp.probes import retrieval_heads
from lccp.probes.retrieval_heads import RetrievalHeadsSettings

SETTINGS = RetrievalHeadsSettings(top_heads=3)
FIRST = np.array([[0.30, 0.20, 0.0, 0.01], [0.12, 0.02, 0.03, 0.0]])
LATER = np.array([[0.40, 0.095, 0.0, 0.01], [0.105, 0.02, 0.3, 0.0]])


def test_checkpoints_are_compared_with_the_first_and_with_the_one_before() -> None:
    details = [{"scores": map_, "halves": np.stack([map_, map_])} for map_ in (FIRST, LATER, LATER)]
    found = retrieval_heads.compared(SETTINGS, details)
    assert found["retrieval_heads_steady"] == [3, 4, 4]
    assert found["head_overlap"] == [None, pytest.approx(2 / 3), 1.0]
    assert found["initial_heads_score"] == pytest.approx([0.62 / 3, 0.2, 0.2])


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
