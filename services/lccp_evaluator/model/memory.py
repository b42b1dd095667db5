"""What passes hold in memory, and how large they may be for a given amount of it.

Measured peaks of a device would be more accurate, but exist only after a pass. These are counts, so
that a plan can be fixed before the first pass.
"""

import os
from pathlib import Path

import torch

from lccp.cost.planning.evaluators import pass_bytes
from lccp_evaluator.model.execution import LEAST_STEP_TOKENS, Device, check_device
from lccp_evaluator.model.size import Size

PLANNED = 0.9
"""Usable share of a memory: the rest is for fragments and libraries."""
CGROUPS = Path("/sys/fs/cgroup")
LIMITS = ("memory.max", "memory/memory.limit_in_bytes")


def held_bytes(size: Size, step_tokens: int, slots: int, head_rows: int) -> int:
    """Bytes that a device holds: its share of the weights and of the keys and values of `slots`
    tokens, logits, and the activations of a pass.

    A pass has `step_tokens` tokens; logits exist at up to `head_rows` of them at a time.
    """
    passes = pass_bytes(
        size.vocabulary, size.hidden, size.widest, step_tokens, size.value_bytes, head_rows
    )
    return (size.weight_bytes + slots * size.cache_bytes) // size.devices + passes


def fitting(size: Size, most: int, slots: int, head_rows: int, memory_bytes: int) -> int:
    """Tokens of a pass: `most`, halved until all that is held fits into `memory_bytes`.

    Never below the least size: if that does not fit either, the attempt shows it.
    """
    tokens = most
    while tokens >= 2 * LEAST_STEP_TOKENS and (
        held_bytes(size, tokens, slots, head_rows) > PLANNED * memory_bytes
    ):
        tokens //= 2
    return tokens


def memory_bytes(device: Device, processes: int, cgroups: Path = CGROUPS) -> int:
    """Memory of a device of this machine; of the machine's own, the share of one process.

    If this process was given less of the machine (a pod's limit), that counts.

    Raises InvalidInput if there is no such device.
    """
    check_device(device)
    if device == "cuda":
        return torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    texts = [(cgroups / name).read_text() for name in LIMITS if (cgroups / name).is_file()]
    limits = [int(text) for text in texts if text.strip().isdecimal()]
    return min([physical, *limits]) // processes
