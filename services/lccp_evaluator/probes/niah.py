"""Continuous needle in a haystack: NLL, perplexity and score of the answer.

The NLL of a sample is -(1/m) Σ log p_i over its m answer tokens. The perplexity of a cell or band
is exp of the mean NLL of its samples, each weighing the same. `score` asks that every token of the
key be the arg-max, given the stem; `exact` asks it of every token of the answer. Nothing is
decoded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lccp.api.objects.report import SignalValue
from lccp.contract.signals import Band
from lccp.probes import niah
from lccp.probes.niah import NiahSettings
from lccp.probes.probe import Contexts
from lccp_evaluator.probes.measurement import (
    Arrays,
    Measurement,
    SampleSource,
    TorchHalf,
    measured,
)
from lccp_evaluator.records import BoolArray, FloatArray, Records, mean_by
from lccp_evaluator.sampling import crossing, settings


@dataclass(frozen=True)
class Values:
    """NLL (nats per answer token), score and exactness of each sample [N]."""

    nll: FloatArray
    score: FloatArray
    exact: FloatArray

    @classmethod
    def of(cls, records: Records) -> Self:
        return cls(
            nll=records.nll,
            score=np.array(
                [
                    float(reading.is_arg_max[sample.key_start :].all())
                    for sample, reading in zip(records.samples, records.readings, strict=True)
                ]
            ),
            exact=np.array([float(reading.is_arg_max.all()) for reading in records.readings]),
        )

    def columns(self) -> dict[str, FloatArray]:
        return {"nll": self.nll, "score": self.score, "exact": self.exact, "ppl": np.exp(self.nll)}


def measure(records: Records, asked: NiahSettings, contexts: Contexts) -> Measurement:
    """Signals of both bands, a grid [depths, lengths], and the values of every sample."""
    values = Values.of(records)
    beyond = records.length > contexts.source
    bands: dict[Band, BoolArray] = {"extension": beyond, "guard": ~beyond}
    found = [
        signal
        for band, chosen in bands.items()
        if chosen.any()
        for signal in _signals(band, values, records, chosen, asked)
    ]
    return Measurement(found, _grid(records, values, beyond), _by_sample(records, values))


def _signals(
    band: Band, values: Values, records: Records, chosen: BoolArray, asked: NiahSettings
) -> Iterator[SignalValue]:
    """The signals of a band, each with its means by haystack and by needle."""
    groups = {kind: records.label(kind)[chosen] for kind in ("haystack", "needle")}
    own = {name: column[chosen] for name, column in values.columns().items()}

    def signal(name: str, column: FloatArray, of_mean: Any) -> SignalValue:
        clusters = {kind: of_mean(mean_by(group, column)) for kind, group in groups.items()}
        return measured(declared[name], float(of_mean(column.mean())), len(column), clusters)

    suffix = "" if band == "extension" else "_guard"
    declared = {
        one.name.removesuffix(suffix): one for one in niah.signals(asked) if one.band == band
    }
    with np.errstate(over="ignore"):
        yield signal("niah_ppl", own["nll"], np.exp)
        yield signal("niah_score", own["score"], np.asarray)
        yield signal("niah_exact", own["exact"], np.asarray)
        yield signal("niah_mean_ppl", own["ppl"], np.asarray)


def _grid(records: Records, values: Values, beyond: BoolArray) -> Arrays:
    """Means by cell [depths, lengths], and perplexity by depth beyond the source context."""
    depth = records.label("depth_percent")
    lengths, depths = np.unique(records.length), np.unique(depth)
    cells = (depth[:, None] == depths)[:, :, None] & (records.length[:, None] == lengths)[
        :, None, :
    ]
    counts = cells.sum(axis=0)

    def means(column: NDArray[Any]) -> FloatArray:
        averaged: FloatArray = np.tensordot(column.astype(np.float64), cells, axes=1) / counts
        return averaged

    nll = means(values.nll)
    details = {
        "lengths": lengths,
        "depths_percent": depths,
        "samples": counts,
        "achieved_depth_percent": means(records.label("achieved_depth_percent")),
        "nll": nll,
        "ppl": np.exp(nll),
        "mean_ppl": means(np.exp(values.nll)),
        "score": means(values.score),
        "exact": means(values.exact),
    }
    if beyond.any():
        within = len(lengths) - len(np.unique(records.length[beyond]))
        details["ppl_by_depth"] = np.exp(nll[:, within:].mean(axis=1))
    return details


def _by_sample(records: Records, values: Values) -> Arrays:
    """Per sample [N]: `nll`, `score`, `exact`, and which sample it is.

    Per answer token of all samples in a row: `token_nll`, `token_is_arg_max`; sample i has those
    from `token_offsets[i]` to `token_offsets[i + 1]`.
    """
    counts = [len(reading.nll) for reading in records.readings]
    return records.columns() | {
        "nll": values.nll,
        "score": values.score,
        "exact": values.exact,
        "token_nll": np.concatenate([reading.nll for reading in records.readings]),
        "token_is_arg_max": np.concatenate([reading.is_arg_max for reading in records.readings]),
        "token_offsets": np.concatenate(([0], np.cumsum(counts))),
    }


HALF = TorchHalf(
    niah.PROBE.name,
    measure,
    source=SampleSource(crossing.VERSION, settings.resolved, crossing.draw),
)
