"""What the store holds about a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from lccp.api.labels import ANNEAL
from lccp.api.objects.journal import Control, Journal
from lccp.api.objects.losses import HeldOutLoss
from lccp.api.objects.report import EvaluationFailure, EvaluationProgress
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import End, Heartbeat

R_co = TypeVar("R_co", covariant=True)
V_co = TypeVar("V_co", covariant=True)

EvaluationKey = tuple[int, str]
"""Tokens of a checkpoint, and suite."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint: the needed part of its manifest."""

    tokens: int
    step: int
    writer: str
    digest: str
    held_out: HeldOutLoss | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What one writer of an attempt reported; an attempt has several if a queue took its pods."""

    attempt: int
    heartbeat: Heartbeat | None
    end: End | None
    writer: str = ""
    """Its name."""
    ended_at: datetime | None = None
    """When it wrote its end, by the clock of whoever reads repeatedly; None: only the end itself
    tells, by its node's clock."""


@dataclass(frozen=True)
class RunFacts(Generic[R_co, V_co]):
    """What the store holds about a run; `R` and `V` are what is kept of reports and verdict."""

    identity: RunIdentity | None = None
    identity_etag: str | None = None
    journal: Journal = field(default_factory=Journal)
    journal_etag: str | None = None
    """None: there is no journal yet."""
    controls: Mapping[int, Control] = field(default_factory=dict)
    """The operator's requests to the newest attempt."""
    tells_to_stop: bool = False
    """The trainer of an attached run is requested to end."""
    heartbeats: Mapping[int, Heartbeat] = field(default_factory=dict)
    """Newest heartbeat, by attempt, of the run or of a branch."""
    heard_at: datetime | None = None
    """When the newest attempt wrote its heartbeat, by the clock of whoever reads repeatedly; None:
    only the heartbeat itself tells, by its node's clock."""
    seen_at: datetime | None = None
    """When whoever reads repeatedly first saw that heartbeat."""
    ends: Mapping[int, End] = field(default_factory=dict)
    """Newest end, by attempt, of the run or of a branch."""
    told: tuple[Told, ...] = ()
    """What each writer of the run, then of its branches, reported, the later ones last."""
    checkpoints: Mapping[int, Checkpoint] = field(default_factory=dict)
    """Complete checkpoints, by tokens, oldest first."""
    branches: Mapping[int, Checkpoint] = field(default_factory=dict)
    """Checkpoints at the ends of branches, by the tokens at which each began, oldest first."""
    said: str | None = None
    """Digest of the stored conditions; None: there are none that can be read."""
    newest_state: int | None = None
    """Tokens of the run's newest complete training state; None: there is none to resume from."""
    reports: Mapping[EvaluationKey, R_co] = field(default_factory=dict)
    """By tokens and suite, oldest first."""
    progress: Mapping[EvaluationKey, EvaluationProgress] = field(default_factory=dict)
    progress_seen: Mapping[EvaluationKey, datetime] = field(default_factory=dict)
    """When whoever reads repeatedly first saw each."""
    failures: Mapping[EvaluationKey, EvaluationFailure] = field(default_factory=dict)
    verdict: V_co | None = None
    damaged: Mapping[str, str] = field(default_factory=dict)
    """Objects that can't be read: sentence, by key."""
    damaged_reports: Mapping[EvaluationKey, str] = field(default_factory=dict)
    """Those of them that are about reports."""

    @property
    def drains(self) -> frozenset[int]:
        """Attempts that are requested to drain."""
        return frozenset(n for n, c in self.controls.items() if c.request == "Drain")

    @property
    def heartbeat(self) -> Heartbeat | None:
        """The heartbeat of the run's newest attempt: an older one, cut off, may still beat."""
        newest = max(self.heartbeats.keys() - self.of_branches, default=None)
        return self.heartbeats[newest] if newest is not None else None

    @property
    def of_branches(self) -> frozenset[int]:
        """Attempts that train branches."""
        return frozenset(a.number for a in self.journal.attempts if a.branch is not None)

    def evaluated(self, key: EvaluationKey) -> Checkpoint | None:
        """The complete checkpoint that the evaluation measures."""
        return (self.branches if key[1] == ANNEAL else self.checkpoints).get(key[0])

    @property
    def holds_a_run(self) -> bool:
        """Whether a run left anything but its identity."""
        return self.journal_etag is not None or bool(self.heartbeats) or self.holds_progress

    @property
    def holds_progress(self) -> bool:
        """Whether there is anything to resume from, or to lose."""
        evaluated = self.reports or self.damaged_reports
        return bool(self.checkpoints or evaluated) or self.newest_state is not None
