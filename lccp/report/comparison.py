"""Two checkpoints with their reports and details: differences of signals, and of the heads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lccp.analysis.comparison import Comparison, PairSignal, compare
from lccp.analysis.trajectory import made_otherwise
from lccp.api.objects.report import EvaluationReport
from lccp.contract.errors import InvalidInput
from lccp.probes.probe import Details, Probe
from lccp.probes.registry import PROBES
from lccp.report.details import Fetch, details_of
from lccp.report.load import RunData
from lccp.report.text import tokens_text


@dataclass(frozen=True)
class Evaluated:
    """An evaluated checkpoint."""

    title: str
    report: EvaluationReport
    fetch: Fetch

    def __str__(self) -> str:
        return f"{self.title} at {tokens_text(self.report.tokens)} tokens"


def pair(
    first: tuple[RunData, int | None], second: tuple[RunData, int | None]
) -> tuple[Evaluated, Evaluated]:
    """The checkpoints of two runs, given their tokens, or None.

    Where neither has tokens, they are the newest at which both runs were evaluated, or else the
    newest of each. Raises InvalidInput: there is no such report.
    """
    (a, at_a), (b, at_b) = first, second
    if at_a is None and at_b is None:
        both = {one.tokens for one in a.reports} & {one.tokens for one in b.reports}
        at_a = at_b = max(both, default=None)
    return _evaluated(a, at_a), _evaluated(b, at_b)


def _evaluated(data: RunData, tokens: int | None) -> Evaluated:
    if not data.reports:
        raise InvalidInput(f"{data.title}: has no report to compare yet")
    known = {report.tokens: report for report in data.reports}
    at = max(known) if tokens is None else tokens
    if at not in known:
        nearest = min(known, key=lambda one: abs(one - at))
        raise InvalidInput(
            f"{data.title}: has no report at {at} tokens; the nearest is at {nearest}"
        )
    return Evaluated(data.title, known[at], data.fetch)


def compared(a: Evaluated, b: Evaluated) -> Comparison:
    """The comparison of A and B, including the signals that compare checkpoints."""
    found = compare(a.report, b.report)
    agreements = [
        agreement
        for name, probe in PROBES.items()
        if name in a.report.probes and name in b.report.probes
        if not made_otherwise(a.report, b.report, name)
        for agreement in _agreements(name, probe, a, b)
    ]
    return found.model_copy(update={"agreements": tuple(agreements)})


def _agreements(name: str, probe: Probe, a: Evaluated, b: Evaluated) -> Iterator[PairSignal]:
    details = [details_of(one.report, name, one.fetch) for one in (a, b)]
    first, second = details
    if probe.comparison is None or first is None or second is None:
        return
    if _shapes(first) != _shapes(second):
        return
    settings = probe.settings.parse(a.report.probes[name].settings, name)
    values = probe.comparison.values(settings, [first, second])
    for signal in probe.comparison.signals:
        before, after = values[signal.name]
        yield PairSignal(signal=signal, values=(before, after))


def _shapes(details: Details) -> Mapping[str, tuple[int, ...]]:
    """Models with different layers or heads have nothing to compare."""
    return {name: array.shape for name, array in details.items()}
