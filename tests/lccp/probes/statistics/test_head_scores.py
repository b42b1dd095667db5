"""How many retrieval heads there are, and whether they are the same ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from lccp.contract.errors import InvalidInput
from lccp.probes.statistics.head_scores import (
    agreement,
    average_ranks,
    counts_with_hysteresis,
    gini,
    heads_interval,
    initial_heads_score,
    noise_ceiling,
    overlap,
    spearman,
    top_heads,
    top_share,
)

few_scores = arrays(np.float64, 12, elements=st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9]))


@pytest.mark.slow
@given(few_scores)
def test_ranks_of_equal_scores_are_averaged(scores: np.ndarray) -> None:
    assert average_ranks(scores).tolist() == stats.rankdata(scores).tolist()


@pytest.mark.slow
@given(few_scores, few_scores)
def test_spearman_agrees_with_scipy(a: np.ndarray, b: np.ndarray) -> None:
    ours = spearman(a, b)
    if min(np.ptp(a), np.ptp(b)) == 0:
        assert ours is None
    else:
        assert ours == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_of_equal_scores_the_first_are_on_top() -> None:
    assert top_heads(np.array([[0.1, 0.5], [0.5, 0.1]]), 3).tolist() == [1, 2, 0]


def test_overlap_counts_the_heads_in_common() -> None:
    a = np.array([[0.9, 0.8, 0.7], [0.1, 0.0, 0.0]])
    b = np.array([[0.9, 0.1, 0.7], [0.8, 0.0, 0.0]])
    found = agreement(a, b, 3)
    assert found.overlap == overlap(a, b, 3) == pytest.approx(2 / 3)
    assert found.spearman == pytest.approx(stats.spearmanr(a.ravel(), b.ravel()).statistic)


def test_the_top_heads_are_correlated_without_the_ties_of_the_others() -> None:
    a = np.array([[0.9, 0.8, 0.3], [0.0, 0.0, 0.0]])
    b = np.array([[0.2, 0.8, 0.9], [0.5, 0.0, 0.0]])
    union = [0, 1, 2, 3]  # a has 0 and 1 on top, b has 2 and 1, and with three also 3
    expected = stats.spearmanr(a.ravel()[union], b.ravel()[union]).statistic

    assert agreement(a, b, 3).spearman_top == pytest.approx(expected)
    assert agreement(a, b, 2).spearman_top == pytest.approx(-1.0)
    assert agreement(a, b, 6).spearman_top is None


def test_a_head_without_a_score_counts_in_nothing() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.random((2, 3, 4))
    unseen = np.full((1, 4), np.nan)
    more_a, more_b = np.vstack((unseen, a)), np.vstack((unseen, b))
    clusters = rng.random((5, 3, 4)) * 0.2
    more_clusters = np.concatenate((np.full((5, 1, 4), np.nan), clusters), axis=1)

    assert agreement(more_a, more_b, 4) == agreement(a, b, 4)
    assert agreement(more_a, more_b, 12).overlap is None
    assert gini(more_a) == gini(a)
    assert top_share(more_a, 4) == top_share(a, 4)
    assert heads_interval(more_clusters, 0.1, 0) == heads_interval(clusters, 0.1, 0)
    assert agreement(unseen, unseen, 1).spearman is None


def test_a_cluster_in_which_a_head_is_not_scored_does_not_lower_it() -> None:
    scores = np.full((6, 1, 1), 0.12)
    scores[::2] = np.nan

    assert heads_interval(scores, 0.1, seed=0) == (1, 1)


def test_an_initial_head_is_one_that_the_other_half_can_score() -> None:
    halves = np.array([[[[0.5, 0.4]], [[np.nan, 0.3]]], [[[0.6, 0.2]], [[np.nan, 0.4]]]])

    assert initial_heads_score(halves, 0.1) == pytest.approx([0.35, 0.3])


def test_a_top_of_all_heads_says_nothing() -> None:
    scores = np.arange(6.0).reshape(2, 3)
    assert overlap(scores, scores, 6) is None
    assert overlap(scores, scores, 5) == 1.0


def test_the_ceiling_is_the_agreement_of_both_halves() -> None:
    rng = np.random.default_rng(0)
    halves = rng.random((2, 3, 4))
    assert noise_ceiling(halves, 4) == agreement(halves[0], halves[1], 4)


def test_an_initial_head_has_a_score_at_every_checkpoint() -> None:
    """Another model may have a window where the first one has none."""
    halves = np.array([[[[0.5, 0.4]]] * 2, [[[np.nan, 0.3]]] * 2])
    assert initial_heads_score(halves, 0.1) == pytest.approx([0.4, 0.3])
    assert initial_heads_score(halves[..., :1], 0.1) is None


def test_initial_heads_are_picked_in_one_half_and_scored_in_the_other() -> None:
    halves = np.array([[[[0.5, 0.0]], [[0.0, 0.3]]], [[[0.6, 0.2]], [[0.1, 0.4]]]])
    # Half 0 picks head 0, which half 1 scores 0.0 and 0.1; half 1 picks head 1: 0.0 and 0.2.
    assert initial_heads_score(halves, 0.1) == pytest.approx([0.0, 0.15])


def test_initial_heads_of_one_half_alone_still_count() -> None:
    halves = np.array([[[[0.5, 0.0]], [[0.05, 0.0]]], [[[0.6, 0.2]], [[0.3, 0.0]]]])
    assert initial_heads_score(halves, 0.1) == pytest.approx([0.05, 0.3])
    assert initial_heads_score(0.1 * halves, 0.1) is None


def test_picking_by_luck_lifts_no_score() -> None:
    rng = np.random.default_rng(1)
    halves = rng.normal(0.1, 0.02, (3, 2, 40, 40))
    assert initial_heads_score(halves, 0.12) == pytest.approx(0.1, abs=0.003)


def test_a_head_between_the_margins_stays_what_it_was() -> None:
    series = [0.105, 0.095, 0.105, 0.089, 0.105, 0.111, 0.095, 0.11]
    scores = np.array(series).reshape(-1, 1, 1)
    assert counts_with_hysteresis(scores, 0.1, 0.01).tolist() == [1, 1, 1, 0, 0, 1, 1, 1]
    assert counts_with_hysteresis(scores, 0.1, 0.0).tolist() == [1, 0, 1, 0, 1, 1, 0, 1]


def test_heads_far_from_the_threshold_make_no_interval() -> None:
    scores = np.tile(np.array([[0.9, 0.5], [0.0, 0.01]]), (8, 1, 1))
    assert heads_interval(scores, 0.1, seed=0) == (2, 2)


def test_the_interval_resamples_whole_clusters() -> None:
    scores = np.zeros((10, 1, 6))
    scores[:5] = 0.21
    low, high = heads_interval(scores, 0.1, seed=0)
    assert (low, high) == (0, 6)
    independent = np.random.default_rng(2).permuted(scores, axis=0)
    low, high = heads_interval(independent, 0.1, seed=0)
    assert 0 < low <= 3 <= high


def test_the_interval_repeats_with_its_seed() -> None:
    scores = np.random.default_rng(3).random((12, 4, 8)) * 0.2
    first = heads_interval(scores, 0.1, seed=5, resamples=50)
    assert first == heads_interval(scores, 0.1, seed=5, resamples=50)
    count = int((scores.mean(axis=0) > 0.1).sum())
    assert first[0] <= count <= first[1]


def test_one_cluster_makes_no_interval() -> None:
    with pytest.raises(InvalidInput, match="at least two haystacks"):
        heads_interval(np.ones((1, 2, 2)), 0.1, seed=0)


@pytest.mark.slow
@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1, width=32)))
def test_gini_is_the_mean_difference_by_twice_the_mean(scores: np.ndarray) -> None:
    whole = scores.mean()
    expected = np.abs(scores[:, None] - scores).mean() / (2 * whole) if whole > 0 else 0.0

    assert gini(scores) == pytest.approx(expected, abs=1e-9)
    assert top_share(scores, len(scores)) == pytest.approx(1.0 if whole > 0 else 0.0)


def test_one_head_that_holds_everything_is_the_utmost_concentration() -> None:
    scores = np.zeros((4, 5))
    scores[2, 3] = 0.7

    assert gini(scores) == pytest.approx(1 - 1 / 20)
    assert top_share(scores, 1) == 1.0
