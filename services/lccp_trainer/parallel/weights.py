"""The whole model's weights, gathered from the processes, by Hugging Face's names and layout."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import deepspeed
import torch
import torch.distributed as dist

from lccp_trainer.parallel import experts

PREFIX = "model."
"""Prefix of the model's parameters within the objective."""


def whole_weights(engine: Any) -> dict[str, torch.Tensor] | None:
    """All weights and buffers of the model on rank 0, on the CPU; None on the other ranks.

    Called on every rank: ZeRO-3 partitions weights, expert parallelism spreads experts.
    """
    found = dict(_shared(engine))
    for block, layer in experts.blocks(engine.module):
        stacks = {name: _all_experts(layer, name) for name in experts.STACKS}
        whole = {name: stack for name, stack in stacks.items() if stack is not None}
        if whole:
            found |= {f"{block}.{name}": w for name, w in experts.fused(whole).items()}
    if dist.get_rank() != 0:
        return None
    return {name.removeprefix(PREFIX): weight for name, weight in found.items()}


def _shared(engine: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Weights that expert parallelism does not spread, by their names without it; on rank 0."""
    blocks = dict(experts.blocks(engine.module))
    kind = engine.module.model.config.model_type
    for name, tensor in engine.module.state_dict(keep_vars=True).items():
        block = next((block for block in blocks if name.startswith(f"{block}.")), None)
        if block is not None and name.startswith(f"{block}.experts."):
            continue
        with gathered(tensor):
            if dist.get_rank() == 0:
                own = name if block is None else experts.hugging_face_name(name, block, kind)
                yield own, tensor.detach().cpu().clone()


def _all_experts(layer: Any, name: str) -> torch.Tensor | None:
    """One stack with all experts of a layer, on rank 0."""
    stack = getattr(layer.experts, name)
    with gathered(stack):
        if dist.get_rank() // layer.ep_size != 0:
            return None
        first = dist.get_rank() == 0
        parts = [torch.empty_like(stack) for _ in range(layer.ep_size)] if first else None
        dist.gather(stack.detach().contiguous(), parts, dst=0, group=layer.ep_group)
    return None if parts is None else torch.cat([part.cpu() for part in parts])


@contextmanager
def gathered(tensor: torch.Tensor) -> Iterator[None]:
    """Within it a parameter that ZeRO-3 partitioned is whole, on every rank."""
    with deepspeed.zero.GatheredParameters([tensor], enabled=hasattr(tensor, "ds_id")):
        yield
