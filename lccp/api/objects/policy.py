"""The rules by which a run is judged: stored with every verdict, made in `lccp.analysis.policy`."""

from typing import Annotated, Literal

from pydantic import Field

from lccp.contract.base import Contract
from lccp.contract.scalars import Int64
from lccp.contract.signals import GateSentence, SignalName


class Policy(Contract):
    """Everything that a verdict depends on besides the reports."""

    signals: Annotated[
        tuple[SignalName, ...],
        Field(
            min_length=1,
            description="Primary signals: the verdict is about them, and the first one leads.",
        ),
    ] = ("niah_ppl",)
    quorum: Annotated[
        Int64 | None,
        Field(ge=1, description="Primary signals that must be saturated; none: all."),
    ] = None
    guards: Annotated[
        tuple[SignalName, ...] | None,
        Field(description="Signals that must not regress; none: those that probes declare."),
    ] = None
    ceilings: Annotated[
        tuple[SignalName, ...] | None,
        Field(
            description="Signals that may stand at their ceiling while a primary one improves; "
            "none: those that probes declare."
        ),
    ] = None
    horizon_tokens: Annotated[
        Int64, Field(ge=1, description="Horizon T over which a gain must pay, in tokens.")
    ]
    horizon_source: Annotated[
        Literal["Given", "Budget", "Guess"],
        Field(
            description="Where T comes from: the manifest or an option, an eighth of the budget, "
            "or an eighth of the newest checkpoint's tokens if no budget is known."
        ),
    ] = "Given"
    min_gain: Annotated[
        float,
        Field(
            description="Minimum gain δ per horizon that pays: on a log scale for perplexities, "
            "absolute for shares."
        ),
    ] = 0.01
    min_gains: Annotated[
        dict[SignalName, float],
        Field(description="The same for signals with a minimum of their own."),
    ] = {}
    patience: Annotated[
        Int64, Field(ge=1, description="Horizons that a plateau must span to count as saturation.")
    ] = 2
    confidence: Annotated[
        float, Field(description="One-sided confidence on each side of a gain.")
    ] = 0.95
    min_tokens: Annotated[
        Int64, Field(ge=0, description="Tokens before which the run is never judged saturated.")
    ] = 0
    warmup_tokens: Annotated[
        Int64, Field(ge=0, description="Tokens up to which checkpoints are shown but not fitted.")
    ] = 0
    constant_schedule: Annotated[
        bool, Field(description="The learning rate stays the same after the warm-up.")
    ] = True
    budget_tokens: Annotated[
        Int64 | None, Field(description="Tokens that the run may train; none: unknown.")
    ] = None
    rounding_tokens: Annotated[
        Int64,
        Field(
            ge=0,
            description="How far a checkpoint may be beyond the requested tokens, since it is "
            "saved at the end of a step.",
        ),
    ] = 0
    gate: Annotated[
        tuple[GateSentence, ...],
        Field(description="What a release requires of the newest checkpoint."),
    ] = ()

    @property
    def signal(self) -> str:
        """The primary signal that leads in tables and sentences."""
        return self.signals[0]

    @property
    def needed(self) -> int:
        """Primary signals that must be saturated."""
        return min(self.quorum or len(self.signals), len(self.signals))

    def delta(self, signal: str) -> float:
        """The minimum gain of `signal` per horizon that pays."""
        return self.min_gains.get(signal, self.min_gain)
