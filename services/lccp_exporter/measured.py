"""The part of a report that the exporter keeps, and the arrays beside it."""

from array import array
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from lccp.api.objects.report import EvaluationReport
from lccp.contract.errors import NotFound
from lccp.probes.probe import Details
from lccp.report.details import unpacked
from lccp.store.keys import RunKeys
from lccp.store.port import Store

SignalKey = tuple[str, str]
"""Name and band of a signal; the band is empty if it has none."""


@dataclass(frozen=True, slots=True)
class DetailsReference:
    """Arrays of one probe beside a report."""

    name: str
    """File name in the report's folder."""
    sha256: str
    version: int
    settings: Mapping[str, Any]
    """Version and settings of the probe."""


@dataclass(frozen=True, slots=True)
class DetailsPart:
    """The part of a reference to details that other reports share."""

    probe: str
    name: str
    version: int
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """The part of a report that metrics need."""

    tokens: int
    suite: str
    source_context_length: int
    seconds: float | None
    """Duration of the evaluation, all its stages; None: not in its report."""
    signals: tuple[SignalKey, ...]
    values: "array[float]"
    """By signal."""
    parts: tuple[DetailsPart, ...]
    """Of the probes that have details; one object shared by all similar reports."""
    digests: bytes
    """SHA-256 of their details, one after the other."""

    @classmethod
    def of(cls, report: EvaluationReport) -> Self:
        found = tuple(report.signals())
        beside = [
            (DetailsPart(name, part.details.name, part.version, part.settings), part.details.sha256)
            for name, part in report.probes.items()
            if part.details is not None
        ]
        return cls(
            report.tokens,
            report.suite,
            report.source_context_length,
            sum(report.timings.values()) or None,
            tuple((one.name, one.band or "") for one in found),
            array("d", (one.value for one in found)),
            tuple(part for part, _ in beside),
            b"".join(bytes.fromhex(digest) for _, digest in beside),
        )

    @property
    def details(self) -> dict[str, DetailsReference]:
        """References to the arrays beside the report, by probe."""
        size = len(self.digests) // len(self.parts) if self.parts else 0
        return {
            part.probe: DetailsReference(
                part.name,
                self.digests[i * size : (i + 1) * size].hex(),
                part.version,
                part.settings,
            )
            for i, part in enumerate(self.parts)
        }


def arrays_beside(
    store: Store,
    keys: RunKeys,
    measured: Measured,
    probe: str,
    names: Collection[str] | None = None,
) -> Details | None:
    """The arrays of `probe` beside a report, or those of `names`.

    None if they are missing or do not match the report.
    """
    reference = measured.details.get(probe)
    if reference is None:
        return None
    folder = keys.evaluation(measured.tokens, measured.suite)
    try:
        return unpacked(store.get(f"{folder}{reference.name}"), reference.sha256, names)
    except NotFound:
        return None
