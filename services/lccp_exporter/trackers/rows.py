"""The data of a run for trackers: rows of values by tokens."""

import bisect
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from lccp.api.labels import INTRINSIC, evaluation_key
from lccp.api.objects.training import StepRecord
from lccp.api.objects.verdict import Verdict
from lccp.report.details import compared
from lccp.report.load import RunData

TRAINING, VERDICT = "training", "verdict"
"""Sources of rows beside the suites of evaluations."""
EPOCH = datetime.fromtimestamp(0, UTC)
OF_STEPS = ("loss", "learning_rate", "gradient_norm", "tokens_per_second")


@dataclass(frozen=True)
class TrackedRow:
    """Values at one token count, from one source."""

    source: str
    """`training`, `verdict`, or the suite that was evaluated."""
    tokens: int
    at: datetime
    """The time of the values, if known."""
    values: Mapping[str, float]
    """By name, such as `training/loss` or `signal/niah_ppl`; finite."""


@dataclass(frozen=True)
class TrackedRun:
    """A run's name and description for trackers."""

    name: str
    digest: str
    """Of its identity; empty if only reports are known."""
    parameters: Mapping[str, Any]
    """Its identity, nested."""
    verdict: Mapping[str, str | int]
    """Its state, since when it holds, and its advice."""
    finished: bool = False

    @classmethod
    def of(cls, data: RunData) -> Self:
        identity = data.identity
        return cls(
            data.title,
            identity.digest if identity else "",
            identity.identity if identity else {},
            _described(data.verdict) if data.verdict else {},
            data.journal is not None and data.journal.finished_at is not None,
        )


def _described(verdict: Verdict) -> dict[str, str | int]:
    since = {} if verdict.since_tokens is None else {"since_tokens": verdict.since_tokens}
    return {"state": verdict.state.value, "advice": verdict.advice, **since}


def rows_of(data: RunData) -> list[TrackedRow]:
    """All rows, by tokens, without values that are not finite."""
    found = [*_trained(data), *_held_out(data), *_evaluated(data), *_judged(data)]
    return sorted((row for row in found if row.values), key=lambda row: row.tokens)


def digest_of(rows: Sequence[TrackedRow], run: TrackedRun) -> str:
    """SHA-256 of all exported data."""
    parts = [[row.source, row.tokens, row.at.isoformat(), dict(row.values)] for row in rows]
    return hashlib.sha256(json.dumps([parts, dict(run.verdict)]).encode()).hexdigest()


def _trained(data: RunData) -> Iterator[TrackedRow]:
    for step in data.history:
        values = {f"training/{name}": getattr(step, name) for name in OF_STEPS}
        yield TrackedRow(TRAINING, step.tokens, step.at, _finite(values))


def _held_out(data: RunData) -> Iterator[TrackedRow]:
    for one in data.held_out:
        values = {f"held_out/{cell.source}/{cell.band}": cell.loss for cell in one.cells}
        yield TrackedRow(
            TRAINING, one.tokens, _step_before(data.history, one.tokens), _finite(values)
        )


def _evaluated(data: RunData) -> Iterator[TrackedRow]:
    between = compared(data.reports, data.fetch)
    for report in data.all_reports:
        values: dict[str, float | None] = {
            f"signal/{signal.name}": signal.value for signal in report.signals()
        }
        if report.suite == INTRINSIC:
            values |= {f"signal/{name}": of.get(report.tokens) for name, of in between.items()}
        at = _time_of(data, report.tokens, report.suite)
        yield TrackedRow(report.suite, report.tokens, at, _finite(values))


def _judged(data: RunData) -> Iterator[TrackedRow]:
    """The verdict's gains at each checkpoint."""
    for checkpoint in data.verdict.checkpoints if data.verdict else ():
        values: dict[str, float | None] = {}
        for gain in checkpoint.gains:
            for name in ("gain", "lower", "upper"):
                values[f"{name}/{gain.signal}"] = getattr(gain, name)
        at = _time_of(data, checkpoint.tokens, INTRINSIC)
        yield TrackedRow(VERDICT, checkpoint.tokens, at, _finite(values))


def _time_of(data: RunData, tokens: int, suite: str) -> datetime:
    """When the checkpoint was evaluated, else trained; 1970 if neither is known."""
    outcomes = data.journal.evaluations if data.journal else {}
    outcome = outcomes.get(evaluation_key(tokens, suite))
    if outcome is not None and outcome.at is not None:
        return outcome.at
    return _step_before(data.history, tokens)


def _step_before(history: tuple[StepRecord, ...], tokens: int) -> datetime:
    number = bisect.bisect_right(history, tokens, key=lambda step: step.tokens)
    return history[number - 1].at if number else EPOCH


def _finite(values: Mapping[str, float | None]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in values.items()
        if value is not None and math.isfinite(value)
    }
