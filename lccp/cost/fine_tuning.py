"""A fine-tuning expressed as a run, for the trainer's loop."""

from lccp.api.run import LCCPRunSpec
from lccp.api.spec.sft import SFTSpec
from lccp.api.spec.training import ScheduleSpec
from lccp.contract.errors import InvalidInput
from lccp.cost.layout import Layout

ONE_CHECKPOINT = {"every_tokens": None, "at_tokens": (), "anneal": None}
"""Of a fine-tuning: the one at its end."""


def fine_tuning_run(run: LCCPRunSpec, sft: SFTSpec) -> LCCPRunSpec:
    """The spec of a run that fine-tunes by `sft`, with the parallelism of `run`.

    Its budget is one step: `with_budget` sets the real one, once the rows are counted. Raises
    InvalidInput, with the field of `sft`, if the two don't fit together.
    """
    length = sft.context_length or run.model.target_context_length
    if length > run.model.target_context_length:
        raise InvalidInput(
            f"sft.contextLength: {length} is more than the model's context "
            f"(model.targetContextLength {run.model.target_context_length}): lower it"
        )
    layout, micro_batch = Layout.of(run), sft.micro_batch_size or run.trained.micro_batch_size
    _check_batch(sft.global_batch_tokens, length, layout.data_size, micro_batch)
    if sft.lora is not None and layout.expert_size > 1:
        raise InvalidInput(
            "sft.lora: adapters do not go with training.deepspeed.expertParallelSize "
            f"{layout.expert_size}: take 1, or train all weights"
        )
    training = {
        "tokens": sft.global_batch_tokens,
        "global_batch_tokens": sft.global_batch_tokens,
        "micro_batch_size": micro_batch,
        "learning_rate": sft.learning_rate,
        "seed": sft.seed,
    }
    changes = {
        "model": run.model.model_copy(
            update={"target_context_length": length, "rope_base": None, "rope_scaling": None}
        ),
        "training": run.trained.model_copy(update=training),
        "checkpoints": run.checkpoints.model_copy(update=ONE_CHECKPOINT),
        "evaluation": run.evaluation.model_copy(update={"baseline": False}),
    }
    return with_budget(run.model_copy(update=changes), sft, steps=1)


def with_budget(spec: LCCPRunSpec, sft: SFTSpec, steps: int) -> LCCPRunSpec:
    """`spec` with a budget of `steps`, and the learning rate of `sft` over it."""
    tokens = steps * spec.trained.global_batch_tokens
    schedule = ScheduleSpec.model_construct(
        type="Cosine",
        warmup_tokens=int(tokens * sft.warmup_fraction),
        final_fraction=sft.final_learning_rate / sft.learning_rate,
    )
    training = spec.trained.model_copy(update={"tokens": tokens, "schedule": schedule})
    return spec.model_copy(update={"training": training})


def _check_batch(tokens: int, length: int, groups: int, micro_batch: int) -> None:
    unit = length * groups * micro_batch
    if tokens % unit:
        below = tokens // unit * unit
        would_do = f"{below} or {below + unit}" if below else f"{unit}, or fewer processes"
        raise InvalidInput(
            f"sft.globalBatchTokens: {tokens} is not a multiple of {unit} (contextLength {length} "
            f"x {groups} groups of processes x microBatchSize {micro_batch}): take {would_do}"
        )
