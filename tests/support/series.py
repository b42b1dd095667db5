"""Trajectories and reports made from plain series of numbers."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lccp.analysis.trajectory import NIAH_PPL, NIAH_SCORE, Signal, Trajectory
from lccp.api.objects.report import (
    EvaluationReport,
    NiahBand,
    NiahCell,
    NiahResult,
    ProbeResults,
    RetrievalHeadsResult,
)

HAYSTACKS, NEEDLES = 6, 2
SETTINGS = {"haystacks": HAYSTACKS, "needlesPerHaystack": NEEDLES, "seed": 0}


def a_signal(
    values: Sequence[float], name: str = NIAH_PPL, spread: float = 0.0, seed: int = 0
) -> Signal:
    """A signal with these values; clusters scatter around them by `spread` at each checkpoint."""
    rng, of = np.random.default_rng(seed), np.array(values, dtype=np.float64)
    return Signal(name, of, _around(of, HAYSTACKS, spread, rng), _around(of, NEEDLES, spread, rng))


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
    signals = (a_signal(values), a_signal(scores, NIAH_SCORE))
    return Trajectory(np.array(tokens), {signal.name: signal for signal in signals})


def a_report(
    tokens: int,
    nll: float,
    score: float = 1.0,
    guard_nll: float | None = 0.05,
    spread: float = 0.0,
    seed: int = 0,
    heads: RetrievalHeadsResult | None = None,
    **changes: Any,
) -> EvaluationReport:
    """A report whose bands hold these means; haystacks scatter by `spread`, needles by less."""
    rng = np.random.default_rng([tokens, seed])
    bands = {"extension": a_band(nll, score, spread, rng)}
    if guard_nll is not None:
        bands["guard"] = a_band(guard_nll, score, spread, rng)
    lengths = {"extension": 512, "guard": 128}
    cells = [a_cell(lengths[name], band) for name, band in bands.items()]
    niah = NiahResult(version=1, settings=SETTINGS, cells=tuple(cells), bands=bands)
    document: dict[str, Any] = {
        "tokens": tokens,
        "step": tokens // 100,
        "checkpoint_digest": f"{tokens:064x}",
        "samples_digest": "5a" * 32,
        "source_context_length": 256,
        "target_context_length": 512,
        "probes": ProbeResults(niah=niah, retrieval_heads=heads),
    }
    return EvaluationReport(**document | changes)


def a_band(nll: float, score: float, spread: float, rng: np.random.Generator) -> NiahBand:
    def clusters(mean: float, number: int, by: float) -> tuple[float, ...]:
        return tuple(_around(np.array([mean]), number, by, rng)[0].tolist())

    return NiahBand(
        samples=HAYSTACKS * NEEDLES,
        nll=nll,
        ppl=math.exp(nll),
        mean_ppl=math.exp(nll),
        score=score,
        exact=score,
        nll_by_haystack=clusters(nll, HAYSTACKS, spread),
        nll_by_needle=clusters(nll, NEEDLES, spread * math.sqrt(NEEDLES / HAYSTACKS)),
        score_by_haystack=clusters(score, HAYSTACKS, 0),
        score_by_needle=clusters(score, NEEDLES, 0),
    )


def a_cell(length: int, band: NiahBand) -> NiahCell:
    values = {name: getattr(band, name) for name in ("nll", "ppl", "mean_ppl", "score", "exact")}
    return NiahCell(
        samples=band.samples,
        length=length,
        depth_percent=50,
        achieved_depth_percent=50.0,
        **values,
    )


def heads_result(
    scores: np.ndarray, halves: np.ndarray | None = None, **settings: Any
) -> RetrievalHeadsResult:
    """A result with these score maps; both halves are `scores` unless given [2, layers, heads]."""
    of_halves = np.stack([scores, scores]) if halves is None else halves
    first, second = (tuple(map(tuple, half.tolist())) for half in of_halves)
    return RetrievalHeadsResult(
        version=1,
        settings={"threshold": "0.1", "hysteresis": "0.01", "topHeads": 3} | settings,
        samples=HAYSTACKS * NEEDLES,
        scores=tuple(map(tuple, scores.tolist())),
        halves=(first, second),
        heads=int((scores > 0.1).sum()),
        heads_interval=(0, scores.size),
    )
