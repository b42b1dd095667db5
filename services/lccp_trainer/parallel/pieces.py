"""Fragments by the names and places of Hugging Face's parameters, whatever the layout.

A state written under one layout can thus be read under any other. Only experts that AutoEP spreads
are in other places than in Hugging Face's layout.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from lccp_trainer.parallel import experts
from lccp_trainer.parallel.fragments import Fragment
from lccp_trainer.parallel.weights import PREFIX


@dataclass(frozen=True, eq=False)
class ParameterPiece:
    """A contiguous part of one of Hugging Face's parameters, flattened."""

    name: str
    start: int
    values: dict[str, torch.Tensor]
    """As a fragment's."""


@dataclass(frozen=True)
class _Stack:
    """Where a stack of experts is in Hugging Face's parameter."""

    name: str
    expert: int
    """Elements of one expert in the stack."""
    stride: int
    """Elements from one expert to the next in Hugging Face's parameter."""
    start: int
    """First element in Hugging Face's parameter."""


def pieces(engine: Any, fragments: list[Fragment]) -> Iterator[ParameterPiece]:
    """The pieces of Hugging Face's parameters that `fragments` hold."""
    stacks, names = _stacks(engine), _names(engine)
    for fragment in fragments:
        if fragment.parameter in stacks:
            yield from _of_stack(stacks[fragment.parameter], fragment)
        else:
            yield ParameterPiece(names[fragment.parameter], fragment.start, fragment.values)


def _names(engine: Any) -> dict[str, str]:
    kind = engine.module.model.config.model_type
    blocks = [name for name, _ in experts.blocks(engine.module)]
    found = {}
    for name, _ in engine.module.named_parameters():
        block = next((block for block in blocks if name.startswith(f"{block}.")), None)
        own = name if block is None else experts.hugging_face_name(name, block, kind)
        found[name] = own.removeprefix(PREFIX)
    return found


def _stacks(engine: Any) -> dict[str, _Stack]:
    """The stacks of AutoEP's layers, by parameter.

    `gate_up_proj` is [experts, gate and up, hidden]; `down_proj` is the stack itself.
    """
    found = {}
    for block, layer in experts.blocks(engine.module):
        own = block.removeprefix(PREFIX)
        size = layer.hidden_size * _inner(layer)
        first = layer.ep_rank * layer.num_local_experts
        fused, down = f"{own}.experts.gate_up_proj", f"{own}.experts.down_proj"
        path = f"{block}.experts"
        found[f"{path}.w1"] = _Stack(fused, size, 2 * size, first * 2 * size)
        found[f"{path}.w3"] = _Stack(fused, size, 2 * size, first * 2 * size + size)
        found[f"{path}.w2"] = _Stack(down, size, size, first * size)
    return found


def _inner(layer: Any) -> int:
    shape = getattr(layer.experts.w1, "ds_shape", layer.experts.w1.shape)
    return int(shape[1])


def _of_stack(stack: _Stack, fragment: Fragment) -> Iterator[ParameterPiece]:
    """One piece per expert that the fragment touches."""
    start, end = fragment.start, fragment.start + fragment.length
    while start < end:
        expert, within = divmod(start, stack.expert)
        length = min(end - start, stack.expert - within)
        at = stack.start + expert * stack.stride + within
        yield ParameterPiece(stack.name, at, fragment.part(start, length).values)
        start += length
