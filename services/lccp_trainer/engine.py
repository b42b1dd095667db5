"""The DeepSpeed engine: processes joined, model and optimizer partitioned."""

import math
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import deepspeed
import deepspeed.ops
import torch
import torch.distributed as dist
from deepspeed.utils import set_z3_leaf_modules
from transformers.integrations.deepspeed import HfDeepSpeedConfig

from lccp.api.run import LCCPRunSpec
from lccp.api.spec.training import TrainingSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.deepspeed_config import deepspeed_config
from lccp_trainer.model import load_model


def join_gang(spec: LCCPRunSpec, local_rank: int) -> torch.device:
    """Join the processes of the gang; the device that this one computes on.

    On a CPU the backend is gloo, and DeepSpeed's shared-memory kernel, which would be compiled on
    first use and is not needed, is opted out of.
    """
    accelerated = spec.topology.accelerator_resource_name is not None
    if accelerated and not torch.cuda.is_available():
        raise InvalidInput(
            "topology.acceleratorResourceName: "
            f"{spec.topology.accelerator_resource_name} is asked for, but none is visible here"
        )
    if accelerated:
        torch.cuda.set_device(local_rank)
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    # Longer than the watchdog's limit, so that a hang is found by the watchdog, which knows stacks.
    timeout = timedelta(seconds=spec.training.hang_timeout_seconds + 300)
    deepspeed.init_distributed("nccl" if accelerated else "gloo", timeout=timeout, verbose=False)
    return torch.device("cuda", local_rank) if accelerated else torch.device("cpu")


def build_engine(spec: LCCPRunSpec, directory: Path, config: Any, accumulation_steps: int) -> Any:
    """The engine around the model in `directory`, built with `config`."""
    training = spec.training
    settings = deepspeed_config(training, accumulation_steps)
    # Has to live while the model is loaded: it makes transformers partition it on the way (ZeRO-3).
    partitioning = HfDeepSpeedConfig(settings)  # type: ignore[no-untyped-call]
    dtype = torch.bfloat16 if training.precision == "BF16" else torch.float32
    model = load_model(spec.model, directory, config, dtype)
    del partitioning
    if training.activation_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if training.deepspeed.zero_stage == 3:
        _keep_experts_whole(model)
    engine, *_ = deepspeed.initialize(
        model=model, optimizer=adamw(model, training), config=settings
    )
    engine.train()
    return engine


class AdamW(torch.optim.AdamW):
    """PyTorch's AdamW, which can leave out steps."""

    leaves_out = False

    def step(self, closure: Any = None) -> Any:
        return None if self.leaves_out else super().step(closure)


def adamw(model: Any, training: TrainingSpec) -> torch.optim.Optimizer:
    """The optimizer; only matrices decay."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in parameters if _dimensions(p) >= 2]
    others = [p for p in parameters if _dimensions(p) < 2]
    asked = training.optimizer
    groups = [
        {"params": matrices, "weight_decay": asked.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return AdamW(
        [group for group in groups if group["params"]],
        lr=training.learning_rate,
        betas=(asked.beta1, asked.beta2),
        eps=asked.epsilon,
    )


def set_learning_rate(engine: Any, rate: float) -> None:
    for group in engine.optimizer.param_groups:
        group["lr"] = rate


def apply_step(engine: Any) -> float | None:
    """Let the optimizer make the step, unless the gradient is not finite; the gradient's norm.

    None says that the step was left out, on every rank alike. ZeRO's optimizers do so themselves;
    without ZeRO the gradients are whole and equal on every rank, and it is decided here.
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


def weights(engine: Any) -> dict[str, torch.Tensor] | None:
    """The whole model's weights on rank 0; called on every rank, since ZeRO-3 gathers them."""
    if engine.zero_optimization_stage() == 3:
        gathered = engine._zero3_consolidated_16bit_state_dict()
        return gathered if dist.get_rank() == 0 else None
    return engine.module.state_dict() if dist.get_rank() == 0 else None


def gang_words() -> Any:
    """torchrun's key-value store, to exchange words between ranks outside the training's order."""
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(host, port, is_master=False)  # type: ignore[attr-defined]
    return dist.PrefixStore("lccp", store)  # type: ignore[attr-defined]


def _dimensions(parameter: torch.nn.Parameter) -> int:
    return len(getattr(parameter, "ds_shape", parameter.shape))


def _keep_experts_whole(model: torch.nn.Module) -> None:
    """Fetch a block of experts as one: which of them run differs from rank to rank."""
    blocks = {type(module) for module in model.modules() if hasattr(module, "experts")}
    if blocks:
        set_z3_leaf_modules(model, list(blocks))
