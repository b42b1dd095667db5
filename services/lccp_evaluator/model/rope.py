"""Rotations whose angles depend on the input's length, and so tie a pass to one length."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

STATEFUL = ("dynamic", "longrope")
FIXED = "fixed by lccp"
"""A type of RoPE for which transformers chooses nothing in a pass."""


def stateful_kinds(model: nn.Module) -> list[str]:
    """Kinds of RoPE scaling in `model` where a token's rotation depends on later tokens."""
    return sorted({kind for module in model.modules() for kind in _stateful_kinds(module)})


def forget_lengths(model: nn.Module) -> None:
    """Undo the effect of earlier inputs on `dynamic` rotations, which otherwise only grow."""
    for module in model.modules():
        original = getattr(module, "original_inv_freq", None)
        if original is not None and "dynamic" in _kinds(getattr(module, "rope_type", None)):
            module.register_buffer("inv_freq", original.clone(), persistent=False)
            module.max_seq_len_cached = module.original_max_seq_len


def original_tokens(model: nn.Module) -> int | None:
    """The length up to which rotations are those of every shorter input; None: it is unknown."""
    found = [_original(module) for module in _stateful(model)]
    return None if None in found else max((one for one in found if one is not None), default=0)


@contextmanager
def at_length(model: nn.Module, tokens: int) -> Iterator[None]:
    """Let every token be rotated as in an input of `tokens` tokens, whatever the input is.

    transformers chooses rotations anew in each pass, by `rope_type`: they are chosen once here, and
    the type is then one that chooses none.
    """
    forget_lengths(model)
    kinds: list[tuple[Any, Any]] = [(one, one.rope_type) for one in _stateful(model)]
    for module, kind in kinds:
        _choose(module, kind, tokens)
    try:
        for module, kind in kinds:
            module.rope_type = dict.fromkeys(kind, FIXED) if isinstance(kind, dict) else FIXED
        yield
    finally:
        for module, kind in kinds:
            module.rope_type = kind


def _choose(module: nn.Module, kind: object, tokens: int) -> None:
    """Have a rotary embedding choose its rotations for an input of `tokens` tokens."""
    some = next(module.buffers())
    last = torch.full((1, 1), tokens - 1, device=some.device)
    with torch.no_grad():
        for layers in list(kind) if isinstance(kind, dict) else [None]:
            options = {} if layers is None else {"layer_type": layers}
            module(some.new_zeros(1), last, **options)


def _stateful(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if _stateful_kinds(module)]


def _original(module: nn.Module) -> int | None:
    """Tokens from which the rotations of a module change with the length, if it says so."""
    found = _named(getattr(getattr(module, "config", None), "rope_parameters", None))
    known: Any = max(found, default=getattr(module, "original_max_seq_len", None))
    return None if known is None else int(known)


def _named(parameters: object) -> list[int]:
    if not isinstance(parameters, dict):
        return []
    own = parameters.get("original_max_position_embeddings")
    below = [number for value in parameters.values() for number in _named(value)]
    return below if own is None else [int(own), *below]


def _stateful_kinds(module: nn.Module) -> list[str]:
    """Kinds of the rotary embedding `module` where a token's rotation depends on later tokens."""
    kinds = _kinds(getattr(module, "rope_type", None))
    return [kind for kind in kinds if any(name in kind for name in STATEFUL)]


def _kinds(rope_type: object) -> list[str]:
    """Kinds of a rotary embedding: one, or one per type of layer."""
    values = rope_type.values() if isinstance(rope_type, dict) else [rope_type]
    return [value for value in values if isinstance(value, str)]
