"""The status of an LCCPRun: a projection of store and children that can be rebuilt at any time."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from lccp.api.base import Contract
from lccp.api.conditions import Condition
from lccp.api.objects.journal import AttemptRecord
from lccp.api.objects.verdict import VerdictState

CHECKPOINTS_SHOWN = 32
ATTEMPTS_SHOWN = 16


class Progress(Contract):
    """How far the training is. Numbers that are not integers are strings, as in the spec."""

    tokens: Annotated[int, Field(description="Tokens trained.")] = 0
    tokens_total: Annotated[int, Field(description="Tokens of the budget.")] = 0
    percent: Annotated[int, Field(description="Share of the budget, percent.")] = 0
    step: Annotated[int, Field(description="Steps of the optimizer.")] = 0
    loss: Annotated[str | None, Field(description="Loss of the last step.")] = None
    tokens_per_second: Annotated[int | None, Field(description="Throughput.")] = None
    remaining_seconds: Annotated[int | None, Field(description="Estimate of the time left.")] = None
    last_heartbeat_time: Annotated[
        datetime | None, Field(description="When the trainer last spoke.")
    ] = None


class CheckpointStatus(Contract):
    """One checkpoint and what was measured at it."""

    tokens: Annotated[int, Field(description="Tokens trained.")]
    evaluation: Annotated[str, Field(description="Pending, Running, Succeeded or Failed.")]
    niah_ppl: Annotated[str | None, Field(description="NIAH-PPL, extension band.")] = None
    niah_score: Annotated[str | None, Field(description="NIAH score, extension band, 0 to 1.")] = (
        None
    )
    retrieval_heads: Annotated[int | None, Field(description="Number of retrieval heads.")] = None
    verdict: Annotated[VerdictState | None, Field(description="Verdict as known then.")] = None
    message: Annotated[str | None, Field(description="Why the evaluation failed.")] = None


class VerdictStatus(Contract):
    """The verdict in short; the store holds it in full."""

    state: Annotated[VerdictState, Field(description="The verdict.")]
    since_tokens: Annotated[int | None, Field(description="Since which checkpoint.")] = None
    at_tokens: Annotated[int | None, Field(description="Newest checkpoint that it rests on.")] = (
        None
    )
    gain: Annotated[str | None, Field(description="Gain over the horizon.")] = None
    interval: Annotated[str | None, Field(description="Its interval, `lower … upper`.")] = None
    advice: Annotated[str, Field(description="What to do.")] = ""


class ForecastStatus(Contract):
    """The forecast in short."""

    tokens: Annotated[
        int | None, Field(description="Token count from which it no longer pays.")
    ] = None
    budget: Annotated[str, Field(description="Sufficient, Insufficient or Unknown.")] = "Unknown"


class ResolvedImages(Contract):
    """Images resolved at the run's start."""

    trainer: Annotated[str, Field(description="Trainer image.")] = ""
    evaluator: Annotated[str, Field(description="Evaluator image.")] = ""


class LCCPRunStatus(Contract):
    """Status of an LCCPRun."""

    observed_generation: Annotated[int, Field(description="Generation that this is about.")] = 0
    summary: Annotated[str, Field(description="The run in one word, for people.")] = ""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=16,
            description="Conditions, one of a type.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = ()
    attempt: Annotated[int, Field(description="Current attempt.")] = 0
    attempts: Annotated[
        tuple[AttemptRecord, ...],
        Field(max_length=ATTEMPTS_SHOWN, description="Last attempts, with causes."),
    ] = ()
    progress: Annotated[Progress, Field(description="How far the training is.")] = Progress()
    checkpoints: Annotated[
        tuple[CheckpointStatus, ...],
        Field(max_length=CHECKPOINTS_SHOWN, description="Last checkpoints."),
    ] = ()
    verdict: Annotated[VerdictStatus | None, Field(description="The verdict in short.")] = None
    forecast: Annotated[ForecastStatus | None, Field(description="The forecast in short.")] = None
    images: Annotated[ResolvedImages | None, Field(description="Images of the run.")] = None
    start_time: Annotated[datetime | None, Field(description="When the run was accepted.")] = None
    completion_time: Annotated[
        datetime | None, Field(description="When it succeeded or failed.")
    ] = None
