"""What the exporter knows of one run: as little as metrics, API and pages need."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from lccp.api.causes import Cause
from lccp.api.labels import INTRINSIC
from lccp.api.objects.journal import Journal
from lccp.api.objects.policy import Policy
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.training import End, Heartbeat, Ledger
from lccp.api.objects.verdict import Answer, Forecast, Gain, Verdict, VerdictState
from lccp.api.spec.export import ExportSpec
from lccp.contract.signals import Role
from lccp.probes.probe import Details
from lccp.probes.registry import PROBES
from lccp_exporter.said import Said

WATCHED_MAX = 7
WATCHED_ROLES = (Role.PRIMARY, Role.CEILING, Role.GUARD, Role.WATCHED)

SignalKey = tuple[str, str]
"""Name and band of a signal; the band is empty where it has none."""


class RunPhase(StrEnum):
    """What a run does or waits for, as far as its stored facts tell."""

    QUEUED = "Queued"
    """No trainer writes: an attempt waits for its pods, or for its backoff."""
    STARTING = "Starting"
    TRAINING = "Training"
    IMPORTING = "Importing"
    SAVING = "Saving"
    SUSPENDED = "Suspended"
    EVALUATING = "Evaluating"
    """The training has ended; evaluations are outstanding."""
    FINISHED = "Finished"


OF_HEARTBEAT = {phase.value: phase for phase in RunPhase} | {"Ending": RunPhase.SAVING}


@dataclass(frozen=True, slots=True)
class DetailsReference:
    """Arrays of one probe beside a report."""

    name: str
    """Below the report's folder."""
    sha256: str
    settings: Mapping[str, Any]
    """Settings of the probe."""


@dataclass(frozen=True, slots=True)
class DetailsPart:
    """What a reference to details has in common with those of other reports."""

    probe: str
    name: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """What metrics need of a report."""

    tokens: int
    suite: str
    source_context_length: int
    seconds: float | None
    """How long the evaluation took: all its stages; None: its report does not tell."""
    signals: tuple[SignalKey, ...]
    values: "array[float]"
    """By signal."""
    parts: tuple[DetailsPart, ...]
    """Of the probes that have details; one object for all reports that are made alike."""
    digests: bytes
    """SHA-256 of their details, one after the other."""

    @classmethod
    def of(cls, report: EvaluationReport) -> Self:
        found = tuple(report.signals())
        beside = [
            (name, part.details, part.settings)
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
            tuple(DetailsPart(name, one.name, settings) for name, one, settings in beside),
            b"".join(bytes.fromhex(one.sha256) for _, one, _ in beside),
        )

    @property
    def details(self) -> dict[str, DetailsReference]:
        """References to the arrays beside the report, by probe."""
        size = len(self.digests) // len(self.parts) if self.parts else 0
        return {
            part.probe: DetailsReference(
                part.name, self.digests[i * size : (i + 1) * size].hex(), part.settings
            )
            for i, part in enumerate(self.parts)
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """What metrics need of a verdict."""

    state: VerdictState
    since_tokens: int | None
    policy: Policy
    gains: tuple[Gain, ...]
    """Of the watched signals, at the newest checkpoint."""
    watched: tuple[str, ...]
    """Signals that the verdict reads and short tables show, the policy's first."""
    forecast: Forecast | None
    excluded: int
    """Reports, or parts of them, that can't be compared."""
    gate: Answer | None
    """Whether the newest checkpoint may be released; None: the run has no gate."""

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        newest = verdict.checkpoints[-1] if verdict.checkpoints else None
        names = watched(verdict)
        return cls(
            verdict.state,
            verdict.since_tokens,
            verdict.policy,
            tuple(gain for gain in newest.gains if gain.signal in names) if newest else (),
            names,
            verdict.forecast,
            len(verdict.excluded),
            verdict.gate.answer if verdict.gate else None,
        )


def watched(verdict: Verdict) -> tuple[str, ...]:
    """At most `WATCHED_MAX` signals: the policy's, then by role, then those of short tables."""
    by_role = [s.name for role in WATCHED_ROLES for s in verdict.signals if s.role is role]
    columns = [column.signal for column in PROBES.columns()]
    measured = {signal.name for signal in verdict.signals}
    names = dict.fromkeys((verdict.policy.signal, *by_role, *columns))
    return tuple(name for name in names if name in measured)[:WATCHED_MAX]


@dataclass(frozen=True)
class RunFacts:
    """Facts of one run; what is not known is None or empty."""

    namespace: str
    run: str
    digest: str = ""
    """Of the identity."""
    target_context_length: int | None = None
    """In tokens; of the identity."""
    journal: Journal | None = None
    heartbeat: Heartbeat | None = None
    """Of the newest writer."""
    end: End | None = None
    """How the newest writer ended."""
    ledger: Ledger = field(default_factory=Ledger)
    """Where the time of all attempts went."""
    accelerator_seconds: float | None = None
    """Accelerators x wall time of all attempts, without the wait in a queue."""
    spikes_total: int = 0
    """Steps that stood out, of all attempts."""
    measured: Sequence[Measured] = ()
    """Oldest first, of all suites."""
    details: Mapping[str, Details] = field(default_factory=dict)
    """Arrays beside the newest intrinsic report, by probe: those that cells are made of."""
    compared: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    """Signals that compare checkpoints, by name and tokens."""
    judged: Judged | None = None
    conditions: tuple[Said, ...] = ()
    """Of the run object, as they were last changed."""
    exports: tuple[ExportSpec, ...] = ()
    """Trackers that the newest attempt's spec names."""
    unreadable_objects: int = 0
    """Objects that are damaged or of another schema version; their facts are left out."""

    @property
    def finished_at(self) -> datetime | None:
        return self.journal.finished_at if self.journal else None

    @property
    def deleted(self) -> bool:
        """The run object is gone, and what it left is retained."""
        owner = self.journal.accepted if self.journal else None
        return owner is not None and owner.deleted_at is not None

    @property
    def newest(self) -> Measured | None:
        """Of the newest checkpoint whose probes were measured."""
        own = (one for one in reversed(self.measured) if one.suite == INTRINSIC)
        return next(own, None)

    @property
    def phase(self) -> RunPhase:
        if self.finished_at is not None:
            return RunPhase.FINISHED
        attempt = self.journal.attempts[-1] if self.journal and self.journal.attempts else None
        if attempt is not None and attempt.ended_at is not None:
            return self._after(attempt.cause)
        beat = self.heartbeat
        old = attempt is not None and beat is not None and beat.attempt < attempt.number
        if beat is None or old or self.end is not None:
            return RunPhase.QUEUED
        return OF_HEARTBEAT[beat.phase]

    def _after(self, cause: Cause | None) -> RunPhase:
        """What follows an attempt that ended so."""
        stop = self.journal.stop if self.journal else None
        if cause is Cause.DRAINED:
            ended = stop is not None and stop.action == "Stop"
            return RunPhase.EVALUATING if ended else RunPhase.SUSPENDED
        return RunPhase.EVALUATING if cause is Cause.COMPLETED else RunPhase.QUEUED

    def newest_values(self) -> dict[SignalKey, float]:
        """Every signal at the newest checkpoint where it was measured."""
        found: dict[SignalKey, float] = {}
        for one in self.measured:
            found |= zip(one.signals, one.values, strict=True)
        for name, values in self.compared.items():
            if values:
                found[name, ""] = values[max(values)]
        return found

    def values_by_checkpoint(self, names: Sequence[str]) -> dict[int, dict[SignalKey, float]]:
        """Values of the signals `names`, by tokens, oldest first."""
        found: dict[int, dict[SignalKey, float]] = {}
        for one in self.measured:
            own = zip(one.signals, one.values, strict=True)
            found.setdefault(one.tokens, {}).update((k, v) for k, v in own if k[0] in names)
        for name in names:
            for tokens, value in self.compared.get(name, {}).items():
                found.setdefault(tokens, {})[name, ""] = value
        return dict(sorted(found.items()))
