"""Feed-forward blocks of long sequences, computed tile by tile of tokens.

What a block is within, tokens x its inner size, so never exists whole: each tile is computed again
in the backward pass. Of a model of experts these are dense layers and shared experts; routed ones
are computed whole, whose weights' gradients are larger than what tiles would spare.
"""

import logging
from collections.abc import Callable
from functools import partial

import torch
from torch.utils.checkpoint import checkpoint

from lccp.cost import memory

logger = logging.getLogger(__name__)


def tile_feed_forward(model: torch.nn.Module, tokens: int) -> list[torch.nn.Module]:
    """Let the blocks of `model` whose inner part is large be computed in tiles; these blocks.

    Args:
        tokens: of a micro batch that this process computes on.
    """
    blocks = [module for module in model.modules() if _inner_size(module)]
    if not blocks:
        logger.info("no feed-forward block is known by its parts: none is computed in tiles")
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
    """Of a block that ends in `down_proj`, as transformers' gated ones do; 0: it is none."""
    down = getattr(module, "down_proj", None)
    return down.in_features if isinstance(down, torch.nn.Linear) else 0
