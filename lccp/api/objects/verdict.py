"""`analysis/verdict.json`: what the reports together show."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lccp.api.objects.base import StoreObject
from lccp.api.objects.policy import Policy
from lccp.contract.base import Contract
from lccp.contract.scalars import Int64, Time
from lccp.contract.signals import Signal, SignalName

Budget = Literal["Sufficient", "Insufficient", "Unknown"]
Answer = Literal["Yes", "No", "Undecided"]


class GainState(StrEnum):
    """What the rules permit to conclude about a signal."""

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


class Line(Contract):
    """A least-squares line over several horizons, by which a saturation is declared."""

    horizons: Annotated[Int64, Field(description="Its length, in horizons.")]
    from_tokens: Annotated[Int64, Field(description="Its first checkpoint.")]
    gain: Annotated[float, Field(description="Gain per horizon, as of `gain`.")]
    half_width: Annotated[
        float,
        Field(description="Half its interval, at a confidence that allows for all looks of a run."),
    ]


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
    memory_ratio: Annotated[
        float | None,
        Field(
            description="Lag-2 to lag-1 mean square second differences: 1 is noise without memory, "
            "up to 2 noise with one, more a curve that bends; none below eight checkpoints."
        ),
    ] = None
    per_doubling: Annotated[
        float, Field(description="Gain over the last doubling of tokens: it depends on no horizon.")
    ] = 0.0
    spans_horizon: Annotated[
        bool, Field(description="The fitted checkpoints span a whole horizon.")
    ]
    state: Annotated[GainState, Field(description="What the rules permit to conclude.")]
    saturated: Annotated[
        bool, Field(description="A primary signal: a saturation was declared and is not refuted.")
    ] = False
    line: Annotated[
        Line | None,
        Field(
            description="A primary signal: the line that is within the least gain, else the "
            "one with the narrowest interval."
        ),
    ] = None


class CheckpointVerdict(Contract):
    """Values and verdict as known at one checkpoint."""

    tokens: Annotated[Int64, Field(description="Tokens trained.")]
    values: Annotated[dict[str, float], Field(description="Values by signal, in their units.")] = {}
    plateau_horizons: Annotated[
        Int64, Field(description="Horizons of plateau, end to end, that end at this checkpoint.")
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

    tokens: Annotated[Int64, Field(description="Tokens of its checkpoint.")]
    suite: Annotated[str, Field(description="Its suite.")]
    reason: Annotated[str, Field(description="Why, and what to do.")]


class GateAnswer(Contract):
    """A sentence of the gate, and the newest checkpoint's answer."""

    sentence: Annotated[str, Field(description="The condition.")]
    answer: Annotated[Answer, Field(description="Undecided: the interval contains both.")]
    evidence: Annotated[str, Field(description="The numbers that decide it.")]


class Gate(Contract):
    """Whether the newest checkpoint may be released."""

    answer: Annotated[
        Answer, Field(description="No if any sentence is, yes if all are, else undecided.")
    ]
    sentences: Annotated[tuple[GateAnswer, ...], Field(description="As they were declared.")]


class Forecast(Contract):
    """When the gain is expected to fall below the least that pays."""

    tokens: Annotated[
        Int64 | None, Field(description="Token count from which it no longer pays; none: unknown.")
    ] = None
    lower: Annotated[Int64 | None, Field(description="Lower end of its interval.")] = None
    upper: Annotated[
        Int64 | None, Field(description="Upper end of its interval; none: without an end.")
    ] = None
    budget: Annotated[
        Budget, Field(description="Whether the budget reaches the point where it no longer pays.")
    ] = "Unknown"


class Verdict(StoreObject):
    """The verdict over all reports, with its evidence."""

    SCHEMA_VERSION: ClassVar[int] = 2

    schema_version: Annotated[Int64, Field(description="Version of this object's schema.")] = 2
    state: Annotated[VerdictState, Field(description="The verdict.")]
    since_tokens: Annotated[Int64 | None, Field(description="Checkpoint since which it holds.")]
    at_tokens: Annotated[Int64 | None, Field(description="Newest checkpoint that it is based on.")]
    policy: Annotated[Policy, Field(description="The rules that it was judged by.")]
    signals: Annotated[
        tuple[Signal, ...], Field(description="The signals that were measured, as declared.")
    ] = ()
    evidence: Annotated[tuple[str, ...], Field(description="Sentences, most important first.")]
    advice: Annotated[str, Field(description="What to do, one sentence.")]
    checkpoints: Annotated[tuple[CheckpointVerdict, ...], Field(description="Oldest first.")]
    forecast: Annotated[Forecast | None, Field(description="Once a checkpoint is fitted.")] = None
    gate: Annotated[Gate | None, Field(description="The answer to the policy's gate.")] = None
    excluded: Annotated[
        tuple[Exclusion, ...], Field(description="What was left out, oldest first.")
    ] = ()
    inputs: Annotated[
        str, Field(description="SHA-256 of the reports, policy and analysis that it is based on.")
    ] = ""
    changed_at: Annotated[
        Time | None, Field(description="When the state last changed, UTC; set by the operator.")
    ] = None

    @property
    def primary(self) -> Signal | None:
        """The signal that it is about, as declared, once it has been measured."""
        return self.declared(self.policy.signal)

    def declared(self, name: str) -> Signal | None:
        """The signal of that name, as declared."""
        return next((signal for signal in self.signals if signal.name == name), None)
