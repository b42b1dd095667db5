"""`analysis/verdict.json`: what the reports say together."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lccp.api.objects.base import StoreObject
from lccp.api.objects.policy import Policy
from lccp.contract.base import Contract
from lccp.contract.signals import Signal, SignalName

Budget = Literal["Sufficient", "Insufficient", "Unknown"]


class GainState(StrEnum):
    """What the interval of a gain allows to say."""

    IMPROVING = "Improving"
    PLATEAU = "Plateau"
    REGRESSING = "Regressing"
    UNDETERMINED = "Undetermined"


class VerdictState(StrEnum):
    """The verdict on a run, in order of precedence."""

    REGRESSING = "Regressing"
    SATURATED = "Saturated"
    DECEPTIVELY_SATURATED = "DeceptivelySaturated"
    IMPROVING = "Improving"
    UNDETERMINED = "Undetermined"


class Gain(Contract):
    """Gain of a signal over one horizon at one checkpoint, with its interval."""

    signal: Annotated[SignalName, Field(description="Signal that gains.")]
    gain: Annotated[
        float, Field(description="Slope times horizon on the signal's scale; positive is better.")
    ]
    lower: Annotated[float, Field(description="Lower end of the interval.")]
    upper: Annotated[float, Field(description="Upper end of the interval.")]
    degrees_of_freedom: Annotated[float, Field(description="Welch-Satterthwaite.")]
    sampling_sd: Annotated[float, Field(description="Standard error from sampling.")]
    checkpoint_sd: Annotated[float, Field(description="Standard error from checkpoint noise.")]
    spans_horizon: Annotated[
        bool, Field(description="The fitted checkpoints span a whole horizon.")
    ]
    state: Annotated[GainState, Field(description="What the interval allows to say.")]


class CheckpointVerdict(Contract):
    """Values and verdict as they were known at one checkpoint."""

    tokens: Annotated[int, Field(description="Tokens trained.")]
    values: Annotated[dict[str, float], Field(description="Values by signal, in their units.")] = {}
    plateau_horizons: Annotated[
        int, Field(description="Horizons of plateau, end to end, that end at this checkpoint.")
    ] = 0
    gains: Annotated[
        tuple[Gain, ...], Field(description="By signal; none before there are enough checkpoints.")
    ] = ()
    state: Annotated[VerdictState, Field(description="Verdict with the reports up to here.")]

    def gain(self, signal: str) -> Gain | None:
        """The gain of `signal`, if there is one."""
        return next((gain for gain in self.gains if gain.signal == signal), None)


class Exclusion(Contract):
    """A report, or a probe's part of one, that can't be compared with the others."""

    tokens: Annotated[int, Field(description="Tokens of its checkpoint.")]
    suite: Annotated[str, Field(description="Its suite.")]
    reason: Annotated[str, Field(description="Why, and what to do.")]


class Forecast(Contract):
    """When the gain is expected to fall below the least that pays."""

    tokens: Annotated[
        int | None, Field(description="Token count from which it no longer pays; none: unknown.")
    ] = None
    lower: Annotated[int | None, Field(description="Lower end of its interval.")] = None
    upper: Annotated[
        int | None, Field(description="Upper end of its interval; none: without an end.")
    ] = None
    budget: Annotated[
        Budget, Field(description="Whether the budget reaches the point where it no longer pays.")
    ] = "Unknown"


class Verdict(StoreObject):
    """The verdict over all reports, with its evidence."""

    SCHEMA_VERSION: ClassVar[int] = 2

    schema_version: Annotated[int, Field(description="Version of this object's schema.")] = 2
    state: Annotated[VerdictState, Field(description="The verdict.")]
    since_tokens: Annotated[int | None, Field(description="Checkpoint since which it stands.")]
    at_tokens: Annotated[int | None, Field(description="Newest checkpoint that it rests on.")]
    policy: Annotated[Policy, Field(description="By what measure.")]
    signals: Annotated[
        tuple[Signal, ...], Field(description="The signals that were measured, as declared.")
    ] = ()
    evidence: Annotated[tuple[str, ...], Field(description="Sentences, most important first.")]
    advice: Annotated[str, Field(description="What to do, one sentence.")]
    checkpoints: Annotated[tuple[CheckpointVerdict, ...], Field(description="Oldest first.")]
    forecast: Annotated[Forecast | None, Field(description="Once a checkpoint is fitted.")] = None
    excluded: Annotated[
        tuple[Exclusion, ...], Field(description="What was left out, oldest first.")
    ] = ()

    @property
    def primary(self) -> Signal | None:
        """The signal that it is about, as declared, once it was measured."""
        return self.declared(self.policy.signal)

    def declared(self, name: str) -> Signal | None:
        """The signal of that name, as declared."""
        return next((signal for signal in self.signals if signal.name == name), None)
