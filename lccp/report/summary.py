"""A run in a few numbers and sentences: the head of the report, the last screen of `lccp run`."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from lccp.analysis.policy import SCORE_CEILING
from lccp.api.objects.verdict import CheckpointVerdict, Forecast, Verdict, VerdictState
from lccp.contract.errors import InvalidInput
from lccp.cost.architecture import Architecture
from lccp.cost.savings import Savings
from lccp.report.load import RunData
from lccp.report.text import tokens_text

SIGNALS = {"niah_ppl": "NIAH-PPL"}
STOPPED = ("Saturated", "Stop")


@dataclass(frozen=True)
class Change:
    """A value at the first and at the newest checkpoint."""

    first: float
    last: float

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Self | None:
        known = [value for value in values if value is not None]
        return cls(known[0], known[-1]) if known else None

    def text(self, digits: int) -> str:
        return f"{self.first:.{digits}f} → {self.last:.{digits}f}"


@dataclass(frozen=True)
class Summary:
    """What a run came to."""

    verdict: str
    """The verdict in one sentence."""
    score_against_ppl: str
    """One sentence; empty while there is nothing to compare."""
    trained_tokens: int
    budget_tokens: int | None
    saved: Savings | None
    """None unless the run was stopped because it was saturated; FLOPs are 0 if not known."""
    score: Change | None
    ppl: Change | None
    heads: Change | None

    @classmethod
    def of(cls, data: RunData, verdict: Verdict) -> Self:
        seen = verdict.checkpoints
        return cls(
            verdict=verdict_sentence(verdict),
            score_against_ppl=score_against_ppl(seen),
            trained_tokens=trained_tokens(data),
            budget_tokens=data.heartbeat.tokens_total if data.heartbeat else None,
            saved=_saved(data),
            score=Change.of([c.niah_score for c in seen]),
            ppl=Change.of([c.niah_ppl for c in seen]),
            heads=Change.of([c.retrieval_heads for c in seen]),
        )


def _saved(data: RunData) -> Savings | None:
    stop = data.journal.stop if data.journal else None
    if stop is None or data.heartbeat is None or (stop.reason, stop.action) != STOPPED:
        return None
    return Savings.of(data.heartbeat.tokens_total, trained_tokens(data), _active_parameters(data))


def _active_parameters(data: RunData) -> int:
    """Parameters that a token passes; 0 if the model's kind is not known."""
    with suppress(InvalidInput):
        return Architecture.from_config(data.model_config or {}).active_parameters
    return 0


def trained_tokens(data: RunData) -> int:
    """Tokens trained as far as is known."""
    known = [report.tokens for report in data.reports] + [line.tokens for line in data.history[-1:]]
    return max(known + ([data.heartbeat.tokens] if data.heartbeat else []), default=0)


def verdict_sentence(verdict: Verdict) -> str:
    """What the verdict says, with its numbers, in one sentence."""
    signal = SIGNALS.get(verdict.signal, verdict.signal)
    horizon, least = tokens_text(verdict.horizon_tokens), f"{100 * verdict.min_gain:g} %"
    since = (
        "" if verdict.since_tokens is None else f" since {tokens_text(verdict.since_tokens)} tokens"
    )
    match verdict.state:
        case VerdictState.SATURATED:
            return f"Saturated{since}: {horizon} more tokens gain less than {least} of {signal}."
        case VerdictState.DECEPTIVELY_SATURATED:
            return (
                f"Deceptively saturated{since}: the NIAH score stands still, "
                f"but {signal} still improves, so training still pays."
            )
        case VerdictState.IMPROVING:
            return f"Improving{since}: {signal} still falls, so training still pays."
        case VerdictState.REGRESSING:
            return f"Regressing{since}: a signal got worse; look at the evidence before going on."
        case VerdictState.UNDETERMINED:
            return "Undetermined: the checkpoints so far do not decide whether training still pays."


def forecast_sentence(forecast: Forecast | None) -> str:
    """Until when training is expected to pay; empty while that can't be said."""
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


def score_against_ppl(checkpoints: Sequence[CheckpointVerdict]) -> str:
    """When the score reached its ceiling, and how far PPL fell after that."""
    known = [c for c in checkpoints if c.niah_score is not None and c.niah_ppl is not None]
    if not known:
        return ""
    last = known[-1]
    ceiling = next((c for c in known if (c.niah_score or 0) >= SCORE_CEILING), None)
    if ceiling is None:
        return f"The NIAH score is {last.niah_score:.2f}, NIAH-PPL {last.niah_ppl:.3f}."
    reached = f"The NIAH score reached {SCORE_CEILING} at {tokens_text(ceiling.tokens)} tokens"
    fallen = 1 - (last.niah_ppl or 1) / (ceiling.niah_ppl or 1)
    if ceiling is last or fallen <= 0:
        return f"{reached}; NIAH-PPL is {last.niah_ppl:.3f}."
    return (
        f"{reached}; from there NIAH-PPL fell by another {100 * fallen:.1f} %, "
        f"from {ceiling.niah_ppl:.3f} to {last.niah_ppl:.3f}, which the score cannot show."
    )
