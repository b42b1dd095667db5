"""Continuous needle in a haystack: values of samples, bands, cells. See `lccp.probes.niah`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lccp.api.objects.report import SignalValue
from lccp.contract.signals import Band, Signal
from lccp.probes import niah
from lccp.probes.niah import NiahSettings
from lccp.probes.probe import Contexts
from lccp_evaluator.probes.context_use import ContextUse
from lccp_evaluator.probes.measurement import (
    Arrays,
    Measurement,
    SampleSource,
    TorchHalf,
    measured,
)
from lccp_evaluator.records import BoolArray, FloatArray, Records, mean_by
from lccp_evaluator.sampling import crossing
from lccp_evaluator.sampling.crossing import FULL, NONE, ORACLE


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


def measure(records: Records, asked: NiahSettings, contexts: Contexts) -> Measurement:
    """Signals of both bands, a grid [depths, lengths], and the values of every sample."""
    full = records.of(FULL)
    values = Values.of(full)
    beyond = full.length > contexts.source
    found: list[SignalValue] = []
    notes = []
    if asked.preset == "Quick":
        notes.append("niah: the preset Quick has too few samples to decide anything by")
    bands: dict[Band, BoolArray] = {"extension": beyond, "guard": ~beyond}
    for band, chosen in bands.items():
        if chosen.any():
            declared = {one.name: one for one in niah.signals(asked) if one.band == band}
            found += _answers(declared.values(), values, full, chosen)
            used = _use(records, full.where(chosen))
            found += _context(declared.values(), used, int(chosen.sum()))
            if used.recovery is None:
                notes.append(
                    f"niah: recovery ({band}) is not measured: the needle alone does not help for "
                    "sure"
                )
    return Measurement(found, _grid(full, values, beyond), _by_sample(full, values), notes)


def _answers(
    declared: Iterable[Signal], values: Values, records: Records, chosen: BoolArray
) -> Iterator[SignalValue]:
    """Signals of the answers in a band, each with its means by haystack and by needle."""
    groups = {kind: records.label(kind)[chosen] for kind in ("haystack", "needle")}
    columns: dict[str, tuple[FloatArray, Any]] = {
        "niah_ppl": (values.nll, np.exp),
        "niah_score": (values.score, np.asarray),
        "niah_exact": (values.exact, np.asarray),
        "niah_mean_ppl": (np.exp(values.nll), np.asarray),
    }
    for signal in declared:
        name = signal.name.removesuffix("_guard")
        if name in columns:
            column, of_mean = columns[name][0][chosen], columns[name][1]
            clusters = {kind: of_mean(mean_by(group, column)) for kind, group in groups.items()}
            yield measured(signal, float(of_mean(column.mean())), len(column), clusters)


def _use(records: Records, full: Records) -> ContextUse:
    """What the contexts of `full` are worth, by the samples that have none, or the needle alone."""
    return ContextUse(
        full=full.nll,
        haystack=full.label("haystack"),
        needle=full.label("needle"),
        none=records.of(NONE).nll,
        oracle=records.of(ORACLE).nll,
    )


def _context(declared: Iterable[Signal], use: ContextUse, n: int) -> Iterator[SignalValue]:
    """Gain and recovery, the latter where it is defined."""
    shares = {"context_gain": use.gain, "recovery": use.recovery}
    for signal in declared:
        share = shares.get(signal.name.removesuffix("_guard"))
        if share is not None:
            yield measured(signal, share.value, n, share.by_cluster, share.interval)


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
    source=SampleSource(crossing.VERSION, crossing.draw),
)
