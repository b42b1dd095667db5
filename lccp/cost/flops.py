"""FLOPs of training, and their share of a device's peak."""

from lccp.cost.architecture import Architecture

FLOPS_PER_PARAMETER_AND_TOKEN = 6
"""Forward and backward pass: Kaplan et al., arXiv 2001.08361, section 2.1."""
PEAK_FLOPS = {
    "A100": 312e12,
    "H100": 989e12,
    "H200": 989e12,
    "B200": 2250e12,
}
"""Dense bfloat16 FLOP/s of an accelerator, by a part of its name (manufacturer's data sheets)."""


def flops_per_token(model: Architecture, context_length: float) -> float:
    """FLOPs of forward and backward pass for one token in a document of `context_length` tokens.

    6 N + 6 L T d: Chowdhery et al., arXiv 2204.02311, appendix B, causal half of attention, with N
    parameters used by a token, L layers, T tokens of context, d = heads x head size.
    """
    attention = model.layers * context_length * model.attention.width
    return float(FLOPS_PER_PARAMETER_AND_TOKEN * (model.active_parameters + attention))


def utilisation(flops_per_second: float, device_name: str | None) -> float | None:
    """Share of the device's peak, 0 to 1; None on a CPU, or if the device's peak is unknown."""
    known = (peak for name, peak in PEAK_FLOPS.items() if name in (device_name or ""))
    peak = next(known, None)
    return None if peak is None else flops_per_second / peak
