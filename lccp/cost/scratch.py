"""Bytes that a pod of a training keeps in its scratch volume while it uploads them."""

from lccp.cost.memory import FP32_BYTES, Training

STATE_BYTES = 3 * FP32_BYTES
"""Bytes of a parameter in a state: its weight and two moments."""


def scratch_bytes(parameters: int, training: Training, pods: int) -> int:
    """Of the first of `pods`: a checkpoint, and its part of a state. Others hold no checkpoint.

    Tokens of text sources, and fetched inputs, are extra.
    """
    return parameters * training.element_bytes + -(-parameters * STATE_BYTES // pods)
