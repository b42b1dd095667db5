"""Retrieval heads: scores of samples, and what follows. See `lccp.probes.retrieval_heads`."""

import numpy as np
from numpy.typing import NDArray

from lccp.probes import retrieval_heads
from lccp.probes.head_scores import heads_interval
from lccp.probes.probe import Contexts
from lccp.probes.retrieval_heads import RetrievalHeadsSettings
from lccp_evaluator.probes.measurement import Measurement, TorchHalf, measured
from lccp_evaluator.records import FloatArray, Records, mean_by
from lccp_evaluator.sampling.crossing import FULL
from lccp_evaluator.sampling.samples import Ids


def measure(records: Records, asked: RetrievalHeadsSettings, _contexts: Contexts) -> Measurement:
    """Number of heads above the threshold, and mean scores [layers, heads].

    `halves` [2, layers, heads] are the same over each half of the haystacks.
    """
    records = records.of(FULL)
    scores = sample_scores(records, asked)
    by_haystack = mean_by(records.label("haystack"), scores)
    mean = scores.mean(axis=0)
    in_second_half = np.arange(len(by_haystack)) >= len(by_haystack) // 2
    halves = [by_haystack[chosen].mean(axis=0) for chosen in (~in_second_half, in_second_half)]
    number, average = retrieval_heads.signals(asked)
    low, high = heads_interval(by_haystack, asked.threshold, seed=records.seed)
    return Measurement(
        signals=(
            measured(number, float((mean > asked.threshold).sum()), len(scores), None, (low, high)),
            measured(average, float(mean.mean()), len(scores)),
        ),
        details={"scores": mean, "halves": np.stack(halves)},
        samples=records.columns() | {"scores": scores.astype(np.float32)},
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
    """As `token_set`, over the positions of the answer."""
    score: FloatArray = (copied >= 0).mean(axis=-1)
    return score


def wu_count(needle: Ids, key_start: int, copied: NDArray[np.int16]) -> FloatArray:
    """As `token_set`, but counting copies from the key, by the number of its tokens."""
    score: FloatArray = (copied >= key_start).sum(axis=-1) / (len(needle) - key_start)
    return score


HALF = TorchHalf(retrieval_heads.PROBE.name, measure, watches_heads=True)
