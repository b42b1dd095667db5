"""`training/<writer>/…`: what rank 0 says of its attempt."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from lccp.api.causes import Cause
from lccp.api.objects.base import StoreObject
from lccp.contract.base import Contract


class StepRecord(Contract):
    """One logged step: a line of `history.jsonl`."""

    step: Annotated[
        int, Field(ge=0, description="Steps of the optimizer so far, over all attempts.")
    ]
    tokens: Annotated[int, Field(ge=0, description="Tokens trained so far.")]
    loss: Annotated[float, Field(description="Mean NLL per token of the step's batch, nats.")]
    learning_rate: Annotated[float, Field(description="Learning rate of the step.")]
    gradient_norm: Annotated[float | None, Field(description="Global norm before clipping.")] = None
    tokens_per_second: Annotated[float, Field(description="Throughput over the last steps.")]
    at: Annotated[datetime, Field(description="When, UTC.")]


class Heartbeat(StoreObject):
    """`heartbeat.json`: how far the attempt is; rewritten every few seconds."""

    attempt: Annotated[int, Field(ge=1, description="Attempt.")]
    writer: Annotated[str, Field(description="Writer, `a<attempt>-<8 hex>`.")]
    at: Annotated[datetime, Field(description="When it was written, UTC.")]
    phase: Annotated[
        Literal["Starting", "Training", "Saving", "Ending"], Field(description="What rank 0 does.")
    ]
    step: Annotated[int, Field(description="Steps so far.")] = 0
    tokens: Annotated[int, Field(description="Tokens so far.")] = 0
    tokens_total: Annotated[int, Field(description="The budget.")]
    loss: Annotated[float | None, Field(description="Loss of the last step.")] = None
    learning_rate: Annotated[float | None, Field(description="Learning rate of the last step.")] = (
        None
    )
    gradient_norm: Annotated[float | None, Field(description="Gradient norm of the last step.")] = (
        None
    )
    tokens_per_second: Annotated[float | None, Field(description="Throughput.")] = None
    mfu: Annotated[
        float | None, Field(description="Model FLOPs utilisation, 0 to 1; none on a CPU.")
    ] = None
    checkpoints: Annotated[
        tuple[int, ...], Field(description="Complete checkpoints, by tokens.")
    ] = ()
    states: Annotated[tuple[int, ...], Field(description="Complete states, by tokens.")] = ()
    resumed_from_tokens: Annotated[int | None, Field(description="State that it resumed from.")] = (
        None
    )


class End(StoreObject):
    """`end.json`: how the attempt ended."""

    result: Annotated[Cause, Field(description="Completed, Drained, or what went wrong.")]
    tokens: Annotated[int, Field(description="Tokens trained.")] = 0
    step: Annotated[int, Field(description="Steps made.")] = 0
    rank: Annotated[int | None, Field(description="Rank that failed first.")] = None
    message: Annotated[str, Field(description="One sentence.")] = ""
    at: Annotated[datetime, Field(description="When, UTC.")]
