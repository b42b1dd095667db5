"""What the context is worth to the model."""

import numpy as np
import pytest

from lccp_evaluator.probes.statistics.context_use import ContextUse
from lccp_evaluator.records import FloatArray

NEEDLE, HAYSTACK = np.tile([0, 1, 2], 2), np.repeat([0, 1], 3)
NONE, ORACLE = np.array([4.0, 5.0, 6.0]), np.array([0.5, 0.6, 0.7])


def use(full: FloatArray, oracle: FloatArray = ORACLE) -> ContextUse:
    return ContextUse(full, HAYSTACK, NEEDLE, NONE, oracle)


FULL = np.array([1.0, 1.5, 2.0, 3.0, 2.5, 2.0])


def test_gain_is_what_the_answer_costs_more_without_context() -> None:
    gain = use(FULL).gain

    assert gain.value == pytest.approx(5.0 - 2.0)
    np.testing.assert_allclose(gain.by_cluster["needle"], [2.0, 3.0, 4.0])
    np.testing.assert_allclose(gain.by_cluster["haystack"], [3.5, 2.5])


def test_recovery_is_the_share_of_what_the_needle_alone_gains() -> None:
    recovery = use(FULL).recovery

    assert recovery is not None
    assert recovery.value == pytest.approx(3.0 / 4.4)
    for clusters in recovery.by_cluster.values():
        assert clusters.mean() == pytest.approx(recovery.value)


def test_a_context_that_gives_all_that_the_needle_gives_recovers_all() -> None:
    recovery = use(np.tile(ORACLE, 2)).recovery

    assert recovery is not None
    assert recovery.value == pytest.approx(1)
    np.testing.assert_allclose(recovery.by_cluster["needle"], 1)


@pytest.mark.parametrize(
    "oracle",
    [NONE, NONE + np.array([1.0, -1.0, 0.1])],
    ids=["no gain at all", "a gain that may be noise"],
)
def test_without_a_gain_of_the_needle_for_sure_there_is_no_recovery(oracle: FloatArray) -> None:
    assert use(FULL, oracle).recovery is None
