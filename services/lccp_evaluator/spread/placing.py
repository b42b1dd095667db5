"""Where the layers of a model are, if several devices share it layer by layer.

One process computes them in order. Each device holds consecutive layers, with their keys and
values; accelerate's hooks move what a layer receives to the layer's device.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from lccp.contract.errors import InvalidInput
from lccp.cost.shards import placed


def placing(model: PreTrainedModel, devices: Sequence[str]) -> dict[str, str]:
    """The device of each part of `model`, whose weights may be on the meta device.

    The parts, by name, are its layers and what is beside them. A tied head stays with the
    embeddings, and what has no weights is on the first device.

    Raises InvalidInput if there are fewer layers than devices.
    """
    layers = _layers(model)
    if len(layers) < len(devices):
        raise InvalidInput(
            f"evaluation.shards (--shards): {len(layers)} layers can't be spread over "
            f"{len(devices)} devices: take {max(1, len(layers))}, or fewer"
        )
    parts = dict(_parts(model, layers))
    tied = _tied_head(model)
    sizes = {name: _elements(part) for name, part in parts.items() if part is not tied}
    heavy = {name: size for name, size in sizes.items() if size}
    found = dict(zip(heavy, placed(list(heavy.values()), len(devices)), strict=True))
    return {name: devices[found.get(name, 0)] for name in parts}


def _layers(model: PreTrainedModel) -> nn.ModuleList:
    """The list of the decoder's layers; an empty one if none is found."""
    count = model.config.get_text_config(decoder=True).num_hidden_layers
    lists = (one for one in model.modules() if isinstance(one, nn.ModuleList))
    return next((one for one in lists if len(one) == count), nn.ModuleList())


def _parts(
    module: nn.Module, layers: nn.Module, prefix: str = ""
) -> Iterator[tuple[str, nn.Module]]:
    """Each of `layers`, and the largest modules beside them, in their order."""
    for name, child in module.named_children():
        if any(one is layers for one in child.modules()):
            yield from _parts(child, layers, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def _tied_head(model: PreTrainedModel) -> nn.Module | None:
    """The head, if its weight is that of the embeddings."""
    named: Any = model
    head, embeddings = named.get_output_embeddings(), named.get_input_embeddings()
    return head if getattr(head, "weight", None) is embeddings.weight else None


def _elements(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())
