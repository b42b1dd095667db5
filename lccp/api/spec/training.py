"""`spec.training`: how long and how the model is trained."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictInt, model_validator

from lccp.api.spec.workload import FREE_OBJECT
from lccp.contract.base import Contract
from lccp.contract.cel import Rule, let, rules
from lccp.contract.changes import NEXT_ATTEMPT, Change, declared
from lccp.contract.quantities import TOKENS, Decimal, TokenBudget

ONLY_RAISED = "tokens may only be raised"
BENT_UP = (
    "tokens may not change under schedule Cosine or Linear: the learning rate would rise again"
)
WSD_DECAYS = "schedule WSD needs decayTokens, which together with the warm-up must fit into tokens"
WARMUP_BEYOND = "schedule.warmupTokens exceeds tokens: shorten the warm-up, or raise the budget"


class ScheduleSpec(Contract):
    """The learning rate over the run."""

    type: Annotated[
        Literal["Constant", "Cosine", "Linear", "WSD"],
        Field(
            description="Shape after the warm-up; WSD is constant, then decays linearly over the "
            "last `decayTokens`. A decaying rate causes a plateau of its own, so under any "
            "schedule but Constant the verdict is never Saturated."
        ),
    ] = "Constant"
    decay_tokens: Annotated[
        TokenBudget | None,
        Field(description="Tokens over which WSD decays; required by WSD, ignored by others."),
    ] = None
    warmup_tokens: Annotated[
        TokenBudget | None,
        Field(description="Tokens over which the rate rises linearly from 0; default: none."),
    ] = None
    final_fraction: Annotated[
        float,
        Decimal(ge=0, le=1),
        Field(
            description="Rate at the end of the budget, as a fraction of `learningRate`; ignored "
            "by Constant."
        ),
    ] = 0.1


class OptimizerSpec(Contract):
    """AdamW."""

    beta1: Annotated[
        float, Decimal(ge=0, lt=1), Field(description="Decay of the first moment.")
    ] = 0.9
    beta2: Annotated[
        float, Decimal(ge=0, lt=1), Field(description="Decay of the second moment.")
    ] = 0.95
    epsilon: Annotated[
        float, Decimal(gt=0, le=1), Field(description="Term added to the denominator.")
    ] = 1e-8
    weight_decay: Annotated[
        float, Decimal(ge=0, le=1), Field(description="Decoupled weight decay of matrices.")
    ] = 0.1


class DeepSpeedSpec(Contract):
    """Settings of DeepSpeed."""

    zero_stage: Annotated[
        StrictInt,
        Field(ge=0, le=3, description="ZeRO stage: what is partitioned over the processes."),
    ] = 1
    offload_optimizer: Annotated[
        Literal["None", "CPU"], Field(description="Where the optimizer's state is kept.")
    ] = "None"
    expert_parallel_size: Annotated[
        StrictInt,
        Field(ge=1, le=1024, description="Processes that share the experts of one layer."),
    ] = 1
    sequence_parallel_size: Annotated[
        StrictInt, Field(ge=1, le=1024, description="Processes that share one sequence (Ulysses).")
    ] = 1
    config: Annotated[
        dict[str, Any],
        Field(
            description="DeepSpeed configuration, merged last over the one that the operator "
            "derives.",
            json_schema_extra=FREE_OBJECT,
        ),
    ] = {}


def _decays() -> str:
    """CEL: WSD has its decay, after the warm-up and before the end."""
    warmup = TOKENS.cel_at("self.schedule.warmupTokens")
    warmup = f"(has(self.schedule.warmupTokens) ? {warmup} : 0)"
    decay = TOKENS.cel_at("self.schedule.decayTokens")
    fits = f"{warmup} + {decay} <= {TOKENS.cel_at('self.tokens')}"
    return f"self.schedule.type != 'WSD' || (has(self.schedule.decayTokens) && {fits})"


class TrainingSpec(Contract):
    """The training."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!has(self.schedule.warmupTokens) || "
                + let(
                    "budget",
                    TOKENS.cel_at("self.tokens"),
                    f"budget < 0 || {TOKENS.cel_at('self.schedule.warmupTokens')} <= budget",
                ),
                WARMUP_BEYOND,
                ".schedule.warmupTokens",
            ),
            Rule(
                let(
                    "budget",
                    TOKENS.cel_at("self.tokens"),
                    f"budget < 0 || budget >= {TOKENS.cel_at('oldSelf.tokens')}",
                ),
                ONLY_RAISED,
                ".tokens",
            ),
            Rule(
                "!(self.schedule.type in ['Cosine', 'Linear']) || "
                f"{TOKENS.cel_at('self.tokens')} == {TOKENS.cel_at('oldSelf.tokens')}",
                BENT_UP,
                ".tokens",
            ),
            Rule(_decays(), WSD_DECAYS, ".schedule"),
        )
    )

    tokens: Annotated[
        TokenBudget,
        Field(
            description="Budget of the run, in tokens, such as `200B`.",
            json_schema_extra=declared(Change.LIVE, "may be raised"),
        ),
    ]
    global_batch_tokens: Annotated[
        TokenBudget, Field(description="Tokens in one optimizer step, over all processes.")
    ]
    micro_batch_size: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=1024,
            description="Sequences that one process handles at once.",
            json_schema_extra=NEXT_ATTEMPT,
        ),
    ] = 1
    learning_rate: Annotated[
        float,
        Decimal(gt=0, le=1),
        Field(description='Learning rate after the warm-up, such as "1.2e-5".'),
    ]
    schedule: Annotated[ScheduleSpec, Field(description="Learning rate over the run.")] = (
        ScheduleSpec()
    )
    optimizer: Annotated[OptimizerSpec, Field(description="AdamW's settings.")] = OptimizerSpec()
    gradient_clipping: Annotated[
        float, Decimal(gt=0, le=1e6), Field(description="Bound of the global gradient norm.")
    ] = 1.0
    router_aux_loss_coefficient: Annotated[
        Annotated[float, Decimal(ge=0, le=100)] | None,
        Field(
            description="Weight of the loss that balances the experts' load, for every sequence; "
            "default: the model's own (`router_aux_loss_coef` in its config.json), or none.",
            json_schema_extra=NEXT_ATTEMPT,
        ),
    ] = None
    precision: Annotated[
        Literal["BF16", "FP32"], Field(description="Number format of the weights in the passes.")
    ] = "BF16"
    activation_checkpointing: Annotated[
        StrictBool,
        Field(
            description="Recompute activations in the backward pass to save memory; of long "
            "sequences feed-forward blocks are then computed in tiles of tokens.",
            json_schema_extra=NEXT_ATTEMPT,
        ),
    ] = False
    seed: Annotated[
        StrictInt, Field(ge=0, lt=2**31, description="Seed of everything random in training.")
    ] = 0
    log_every_steps: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=10_000,
            description="Steps between two lines of the training history.",
            json_schema_extra=NEXT_ATTEMPT,
        ),
    ] = 1
    on_spike: Annotated[
        Literal["Record", "SkipBatch", "Rewind"],
        Field(
            description="What follows a step whose loss or gradient norm is an outlier. Record: "
            "note it in history and metrics. SkipBatch: do not train on a batch whose loss is an "
            "outlier. Rewind: return to the newest state and skip the batches since.",
            json_schema_extra=NEXT_ATTEMPT,
        ),
    ] = "Record"
    hang_timeout_seconds: Annotated[
        StrictInt,
        Field(
            ge=30,
            le=86_400,
            description="Longest time without a step, in seconds, before the attempt ends as hung.",
            json_schema_extra=NEXT_ATTEMPT,
        ),
    ] = 1_800
    not_finite_steps: Annotated[
        StrictInt,
        Field(
            ge=0,
            le=1_000,
            description="Consecutive steps with a non-finite loss or gradient that are skipped "
            "before the attempt ends.",
            json_schema_extra=NEXT_ATTEMPT,
        ),
    ] = 3
    deepspeed: Annotated[
        DeepSpeedSpec, Field(description="DeepSpeed.", json_schema_extra=NEXT_ATTEMPT)
    ] = DeepSpeedSpec()

    @model_validator(mode="after")
    def _warms_up_within_the_budget(self) -> "TrainingSpec":
        if (self.schedule.warmup_tokens or 0) > self.tokens:
            raise ValueError(WARMUP_BEYOND)
        return self

    @model_validator(mode="after")
    def _decays_within_the_budget(self) -> "TrainingSpec":
        warmup, decay = self.schedule.warmup_tokens or 0, self.schedule.decay_tokens
        if self.schedule.type == "WSD" and (decay is None or warmup + decay > self.tokens):
            raise ValueError(WSD_DECAYS)
        return self
