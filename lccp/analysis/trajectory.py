"""Signals by checkpoint, taken from reports that may be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lccp.api.objects.report import EvaluationReport, NiahBand, RetrievalHeadsResult
from lccp.contract.errors import InvalidInput

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]

NIAH_PPL, NIAH_SCORE, NIAH_PPL_GUARD = "niah_ppl", "niah_score", "niah_ppl_guard"


@dataclass(frozen=True)
class Signal:
    """A signal at every checkpoint, oriented so that rising is better.

    Perplexities are taken as -NLL (minus log-PPL), scores as they are.
    """

    name: str
    values: Array
    """[checkpoints]"""
    by_haystack: Array
    """[checkpoints, haystacks]"""
    by_needle: Array
    """[checkpoints, needles]"""

    def at(self, checkpoints: NDArray[np.intp]) -> Self:
        """The signal at `checkpoints` alone."""
        parts = (self.values, self.by_haystack, self.by_needle)
        return type(self)(self.name, *(part[checkpoints] for part in parts))


@dataclass(frozen=True)
class Trajectory:
    """What was measured along a run, oldest checkpoint first."""

    tokens: Tokens
    """[checkpoints], ascending."""
    signals: dict[str, Signal]
    """By name; `niah_ppl_guard` is absent if no length lies within the source context."""
    heads: tuple[RetrievalHeadsResult, ...] = ()
    """By checkpoint; empty if the probe was not run."""

    @classmethod
    def from_reports(cls, reports: Sequence[EvaluationReport]) -> Self:
        """The trajectory of one run's `reports`, in any order.

        Raises:
            InvalidInput: they are not comparable, or do not hold the extension band.
        """
        ordered = sorted(reports, key=lambda report: report.tokens)
        for before, report in pairwise(ordered):
            if before.tokens == report.tokens:
                raise InvalidInput(f"{_name(report)}: is there twice: keep one of the two")
            _check_comparable(ordered[0], report)
        tokens = np.array([report.tokens for report in ordered], dtype=np.int64)
        heads = [r.probes.retrieval_heads for r in ordered if r.probes.retrieval_heads]
        return cls(tokens, _signals(ordered) if ordered else {}, tuple(heads))

    def fitted(self, warmup_tokens: int) -> NDArray[np.intp]:
        """Checkpoints that are fitted: trained, and beyond the warm-up."""
        return np.flatnonzero(self.tokens > max(0, warmup_tokens))


def _signals(reports: Sequence[EvaluationReport]) -> dict[str, Signal]:
    extension, guard = _bands(reports, "extension"), _bands(reports, "guard")
    if not extension:
        raise InvalidInput(_without_extension(reports[0]))
    signals = [_perplexity(NIAH_PPL, extension), _score(NIAH_SCORE, extension)]
    signals += [_perplexity(NIAH_PPL_GUARD, guard)] if guard else []
    for signal in signals:
        _check_finite(signal, reports)
    return {signal.name: signal for signal in signals}


def _bands(reports: Sequence[EvaluationReport], band: str) -> list[NiahBand]:
    return [b for r in reports for name, b in r.probes.niah.bands.items() if name == band]


def _perplexity(name: str, bands: Sequence[NiahBand]) -> Signal:
    return Signal(
        name,
        -np.array([band.nll for band in bands]),
        -np.array([band.nll_by_haystack for band in bands]),
        -np.array([band.nll_by_needle for band in bands]),
    )


def _score(name: str, bands: Sequence[NiahBand]) -> Signal:
    return Signal(
        name,
        np.array([band.score for band in bands]),
        np.array([band.score_by_haystack for band in bands]),
        np.array([band.score_by_needle for band in bands]),
    )


def _check_comparable(first: EvaluationReport, report: EvaluationReport) -> None:
    for what, of_first, of_report in zip(
        ("samples", "context lengths", "probe versions or settings", "bands or clusters"),
        _measured(first),
        _measured(report),
        strict=True,
    ):
        if of_first != of_report:
            raise InvalidInput(
                f"{_name(report)}: was measured with other {what} than {_name(first)}: "
                "evaluate all checkpoints of a run alike"
            )


def _measured(report: EvaluationReport) -> tuple[object, ...]:
    """What must be equal in comparable reports, in the order of `_check_comparable`."""
    niah, heads = report.probes.niah, report.probes.retrieval_heads
    probes = [(probe.version, probe.settings) for probe in (niah, heads) if probe]
    shapes = {name: _clusters(band) for name, band in niah.bands.items()}
    lengths = (report.source_context_length, report.target_context_length)
    return report.samples_digest, lengths, probes, shapes


def _clusters(band: NiahBand) -> tuple[int, ...]:
    by_cluster = (band.nll_by_haystack, band.nll_by_needle)
    return tuple(map(len, (*by_cluster, band.score_by_haystack, band.score_by_needle)))


def _check_finite(signal: Signal, reports: Sequence[EvaluationReport]) -> None:
    if max(signal.by_haystack.shape[1], signal.by_needle.shape[1]) < 2:
        raise InvalidInput(
            f"{_name(reports[0])}: has one haystack and one needle, so its sampling noise cannot "
            "be known: evaluate with at least two haystacks"
        )
    for report, *values in zip(
        reports, signal.values, signal.by_haystack, signal.by_needle, strict=True
    ):
        if not all(np.isfinite(value).all() for value in values):
            raise InvalidInput(
                f"{_name(report)}: {signal.name} is not a finite number: "
                "the checkpoint is damaged, or its training diverged"
            )


def _without_extension(report: EvaluationReport) -> str:
    lengths = sorted({cell.length for cell in report.probes.niah.cells})
    return (
        f"{_name(report)}: the lengths {', '.join(map(str, lengths))} all lie within the source "
        f"context of {report.source_context_length} tokens: a verdict needs lengths beyond it"
    )


def _name(report: EvaluationReport) -> str:
    return f"report at {report.tokens:,} tokens"
