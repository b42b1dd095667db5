"""AdamW over the parameters of a model."""

from typing import Any

import torch

from lccp.api.spec.training import TrainingSpec


class AdamW(torch.optim.AdamW):
    """PyTorch's AdamW, able to skip steps."""

    leaves_out = False

    def step(self, closure: Any = None) -> Any:
        return None if self.leaves_out else super().step(closure)


def adamw(model: Any, training: TrainingSpec) -> torch.optim.Optimizer:
    """The optimizer; only matrices decay, and experts that are spread have separate groups."""
    groups: dict[tuple[bool, str | None], list[torch.nn.Parameter]] = {}
    for parameter in (p for p in model.parameters() if p.requires_grad):
        spread = getattr(parameter, "group_name", None)
        groups.setdefault((_dimensions(parameter) >= 2, spread), []).append(parameter)
    asked = training.optimizer
    return AdamW(
        [_group(*key, parameters, asked.weight_decay) for key, parameters in groups.items()],
        lr=training.learning_rate,
        betas=(asked.beta1, asked.beta2),
        eps=asked.epsilon,
    )


def _group(
    decays: bool, spread: str | None, parameters: list[torch.nn.Parameter], weight_decay: float
) -> dict[str, Any]:
    group = {"params": parameters, "weight_decay": weight_decay if decays else 0.0}
    return group if spread is None else group | {"name": spread, "moe": True}


def set_learning_rate(engine: Any, rate: float) -> None:
    for group in engine.optimizer.param_groups:
        group["lr"] = rate


def _dimensions(parameter: torch.nn.Parameter) -> int:
    return len(getattr(parameter, "ds_shape", parameter.shape))
