"""Score maps of heads: how many retrieve, whether they stay the same, and how sure that is.

Score maps are arrays [layers, heads] of mean retrieval scores, 0 to 1; NaN for a head that never
sees the whole needle, which has no score and counts in nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lccp.contract.errors import InvalidInput

Array = NDArray[np.float64]

RESAMPLES = 2_000
COVERAGE = 0.95


@dataclass(frozen=True)
class Agreement:
    """How far two score maps agree; a value is None where it is not defined."""

    overlap: float | None
    """Share of the top k that both have in common, 0 to 1; None if there are at most k heads."""
    spearman: float | None
    """Spearman's rank correlation over all heads, average ranks; None if all are equal."""
    spearman_top: float | None
    """The same over the heads that either has among its top k; None if there are at most k heads,
    or all are equal."""


def agreement(a: Array, b: Array, k: int) -> Agreement:
    """Agreement of the score maps of two checkpoints."""
    scored = ~np.isnan(a) & ~np.isnan(b)
    first, second = a[scored], b[scored]
    union: NDArray[np.intp] = np.union1d(top_heads(first, k), top_heads(second, k))
    return Agreement(
        overlap=overlap(first, second, k),
        spearman=spearman(first, second),
        spearman_top=spearman(first[union], second[union]) if k < first.size else None,
    )


def noise_ceiling(halves: Sequence[Array], k: int) -> Agreement:
    """Agreement that sampling noise permits: between both halves of one checkpoint's samples.

    Each half holds half the samples, so the ceiling of whole checkpoints is somewhat higher.
    """
    first, second = halves
    return agreement(first, second, k)


def overlap(a: Array, b: Array, k: int) -> float | None:
    """Share of the k highest scores that two score maps have in common; None: at most k heads."""
    if k >= a.size:
        return None
    return len(np.intersect1d(top_heads(a, k), top_heads(b, k))) / k


def top_heads(scores: Array, k: int) -> NDArray[np.intp]:
    """Flat indices of the k highest scores; of equal scores the lower layer and head first."""
    return np.argsort(-np.ravel(scores), kind="stable")[:k]


def top_share(scores: Array, k: int) -> float:
    """Share of the sum of all scores that the k highest hold; 0 if all are 0."""
    scored = scores[~np.isnan(scores)]
    whole = float(scored.sum())
    return float(scored[top_heads(scored, k)].sum()) / whole if whole else 0.0


def gini(scores: Array) -> float:
    """Gini coefficient: mean absolute difference of two scores, divided by twice their mean.

    0: all scores are equal, also if all are 0; 1 - 1/n: one of n holds everything.
    """
    ordered = np.sort(scores[~np.isnan(scores)])
    whole, n = float(ordered.sum()), len(ordered)
    ranks = 2 * np.arange(1, n + 1) - n - 1
    return float(ranks @ ordered) / (n * whole) if whole else 0.0


def average_ranks(values: Array) -> Array:
    """Ranks from 1, equal values sharing the average of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Array = (last - (counts - 1) / 2)[inverse]
    return ranks


def spearman(a: Array, b: Array) -> float | None:
    """Spearman's rank correlation of two flat arrays; None if either has no two unequal values."""
    if len(a) == 0:
        return None
    centred = [ranks - ranks.mean() for ranks in (average_ranks(a), average_ranks(b))]
    norms = [float(np.sqrt(ranks @ ranks)) for ranks in centred]
    if min(norms) == 0:
        return None
    return float(centred[0] @ centred[1]) / (norms[0] * norms[1])


def initial_heads_score(halves: Array, threshold: float) -> Array | None:
    """Mean score of the initial heads at each checkpoint [checkpoints], cross-fitted.

    Heads that score above `threshold` at the first checkpoint in one half of the samples are scored
    in the other half, in both directions, and averaged: being picked by luck raises no score. Heads
    that have no score at one of the checkpoints are left out.
    `halves` is [checkpoints, 2, layers, heads]. None if neither half has such a head.
    """
    ways = []
    for select, score in ((0, 1), (1, 0)):
        scored = ~np.isnan(halves[:, score]).any(axis=0)
        initial = (halves[0, select] > threshold) & scored
        if initial.any():
            ways.append(halves[:, score][:, initial].mean(axis=1))
    return np.mean(ways, axis=0) if ways else None


def counts_with_hysteresis(scores: Array, threshold: float, margin: float) -> NDArray[np.int64]:
    """Number of retrieval heads at each checkpoint, without flicker around the threshold.

    At the first checkpoint a head counts above `threshold`; later it enters above threshold +
    margin and leaves below threshold - margin. `scores` is [checkpoints, layers, heads].
    """
    inside = scores[0] > threshold
    counts = [int(inside.sum())]
    for now in scores[1:]:
        inside = np.where(inside, now >= threshold - margin, now > threshold + margin)
        counts.append(int(inside.sum()))
    return np.array(counts)


def heads_interval(
    scores_by_cluster: Array, threshold: float, seed: int, resamples: int = RESAMPLES
) -> tuple[int, int]:
    """95 % percentile bootstrap interval of the number of heads with a mean above `threshold`.

    Whole clusters are resampled: `scores_by_cluster` is [clusters, layers, heads].

    Raises:
        InvalidInput: there are fewer than two clusters.
    """
    clusters = len(scores_by_cluster)
    if clusters < 2:
        raise InvalidInput("an interval of the number of heads needs at least two haystacks")
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(clusters, np.full(clusters, 1 / clusters), resamples)
    flat = scores_by_cluster.reshape(clusters, -1)
    scored = ~np.isnan(flat)
    sums = draws / clusters @ np.where(scored, flat, 0.0)
    counts = (sums > threshold * (draws @ scored / clusters)).sum(axis=1)
    ends = [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2]
    low, high = np.quantile(counts, ends, method="inverted_cdf")
    return int(low), int(high)
