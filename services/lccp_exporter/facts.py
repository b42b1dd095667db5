"""The exporter's facts of one run: no more than metrics, API and pages need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from lccp.api.causes import Cause
from lccp.api.labels import ANNEAL, INTRINSIC, signal_of_suite
from lccp.api.objects.journal import AttemptRecord, Journal
from lccp.api.objects.policy import Policy
from lccp.api.objects.training import End, Heartbeat, Ledger
from lccp.api.objects.verdict import Answer, Forecast, Gain, Verdict, VerdictState
from lccp.api.spec.export import ExportSpec
from lccp.contract.signals import Role
from lccp.probes.probe import Details
from lccp.probes.registry import PROBES
from lccp_exporter.conditions import KeptCondition
from lccp_exporter.measured import Measured, SignalKey

WATCHED_MAX = 7
WATCHED_ROLES = (Role.PRIMARY, Role.CEILING, Role.GUARD, Role.WATCHED)


class RunPhase(StrEnum):
    """What a run does or waits for, according to its stored facts."""

    QUEUED = "Queued"
    """No trainer writes: an attempt waits for its pods, or for its backoff."""
    STARTING = "Starting"
    TRAINING = "Training"
    ANNEALING = "Annealing"
    """A branch is trained."""
    IMPORTING = "Importing"
    SAVING = "Saving"
    SUSPENDED = "Suspended"
    EVALUATING = "Evaluating"
    """The training has ended; evaluations are outstanding."""
    FINISHED = "Finished"


OF_HEARTBEAT = {phase.value: phase for phase in RunPhase} | {"Ending": RunPhase.SAVING}


@dataclass(frozen=True, slots=True)
class ExportedVerdict:
    """The part of a verdict that metrics need."""

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
class ExportedFacts:
    """Facts of one run; unknown ones are None or empty."""

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
    """The end of the newest writer."""
    branching: Heartbeat | None = None
    """Of the branch in training; `heartbeat` and `end` are those of the run's own training."""
    ledger: Ledger = field(default_factory=Ledger)
    """How all attempts spent their time."""
    accelerator_seconds: float | None = None
    """Accelerators x wall time of all attempts, excluding time in a queue."""
    spikes_total: int = 0
    """Outlier steps of all attempts."""
    measured: Sequence[Measured] = ()
    """Oldest first, of all suites."""
    details: Mapping[str, Details] = field(default_factory=dict)
    """Arrays beside the newest intrinsic report, by probe: those from which cells are made."""
    compared: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    """Signals that compare checkpoints, by name and tokens."""
    judged: ExportedVerdict | None = None
    conditions: tuple[KeptCondition, ...] = ()
    """Of the run object, as last changed."""
    exports: tuple[ExportSpec, ...] = ()
    """Trackers in the newest attempt's spec."""
    unreadable_objects: int = 0
    """Objects that are damaged or of another schema version; their facts are left out."""

    @classmethod
    def unreadable(cls, namespace: str, run: str) -> Self:
        """Of a run that LCCP fails to read or to export: only that."""
        return cls(namespace, run, unreadable_objects=1)

    @property
    def finished_at(self) -> datetime | None:
        return self.journal.finished_at if self.journal else None

    @property
    def deleted(self) -> bool:
        """The run object is gone, and its stored objects are retained."""
        owner = self.journal.accepted if self.journal else None
        return owner is not None and owner.deleted_at is not None

    @property
    def watched(self) -> tuple[str, ...]:
        """Signals that the verdict reads and short tables show; none before the first verdict."""
        return self.judged.watched if self.judged else ()

    @property
    def newest(self) -> Measured | None:
        """The report of the newest checkpoint whose probes were measured."""
        own = (one for one in reversed(self.measured) if one.suite == INTRINSIC)
        return next(own, None)

    @property
    def phase(self) -> RunPhase:
        if self.finished_at is not None:
            return RunPhase.FINISHED
        attempt = self.journal.attempts[-1] if self.journal and self.journal.attempts else None
        if attempt is not None and attempt.ended_at is not None:
            return self._after(attempt)
        if attempt is not None and attempt.branch is not None:
            phase = OF_HEARTBEAT[self.branching.phase] if self.branching else RunPhase.QUEUED
            return RunPhase.ANNEALING if phase is RunPhase.TRAINING else phase
        beat = self.heartbeat
        old = attempt is not None and beat is not None and beat.attempt < attempt.number
        if beat is None or old or self.end is not None:
            return RunPhase.QUEUED
        return OF_HEARTBEAT[beat.phase]

    def _after(self, attempt: AttemptRecord) -> RunPhase:
        """The phase after an attempt that ended; a stop ends the run's own training alone."""
        stop = self.journal.stop if self.journal else None
        if attempt.cause is Cause.DRAINED:
            ended = attempt.branch is None and stop is not None and stop.action == "Stop"
            return RunPhase.EVALUATING if ended else RunPhase.SUSPENDED
        return RunPhase.EVALUATING if attempt.cause is Cause.COMPLETED else RunPhase.QUEUED

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

    def values_of_branches(self, names: Sequence[str]) -> dict[int, dict[SignalKey, float]]:
        """The signals `names` at the ends of branches, by the tokens at which these began."""
        own = {signal_of_suite(ANNEAL, name): name for name in names}
        return {
            tokens: {(own[name], band): value for (name, band), value in values.items()}
            for tokens, values in self.values_by_checkpoint(tuple(own)).items()
            if values
        }
