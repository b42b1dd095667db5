"""Feed-forward blocks of long sequences, computed in tiles of tokens.

The inner values of a block, tokens x its inner size, thus never exist whole: the backward pass
recomputes each tile. In a model of experts, dense layers and shared experts are blocks, and so are
the routed experts of a layer: tokens are routed first, all at once, and keep their experts.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from lccp.cost import memory
from lccp.cost.architecture import SPARSE, Architecture

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


def tile_routed_experts(model: PreTrainedModel, tokens: int) -> int:
    """Compute routed experts in tiles where that saves memory; returns in how many layers.

    Args:
        model: not yet with expert parallelism, which replaces its routed experts.
        tokens: of a micro batch, those that this process computes.
    """
    if model.config.model_type not in SPARSE:
        return 0
    sizes = Architecture.from_config(model.config.to_dict())
    blocks = [block for block in sizes.feed_forward if block.experts]
    modules: list[Any] = [part.experts for part in model.modules() if hasattr(part, "experts")]
    tiled = 0
    for module, block in zip(modules, blocks, strict=True):
        tile = memory.routed_tile(block, sizes.hidden_size, tokens)
        if tile is not None:
            module.forward = partial(_tiled_experts, module.forward, tile)
            tiled += 1
    if tiled:
        logger.info("the routed experts of %d layers are computed in tiles of tokens", tiled)
    return tiled


def _tiled_experts(
    forward: Callable[..., torch.Tensor], tile: int, *of_tokens: torch.Tensor
) -> torch.Tensor:
    """`of_tokens`: hidden states, chosen experts and their scores, each [tokens, …]."""
    parts = zip(*(torch.split(each, tile) for each in of_tokens), strict=True)
    return torch.cat([checkpoint(forward, *part, use_reentrant=False) for part in parts])


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
