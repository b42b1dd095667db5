"""What the embedded engine shows of a run while it works, and its outcome."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from lccp.api.conditions import Condition, ConditionType, Reason
from lccp.api.objects.report import EvaluationProgress
from lccp.api.objects.training import Heartbeat
from lccp.api.objects.verdict import Verdict
from lccp.api.run import LCCPRun
from lccp.facts.facts import EvaluationKey
from lccp_operator.facts import Facts
from lccp_operator.intents import Event

State = Literal["Succeeded", "Failed", "Suspended", "Interrupted"]


@dataclass(frozen=True)
class RunSnapshot:
    """The run at one moment. `run` has the status; `events` are new since the last snapshot."""

    at: datetime
    run: LCCPRun
    facts: Facts
    verdict: Verdict | None = None
    events: tuple[Event, ...] = ()
    ending: bool = False
    """It was interrupted, and its processes are saving and ending."""

    @property
    def heartbeat(self) -> Heartbeat | None:
        return self.facts.heartbeat

    @property
    def store_problem(self) -> str:
        """Why the store can't be used now, and what to do; empty if it can."""
        conditions = self.run.status.conditions if self.run.status else ()
        away = (c for c in conditions if c.reason == Reason.STORE_UNREACHABLE)
        return next((c.message for c in away if c.type is ConditionType.DEGRADED), "")

    @property
    def evaluating(self) -> Mapping[EvaluationKey, EvaluationProgress]:
        """Progress of evaluations that have no report yet, by tokens and suite."""
        return {k: p for k, p in self.facts.progress.items() if k not in self.facts.reports}


OnSnapshot = Callable[[RunSnapshot], None]


def ignore(snapshot: RunSnapshot) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Outcome:
    """How the engine's work on a run ended. `run` carries the last status."""

    state: State
    run: LCCPRun
    verdict: Verdict | None
    directory: Path
    """Folder of this run on this machine: logs, and the objects of a `file://` store."""

    @property
    def conditions(self) -> Mapping[ConditionType, Condition]:
        found = self.run.status.conditions if self.run.status else ()
        return {condition.type: condition for condition in found}

    @property
    def message(self) -> str:
        """Why it ended that way, and what to do, in one sentence."""
        if self.state == "Interrupted":
            return "interrupted: the same command resumes the run"
        return self.conditions[ConditionType(self.state)].message
