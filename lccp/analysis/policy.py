"""By what measure a run is judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from lccp.api.objects.report import EvaluationReport
from lccp.api.run import LCCPRun

HORIZONS_IN_BUDGET = 8
SCORE_CEILING = 0.99
"""NIAH score from which it is at its ceiling."""


@dataclass(frozen=True)
class Policy:
    """What a verdict depends on besides the reports."""

    horizon_tokens: int
    """Stretch T over which a gain must pay."""
    min_gain: float = 0.01
    """Least gain δ per horizon that pays: log scale for perplexities, absolute for scores."""
    patience: int = 2
    """Horizons of plateau, end to end, that make a saturation."""
    confidence: float = 0.95
    """One-sided confidence on each side of a gain."""
    min_tokens: int = 0
    """Tokens before which nothing is saturated."""
    warmup_tokens: int = 0
    """Tokens up to which checkpoints are shown but not fitted."""
    constant_schedule: bool = True
    """The learning rate stays the same after the warm-up."""
    budget_tokens: int | None = None
    """Tokens that the run may train; None: not known."""
    rounding_tokens: int = 0
    """By how much a checkpoint may lie beyond what was asked for: it is made at a step's end."""

    @classmethod
    def of(cls, run: LCCPRun) -> Self:
        """The policy that `run` asks for."""
        saturation, training = run.spec.saturation, run.spec.training
        return cls(
            horizon_tokens=run.horizon_tokens,
            min_gain=saturation.min_gain,
            patience=saturation.patience,
            confidence=saturation.confidence,
            min_tokens=saturation.min_tokens or 0,
            warmup_tokens=training.schedule.warmup_tokens or 0,
            constant_schedule=training.schedule.type == "Constant",
            budget_tokens=training.tokens,
            rounding_tokens=training.global_batch_tokens - 1,
        )

    @classmethod
    def of_reports(cls, reports: Sequence[EvaluationReport]) -> Self:
        """Defaults where no run is known: the newest checkpoint stands for the budget's end."""
        newest = max(reports, key=lambda report: report.tokens, default=None)
        tokens, step = (newest.tokens, newest.step) if newest else (0, 0)
        return cls(
            horizon_tokens=max(1, tokens // HORIZONS_IN_BUDGET),
            rounding_tokens=max(0, tokens // step - 1) if step else 0,
        )
