"""Trajectories made from plain series of numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from reports import HAYSTACKS, NEEDLES, declared
from tiny_reports import REGULAR

from lccp.analysis.trajectory import Series, Trajectory
from lccp.api.objects.policy import Policy

NIAH_PPL, NIAH_SCORE, NIAH_PPL_GUARD = "niah_ppl", "niah_score", "niah_ppl_guard"


def a_series(
    tokens: Sequence[int],
    values: Sequence[float],
    name: str = NIAH_PPL,
    spread: float = 0.0,
    seed: int = 0,
) -> Series:
    """A series with these oriented values; clusters scatter by `spread` at each checkpoint."""
    rng, of = np.random.default_rng(seed), np.array(values, dtype=np.float64)
    clusters = {
        "haystack": _around(of, HAYSTACKS, spread, rng),
        "needle": _around(of, NEEDLES, spread, rng),
    }
    return Series(declared(name), np.array(tokens, dtype=np.int64), of, clusters)


def _around(
    values: np.ndarray, clusters: int, spread: float, rng: np.random.Generator
) -> np.ndarray:
    scatter = rng.normal(0, spread, (len(values), clusters))
    return values[:, None] + scatter - scatter.mean(axis=1, keepdims=True)


def a_trajectory(
    tokens: Sequence[int], values: Sequence[float], score: Sequence[float] | float = 0.5
) -> Trajectory:
    """NIAH-PPL with minus-log values and a score, without sampling noise."""
    scores = np.broadcast_to(np.array(score, dtype=np.float64), len(tokens))
    series = (a_series(tokens, values), a_series(tokens, scores, NIAH_SCORE))
    return Trajectory({one.signal.name: one for one in series})


def with_changes(policy: Policy, **changes: Any) -> Policy:
    """`policy` with other values."""
    return Policy.model_validate(policy.model_dump() | changes)


QUORUM = Trajectory(
    {
        NIAH_PPL: a_series(REGULAR, 0.1 * REGULAR / 400),
        NIAH_SCORE: a_series(REGULAR, 1e-4 * (-1.0) ** np.arange(len(REGULAR)), NIAH_SCORE),
    }
)
"""The leading signal improves; another one is on a plateau."""
