"""The DeepSpeed engine: model and optimizer, partitioned over the processes."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import deepspeed
import torch
from deepspeed.runtime.zero.config import DeepSpeedZeroConfig
from deepspeed.utils import set_z3_leaf_modules
from pydantic import ValidationError
from transformers.integrations.deepspeed import HfDeepSpeedConfig

from lccp.api.run import LCCPRunSpec
from lccp.api.spec.training import TrainingSpec
from lccp.contract.errors import InvalidInput
from lccp.cost.layout import step_shape
from lccp_trainer.model.directory import load_model
from lccp_trainer.model.tiles import tile_feed_forward, tile_routed_experts
from lccp_trainer.parallel import experts
from lccp_trainer.parallel.attention import IMPLEMENTATION
from lccp_trainer.parallel.optimizer import adamw
from lccp_trainer.parallel.supported import check_model


def build_engine(
    spec: LCCPRunSpec,
    directory: Path,
    config: Any,
    objective: Callable[[Any], torch.nn.Module],
    accumulation_steps: int,
) -> Any:
    """The engine around the model in `directory`, built with `config`, under `objective`."""
    training = spec.trained
    settings = deepspeed_config(training, accumulation_steps)
    _check_zero(settings["zero_optimization"])
    size = training.deepspeed.expert_parallel_size
    if size > 1:
        settings["expert_parallel"] = experts.autoep_settings(config, size)
    # Must exist while the model is loaded: transformers then partitions it on loading (ZeRO-3).
    partitioning = HfDeepSpeedConfig(settings)  # type: ignore[no-untyped-call]
    dtype = torch.bfloat16 if training.precision == "BF16" else torch.float32
    model = load_model(spec.model, directory, config, dtype, IMPLEMENTATION)
    del partitioning
    check_model(model)
    tiled, tokens = [], step_shape(spec).own_tokens
    if training.activation_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
        tiled = tile_feed_forward(model, tokens)
    if training.deepspeed.zero_stage == 3:
        _fetch_whole(model, [*_experts(model), *tiled])
    if size > 1:
        experts.prepare(model)
    module = objective(model)
    # DeepSpeed calls it after AutoEP has replaced the experts, whose parameters then differ.
    engine, *_ = deepspeed.initialize(
        model=module, optimizer=lambda _: adamw(module, training), config=settings
    )
    if training.activation_checkpointing:
        tile_routed_experts(model, tokens, size)
    engine.train()
    return engine


def deepspeed_config(training: TrainingSpec, accumulation_steps: int) -> dict[str, Any]:
    """The configuration for `deepspeed.initialize`; `deepspeed.config` is merged last.

    To DeepSpeed, processes that share sequences are ordinary data-parallel ones. It partitions over
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
    return _merged(config, asked.config)


def _check_zero(settings: Mapping[str, Any]) -> None:
    """Raise InvalidInput, naming the setting, if DeepSpeed does not accept these of ZeRO."""
    try:
        DeepSpeedZeroConfig(**settings)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, ("zero_optimization", *fault["loc"])))
        raise InvalidInput(
            f"training.deepspeed.config.{place}: {fault['msg']}: correct it, or remove it"
        ) from None


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` merged into `base`: objects key by key, anything else replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = _merged(below, value)
        result[key] = value
    return result


def apply_step(engine: Any) -> float | None:
    """Make the optimizer's step unless the gradient is not finite; returns the gradient's norm.

    None means that the step was skipped, on every rank alike. ZeRO's optimizers skip it themselves;
    without ZeRO the gradients are whole and equal on every rank, and the decision is made here.
    """
    if engine.zero_optimization():
        engine.step()
        norm = float(engine.get_global_grad_norm())
        return norm if math.isfinite(norm) and norm >= 0 else None
    gradients = [p.grad for p in engine.module.parameters() if p.grad is not None]
    norm = float(torch.nn.utils.get_total_norm(gradients))
    engine.optimizer.leaves_out = not math.isfinite(norm)
    engine.step()
    return norm if math.isfinite(norm) else None


def _experts(model: torch.nn.Module) -> list[torch.nn.Module]:
    return [module for module in model.modules() if hasattr(module, "experts")]


def _fetch_whole(model: torch.nn.Module, blocks: list[torch.nn.Module]) -> None:
    """Fetch each block as one: ranks run different experts, and tiles must fetch only once."""
    if blocks:
        set_z3_leaf_modules(model, list({type(block) for block in blocks}))
