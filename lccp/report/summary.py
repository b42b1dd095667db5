"""A run in a few numbers and sentences: the head of the report, the last screen of `lccp run`."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from lccp.analysis.policy import CEILING
from lccp.analysis.sentences.findings import Findings, joined
from lccp.api.objects.verdict import CheckpointVerdict, Forecast, Verdict, VerdictState
from lccp.contract.errors import InvalidInput
from lccp.contract.signals import Role, Signal
from lccp.cost.architecture import Architecture
from lccp.cost.savings import Savings, Throughput
from lccp.probes.registry import PROBES
from lccp.report.load import RunData
from lccp.report.text import MISSING, gain_text, tokens_text, value_text

STOPPED = ("Saturated", "Stop")


@dataclass(frozen=True)
class SignalChange:
    """A signal's value at the first and at the newest checkpoint where it was measured."""

    signal: Signal
    first: float
    last: float

    @classmethod
    def of(cls, signal: Signal, checkpoints: Sequence[CheckpointVerdict]) -> Self | None:
        known = [c.values[signal.name] for c in checkpoints if signal.name in c.values]
        return cls(signal, known[0], known[-1]) if known else None

    def text(self) -> str:
        unit = self.signal.unit
        return f"{value_text(self.first, unit)} → {value_text(self.last, unit)}"


@dataclass(frozen=True)
class Summary:
    """The outcome of a run."""

    verdict: str
    """The verdict in one sentence."""
    ceiling_against_signal: str
    """One sentence; empty while there is nothing to compare."""
    trained_tokens: int
    budget_tokens: int | None
    saved: Savings | None
    """None unless the run was stopped because it was saturated; FLOPs are 0 if unknown."""
    changes: tuple[SignalChange, ...]
    """Changes of the signals in short tables."""

    @classmethod
    def of(cls, data: RunData, verdict: Verdict) -> Self:
        seen = verdict.checkpoints
        changes = (SignalChange.of(signal, seen) for signal in table_signals(verdict))
        return cls(
            verdict=verdict_sentence(verdict),
            ceiling_against_signal=ceiling_against_signal(verdict),
            trained_tokens=trained_tokens(data),
            budget_tokens=data.heartbeat.tokens_total if data.heartbeat else None,
            saved=_saved(data),
            changes=tuple(change for change in changes if change is not None),
        )


def table_signals(verdict: Verdict) -> list[Signal]:
    """The signals that short tables show, as far as they were measured; the policy's is first."""
    named = [verdict.policy.signal, *(column.signal for column in PROBES.columns())]
    found = (verdict.declared(name) for name in dict.fromkeys(named))
    return [signal for signal in found if signal is not None]


def _saved(data: RunData) -> Savings | None:
    stop = data.journal.stop if data.journal else None
    if stop is None or data.heartbeat is None or (stop.reason, stop.action) != STOPPED:
        return None
    return Savings.of(
        data.heartbeat.tokens_total,
        trained_tokens(data),
        _active_parameters(data),
        Throughput.told_by(data.heartbeat),
    )


def _active_parameters(data: RunData) -> int:
    """Parameters used by a token; 0 if the model's kind is unknown."""
    with suppress(InvalidInput):
        return Architecture.from_config(data.model_config or {}).active_parameters
    return 0


def trained_tokens(data: RunData) -> int:
    """Tokens trained, as far as known."""
    known = [report.tokens for report in data.reports] + [line.tokens for line in data.history[-1:]]
    return max(known + ([data.heartbeat.tokens] if data.heartbeat else []), default=0)


def verdict_sentence(verdict: Verdict) -> str:
    """What the verdict says, with its numbers, in one sentence."""
    findings, since = Findings.of(verdict), _since(verdict)
    horizon = tokens_text(verdict.policy.horizon_tokens)
    named = findings.improving or findings.primaries[:1]
    improving = joined(signal.title for signal in named) or verdict.policy.signal
    s = "" if len(named) > 1 else "s"
    match verdict.state:
        case VerdictState.SATURATED:
            least = findings.least_gains(findings.saturated or findings.primaries[:1])
            return f"Saturated{since}: {horizon} more tokens gain less than {least}."
        case VerdictState.DECEPTIVELY_SATURATED:
            ceiling = findings.standing_ceiling
            title = ceiling.title if ceiling else "ceiling signal"
            return (
                f"Deceptively saturated{since}: the {title} is flat, but {improving} still "
                f"improve{s}."
            )
        case VerdictState.IMPROVING:
            return f"Improving{since}: {improving} still improve{s}."
        case VerdictState.REGRESSING:
            return f"Regressing{since}: a signal got worse; check the evidence before you continue."
        case VerdictState.UNDETERMINED:
            return "Undetermined: the checkpoints so far do not decide whether training still pays."


def _since(verdict: Verdict) -> str:
    tokens = verdict.since_tokens
    return "" if tokens is None else f" since {tokens_text(tokens)} tokens"


def gain_with_interval(checkpoint: CheckpointVerdict, verdict: Verdict) -> str:
    """The gain of the policy's signal with half its interval; a dash where there is none."""
    gain, signal = checkpoint.gain(verdict.policy.signal), verdict.primary
    if gain is None or signal is None:
        return MISSING
    half = gain_text((gain.upper - gain.lower) / 2, signal.scale).lstrip("+")
    return f"{gain_text(gain.gain, signal.scale).removesuffix(' %')} ± {half}"


def forecast_sentence(forecast: Forecast | None) -> str:
    """Until when training is expected to pay; empty while that is unknown."""
    if forecast is None or forecast.tokens is None:
        return ""
    interval = ""
    if forecast.lower is not None:
        end = "or more" if forecast.upper is None else f"to {tokens_text(forecast.upper)}"
        interval = f" ({tokens_text(forecast.lower)} {end})"
    budget = "" if forecast.budget == "Unknown" else f"; the budget is {forecast.budget.lower()}"
    return (
        f"By the log law, training pays until about {tokens_text(forecast.tokens)} tokens"
        f"{interval}{budget}."
    )


def ceiling_against_signal(verdict: Verdict) -> str:
    """When the ceiling signal reached its ceiling, and how far the policy's signal moved since."""
    primary, findings = verdict.primary, Findings.of(verdict)
    ceilings = findings.of_role(Role.CEILING)
    if primary is None or not ceilings:
        return ""
    score, name = findings.standing_ceiling or ceilings[0], primary.name
    known = [c for c in verdict.checkpoints if {score.name, name} <= c.values.keys()]
    if not known:
        return ""
    last = known[-1].values[name]
    reached = next((c for c in known if c.values[score.name] >= CEILING), None)
    if reached is None:
        now = known[-1].values[score.name]
        return f"The {score.title} is {now:.2f}, {primary.title} {last:.3f}."
    then = reached.values[name]
    sentence = f"The {score.title} reached {CEILING} at {tokens_text(reached.tokens)} tokens"
    fallen = 1 - last / then
    if reached is known[-1] or fallen <= 0:
        return f"{sentence}; {primary.title} is {last:.3f}."
    return (
        f"{sentence}; from there {primary.title} fell by another {100 * fallen:.1f} %, "
        f"from {then:.3f} to {last:.3f}, which the score cannot show."
    )
