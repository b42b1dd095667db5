"""Causal attention within documents, over sequences that one or several processes hold.

Several processes exchange heads for tokens before attention, and back after it (Jacobs et al.,
DeepSpeed-Ulysses, arXiv 2309.14509). Outside attention each has a part of every sequence; within
it, whole sequences with a part of the heads. Documents are isolated by cutting the sequence at
their ends, not by a mask of length x length.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from lccp.contract.errors import InvalidInput
from lccp_trainer.parallel.supported import not_plain

logger = logging.getLogger(__name__)

IMPLEMENTATION = "lccp_documents"
LARGEST_PACKED_HEAD = 256
"""Largest head size that the variable-length kernel accepts."""


@dataclass(frozen=True)
class DocumentLayout:
    """Where the documents of a micro batch are, and which processes share its sequences."""

    lengths: tuple[tuple[int, ...], ...]
    """Tokens of each document, by row; over the whole row, whichever processes hold it."""
    group: dist.ProcessGroup | None = None


def register() -> None:
    """Register this attention with transformers, without any mask."""
    AttentionInterface.register(IMPLEMENTATION, attention)


def has_packed_kernel(device: torch.device) -> bool:
    """Whether PyTorch's variable-length kernel runs on `device`: all documents in one call."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    documents: DocumentLayout | None = None,
    dropout: float = 0.0,
    **asked: Any,
) -> tuple[torch.Tensor, None]:
    """Attention with the signature that transformers expects.

    Args:
        query, key, value: [rows, heads, own tokens, size]; key and value may have fewer heads.

    Returns:
        [rows, own tokens, heads, size of a value].

    Raises:
        InvalidInput: the model does not hand its attention on where documents begin, or asks for
            something else than plain causal attention.
    """
    if documents is None:
        raise InvalidInput(
            f"model.source: {type(module).__name__} is not told where documents begin, so models "
            "of this type can't be trained: take another model"
        )
    if (other := not_plain(module, sum(documents.lengths[0]), asked)) is not None:
        raise InvalidInput(
            f"model.source: {type(module).__name__} asks for attention with {other}, which is not "
            "supported: take another model"
        )
    if documents.group is not None:
        size = dist.get_world_size(documents.group)
        parts = (query, divisible(key, size), divisible(value, size))
        query, key, value = heads_for_tokens(parts, documents.group)
    within = _within_documents(query, key, value, documents.lengths, scaling, dropout)
    if documents.group is not None:
        within = tokens_for_heads(within, documents.group)
    return within, None


def _within_documents(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    lengths: tuple[tuple[int, ...], ...],
    scaling: float,
    dropout: float,
) -> torch.Tensor:
    """Attention over whole sequences [rows, heads, tokens, size], as `attention` returns it."""

    def attend(*parts: torch.Tensor) -> torch.Tensor:
        query, key, value = (part.transpose(1, 2) for part in parts)
        within = scaled_dot_product_attention(
            query,
            key,
            value,
            dropout_p=dropout,
            is_causal=True,
            scale=scaling,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        return within.transpose(1, 2)

    by_token = [part.transpose(1, 2) for part in (query, key, value)]
    if all(len(row) == 1 for row in lengths):
        return attend(*by_token)
    lacking = _lacking(query, value, dropout)
    tell_kernel(lacking)
    if lacking is None:
        return packed(query, key, value, lengths, scaling)
    # Splits, not slices: the gradient of a slice is as large as the whole sequence.
    rows = zip(*(torch.split(part, 1) for part in by_token), strict=True)
    documents = [
        attend(*document)
        for row, parts in zip(lengths, rows, strict=True)
        for document in zip(*(torch.split(part, list(row), dim=1) for part in parts), strict=True)
    ]
    return torch.unflatten(torch.cat(documents, dim=1), 1, (len(lengths), -1)).squeeze(0)


def _lacking(query: torch.Tensor, value: torch.Tensor, dropout: float) -> str | None:
    """What the variable-length kernel needs and does not get; None: it is used."""
    if not has_packed_kernel(query.device):
        return "a GPU of compute capability 8.0 or higher"
    if query.dtype not in (torch.bfloat16, torch.float16):
        return "training.precision BF16"
    if not query.shape[-1] == value.shape[-1] <= LARGEST_PACKED_HEAD:
        return f"heads whose keys and values have one size, of at most {LARGEST_PACKED_HEAD}"
    return "attention without dropout" if dropout else None


@cache
def tell_kernel(lacking: str | None) -> None:
    """Log, once, how attention runs over rows of several documents."""
    if lacking is None:
        logger.info("attention: all documents of a row in one call of the variable-length kernel")
    else:
        logger.info(
            "attention: one document at a time, since the variable-length kernel needs %s", lacking
        )


def packed(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    lengths: tuple[tuple[int, ...], ...],
    scaling: float,
) -> torch.Tensor:
    """The same in one call of PyTorch's variable-length kernel."""
    from torch.nn.attention.varlen import varlen_attn

    flat = [length for row in lengths for length in row]
    ends = torch.tensor([0, *accumulate(flat)], dtype=torch.int32, device=query.device)
    query, key, value = (part.transpose(1, 2) for part in (query, key, value))
    within = varlen_attn(
        query.flatten(0, 1),
        key.flatten(0, 1),
        value.flatten(0, 1),
        ends,
        ends,
        max(flat),
        max(flat),
        scale=scaling,
        window_size=(-1, 0),
        enable_gqa=query.shape[2] != key.shape[2],
    )
    assert isinstance(within, torch.Tensor)
    return within.reshape(*query.shape[:2], *within.shape[1:])


def divisible(tensor: torch.Tensor, processes: int) -> torch.Tensor:
    """Heads, each repeated next to itself, until `processes` divides their number."""
    times = processes // math.gcd(tensor.shape[1], processes)
    return tensor if times == 1 else tensor.repeat_interleave(times, dim=1)


def heads_for_tokens(
    tensors: Sequence[torch.Tensor], group: dist.ProcessGroup
) -> tuple[torch.Tensor, ...]:
    """[rows, heads, own tokens, size] each to [rows, own heads, tokens, size], in one message."""
    rows, _, own, _ = tensors[0].shape
    shape = (own, rows, dist.get_world_size(group), -1)
    parts = [tensor.permute(2, 0, 1, 3).reshape(shape).movedim(2, 0) for tensor in tensors]
    received = exchanged(torch.cat(parts, dim=-1), group).flatten(0, 1)
    ends = list(accumulate(part.shape[-1] for part in parts))[:-1]
    return tuple(
        torch.unflatten(share, -1, (-1, tensor.shape[-1])).permute(1, 2, 0, 3)
        for share, tensor in zip(received.tensor_split(ends, dim=-1), tensors, strict=True)
    )


def tokens_for_heads(tensor: torch.Tensor, group: dist.ProcessGroup) -> torch.Tensor:
    """[rows, tokens, own heads, size] to [rows, own tokens, heads, size]."""
    parts = torch.unflatten(tensor.transpose(0, 1), 0, (dist.get_world_size(group), -1))
    return exchanged(parts, group).permute(2, 1, 0, 3, 4).flatten(2, 3)


def exchanged(tensor: torch.Tensor, group: dist.ProcessGroup) -> torch.Tensor:
    """[processes, ...]: the part with the number of each process, in place of one for each."""
    result: torch.Tensor = _Exchange.apply(tensor, group)  # type: ignore[no-untyped-call]
    return result


class _Exchange(torch.autograd.Function):
    """Its own reverse, and so its own gradient."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor, group: dist.ProcessGroup) -> torch.Tensor:
        ctx.group = group
        sent = tensor.contiguous()
        received = torch.empty_like(sent)
        dist.all_to_all_single(received, sent, group=group)
        return received

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _Exchange.forward(ctx, gradient, ctx.group), None
