"""Causal attention within documents, over sequences that one or several processes hold.

Several processes exchange heads for tokens before attention, and back after it (Jacobs et al.,
DeepSpeed-Ulysses, arXiv 2309.14509). Outside attention each has a part of every sequence; within
it, whole sequences with a part of the heads. Documents are isolated by cutting the sequence at
their ends, not by a mask of length x length.
"""

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

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
    documents: DocumentLayout,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention with the signature that transformers expects.

    Args:
        query, key, value: [rows, heads, own tokens, size]; key and value may have fewer heads.

    Returns:
        [rows, own tokens, heads, size of a value].
    """
    if documents.group is not None:
        size = dist.get_world_size(documents.group)
        key, value = (divisible(tensor, size) for tensor in (key, value))
        query, key, value = (
            exchanged(tensor, documents.group, True) for tensor in (query, key, value)
        )
    within = _within_documents(query, key, value, documents.lengths, scaling, dropout)
    if documents.group is not None:
        within = exchanged(within, documents.group, False)
    return within.transpose(1, 2), None


def _within_documents(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    lengths: tuple[tuple[int, ...], ...],
    scaling: float,
    dropout: float,
) -> torch.Tensor:
    """Attention over whole sequences; query, key and value are [rows, heads, tokens, size]."""

    def attend(rows: slice, tokens: slice) -> torch.Tensor:
        return scaled_dot_product_attention(
            query[rows, :, tokens],
            key[rows, :, tokens],
            value[rows, :, tokens],
            dropout_p=dropout,
            is_causal=True,
            scale=scaling,
            enable_gqa=grouped,
        )

    grouped = query.shape[1] != key.shape[1]
    if all(len(row) == 1 for row in lengths):
        return attend(slice(None), slice(None))
    if dropout == 0 and _packable(query, value):
        return packed(query, key, value, lengths, scaling)
    rows = []
    for number, row in enumerate(lengths):
        cuts = [slice(end - n, end) for end, n in zip(accumulate(row), row, strict=True)]
        here = slice(number, number + 1)
        rows.append(torch.cat([attend(here, cut) for cut in cuts], dim=2))
    return torch.cat(rows)


def _packable(query: torch.Tensor, value: torch.Tensor) -> bool:
    alike = query.shape[-1] == value.shape[-1] <= LARGEST_PACKED_HEAD
    halved = query.dtype in (torch.bfloat16, torch.float16)
    return alike and halved and has_packed_kernel(query.device)


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
    return within.reshape(*query.shape[:2], *within.shape[1:]).transpose(1, 2)


def divisible(tensor: torch.Tensor, processes: int) -> torch.Tensor:
    """Heads, each repeated next to itself, until `processes` divides their number."""
    heads = tensor.shape[1]
    return tensor.repeat_interleave(processes // math.gcd(heads, processes), dim=1)


def exchanged(tensor: torch.Tensor, group: Any, heads_for_tokens: bool) -> torch.Tensor:
    """[rows, heads, own tokens, size] to [rows, own heads, tokens, size] within `group`, or back.

    Its gradient is the reverse exchange.
    """
    result: torch.Tensor = _Exchange.apply(tensor, group, heads_for_tokens)  # type: ignore[no-untyped-call]
    return result


class _Exchange(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor, group: Any, heads_for_tokens: bool) -> torch.Tensor:
        ctx.group, ctx.heads_for_tokens = group, heads_for_tokens
        return _exchange(tensor, group, heads_for_tokens)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return _exchange(gradient, ctx.group, not ctx.heads_for_tokens), None, None


def _exchange(tensor: torch.Tensor, group: Any, heads_for_tokens: bool) -> torch.Tensor:
    cut, joined = (1, 2) if heads_for_tokens else (2, 1)
    sent = torch.stack(tensor.chunk(dist.get_world_size(group), dim=cut))
    received = torch.empty_like(sent)
    dist.all_to_all_single(received, sent, group=group)
    return torch.cat(received.unbind(0), dim=joined)
