"""Which experts a model's routers choose, read where the experts are called.

Routers differ (softmax, sigmoid, groups, a bias), but in transformers all of them pass the numbers
of the chosen experts to one module per layer, which computes them.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from lccp.contract.errors import InvalidInput

CHOSEN = ("top_k_index", "router_indices")
"""Names of the argument with the chosen experts [T, k], which is the second one."""


def expert_layers(model: nn.Module) -> list[nn.Module]:
    """The modules of `model` that compute chosen experts, in order; none if it has no experts."""
    return [module for module in model.modules() if _computes_experts(module)]


def count(model: PreTrainedModel) -> int:
    """Experts per layer. Raises InvalidInput if there are none, or layers differ."""
    found = {int(layer.num_experts) for layer in expert_layers(model)}  # type: ignore[arg-type]
    if len(found) != 1:
        numbers = " and ".join(map(str, sorted(found)))
        what = f"layers of {numbers} experts" if found else "no experts"
        raise InvalidInput(
            f"model type {model.config.model_type!r} has {what}, so their load is not measured: "
            "turn the probe off (routing: {enabled: false})"
        )
    return found.pop()


@contextmanager
def choices(model: nn.Module) -> Iterator[list[Tensor]]:
    """The experts [T, k] that each layer chooses while inside, in the order of the layers."""
    chosen: list[Tensor] = []

    def note(_module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        values = (
            given[1] if len(given) > 1 else next(named[name] for name in CHOSEN if name in named)
        )
        chosen.append(values)

    hooks = [
        layer.register_forward_pre_hook(note, with_kwargs=True) for layer in expert_layers(model)
    ]
    try:
        yield chosen
    finally:
        for hook in hooks:
            hook.remove()


def _computes_experts(module: nn.Module) -> bool:
    if not isinstance(getattr(module, "num_experts", None), int):
        return False
    _itself, *arguments = inspect.signature(type(module).forward).parameters
    return len(arguments) > 1 and arguments[1] in CHOSEN
