"""Feed-forward blocks of long sequences, computed in tiles of tokens.

The inner values of a block, tokens x its inner size, thus never exist whole: the backward pass
recomputes each tile. In a model of experts this applies to dense layers and shared experts. Routed
experts are computed whole: the gradients of their weights are larger than the saving of tiles.
"""

import logging
from collections.abc import Callable
from functools import partial

import torch
from torch.utils.checkpoint import checkpoint

from lccp.cost import memory

logger = logging.getLogger(__name__)


def tile_feed_forward(model: torch.nn.Module, tokens: int) -> list[torch.nn.Module]:
    """Compute blocks of `model` with large inner values in tiles; returns these blocks.

    Args:
        tokens: of a micro batch, those that this process computes.
    """
    blocks = [module for module in model.modules() if _inner_size(module)]
    if not blocks:
        logger.info("no feed-forward block has a known structure: none is computed in tiles")
    large = [block for block in blocks if tokens * _inner_size(block) > memory.TILE_ELEMENTS]
    for block in large:
        tile = max(1, memory.TILE_ELEMENTS // _inner_size(block))
        block.forward = partial(_tiled, block.forward, tile)
    if large:
        logger.info("%d feed-forward blocks are computed in tiles of tokens", len(large))
    return large


def _tiled(
    forward: Callable[[torch.Tensor], torch.Tensor], tile: int, hidden: torch.Tensor
) -> torch.Tensor:
    parts = torch.split(hidden.flatten(0, -2), tile)
    done = [checkpoint(forward, part, use_reentrant=False) for part in parts]
    return torch.cat(done).view_as(hidden)


def _inner_size(module: torch.nn.Module) -> int:
    """Inner size of a block that ends in `down_proj`, as transformers' gated ones do; 0: none."""
    down = getattr(module, "down_proj", None)
    return down.in_features if isinstance(down, torch.nn.Linear) else 0
