"""The settings of a fine-tuning: its records, and how a checkpoint is trained on them."""

from typing import Annotated, Literal

from pydantic import Field, StrictInt, model_validator

from lccp.contract.base import Contract
from lccp.contract.changes import NEXT_ATTEMPT
from lccp.contract.quantities import ContextLength, Decimal, TokenBudget


class LoRASpec(Contract):
    """Low-rank adapters (Hu et al., arXiv 2106.09685), trained instead of the weights."""

    rank: Annotated[StrictInt, Field(ge=1, le=1024, description="Rank of the adapters.")] = 16
    alpha: Annotated[
        float,
        Decimal(gt=0, le=1e6),
        Field(description="The adapters' contribution to a layer is scaled by `alpha` / `rank`."),
    ] = 32.0
    dropout: Annotated[
        float, Decimal(ge=0, lt=1), Field(description="Dropout of the adapters' input.")
    ] = 0.0
    target_modules: Annotated[
        tuple[str, ...],
        Field(min_length=1, max_length=32, description="Linear layers that get adapters, by name."),
    ] = ("q_proj", "k_proj", "v_proj", "o_proj")


class SFTSpec(Contract):
    """Supervised fine-tuning of one checkpoint; the rest is as in the run's `training`."""

    path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            description="JSONL file, or folder of them, as the trainer's pods see it. An object "
            "has `messages` (each with `role` and `content`), or `prompt` and `completion`.",
            json_schema_extra=NEXT_ATTEMPT,
        ),
    ]
    template: Annotated[
        Literal["Model", "Plain"],
        Field(
            description="How `messages` become text. Model: with the model's own chat template. "
            "Plain: with LCCP's, which becomes the fine-tuned model's template."
        ),
    ] = "Model"
    bad_records_max: Annotated[
        StrictInt,
        Field(
            ge=0,
            le=1_000_000_000,
            description="Records that may be skipped because they are damaged, have no answer or "
            "are longer than a row, before the fine-tuning is refused.",
            json_schema_extra=NEXT_ATTEMPT,
        ),
    ] = 0
    epochs: Annotated[
        StrictInt, Field(ge=1, le=1_000, description="How often every record is trained on.")
    ] = 2
    context_length: Annotated[
        ContextLength | None,
        Field(
            description="Length of the rows that records are packed into, in tokens; default: the "
            "run's `model.targetContextLength`."
        ),
    ] = None
    global_batch_tokens: Annotated[
        TokenBudget,
        Field(
            description="Tokens in one optimizer step, over all processes, including prompts and "
            "padding."
        ),
    ]
    micro_batch_size: Annotated[
        StrictInt | None,
        Field(
            ge=1,
            le=1024,
            description="Rows that one process handles at once; default: as in the run.",
            json_schema_extra=NEXT_ATTEMPT,
        ),
    ] = None
    learning_rate: Annotated[
        float, Decimal(gt=0, le=1), Field(description="Learning rate after the warm-up.")
    ] = 2e-5
    final_learning_rate: Annotated[
        float,
        Decimal(ge=0, le=1),
        Field(description="Learning rate at the end of the cosine decay."),
    ] = 5e-6
    warmup_fraction: Annotated[
        float,
        Decimal(ge=0, lt=1),
        Field(description="Fraction of the steps over which the rate rises linearly from 0."),
    ] = 0.03
    seed: Annotated[
        StrictInt,
        Field(ge=0, lt=2**31, description="Seed for the order of records and for dropout."),
    ] = 0
    lora: Annotated[
        LoRASpec | None,
        Field(description="Train low-rank adapters, to save memory; default: all weights."),
    ] = None

    @model_validator(mode="after")
    def _decays(self) -> "SFTSpec":
        if self.final_learning_rate > self.learning_rate:
            raise ValueError(
                f"finalLearningRate {self.final_learning_rate} is above learningRate "
                f"{self.learning_rate}: lower it"
            )
        return self
