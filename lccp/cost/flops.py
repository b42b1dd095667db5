"""FLOPs of training."""

FLOPS_PER_PARAMETER_AND_TOKEN = 6
"""Forward and backward pass: Kaplan et al., arXiv 2001.08361, section 2.1."""


def flops_per_token(
    active_parameters: float, layers: int, context_length: int, attention_width: int
) -> float:
    """6 N + 6 L T d: Chowdhery et al., arXiv 2204.02311, appendix B, attention's causal half.

    N parameters that a token passes, L layers, T tokens of context, d = heads x head size.
    """
    attention = layers * context_length * attention_width
    return float(FLOPS_PER_PARAMETER_AND_TOKEN * (active_parameters + attention))
