"""Continuous needle in a haystack: values of samples, bands, cells. See `lccp.probes.niah`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from lccp.api.objects.report import SignalValue
from lccp.contract.signals import Band, Signal
from lccp.probes import niah
from lccp.probes.niah import NiahSettings
from lccp.probes.probe import Contexts
from lccp.probes.settings.bands import quantity
from lccp_evaluator.probes.measurement import (
    Column,
    Measurement,
    SampleSource,
    TorchHalf,
    means,
    measured,
)
from lccp_evaluator.probes.statistics.cells import by_depth_and_length, by_sample
from lccp_evaluator.probes.statistics.depths import lost_in_the_middle
from lccp_evaluator.probes.statistics.intervals import ClusteredMean, interval
from lccp_evaluator.records import BoolArray, FloatArray, Records, mean_by
from lccp_evaluator.sampling import crossing
from lccp_evaluator.sampling.crossing import FULL, NONE, ORACLE


@dataclass(frozen=True)
class ContextUse:
    """What the context is worth to the model: gain and recovery, over the samples of a band.

    NLL (nats per token) of each answer with the whole prompt, `full` [N], whose `haystack` [N] and
    `needle` [N] are given; and, by needle, without context, `none`, and with only the needle as
    context, `oracle`.

    Gain and recovery are means over samples, so each cluster has a share in them: its own value,
    and the mean of these is the whole's. A share in a quotient is its linearization around that of
    the means.
    """

    full: FloatArray
    haystack: FloatArray
    needle: FloatArray
    none: FloatArray
    oracle: FloatArray

    @property
    def gain(self) -> ClusteredMean:
        """`none - full`."""
        by_needle = self.none - mean_by(self.needle, self.full)
        by_haystack = self.none.mean() - mean_by(self.haystack, self.full)
        return ClusteredMean(
            float(by_needle.mean()), {"haystack": by_haystack, "needle": by_needle}
        )

    @property
    def recovery(self) -> ClusteredMean | None:
        """`(none - full) / (none - oracle)`; None if the latter is not certainly above 0."""
        best = self.none - self.oracle
        sure = interval(float(best.mean()), {"needle": best})
        if sure is None or not sure[0] > 0:
            return None
        gain, whole = self.gain, float(best.mean())
        value = gain.value / whole
        by_needle = value + (gain.by_cluster["needle"] - value * best) / whole
        by_cluster = {"haystack": gain.by_cluster["haystack"] / whole, "needle": by_needle}
        return ClusteredMean(value, by_cluster)


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
            score=records.key_is_arg_max,
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
            own = full.where(chosen)
            used = _use(records, own)
            found += _estimates(declared.values(), used, own)
            if used.recovery is None:
                notes.append(
                    f"niah: recovery ({band}) is not measured: the needle alone does not help for "
                    "sure"
                )
    details = by_depth_and_length(
        full.label("depth_percent"),
        full.length,
        full.nll,
        contexts.source,
        {
            "achieved_depth_percent": full.label("achieved_depth_percent"),
            "mean_ppl": np.exp(values.nll),
            "score": values.score,
            "exact": values.exact,
        },
    )
    samples = by_sample(full, {"score": values.score, "exact": values.exact})
    return Measurement(found, details, samples, notes)


def _answers(
    declared: Iterable[Signal], values: Values, records: Records, chosen: BoolArray
) -> Iterator[SignalValue]:
    """Signals of the answers in a band, each with its means by haystack and by needle."""
    groups = {kind: records.label(kind)[chosen] for kind in ("haystack", "needle")}
    nll = values.nll[chosen]
    columns: dict[str, Column] = {
        "niah_ppl": (nll, np.exp),
        "niah_score": (values.score[chosen], np.asarray),
        "niah_exact": (values.exact[chosen], np.asarray),
        "niah_mean_ppl": (np.exp(nll), np.asarray),
    }
    return means(declared, columns, groups)


def _use(records: Records, full: Records) -> ContextUse:
    """What the contexts of `full` are worth, by the samples with none, or with only the needle."""
    return ContextUse(
        full=full.nll,
        haystack=full.label("haystack"),
        needle=full.label("needle"),
        none=records.of(NONE).nll,
        oracle=records.of(ORACLE).nll,
    )


def _estimates(declared: Iterable[Signal], use: ContextUse, full: Records) -> Iterator[SignalValue]:
    """Gain, recovery, and the loss in the middle, as far as they are defined."""
    clusters = {kind: full.label(kind) for kind in ("haystack", "needle")}
    estimates = {
        "context_gain": use.gain,
        "recovery": use.recovery,
        "niah_lost_in_the_middle": lost_in_the_middle(
            full.nll, full.label("depth_percent"), clusters
        ),
    }
    for signal in declared:
        one = estimates.get(quantity(signal))
        if one is not None:
            yield measured(signal, one.value, len(full.samples), one.by_cluster, one.interval)


HALF = TorchHalf(
    niah.PROBE.name,
    measure,
    source=SampleSource(crossing.VERSION, crossing.draw),
)
