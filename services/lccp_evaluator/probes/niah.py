"""Continuous needle in a haystack: NLL, perplexity and score of the answer.

The NLL of a sample is -(1/m) Σ log p_i over its m answer tokens. The perplexity of a cell or band
is exp of the mean NLL of its samples, each weighing the same. `score` asks that every token of the
key be the arg-max, given the stem; `exact` asks it of every token of the answer. Nothing is
decoded.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lccp.api.objects.report import Band, NiahBand, NiahCell, NiahResult, NiahValues
from lccp.api.spec.evaluation import ProbesSpec
from lccp_evaluator.records import BoolArray, FloatArray, Records, mean_by

NAME = "niah"
VERSION = 1


@dataclass(frozen=True)
class Values:
    """NLL (nats per answer token), score and exactness of each sample [N]."""

    nll: FloatArray
    score: FloatArray
    exact: FloatArray

    @classmethod
    def of(cls, records: Records) -> Self:
        key_starts = [
            sample.answer_key_span[0] - sample.answer_span[0] for sample in records.samples
        ]
        return cls(
            nll=np.array([reading.nll.mean(dtype=np.float64) for reading in records.readings]),
            score=np.array(
                [
                    float(reading.is_arg_max[start:].all())
                    for reading, start in zip(records.readings, key_starts, strict=True)
                ]
            ),
            exact=np.array([float(reading.is_arg_max.all()) for reading in records.readings]),
        )

    def over(self, chosen: BoolArray) -> NiahValues:
        """The aggregate over the chosen samples [N]."""
        nll = self.nll[chosen]
        return NiahValues(
            samples=len(nll),
            nll=float(nll.mean()),
            ppl=float(np.exp(nll.mean())),
            mean_ppl=float(np.exp(nll).mean()),
            score=float(self.score[chosen].mean()),
            exact=float(self.exact[chosen].mean()),
        )


def measure(records: Records, probes: ProbesSpec, source_context: int) -> NiahResult:
    """Cells by length and depth; bands beyond and within the source context (tokens)."""
    values = Values.of(records)
    beyond = records.length > source_context
    bands: dict[Band, BoolArray] = {"extension": beyond, "guard": ~beyond}
    return NiahResult(
        version=VERSION,
        settings=records.frozen.header.settings,
        cells=tuple(
            _cell(records, values, length, depth)
            for length, depth in product(probes.niah.lengths, probes.niah.depths_percent)
        ),
        bands={
            band: _band(records, values, chosen) for band, chosen in bands.items() if chosen.any()
        },
    )


def arrays(records: Records, probes: ProbesSpec) -> dict[str, NDArray[Any]]:
    """Per sample [N]: `nll`, `score`, `exact`, and which sample it is.

    Per answer token of all samples in a row: `token_nll`, `token_is_arg_max`; sample i has those
    from `token_offsets[i]` to `token_offsets[i + 1]`.
    """
    values = Values.of(records)
    counts = [len(reading.nll) for reading in records.readings]
    return records.columns() | {
        "nll": values.nll,
        "score": values.score,
        "exact": values.exact,
        "token_nll": np.concatenate([reading.nll for reading in records.readings]),
        "token_is_arg_max": np.concatenate([reading.is_arg_max for reading in records.readings]),
        "token_offsets": np.concatenate(([0], np.cumsum(counts))),
    }


def _cell(records: Records, values: Values, length: int, depth: int) -> NiahCell:
    chosen = (records.length == length) & (records.depth_percent == depth)
    return NiahCell(
        length=length,
        depth_percent=depth,
        achieved_depth_percent=float(records.achieved_depth_percent[chosen].mean()),
        **dict(values.over(chosen)),
    )


def _band(records: Records, values: Values, chosen: BoolArray) -> NiahBand:
    haystack, needle = records.haystack[chosen], records.needle[chosen]
    nll, score = values.nll[chosen], values.score[chosen]
    return NiahBand(
        nll_by_haystack=tuple(mean_by(haystack, nll).tolist()),
        nll_by_needle=tuple(mean_by(needle, nll).tolist()),
        score_by_haystack=tuple(mean_by(haystack, score).tolist()),
        score_by_needle=tuple(mean_by(needle, score).tolist()),
        **dict(values.over(chosen)),
    )
