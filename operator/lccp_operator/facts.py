"""What the store holds of a run, as the operator reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lccp.api.objects.journal import Control, Journal
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import EvaluationFailure, EvaluationProgress
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import End, Heartbeat
from lccp.api.objects.verdict import Verdict
from lccp_operator.packed import PackedReport


@dataclass(frozen=True)
class Facts:
    """What the store holds of the run."""

    identity: RunIdentity | None = None
    identity_etag: str | None = None
    journal: Journal = field(default_factory=Journal)
    journal_etag: str | None = None
    """None: there is no journal yet."""
    controls: Mapping[int, Control] = field(default_factory=dict)
    """What the newest attempt is asked."""
    has_state: bool = False
    """Without any checkpoint: whether a training state is there to go on from."""
    heartbeats: Mapping[int, Heartbeat] = field(default_factory=dict)
    """Newest heartbeat, by attempt."""
    ends: Mapping[int, End] = field(default_factory=dict)
    """Newest end, by attempt."""
    checkpoints: Mapping[int, Manifest] = field(default_factory=dict)
    """Complete checkpoints, by tokens."""
    reports: Mapping[int, PackedReport] = field(default_factory=dict)
    progress: Mapping[int, EvaluationProgress] = field(default_factory=dict)
    failures: Mapping[int, EvaluationFailure] = field(default_factory=dict)
    verdict: Verdict | None = None
    damaged: Mapping[str, str] = field(default_factory=dict)
    """Objects that can't be read: sentence, by key."""
    damaged_reports: Mapping[int, str] = field(default_factory=dict)
    """Sentence of a damaged report, by tokens."""

    @property
    def drains(self) -> frozenset[int]:
        """Attempts that are asked to drain."""
        return frozenset(n for n, c in self.controls.items() if c.request == "Drain")

    @property
    def holds_progress(self) -> bool:
        """Whether there is anything to go on from, or to lose."""
        return bool(self.checkpoints or self.reports or self.damaged_reports) or self.has_state

    @property
    def heartbeat(self) -> Heartbeat | None:
        """The heartbeat of the newest attempt: an older one may still beat, cut off."""
        return self.heartbeats[max(self.heartbeats)] if self.heartbeats else None

    @property
    def holds_a_run(self) -> bool:
        """Whether a run left anything but its identity."""
        return self.journal_etag is not None or bool(self.heartbeats or self.checkpoints)
