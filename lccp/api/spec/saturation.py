"""`spec.saturation` and `spec.restartPolicy`: what the verdict and failures lead to."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt

from lccp.contract.base import Contract
from lccp.contract.quantities import Decimal, TokenBudget


class SaturationSpec(Contract):
    """When training no longer pays, and what is done then."""

    signal: Annotated[
        Literal["niah_ppl"], Field(description="Signal that the verdict is about.")
    ] = "niah_ppl"
    min_gain: Annotated[
        float,
        Decimal(gt=0, lt=1),
        Field(
            description="Least gain over the horizon that pays, on the scale of log-PPL: "
            '"0.01" is 1 %.'
        ),
    ] = 0.01
    horizon_tokens: Annotated[
        TokenBudget | None,
        Field(
            description="Stretch over which a gain must pay, in tokens; default: an eighth of the "
            "budget."
        ),
    ] = None
    patience: Annotated[
        StrictInt,
        Field(ge=1, le=16, description="Horizons of plateau, end to end, that make a saturation."),
    ] = 2
    min_tokens: Annotated[
        TokenBudget | None,
        Field(description="Tokens before which nothing is saturated; default: none."),
    ] = None
    confidence: Annotated[
        float,
        Decimal(gt=0.5, lt=1),
        Field(description="One-sided confidence of a gain's interval, on each side."),
    ] = 0.95
    action: Annotated[
        Literal["None", "Notify", "Suspend", "Stop"],
        Field(
            description="What a saturation leads to: nothing, a condition and an event, a drained "
            "run on hold, or a drained run that succeeds."
        ),
    ] = "Notify"
    drain_timeout_seconds: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=86_400,
            description="Time that the trainer has to save and end when drained, in seconds.",
        ),
    ] = 600

    def horizon(self, budget_tokens: int) -> int:
        """The horizon in tokens: as given, or an eighth of the budget."""
        return self.horizon_tokens or max(1, budget_tokens // 8)


class RestartPolicy(Contract):
    """How often a failed gang is started again."""

    max_restarts: Annotated[
        StrictInt,
        Field(
            ge=0,
            le=1_000,
            description="Counted failures that are answered by a new attempt; disruptions are not "
            "counted.",
        ),
    ] = 3
    backoff_seconds: Annotated[
        StrictInt,
        Field(
            ge=0,
            le=3_600,
            description="Wait before the first new attempt, in seconds; doubles with each counted "
            "failure. Evaluations wait as long between their tries.",
        ),
    ] = 10
    max_backoff_seconds: Annotated[
        StrictInt, Field(ge=0, le=86_400, description="Longest wait, in seconds.")
    ] = 360
    retry_not_finite: Annotated[
        StrictBool, Field(description="Start again after a loss or gradient that is not finite.")
    ] = False

    def wait_seconds(self, failures: int) -> int:
        """The wait after so many failures: it doubles with each, up to the longest."""
        doubled: int = self.backoff_seconds * 2 ** (failures - 1)
        return min(self.max_backoff_seconds, doubled)
