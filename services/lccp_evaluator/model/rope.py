"""Rotations whose angles depend on the length of the input: they tie a pass to one length."""

from torch import nn

STATEFUL = ("dynamic", "longrope")


def stateful_kinds(model: nn.Module) -> list[str]:
    """Kinds of RoPE scaling in `model` by which a token's rotation depends on those after it."""
    kinds = {
        kind
        for module in model.modules()
        for kind in _kinds(getattr(module, "rope_type", None))
        if any(name in kind for name in STATEFUL)
    }
    return sorted(kinds)


def forget_lengths(model: nn.Module) -> None:
    """Undo what earlier inputs did to `dynamic` rotations: they only ever grow by themselves."""
    for module in model.modules():
        original = getattr(module, "original_inv_freq", None)
        if original is not None and "dynamic" in _kinds(getattr(module, "rope_type", None)):
            module.register_buffer("inv_freq", original.clone(), persistent=False)
            module.max_seq_len_cached = module.original_max_seq_len


def _kinds(rope_type: object) -> list[str]:
    """Of a rotary embedding: one kind, or one a type of layer."""
    values = rope_type.values() if isinstance(rope_type, dict) else [rope_type]
    return [value for value in values if isinstance(value, str)]
