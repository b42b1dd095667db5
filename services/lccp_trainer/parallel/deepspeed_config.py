"""DeepSpeed's configuration, derived from the run's spec."""

from collections.abc import Mapping
from typing import Any

from lccp.api.spec.training import TrainingSpec
from lccp.contract.errors import InvalidInput

FIELD = "training.deepspeed"
DERIVED = {
    "train_batch_size": "training.globalBatchTokens",
    "train_micro_batch_size_per_gpu": "training.microBatchSize",
    "gradient_accumulation_steps": "training.globalBatchTokens",
    "optimizer": "training.optimizer",
    "scheduler": "training.schedule",
    "fp16": "training.precision",
    "zero_optimization.stage": f"{FIELD}.zeroStage",
    "expert_parallel": f"{FIELD}.expertParallelSize",
    "sequence_parallel_size": f"{FIELD}.sequenceParallelSize",
}
"""Settings that the trainer itself counts on, and the field that gives each."""


def deepspeed_config(training: TrainingSpec, accumulation_steps: int) -> dict[str, Any]:
    """The configuration that `deepspeed.initialize` takes; `deepspeed.config` is merged last."""
    asked = training.deepspeed
    zero: dict[str, Any] = {"stage": asked.zero_stage}
    if asked.zero_stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    if asked.offload_optimizer == "CPU":
        zero["offload_optimizer"] = {"device": "cpu"}
    config: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": training.micro_batch_size,
        "gradient_accumulation_steps": accumulation_steps,
        "gradient_clipping": training.gradient_clipping,
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": None,
    }
    if training.precision == "BF16":
        config["bf16"] = {"enabled": True}
        config["data_types"] = {"grad_accum_dtype": "fp32"}
    return merged(config, asked.config)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` merged into `base`: objects key by key, anything else replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = merged(below, value)
        result[key] = value
    return result


def check_deepspeed(training: TrainingSpec) -> None:
    """Raise InvalidInput, with the field's path, for what this trainer can't run."""
    asked = training.deepspeed
    for field, size in (
        ("expertParallelSize", asked.expert_parallel_size),
        ("sequenceParallelSize", asked.sequence_parallel_size),
    ):
        if size != 1:
            raise InvalidInput(f"{FIELD}.{field}: {size} is not supported yet: it must be 1")
    if asked.zero_stage == 0 and training.precision == "BF16":
        raise InvalidInput(
            f"{FIELD}.zeroStage: 0 is wrong by a step of the optimizer with precision BF16: "
            "take stage 1 or higher, or precision FP32"
        )
    if asked.zero_stage == 0 and asked.offload_optimizer == "CPU":
        raise InvalidInput(
            f"{FIELD}.offloadOptimizer: CPU needs a partitioned optimizer: take zeroStage 1 to 3"
        )
    for setting, field in DERIVED.items():
        if _at(asked.config, setting.split(".")) is not None:
            raise InvalidInput(f"{FIELD}.config.{setting}: {field} gives this: remove it here")
    for part in ("offload_optimizer", "offload_param"):
        if _at(asked.config, ["zero_optimization", part, "device"]) == "nvme":
            raise InvalidInput(
                f"{FIELD}.config.zero_optimization.{part}.device: nvme is not supported: "
                "state on it would be left out of what a run resumes from"
            )


def _at(config: Any, path: list[str]) -> Any:
    """What lies at `path` in nested objects, or None."""
    for name in path:
        config = config.get(name) if isinstance(config, Mapping) else None
    return config
