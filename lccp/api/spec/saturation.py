"""`spec.saturation` and `spec.restartPolicy`: what the verdict and failures lead to."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictInt, model_validator

from lccp.contract.base import Contract
from lccp.contract.cel import Rule, rules
from lccp.contract.quantities import Decimal, TokenBudget
from lccp.contract.signals import GateSentence, SignalName

GATE_IS_FIXED = "saturation.gate is declared before the run, and cannot be changed"
QUORUM_TOO_LARGE = "saturation.quorum exceeds the number of signals: ask for fewer"


def horizon_of_budget(budget_tokens: int) -> int:
    """The horizon where none is given: an eighth of the budget."""
    return max(1, budget_tokens // 8)


class PrimarySignal(Contract):
    """A signal that the verdict is about."""

    name: Annotated[
        SignalName,
        Field(
            description="Such as `niah_ppl`, or a signal of an external suite; see "
            "`docs/reference/probes.md`."
        ),
    ]
    min_gain: Annotated[
        float | None,
        Decimal(gt=0, lt=1),
        Field(description="Its own least gain, on its own scale; default: `minGain`."),
    ] = None


class SaturationSpec(Contract):
    """When training no longer pays, and what is done then."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!has(self.quorum) || self.quorum == 1 || self.quorum <= size(self.signals)",
                QUORUM_TOO_LARGE,
                ".quorum",
            )
        )
    )

    signals: Annotated[
        tuple[PrimarySignal, ...],
        Field(
            max_length=8,
            description="Primary signals, which the verdict is about; the first leads in tables; "
            "default: `niah_ppl`.",
        ),
    ] = ()
    quorum: Annotated[
        StrictInt | None,
        Field(
            ge=1,
            le=8,
            description="Primary signals that must be saturated before the run is; default: all.",
        ),
    ] = None
    guards: Annotated[
        tuple[SignalName, ...] | None,
        Field(
            max_length=16,
            description="Signals that must not get worse: one that does is Regressing, whatever "
            "the others say; default: the guards that probes declare.",
        ),
    ] = None
    ceilings: Annotated[
        tuple[SignalName, ...] | None,
        Field(
            max_length=16,
            description="Signals that may stand at their ceiling while a primary one still "
            "improves (DeceptivelySaturated); default: those that probes declare.",
        ),
    ] = None
    min_gain: Annotated[
        float,
        Decimal(gt=0, lt=1),
        Field(
            description="Least gain over the horizon that pays, on the signal's scale: of a "
            'perplexity "0.01" is 1 %, of a share 0.01.'
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
        Field(ge=1, le=16, description="Horizons that a plateau must span to be a saturation."),
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
    gate: Annotated[
        tuple[GateSentence, ...],
        Field(
            max_length=16,
            description="What a release asks of the newest checkpoint: sentences such as "
            "`recovery lower bound >= 0.8` or `guards not regressing`; answered in the condition "
            "GatePassed.",
            json_schema_extra=rules(Rule("self == oldSelf", GATE_IS_FIXED)),
        ),
    ] = ()
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

    @model_validator(mode="after")
    def _quorum_can_be_met(self) -> "SaturationSpec":
        if self.quorum is not None and self.quorum > len(self.primaries):
            raise ValueError(QUORUM_TOO_LARGE)
        return self

    @property
    def primaries(self) -> tuple[PrimarySignal, ...]:
        """The primary signals, at least one."""
        return self.signals or (PrimarySignal(name="niah_ppl"),)

    def horizon(self, budget_tokens: int) -> int:
        """The horizon in tokens: as given, or an eighth of the budget."""
        return self.horizon_tokens or horizon_of_budget(budget_tokens)


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
