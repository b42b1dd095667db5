"""Two checkpoints, of one run or of two: the difference of each signal, paired by cluster."""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from lccp.analysis.rules.noise import Variance, variance_of_mean
from lccp.analysis.trajectory import Array, made_otherwise, oriented
from lccp.api.objects.report import EvaluationReport, SignalValue
from lccp.contract.base import Contract
from lccp.contract.signals import Signal

COVERAGE = 0.95


class SignalDifference(Contract):
    """A signal at two checkpoints A and B, and what B gains over A."""

    signal: Annotated[Signal, Field(description="As its probe declares it.")]
    values: Annotated[tuple[float, float], Field(description="At A and at B, in its unit.")]
    gain: Annotated[
        float, Field(description="Of B over A on the signal's scale; positive is better.")
    ]
    interval: Annotated[
        tuple[float, float] | None,
        Field(
            description="95 % interval of the gain, as far as the samples leave it open; none: "
            "the signal has no clusters."
        ),
    ] = None

    @property
    def finding(self) -> Literal["better", "worse", "not clear"]:
        """What the interval permits to conclude about B."""
        lower, upper = self.interval or (0.0, 0.0)
        if lower > 0:
            return "better"
        return "worse" if upper < 0 else "not clear"


class PairSignal(Contract):
    """A signal that compares B with A, such as how many top heads they have in common."""

    signal: Annotated[Signal, Field(description="As its probe declares it.")]
    values: Annotated[
        tuple[float | None, float | None],
        Field(description="Of A, and of B against A; none where it is not defined."),
    ]


class Comparison(Contract):
    """What is known of two checkpoints A and B."""

    differences: Annotated[tuple[SignalDifference, ...], Field(description="By signal.")]
    agreements: Annotated[tuple[PairSignal, ...], Field(description="By signal.")] = ()
    left_out: Annotated[
        tuple[str, ...], Field(description="Probes that can't be compared, and why.")
    ] = ()


def compare(a: EvaluationReport, b: EvaluationReport) -> Comparison:
    """The differences of all signals that both reports hold, of probes that ran alike.

    Both answered the same samples, so effects particular to a cluster cancel out.
    """
    differences: list[SignalDifference] = []
    left_out = []
    for probe in (name for name in a.probes if name in b.probes):
        if how := made_otherwise(a, b, probe):
            left_out.append(f"{probe}: was measured with different {how}")
            continue
        differences += _differences(a, b, probe)
    one_sided = sorted(a.probes.keys() ^ b.probes.keys())
    left_out += [f"{probe}: was measured at only one of the two" for probe in one_sided]
    return Comparison(differences=tuple(differences), left_out=tuple(left_out))


def _differences(
    a: EvaluationReport, b: EvaluationReport, probe: str
) -> Iterator[SignalDifference]:
    others = {signal.name: signal for signal in b.probes[probe].signals}
    for first in a.probes[probe].signals:
        if first.name in others:
            yield _difference(first, others[first.name])


def _difference(first: SignalValue, second: SignalValue) -> SignalDifference:
    values = first.value, second.value
    declared = Signal(**{field: getattr(first, field) for field in Signal.model_fields})
    before, after = oriented(declared, np.array(values))
    gain = float(after - before)
    half = _half_width(declared, first, second)
    return SignalDifference(
        signal=declared,
        values=values,
        gain=gain,
        interval=None if half is None else (gain - half, gain + half),
    )


def _half_width(declared: Signal, first: SignalValue, second: SignalValue) -> float | None:
    """Half the interval: the variances of the kinds add, each over its clusters' differences."""
    total: Variance | None = None
    for kind, own in first.by_cluster.items():
        if len(own) > 1:
            gains = oriented(declared, np.array(second.by_cluster[kind]))
            part = _of_kind(gains - oriented(declared, np.array(own)))
            total = part if total is None else total + part
    return None if total is None else float(total.half_width((1 + COVERAGE) / 2)[0])


def _of_kind(gains: Array) -> Variance:
    return Variance(variance_of_mean(gains[:, None]), np.array([len(gains) - 1.0]))
