"""NaN and infinite values: found while measuring, reported with the layer where they begin."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from lccp.contract.errors import InvalidInput

LARGEST_NLL_NATS = 700.0
"""Of an answer's mean; beyond it, a perplexity exceeds floating-point range."""


class NotFiniteModel(InvalidInput):
    """Weights, activations or results are NaN or infinite: the evaluation failed."""


def check_finite(*tensors: Tensor) -> None:
    """Raise NotFiniteModel unless all values are finite."""
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors):
        raise NotFiniteModel("weights or logits are not finite")


def own(weight: Tensor) -> Tensor:
    """The part of `weight` that this process holds."""
    return weight.to_local() if isinstance(weight, DTensor) else weight


def check_weights(model: nn.Module) -> None:
    """Raise NotFiniteModel, naming it, if a weight is NaN or infinite."""
    for name, weight in model.named_parameters():
        if not bool(torch.isfinite(own(weight)).all()):
            raise NotFiniteModel(f"weights are not finite: {name} holds NaN or infinite values")


def named(model: nn.Module, forward: Callable[[], Any]) -> NotFiniteModel:
    """The error that names where `model` becomes non-finite; `forward` reproduces that."""
    try:
        check_weights(model)
    except NotFiniteModel as error:
        return error
    found: list[str] = []
    hooks = [
        module.register_forward_hook(_watcher(name, found))
        for name, module in model.named_modules()
        if name and not any(True for _ in module.children())
    ]
    try:
        forward()
    except NotFiniteModel:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    where = found[0] if found else "the logits"
    return NotFiniteModel(f"logits are not finite: NaN or infinite values first come from {where}")


def _watcher(name: str, found: list[str]) -> Callable[[nn.Module, Any, Any], None]:
    def watch(module: nn.Module, given: Any, output: Any) -> None:
        values = output[0] if isinstance(output, tuple) else output
        is_number = isinstance(values, Tensor) and values.is_floating_point()
        if is_number and not bool(torch.isfinite(values).all()):
            found.append(name)

    return watch
