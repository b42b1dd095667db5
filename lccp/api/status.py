"""The status of an LCCPRun: a projection of store and workloads that can be rebuilt at any time.

Numbers that are not integers are strings, as in the spec.
"""

from typing import Annotated, Literal

from pydantic import Field

from lccp.api.conditions import Condition, summary
from lccp.api.objects.journal import AttemptRecord
from lccp.api.objects.verdict import VerdictState
from lccp.contract.base import Contract, Message
from lccp.contract.quantities import TOKENS_MAX, shortened
from lccp.contract.scalars import Time

CHECKPOINTS_SHOWN = 32
ATTEMPTS_SHOWN = 16
SIGNALS_SHOWN = 64

Number = Annotated[str, Field(max_length=32)]
Tokens = Annotated[int, Field(ge=0, le=TOKENS_MAX)]


class ProgressStatus(Contract):
    """How far the training is."""

    tokens: Annotated[Tokens, Field(description="Tokens trained.")] = 0
    display: Annotated[
        str,
        Field(
            max_length=8,
            default_factory=lambda data: shortened(data["tokens"]),
            description="`tokens`, abbreviated, such as `1.6M`.",
        ),
    ]
    tokens_total: Annotated[Tokens, Field(description="Tokens of the budget.")] = 0
    percent: Annotated[int, Field(ge=0, le=100, description="Share of the budget, in percent.")] = 0
    step: Annotated[int, Field(ge=0, description="Steps of the optimizer.")] = 0
    loss: Annotated[Number | None, Field(description="Loss of the last step, nats per token.")] = (
        None
    )
    tokens_per_second: Annotated[
        int | None, Field(ge=0, description="Throughput, tokens per second.")
    ] = None
    remaining_seconds: Annotated[
        int | None, Field(ge=0, description="Estimate of the time left, in seconds.")
    ] = None
    last_heartbeat_time: Annotated[
        Time | None, Field(description="Time of the trainer's last heartbeat, UTC.")
    ] = None


class CheckpointStatus(Contract):
    """One checkpoint and its measurements."""

    tokens: Annotated[Tokens, Field(description="Tokens trained.")]
    evaluation: Annotated[
        Literal["Pending", "Running", "Succeeded", "Failed"],
        Field(description="State of its evaluation."),
    ]
    values: Annotated[
        dict[str, Number],
        Field(max_length=SIGNALS_SHOWN, description="Values by signal, in their units."),
    ] = {}
    verdict: Annotated[VerdictState | None, Field(description="Verdict as of this checkpoint.")] = (
        None
    )
    message: Annotated[Message | None, Field(description="Why the evaluation failed.")] = None


class VerdictStatus(Contract):
    """Summary of the verdict; the store holds it in full."""

    state: Annotated[VerdictState, Field(description="The verdict.")]
    since_tokens: Annotated[
        Tokens | None, Field(description="Checkpoint since which it holds, in tokens.")
    ] = None
    at_tokens: Annotated[
        Tokens | None, Field(description="Newest checkpoint that it is based on, in tokens.")
    ] = None
    gain: Annotated[
        Number | None,
        Field(description="Gain of the policy's signal over the horizon, on its own scale."),
    ] = None
    interval: Annotated[
        str | None, Field(max_length=64, description="Interval of the gain, `lower … upper`.")
    ] = None
    advice: Annotated[Message, Field(description="What to do.")] = ""


class ForecastStatus(Contract):
    """Summary of the forecast."""

    tokens: Annotated[
        Tokens | None, Field(description="Token count from which training no longer pays.")
    ] = None
    budget: Annotated[
        Literal["Sufficient", "Insufficient", "Unknown"],
        Field(description="Whether the budget reaches that point."),
    ] = "Unknown"


class BranchesStatus(Contract):
    """The anneal branches in short."""

    asked: Annotated[int, Field(ge=0, description="Branches that the spec asks for.")]
    trained: Annotated[int, Field(ge=0, description="Those that are trained to their end.")] = 0
    evaluated: Annotated[int, Field(ge=0, description="Those that are evaluated.")] = 0
    at_tokens: Annotated[
        Tokens | None,
        Field(description="The latest evaluated branch, by the tokens that it began with."),
    ] = None
    values: Annotated[
        dict[str, Number],
        Field(max_length=SIGNALS_SHOWN, description="Its values by signal, in their units."),
    ] = {}


class ResolvedImages(Contract):
    """Images resolved at the run's start."""

    trainer: Annotated[str, Field(max_length=512, description="Trainer image.")] = ""
    evaluator: Annotated[str, Field(max_length=512, description="Evaluator image.")] = ""


class LCCPRunStatus(Contract):
    """Status of an LCCPRun, written by the operator."""

    observed_generation: Annotated[
        int, Field(ge=0, description="Generation of the spec that the status reflects.")
    ] = 0
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=16,
            description="Conditions, one per type.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = ()
    summary: Annotated[
        str,
        Field(
            max_length=32,
            default_factory=lambda data: summary(data["conditions"]),
            description="One-word summary of the conditions, for display.",
        ),
    ]
    attempt: Annotated[
        int, Field(ge=0, description="Current attempt of the training gang; 0 before the first.")
    ] = 0
    attempts: Annotated[
        tuple[AttemptRecord, ...],
        Field(max_length=ATTEMPTS_SHOWN, description="Last attempts, with causes, oldest first."),
    ] = ()
    progress: Annotated[ProgressStatus, Field(description="How far the training is.")] = (
        ProgressStatus()
    )
    checkpoints: Annotated[
        tuple[CheckpointStatus, ...],
        Field(max_length=CHECKPOINTS_SHOWN, description="Last checkpoints, oldest first."),
    ] = ()
    latest: Annotated[
        CheckpointStatus | None,
        Field(description="Newest checkpoint whose evaluation succeeded, with all its values."),
    ] = None
    verdict: Annotated[VerdictStatus | None, Field(description="Summary of the verdict.")] = None
    forecast: Annotated[ForecastStatus | None, Field(description="Summary of the forecast.")] = None
    branches: Annotated[
        BranchesStatus | None, Field(description="Anneal branches; absent if none are requested.")
    ] = None
    images: Annotated[ResolvedImages | None, Field(description="Images of the run.")] = None
    installation: Annotated[
        str | None,
        Field(
            max_length=128,
            description="Installation that manages the run; others leave it alone.",
        ),
    ] = None
    start_time: Annotated[Time | None, Field(description="When the run was accepted, UTC.")] = None
    completion_time: Annotated[
        Time | None, Field(description="When it succeeded or failed, UTC.")
    ] = None
