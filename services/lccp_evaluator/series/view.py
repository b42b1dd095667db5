"""What a watch sees in a folder: reports, and checkpoints without one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from lccp.api.objects.report import EvaluationReport
from lccp_evaluator.progress import Progress
from lccp_evaluator.series.checkpoints import CheckpointDirectory

State = Literal[
    "Incomplete", "Waiting", "Converting", "Evaluating", "Failed", "LeftOut", "Deleted", "Unread"
]


@dataclass(frozen=True)
class Unmeasured:
    """A checkpoint without a report of its weights, and why it has none."""

    path: Path
    """Where its trainer wrote it."""
    tokens: int | None
    state: State
    note: str
    checkpoint: CheckpointDirectory | None = None
    """Set if it can be evaluated: the model, which may yet have to be converted."""


@dataclass(frozen=True)
class View:
    """What a watch saw at one look."""

    reports: tuple[EvaluationReport, ...]
    """All, by tokens."""
    unmeasured: tuple[Unmeasured, ...]
    """By tokens; at the end, those whose tokens are unknown, and what could not be read."""

    @property
    def next(self) -> Unmeasured | None:
        """The checkpoint to work on now: the one with the fewest tokens."""
        return next((one for one in self.unmeasured if one.state == "Waiting"), None)

    def with_state(self, path: Path, state: State, note: str) -> "View":
        """The same, except for the state of the checkpoint in `path`."""
        rows = (
            replace(one, state=state, note=note) if one.path == path else one
            for one in self.unmeasured
        )
        return replace(self, unmeasured=tuple(rows))

    def reached(self, tokens: int) -> bool:
        """Whether a checkpoint at `tokens` or beyond has a report, or cannot get one as it is."""
        if any(report.tokens >= tokens for report in self.reports):
            return True
        states = {one.state for one in self.unmeasured if one.tokens and one.tokens >= tokens}
        return bool(states) and states <= {"Failed", "LeftOut", "Deleted"}


class Destination(Protocol):
    """What is done with complete checkpoints: they are evaluated, or copied."""

    def reports(self) -> Sequence[EvaluationReport]:
        """The existing reports, by tokens."""

    def report(self, checkpoint: CheckpointDirectory) -> object | None:
        """The result made from exactly these weights; None if there is none yet.

        Raises InvalidInput if the result at these tokens is of other weights.
        """

    def settled(self, tokens: int) -> bool:
        """Whether the result at these tokens is final, whatever a conversion would produce now."""

    def evaluate(self, checkpoint: CheckpointDirectory, progress: Progress) -> object:
        """Make the result, or return an EvaluationFailure. Raises Conflict if files changed."""


Show = Callable[[View], None]
