"""`analysis/verdict.json`: what the reports say together."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from lccp.api.objects.base import StoreObject
from lccp.contract.base import Contract

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

    signal: Annotated[str, Field(description="niah_ppl, niah_score or niah_ppl_guard.")]
    gain: Annotated[
        float, Field(description="Slope times horizon; positive is better; log scale for PPL.")
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
    niah_ppl: Annotated[float | None, Field(description="Extension band.")] = None
    niah_score: Annotated[float | None, Field(description="Extension band.")] = None
    guard_ppl: Annotated[float | None, Field(description="Guard band.")] = None
    retrieval_heads: Annotated[int | None, Field(description="Heads above the threshold.")] = None
    initial_heads_score: Annotated[
        float | None, Field(description="Mean score of the initial heads, cross-fitted.")
    ] = None
    retrieval_heads_steady: Annotated[
        int | None, Field(description="Heads above the threshold, with hysteresis.")
    ] = None
    head_overlap: Annotated[
        float | None,
        Field(
            description="Top-k in common with the checkpoint before, 0 to 1; none if there are at "
            "most k heads."
        ),
    ] = None
    plateau_horizons: Annotated[
        int, Field(description="Horizons of plateau, end to end, that end at this checkpoint.")
    ] = 0
    gains: Annotated[
        tuple[Gain, ...], Field(description="By signal; none before there are enough checkpoints.")
    ] = ()
    state: Annotated[VerdictState, Field(description="Verdict with the reports up to here.")]


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

    state: Annotated[VerdictState, Field(description="The verdict.")]
    since_tokens: Annotated[int | None, Field(description="Checkpoint since which it stands.")]
    at_tokens: Annotated[int | None, Field(description="Newest checkpoint that it rests on.")]
    signal: Annotated[str, Field(description="Signal that it is about.")]
    horizon_tokens: Annotated[int, Field(description="Horizon T, tokens.")]
    min_gain: Annotated[float, Field(description="Least gain δ per horizon.")]
    confidence: Annotated[float, Field(description="One-sided confidence.")]
    patience: Annotated[int, Field(description="Horizons of plateau.")]
    min_tokens: Annotated[int, Field(description="Tokens before which nothing is saturated.")] = 0
    evidence: Annotated[tuple[str, ...], Field(description="Sentences, most important first.")]
    advice: Annotated[str, Field(description="What to do, one sentence.")]
    checkpoints: Annotated[tuple[CheckpointVerdict, ...], Field(description="Oldest first.")]
    forecast: Annotated[Forecast | None, Field(description="Once a checkpoint is fitted.")] = None
