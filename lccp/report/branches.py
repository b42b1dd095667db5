"""Anneal branches: how far each has come, and what was measured at its end."""

from dataclasses import dataclass

from lccp.api.causes import Cause
from lccp.api.labels import ANNEAL, signal_of_suite
from lccp.api.objects.journal import AttemptRecord
from lccp.api.objects.report import EvaluationReport
from lccp.contract.signals import Signal
from lccp.report.load import RunData
from lccp.report.text import tokens_text


@dataclass(frozen=True)
class Branch:
    """A branch that has started."""

    tokens: int
    """Tokens of the run at which it begins."""
    progress: str
    """How far it has come, in words."""
    report: EvaluationReport | None
    """Of its end."""

    def value(self, signal: Signal) -> float | None:
        """The value of `signal` at its end."""
        found = self.report.signal(signal_of_suite(ANNEAL, signal.name)) if self.report else None
        return None if found is None else found.value


def branches_of(data: RunData) -> list[Branch]:
    """All branches that have started, by the tokens at which they start."""
    attempts = data.journal.attempts if data.journal else ()
    newest = {one.branch: one for one in attempts if one.branch is not None}
    reports = {report.tokens: report for report in data.branches}
    return [
        Branch(tokens, _progress(newest.get(tokens), tokens in reports), reports.get(tokens))
        for tokens in sorted(newest.keys() | reports.keys())
    ]


def _progress(newest: AttemptRecord | None, evaluated: bool) -> str:
    if evaluated or newest is None:
        return "evaluated"
    if newest.cause is None:
        return f"attempt {newest.number} trains it"
    if newest.cause is Cause.COMPLETED:
        return "trained, not evaluated"
    return f"attempt {newest.number} ended as {newest.cause}"


def attempt_text(attempt: AttemptRecord) -> str:
    """The attempt's number, and its branch."""
    of = "" if attempt.branch is None else f" (branch from {tokens_text(attempt.branch)})"
    return f"{attempt.number}{of}"
