"""Causal attention within documents, over sequences that one or several processes hold.

Documents are isolated by cutting the sequence at their ends, not by a mask of length x length.
"""

import logging
from dataclasses import dataclass
from functools import cache, partial
from itertools import accumulate
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from lccp.contract.errors import InvalidInput
from lccp_trainer.parallel import sharing
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
    asked |= {"attention_mask": attention_mask}
    if (other := not_plain(module, sum(documents.lengths[0]), asked)) is not None:
        raise InvalidInput(
            f"model.source: {type(module).__name__} asks for attention with {other}, which is not "
            "supported: take another model"
        )
    attend = partial(_within_documents, scaling=scaling, dropout=dropout)
    if documents.group is None:
        return attend(query, key, value, documents.lengths), None
    parts = (query, key, value)
    return sharing.attended(parts, documents.lengths, documents.group, attend), None


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
