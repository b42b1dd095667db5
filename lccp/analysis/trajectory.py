"""Signals along a run, taken from its comparable reports."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lccp.api.objects.report import EvaluationReport, ProbeReport, SignalValue
from lccp.api.objects.verdict import Exclusion
from lccp.contract.signals import Better, Scale, Signal
from lccp.probes.registry import PROBES

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]

DIGEST_SHOWN = 12


@dataclass(frozen=True)
class Series:
    """A signal along a run, oriented so that rising is better: minus log-PPL, or a score as is."""

    signal: Signal
    tokens: Tokens
    """[checkpoints], ascending: those where it was measured."""
    values: Array
    """[checkpoints]"""
    clusters: Mapping[str, Array]
    """By kind of cluster: [checkpoints, clusters]."""
    is_look: bool = False
    """It was measured for a first look, which decides nothing."""

    def at(self, checkpoints: NDArray[np.intp]) -> Self:
        """The series at only these `checkpoints`."""
        parts = {kind: means[checkpoints] for kind, means in self.clusters.items()}
        tokens, values = self.tokens[checkpoints], self.values[checkpoints]
        return replace(self, tokens=tokens, values=values, clusters=parts)

    def fitted(self, warmup_tokens: int) -> NDArray[np.intp]:
        """Checkpoints that are fitted: trained, and beyond the warm-up."""
        return np.flatnonzero(self.tokens > max(0, warmup_tokens))


def oriented(signal: Signal, values: Array) -> Array:
    """Values in their unit, on the signal's scale and so that rising is better."""
    scaled = np.log(values) if signal.scale is Scale.LOG else values
    return -scaled if signal.better is Better.LOWER else scaled


def in_its_unit(signal: Signal, values: Array) -> Array:
    """The inverse of `oriented`."""
    scaled = -values if signal.better is Better.LOWER else values
    return np.exp(scaled) if signal.scale is Scale.LOG else scaled


@dataclass(frozen=True)
class Trajectory:
    """What was measured along a run."""

    series: Mapping[str, Series]
    """By signal."""
    excluded: tuple[Exclusion, ...] = ()
    """What can't be compared with the rest, oldest first."""

    @classmethod
    def from_reports(cls, reports: Iterable[EvaluationReport]) -> Self:
        """The trajectory of one run's `reports`, in any order.

        For each probe, only measurements made alike count (same version, settings, samples,
        contexts, clusters): the largest such group, and among equally large ones the oldest. Others
        are excluded and named, and so is a second report of one suite and token count, or of a
        checkpoint that was already reported at another count.
        """
        ordered = sorted(reports, key=lambda report: (report.tokens, report.checkpoint_digest))
        single, excluded = _without_repetitions(ordered)
        series: dict[str, Series] = {}
        for suite, probe in sorted({(r.suite, probe) for r in single for probe in r.probes}):
            parts = [r for r in single if r.suite == suite and probe in r.probes]
            alike, others = _alike(parts, probe)
            excluded += others
            series |= {one.signal.name: one for one in _series(alike, probe)}
        return cls(series, tuple(sorted(excluded, key=lambda exclusion: exclusion.tokens)))

    def checkpoints(self) -> list[int]:
        """Token counts at which anything was measured, ascending."""
        return sorted({int(tokens) for one in self.series.values() for tokens in one.tokens})


def _without_repetitions(
    ordered: Sequence[EvaluationReport],
) -> tuple[list[EvaluationReport], list[Exclusion]]:
    by_tokens: dict[tuple[str, int], EvaluationReport] = {}
    by_digest: dict[tuple[str, str], EvaluationReport] = {}
    excluded = []
    for report in ordered:
        suite, tokens, digest = report.suite, report.tokens, report.checkpoint_digest
        if (suite, tokens) in by_tokens:
            reason = f"{_name(report)}: exists twice: keep one of the two"
        elif first := by_digest.get((suite, digest)):
            reason = (
                f"{_name(report)}: is of the same checkpoint as the {_name(first)} "
                f"({digest[:DIGEST_SHOWN]}…): its weights did not move, or it was copied"
            )
        else:
            by_tokens[suite, tokens] = by_digest[suite, digest] = report
            continue
        excluded.append(Exclusion(tokens=tokens, suite=suite, reason=reason))
    return list(by_tokens.values()), excluded


def _alike(
    parts: Sequence[EvaluationReport], probe: str
) -> tuple[list[EvaluationReport], list[Exclusion]]:
    common = set.intersection(*({s.name for s in r.probes[probe].signals} for r in parts))
    made = [_measure(report, probe, common) for report in parts]
    usual, _ = Counter(made).most_common(1)[0]
    reference = parts[made.index(usual)]
    excluded = [
        Exclusion(tokens=report.tokens, suite=report.suite, reason=_differs(report, reference, how))
        for report, own in zip(parts, made, strict=True)
        if (how := _difference(own, usual))
    ]
    return [r for r, own in zip(parts, made, strict=True) if own == usual], excluded


ASPECTS = ("samples", "context lengths", "probe versions or settings", "clusters")


def _measure(report: EvaluationReport, probe: str, common: set[str]) -> tuple[str, ...]:
    """What must be equal in comparable reports, in the order of `ASPECTS`.

    Clusters are those of the signals that all of them measured, `common`: not every signal is
    defined at every checkpoint.
    """
    part = report.probes[probe]
    contexts = f"{report.source_context_length}, {report.target_context_length}"
    made = f"{part.version}, {sorted(part.settings.items())}"
    return part.samples_digest, contexts, made, str(_shapes(part, common))


def made_otherwise(a: EvaluationReport, b: EvaluationReport, probe: str) -> str:
    """The aspect in which two reports that hold `probe` differ; empty: they are comparable."""
    common = {s.name for s in a.probes[probe].signals} & {s.name for s in b.probes[probe].signals}
    return _difference(_measure(a, probe, common), _measure(b, probe, common))


def _shapes(part: ProbeReport, names: set[str]) -> list[tuple[str, list[tuple[str, int]]]]:
    return [
        (signal.name, [(kind, len(means)) for kind, means in sorted(signal.by_cluster.items())])
        for signal in sorted(part.signals, key=lambda signal: signal.name)
        if signal.name in names
    ]


def _difference(own: tuple[str, ...], usual: tuple[str, ...]) -> str:
    return next((a for a, x, y in zip(ASPECTS, own, usual, strict=True) if x != y), "")


def _differs(report: EvaluationReport, reference: EvaluationReport, how: str) -> str:
    return (
        f"{_name(report)}: was measured with different {how} than {_name(reference)}: evaluate "
        "all checkpoints of a run in the same way"
    )


def _series(reports: Sequence[EvaluationReport], probe: str) -> Iterator[Series]:
    """The series of each signal, over the checkpoints at which it was measured."""
    made = {name: part.settings for name, part in reports[0].probes.items()}
    is_look = PROBES.is_look(probe, made)
    found: dict[str, list[tuple[int, SignalValue]]] = {}
    for report in reports:
        for signal in report.probes[probe].signals:
            found.setdefault(signal.name, []).append((report.tokens, signal))
    for pairs in found.values():
        tokens = np.array([at for at, _ in pairs], dtype=np.int64)
        measured = [signal for _, signal in pairs]
        first = measured[0]
        declaration = Signal(**{field: getattr(first, field) for field in Signal.model_fields})
        values = oriented(declaration, np.array([one.value for one in measured]))
        clusters = _clusters(declaration, measured)
        yield Series(declaration, tokens, values, clusters, is_look)


def _clusters(signal: Signal, measured: Sequence[SignalValue]) -> dict[str, Array]:
    kinds = measured[0].by_cluster
    return {
        kind: oriented(signal, np.array([one.by_cluster[kind] for one in measured]))
        for kind in kinds
    }


def _name(report: EvaluationReport) -> str:
    return f"report at {report.tokens:,} tokens"
