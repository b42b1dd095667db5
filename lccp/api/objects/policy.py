"""By what measure a run is judged: stored with every verdict, made in `lccp.analysis.policy`."""

from typing import Annotated, Literal

from pydantic import Field

from lccp.contract.base import Contract
from lccp.contract.signals import GateSentence, SignalName


class Policy(Contract):
    """What a verdict depends on besides the reports."""

    signals: Annotated[
        tuple[SignalName, ...],
        Field(
            min_length=1,
            description="Primary signals: the verdict is about them, and the first one leads.",
        ),
    ] = ("niah_ppl",)
    quorum: Annotated[
        int | None,
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
        int, Field(ge=1, description="Stretch T over which a gain must pay, tokens.")
    ]
    horizon_source: Annotated[
        Literal["Given", "Budget", "Guess"],
        Field(
            description="Where T comes from: the manifest or an option, an eighth of the budget, "
            "or an eighth of the newest checkpoint's tokens, where no budget is known."
        ),
    ] = "Given"
    min_gain: Annotated[
        float,
        Field(
            description="Least gain δ per horizon that pays: on a log scale for perplexities, "
            "absolute for shares."
        ),
    ] = 0.01
    min_gains: Annotated[
        dict[SignalName, float],
        Field(description="The same for signals that have one of their own."),
    ] = {}
    patience: Annotated[
        int, Field(ge=1, description="Horizons that a plateau must span to be a saturation.")
    ] = 2
    confidence: Annotated[
        float, Field(description="One-sided confidence on each side of a gain.")
    ] = 0.95
    min_tokens: Annotated[
        int, Field(ge=0, description="Tokens before which nothing is saturated.")
    ] = 0
    warmup_tokens: Annotated[
        int, Field(ge=0, description="Tokens up to which checkpoints are shown but not fitted.")
    ] = 0
    constant_schedule: Annotated[
        bool, Field(description="The learning rate stays the same after the warm-up.")
    ] = True
    budget_tokens: Annotated[
        int | None, Field(description="Tokens that the run may train; none: not known.")
    ] = None
    rounding_tokens: Annotated[
        int,
        Field(
            ge=0,
            description="By how much a checkpoint may lie beyond what was asked for, since it is "
            "made at a step's end.",
        ),
    ] = 0
    gate: Annotated[
        tuple[GateSentence, ...], Field(description="What a release asks of the newest checkpoint.")
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
        """The least gain of `signal` per horizon that pays."""
        return self.min_gains.get(signal, self.min_gain)
