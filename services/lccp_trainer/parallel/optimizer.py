"""AdamW over the parameters of a model."""

from typing import Any

import torch

from lccp.api.spec.training import TrainingSpec


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


def _dimensions(parameter: torch.nn.Parameter) -> int:
    return len(getattr(parameter, "ds_shape", parameter.shape))
