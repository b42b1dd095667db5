"""A verdict as kept between two reconciles: the parts for the status, the stop and the events."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from sys import intern

import lccp
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import (
    Budget,
    CheckpointVerdict,
    Exclusion,
    Gain,
    Gate,
    Verdict,
    VerdictState,
)
from lccp_operator.compact import CompactReport


@dataclass(frozen=True, slots=True)
class CheckpointJudgement:
    """Values and verdict as known at one checkpoint."""

    state: VerdictState
    values: Mapping[str, float]
    """Values of the signals, by name."""

    @classmethod
    def of(cls, checkpoint: CheckpointVerdict) -> "CheckpointJudgement":
        values = {intern(name): value for name, value in checkpoint.values.items()}
        return cls(checkpoint.state, values)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict in short."""

    state: VerdictState
    since_tokens: int | None
    at_tokens: int | None
    signal: str
    headline: str
    """The most important sentence of its evidence."""
    advice: str
    gain: Gain | None
    """Of the signal, at the newest checkpoint."""
    checkpoints: Mapping[int, CheckpointJudgement]
    titles: Mapping[str, str]
    """Of the signals that were measured, by name."""
    forecast: tuple[int | None, Budget] | None
    excluded: tuple[Exclusion, ...]
    gate: Gate | None
    inputs: str
    changed_at: datetime | None

    @classmethod
    def of(cls, verdict: Verdict) -> "Judgement":
        newest = verdict.checkpoints[-1] if verdict.checkpoints else None
        forecast = verdict.forecast
        return cls(
            state=verdict.state,
            since_tokens=verdict.since_tokens,
            at_tokens=verdict.at_tokens,
            signal=verdict.policy.signal,
            headline=verdict.evidence[0] if verdict.evidence else "",
            advice=verdict.advice,
            gain=newest.gain(verdict.policy.signal) if newest else None,
            checkpoints={c.tokens: CheckpointJudgement.of(c) for c in verdict.checkpoints},
            titles={intern(signal.name): intern(signal.title) for signal in verdict.signals},
            forecast=(forecast.tokens, forecast.budget) if forecast else None,
            excluded=verdict.excluded,
            gate=verdict.gate,
            inputs=verdict.inputs,
            changed_at=verdict.changed_at,
        )


def inputs_of(reports: Iterable[CompactReport], policy: Policy) -> str:
    """SHA-256 of everything that a verdict is based on: reports, policy, and analysis."""
    digest = hashlib.sha256(f"{lccp.__version__} {policy.model_dump_json()}".encode())
    for report in reports:
        digest.update(report.digest)
    return digest.hexdigest()
