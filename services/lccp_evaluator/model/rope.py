"""Rotations whose angles depend on the input's length, and so tie a pass to one length."""

from torch import nn

STATEFUL = ("dynamic", "longrope")


def stateful_kinds(model: nn.Module) -> list[str]:
    """Kinds of RoPE scaling in `model` where a token's rotation depends on later tokens."""
    kinds = {
        kind
        for module in model.modules()
        for kind in _kinds(getattr(module, "rope_type", None))
        if any(name in kind for name in STATEFUL)
    }
    return sorted(kinds)


def forget_lengths(model: nn.Module) -> None:
    """Undo the effect of earlier inputs on `dynamic` rotations, which otherwise only grow."""
    for module in model.modules():
        original = getattr(module, "original_inv_freq", None)
        if original is not None and "dynamic" in _kinds(getattr(module, "rope_type", None)):
            module.register_buffer("inv_freq", original.clone(), persistent=False)
            module.max_seq_len_cached = module.original_max_seq_len


def _kinds(rope_type: object) -> list[str]:
    """Kinds of a rotary embedding: one, or one per type of layer."""
    values = rope_type.values() if isinstance(rope_type, dict) else [rope_type]
    return [value for value in values if isinstance(value, str)]
