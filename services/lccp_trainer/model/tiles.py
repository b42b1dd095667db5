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

ALIGNMENT = 8
"""Of an expert's rows, where DeepSpeed groups the inputs of experts."""


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


def tile_routed_experts(model: PreTrainedModel, tokens: int, processes: int = 1) -> int:
    """Compute routed experts in tiles where that saves memory; returns in how many layers.

    Args:
        tokens: of a micro batch, those that this process computes.
        processes: that share the experts of a layer; if several, AutoEP has replaced `experts`.
    """
    if model.config.model_type not in SPARSE:
        return 0
    sizes = Architecture.from_config(model.config.to_dict())
    blocks = [block for block in sizes.feed_forward if block.experts]
    modules: list[Any] = [part.experts for part in model.modules() if hasattr(part, "experts")]
    tiled = 0
    for module, block in zip(modules, blocks, strict=True):
        tile = block.routed_tile(sizes.hidden_size, tokens, memory.TILE_ELEMENTS, processes)
        if tile is None:
            continue
        if processes == 1:
            module.forward = partial(_tiled_experts, module.forward, tile)
        else:
            rows = max(ALIGNMENT, tile * block.chosen // ALIGNMENT * ALIGNMENT)
            module.forward = partial(_tiled_groups, module.forward, rows)
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


def _tiled_groups(
    forward: Callable[..., torch.Tensor], tile: int, rows: torch.Tensor, counts: torch.Tensor
) -> torch.Tensor:
    """`rows`: inputs [chosen experts of tokens, hidden size], by expert; `counts`: of each expert.

    Counts are multiples of ALIGNMENT, and so are those of a tile. Rows after the last are padding.
    """
    ends = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    done = []
    for number, part in enumerate(torch.split(rows, tile)):
        own = (ends - number * tile).clamp(0, tile).diff().to(counts.dtype)
        done.append(checkpoint(forward, part, own, use_reentrant=False))
    return torch.cat(done)


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
