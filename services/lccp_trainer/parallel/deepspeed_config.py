"""DeepSpeed's configuration, derived from the run's spec."""

from collections.abc import Mapping
from typing import Any

from lccp.api.spec.training import TrainingSpec


def deepspeed_config(training: TrainingSpec, accumulation_steps: int) -> dict[str, Any]:
    """The configuration that `deepspeed.initialize` takes; `deepspeed.config` is merged last.

    Processes that share sequences are ordinary data-parallel ones to DeepSpeed: it partitions over
    all of them, and the gradient norm is that of the whole batch.
    """
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
