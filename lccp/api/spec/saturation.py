"""`spec.saturation` and `spec.restartPolicy`: the consequences of the verdict and of failures."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictInt, model_validator

from lccp.contract.base import Contract
from lccp.contract.cel import Rule, rules
from lccp.contract.changes import Change, declared
from lccp.contract.quantities import Decimal, TokenBudget
from lccp.contract.signals import GateSentence, SignalName

GATE_IS_FIXED = "saturation.gate is declared before the run, and cannot be changed"
QUORUM_TOO_LARGE = "saturation.quorum exceeds the number of signals: lower it"


def horizon_of_budget(budget_tokens: int) -> int:
    """The default horizon: an eighth of the budget."""
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
        Field(description="Its own minimum gain, on its own scale; default: `minGain`."),
    ] = None


class SaturationSpec(Contract):
    """When training no longer pays, and what happens then."""

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
            description="Primary signals, which the verdict is about; tables show the first one; "
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
            description="Signals that must not get worse: if one does, the verdict is Regressing "
            "regardless of the others; default: the guards that probes declare.",
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
            description="Minimum gain over the horizon that pays, on the signal's scale: for a "
            'perplexity "0.01" is 1 %, for a share 0.01.'
        ),
    ] = 0.01
    horizon_tokens: Annotated[
        TokenBudget | None,
        Field(
            description="Number of tokens over which a gain must pay; default: an eighth of the "
            "budget."
        ),
    ] = None
    patience: Annotated[
        StrictInt,
        Field(ge=1, le=16, description="Horizons that a plateau must span to count as saturation."),
    ] = 2
    min_tokens: Annotated[
        TokenBudget | None,
        Field(description="Tokens before which the run is never judged saturated; default: none."),
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
            description="What a release requires of the newest checkpoint: criteria such as "
            "`recovery lower bound >= 0.8` or `guards not regressing`; the condition GatePassed "
            "holds the answer.",
            json_schema_extra=declared(Change.LIVE, "fixed once the run is created")
            | rules(Rule("self == oldSelf", GATE_IS_FIXED)),
        ),
    ] = ()
    action: Annotated[
        Literal["None", "Notify", "Suspend", "Stop"],
        Field(
            description="What saturation triggers: nothing, a condition and an event, a drained "
            "run on hold, or a drained run that succeeds."
        ),
    ] = "Notify"
    drain_timeout_seconds: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=86_400,
            description="Time that the trainer has to save and exit when drained, in seconds.",
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


DOUBLINGS_MAX = 20
"""Of a second, after which any longest wait is reached."""


class RestartPolicy(Contract):
    """How often a failed gang is restarted."""

    max_restarts: Annotated[
        StrictInt,
        Field(
            ge=0,
            le=1_000,
            description="Counted failures that are followed by a new attempt; disruptions are not "
            "counted.",
        ),
    ] = 3
    backoff_seconds: Annotated[
        StrictInt,
        Field(
            ge=0,
            le=3_600,
            description="Wait before the first new attempt, in seconds; doubles with each counted "
            "failure. Evaluations wait equally long between tries.",
        ),
    ] = 10
    max_backoff_seconds: Annotated[
        StrictInt, Field(ge=0, le=86_400, description="Longest wait, in seconds.")
    ] = 360
    retry_not_finite: Annotated[
        StrictBool, Field(description="Restart after a loss or gradient that is not finite.")
    ] = False

    def wait_seconds(self, failures: int) -> int:
        """Seconds to wait after so many failures: doubles with each, up to the longest wait."""
        doubled: int = self.backoff_seconds * 2 ** (min(failures, DOUBLINGS_MAX) - 1)
        return min(self.max_backoff_seconds, doubled)
