"""By what measure a run is judged: stored with every verdict, made in `lccp.analysis.policy`."""

from typing import Annotated, Literal

from pydantic import Field

from lccp.contract.base import Contract
from lccp.contract.signals import SignalName


class Policy(Contract):
    """What a verdict depends on besides the reports."""

    signal: Annotated[SignalName, Field(description="Signal that the verdict is about.")] = (
        "niah_ppl"
    )
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
    patience: Annotated[
        int, Field(ge=1, description="Horizons of plateau, end to end, that make a saturation.")
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
