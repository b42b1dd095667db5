"""Causal attention in memory linear in the length, and where each head looks.

Shapes: B batch, H query heads, K key heads (H a multiple of K), L length, D head size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

BLOCK_ROWS = 128


@dataclass(frozen=True)
class CausalMask:
    """What a row may see: itself and what is before it, within `window` keys if that is given."""

    window: int | None = None

    def allows(self, rows: Tensor, keys: Tensor) -> Tensor:
        """Whether each of `rows` may see each of `keys` (positions that broadcast)."""
        seen = keys <= rows
        return seen if self.window is None else seen & (keys > rows - self.window)

    def first_key(self, row: int) -> int:
        return 0 if self.window is None else max(0, row - self.window + 1)


@dataclass(frozen=True)
class ScoreForm:
    """How a model turns query and key into the weight of a key.

    `softcap` c bounds a score s to c * tanh(s / c). `sinks` [H] are scores of a key without value.
    """

    scaling: float
    mask: CausalMask
    softcap: float | None = None
    sinks: Tensor | None = None


def attend(query: Tensor, key: Tensor, value: Tensor, form: ScoreForm) -> Tensor:
    """Attention output [B, L, H, Dv] of `query` [B, H, L, D], `key` [B, K, L, D], `value`."""
    is_plain = form.mask.window is None and form.softcap is None and form.sinks is None
    output = (_attend_fused if is_plain else _attend_in_blocks)(query, key, value, form)
    return output.transpose(1, 2).contiguous()


def look(query: Tensor, key: Tensor, rows: Tensor, mask: CausalMask) -> Tensor:
    """Position of the key with the highest score for each of `rows` [B, M]: [B, H, M].

    `query` [B, H, M, D] holds those rows alone. Scaling, soft-cap and sinks are left out: they keep
    the order of the keys. Ties go to one of the tied keys.
    """
    scores = _products(query.float(), key.float())
    positions = torch.arange(key.shape[2], device=key.device)
    allowed = mask.allows(rows[:, None, None, :, None], positions)
    best = scores.masked_fill_(~allowed, float("-inf")).argmax(-1)
    return best.flatten(1, 2)


def _attend_fused(query: Tensor, key: Tensor, value: Tensor, form: ScoreForm) -> Tensor:
    # The kernels that are linear in memory need keys and values of one size (MLA has two).
    surplus = key.shape[-1] - value.shape[-1]
    output = functional.scaled_dot_product_attention(
        query,
        key,
        functional.pad(value, (0, surplus)) if surplus > 0 else value,
        is_causal=True,
        scale=form.scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return output[..., : value.shape[-1]]


def _attend_in_blocks(query: Tensor, key: Tensor, value: Tensor, form: ScoreForm) -> Tensor:
    length = query.shape[2]
    blocks = []
    for start in range(0, length, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, length)
        first = form.mask.first_key(start)
        weights = _weights(query[:, :, start:stop], key[:, :, first:stop], start, first, form)
        blocks.append(_mixed(weights.to(value.dtype), value[:, :, first:stop]))
    return torch.cat(blocks, dim=2)


def _weights(query: Tensor, key: Tensor, row: int, column: int, form: ScoreForm) -> Tensor:
    """Softmax weights [B, K, H/K, R, C] of rows from `row` on over keys from `column` on."""
    scores = _products(query, key).float() * form.scaling
    if form.softcap is not None:
        scores = torch.tanh(scores / form.softcap) * form.softcap
    rows = row + torch.arange(query.shape[2], device=query.device)
    columns = column + torch.arange(key.shape[2], device=key.device)
    scores.masked_fill_(~form.mask.allows(rows[:, None], columns), float("-inf"))
    if form.sinks is None:
        return scores.softmax(-1)
    sinks = form.sinks.float().view(1, key.shape[1], -1, 1, 1).expand(*scores.shape[:-1], 1)
    return torch.cat((scores, sinks), dim=-1).softmax(-1)[..., :-1]


def _products(query: Tensor, key: Tensor) -> Tensor:
    """`query` [B, H, R, D] times `key` [B, K, C, D] as [B, K, H/K, R, C]; no key is repeated."""
    grouped = _unflatten(query, 1, (key.shape[1], -1))
    products = grouped.flatten(2, 3) @ key.transpose(2, 3)
    return _unflatten(products, 2, grouped.shape[2:4])


def _mixed(weights: Tensor, value: Tensor) -> Tensor:
    """`weights` [B, K, H/K, R, C] times `value` [B, K, C, Dv] as [B, H, R, Dv]."""
    mixed = weights.flatten(2, 3) @ value
    return _unflatten(mixed, 2, weights.shape[2:4]).flatten(1, 2)


def _unflatten(tensor: Tensor, axis: int, sizes: Sequence[int]) -> Tensor:
    return tensor.reshape(*tensor.shape[:axis], *sizes, *tensor.shape[axis + 1 :])
