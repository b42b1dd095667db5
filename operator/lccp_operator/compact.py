"""Reports as kept between two reconciles: their numbers, in a shared arrangement.

A store holds many thousand reports, and nearly all reports of a run were made alike. Their common
part is kept once; each keeps only its numbers, from which it is rebuilt without parsing.
"""

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from lccp.api.objects.report import EvaluationReport, ProbeReport, SignalValue
from lccp.facts.packing import SharedValue


class Arrangement(SharedValue):
    """A report without its numbers, and their arrangement; shared by all that are alike."""

    def __init__(self, report: EvaluationReport, digest: bytes) -> None:
        self.digest = digest
        self._report = report

    @property
    def unknown_fields(self) -> tuple[str, ...]:
        return self._report.unknown_fields

    def filled(
        self, tokens: int, step: int, digest: str, numbers: "array[float]"
    ) -> EvaluationReport:
        """The report with these numbers."""
        rest = iter(numbers)
        probes = {name: _filled(probe, rest) for name, probe in self._report.probes.items()}
        own = {"tokens": tokens, "step": step, "checkpoint_digest": digest, "probes": probes}
        return self._report.model_copy(update=own)


_BLANK: dict[str, Any] = {
    "tokens": 0,
    "step": 0,
    "checkpoint_digest": "",
    "timings": {},
    "versions": {},
    "execution_plan": {},
}
"""What is a report's own, beside that of its probes, as it is in an arrangement."""
_OWN: Any = {
    **dict.fromkeys(_BLANK, True),
    "probes": {
        "__all__": {
            "details": True,
            "samples": True,
            "signals": {"__all__": {"value", "by_cluster", "interval"}},
        }
    },
}
"""All that is a report's own, to be excluded from what it shares."""
_ARRANGEMENTS: WeakValueDictionary[bytes, Arrangement] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class CompactReport:
    """A report in a small fraction of the memory that it takes as an object."""

    tokens: int
    suite: str
    step: int
    checkpoint_digest: str
    numbers: "array[float]"
    arrangement: Arrangement

    @classmethod
    def of(cls, report: EvaluationReport) -> "CompactReport":
        return cls(
            report.tokens,
            report.suite,
            report.step,
            report.checkpoint_digest,
            array("d", _numbers(report)),
            _arrangement(report),
        )

    @property
    def unknown_fields(self) -> tuple[str, ...]:
        """Fields of the run's probes that the evaluator did not know."""
        return self.arrangement.unknown_fields

    def report(self) -> EvaluationReport:
        """The report, without parts that differ between equal measurements: details, timings."""
        return self.arrangement.filled(self.tokens, self.step, self.checkpoint_digest, self.numbers)

    @property
    def digest(self) -> bytes:
        """SHA-256 of everything that a verdict can be based on."""
        own = f"{self.tokens} {self.step} {self.checkpoint_digest}".encode()
        return hashlib.sha256(own + self.arrangement.digest + self.numbers.tobytes()).digest()


def _arrangement(report: EvaluationReport) -> Arrangement:
    common = report.model_dump_json(exclude=_OWN)
    shapes = [
        [(kind, len(means)) for kind, means in signal.by_cluster.items()]
        + [("interval", len(signal.interval or ()))]
        for signal in report.signals()
    ]
    digest = hashlib.sha256(f"{common}{shapes}".encode()).digest()
    known = _ARRANGEMENTS.get(digest)
    if known is None:
        known = _ARRANGEMENTS.setdefault(digest, Arrangement(_without_numbers(report), digest))
    return known


def _without_numbers(report: EvaluationReport) -> EvaluationReport:
    probes = {name: _bare(probe) for name, probe in report.probes.items()}
    return report.model_copy(update=_BLANK | {"probes": probes})


def _bare(probe: ProbeReport) -> ProbeReport:
    signals = tuple(_with(signal, iter(lambda: 0.0, None)) for signal in probe.signals)
    return probe.model_copy(update={"signals": signals, "details": None, "samples": None})


def _filled(probe: ProbeReport, numbers: Iterator[float]) -> ProbeReport:
    signals = tuple(_with(signal, numbers) for signal in probe.signals)
    return probe.model_copy(update={"signals": signals})


def _numbers(report: EvaluationReport) -> Iterator[float]:
    for signal in report.signals():
        yield signal.value
        for means in signal.by_cluster.values():
            yield from means
        yield from signal.interval or ()


def _with(signal: SignalValue, numbers: Iterator[float]) -> SignalValue:
    """The signal with the next numbers, in the order of `_numbers`."""
    update: dict[str, Any] = {"value": next(numbers)}
    update["by_cluster"] = {
        kind: tuple(next(numbers) for _ in means) for kind, means in signal.by_cluster.items()
    }
    if signal.interval is not None:
        update["interval"] = (next(numbers), next(numbers))
    return signal.model_copy(update=update)
