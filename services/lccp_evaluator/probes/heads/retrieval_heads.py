"""Retrieval heads: scores of samples, and what follows. See `lccp.probes.heads.retrieval_heads`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lccp.probes.heads import retrieval_heads
from lccp.probes.heads.retrieval_heads import RetrievalHeadsSettings
from lccp.probes.probe import Contexts
from lccp.probes.statistics import head_scores
from lccp_evaluator.probes.measurement import Measurement, TorchHalf, measured
from lccp_evaluator.records import BoolArray, FloatArray, Records
from lccp_evaluator.sampling.samples import Ids

CLUSTERS = {"Bio": ("document", "attribute"), "Niah": ("haystack", "needle")}
"""Kinds of clusters, by source. The first, haystacks or documents, is resampled and halved."""


@dataclass(frozen=True)
class Watched:
    """Heads' behavior on N samples; NaN where a head does not see all of the needle."""

    scores: FloatArray
    """[N, layers, heads]"""
    mass: FloatArray
    """Share of attention on the needle [N, layers, heads]."""
    visible: BoolArray
    """[N, layers]"""

    @classmethod
    def of(cls, records: Records, asked: RetrievalHeadsSettings) -> "Watched":
        visible = np.stack([reading.sees.all(axis=-1) for reading in records.readings])
        hidden = ~visible[:, :, None]
        mass = np.stack([reading.mass for reading in records.readings]).astype(np.float64)
        scores = np.where(hidden, np.nan, sample_scores(records, asked))
        return cls(scores, np.where(hidden, np.nan, mass), visible)


def measure(records: Records, asked: RetrievalHeadsSettings, _contexts: Contexts) -> Measurement:
    """Number of heads above the threshold, and mean scores [layers, heads]: NaN if not visible.

    `halves` [2, layers, heads] are mean scores over each half of the haystacks or documents;
    `visible` [layers] is the share of samples in which a layer sees the needle.
    """
    records = records.where(np.array([sample.needle is not None for sample in records.samples]))
    seen = Watched.of(records, asked)
    if not seen.visible.any():
        return Measurement((), notes=("retrievalHeads: no head sees a needle: nothing is scored",))
    groups = {kind: records.label(kind) for kind in CLUSTERS[asked.source]}
    first = next(iter(groups.values()))
    by_first = np.stack([means(seen.scores[first == group]) for group in np.unique(first)])
    late = np.arange(len(by_first)) >= len(by_first) // 2
    halves = [means(by_first[chosen]) for chosen in (~late, late)]
    mean = means(seen.scores)
    found = {
        "retrieval_heads": float((mean > asked.threshold).sum()),
        "retrieval_score_mean": float(np.nanmean(seen.scores)),
        "needle_mass": float(np.nanmean(seen.mass)),
        "score_top_share": head_scores.top_share(mean, asked.top_heads),
        "score_gini": head_scores.gini(mean),
    }
    clusters = {
        "retrieval_score_mean": _by_cluster(seen.scores, groups),
        "needle_mass": _by_cluster(seen.mass, groups),
    }
    interval = head_scores.heads_interval(by_first, asked.threshold, seed=records.seed)
    return Measurement(
        signals=[
            measured(
                signal,
                found[signal.name],
                int(seen.visible.any(axis=1).sum()),
                clusters.get(signal.name),
                interval if signal.name == "retrieval_heads" else None,
            )
            for signal in retrieval_heads.signals(asked)
        ],
        details={
            "scores": mean,
            "halves": np.stack(halves),
            "mass": means(seen.mass),
            "visible": seen.visible.mean(axis=0),
        },
        samples=records.columns() | {"scores": seen.scores.astype(np.float32)},
        notes=_notes(seen.visible),
    )


def sample_scores(records: Records, asked: RetrievalHeadsSettings) -> FloatArray:
    """Retrieval score of every head on every sample [N, layers, heads]."""
    count = {"TokenSet": token_set, "PositionRecall": position_recall, "WuCount": wu_count}
    return np.stack(
        [
            count[asked.counting](records.needle_ids(number), sample.key_start, reading.copied)
            for number, (sample, reading) in enumerate(
                zip(records.samples, records.readings, strict=True)
            )
        ]
    )


def token_set(needle: Ids, _key_start: int, copied: NDArray[np.int16]) -> FloatArray:
    """Score [layers, heads] of `copied` [layers, heads, M]: places in the needle, or -1."""
    is_copied = copied >= 0
    distinct = np.unique(needle)
    found = [is_copied[..., needle == token].any(axis=-1) for token in distinct]
    score: FloatArray = np.sum(found, axis=0) / len(distinct)
    return score


def position_recall(_needle: Ids, _key_start: int, copied: NDArray[np.int16]) -> FloatArray:
    """Like `token_set`, over the positions of the answer."""
    score: FloatArray = (copied >= 0).mean(axis=-1)
    return score


def wu_count(needle: Ids, key_start: int, copied: NDArray[np.int16]) -> FloatArray:
    """Like `token_set`, but copies from the key, divided by the number of its tokens."""
    score: FloatArray = (copied >= key_start).sum(axis=-1) / (len(needle) - key_start)
    return score


def means(values: FloatArray) -> FloatArray:
    """Means over samples [layers, heads] of [N, layers, heads]; NaN where none has a value."""
    counts = (~np.isnan(values)).sum(axis=0)
    averaged: FloatArray = np.nansum(values, axis=0) / np.where(counts, counts, np.nan)
    return averaged


def _by_cluster(
    values: FloatArray, groups: dict[str, NDArray[np.int64]]
) -> dict[str, NDArray[np.float64]]:
    """Mean over samples, layers and heads, by cluster, if any head sees a needle of it."""
    seen = ~np.isnan(values).all(axis=(1, 2))
    return {
        kind: np.array([np.nanmean(values[group == one]) for one in np.unique(group[seen])])
        for kind, group in groups.items()
    }


def _notes(visible: BoolArray) -> Sequence[str]:
    blind = np.flatnonzero(~visible.any(axis=0)).tolist()
    if not blind:
        return ()
    layers = ", ".join(map(str, blind))
    return (f"retrievalHeads: heads of layers {layers} see no needle, so they are not scored",)


HALF = TorchHalf(retrieval_heads.PROBE.name, measure, watches_heads=True)
