"""Model FLOPs utilisation."""

from typing import Any

from lccp.cost import flops as training_flops

PEAK_FLOPS = {
    "A100": 312e12,
    "H100": 989e12,
    "H200": 989e12,
    "B200": 2250e12,
}
"""Dense bfloat16 FLOP/s of an accelerator, by a part of its name (manufacturer's data sheets)."""


def flops_per_token(config: Any, parameters: int, expert_parameters: int, tokens: int) -> float:
    """FLOPs of forward and backward pass for one token in a sequence of `tokens`.

    Args:
        expert_parameters: those of `parameters` that lie in routed experts.
    """
    experts = getattr(config, "num_experts", None) or 1
    chosen = getattr(config, "num_experts_per_tok", None) or experts
    chosen = max(chosen) if isinstance(chosen, list) else chosen
    met = parameters - expert_parameters * (1 - chosen / experts)
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    return training_flops.flops_per_token(met, config.num_hidden_layers, tokens, heads * size)


def count_parameters(model: Any) -> tuple[int, int]:
    """All parameters of a model, and those that lie in routed experts."""
    sizes = {name: _size(parameter) for name, parameter in model.named_parameters()}
    return sum(sizes.values()), sum(size for name, size in sizes.items() if ".experts." in name)


def utilisation(flops_per_second: float, device_name: str | None) -> float | None:
    """Share of the device's peak; None on a CPU, or a device whose peak is not known."""
    known = (peak for name, peak in PEAK_FLOPS.items() if name in (device_name or ""))
    peak = next(known, None)
    return None if peak is None else flops_per_second / peak


def _size(parameter: Any) -> int:
    """Elements of a parameter, whether ZeRO-3 partitioned it or not."""
    return int(getattr(parameter, "ds_numel", None) or parameter.numel())
