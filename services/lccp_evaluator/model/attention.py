"""Causal attention of the last rows of a sequence, in memory linear in its length.

Shapes: H query heads, K key heads (H a multiple of K), R rows, N tokens, D head size. The rows are
the last R of N tokens. Keys and values come as one or more parts in order, so tokens that several
sequences share need not be copied. No mask of rows x tokens is ever allocated. Tokens before all
rows are attended without a mask, the rows among themselves causally, and the two are joined by the
logarithms of their sums of exponentials. Windows and soft-caps are computed in blocks of rows.

`scaled_dot_product_attention` does not return those logarithms, so the fused operators beneath it
are called, which torch's own context parallelism joins in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

BLOCK_ROWS = 128
BLOCK_SCORES = 2**24
"""Scores held at once, where a row's scores are computed."""

MULTIPLE = 8
"""CUDA's kernels require a head size that is a multiple of this."""
FLASH_HEAD_SIZE = 256

Part = tuple[Tensor, Tensor]
"""Keys [K, n, D] and values [K, n, Dv] of n tokens."""


@dataclass(frozen=True)
class CausalMask:
    """What a row may see: itself and the tokens before it, within `window` keys if that is set."""

    window: int | None = None

    def allows(self, rows: Tensor, keys: Tensor) -> Tensor:
        """Whether each of `rows` may see each of `keys` (positions that broadcast)."""
        seen = keys <= rows
        return seen if self.window is None else seen & (keys > rows - self.window)

    def first_key(self, row: int) -> int:
        """The first key that `row` may see."""
        return 0 if self.window is None else max(0, row - self.window + 1)


@dataclass(frozen=True)
class ScoreForm:
    """How a model turns query and key into the weight of a key.

    `softcap` c bounds a score s to c * tanh(s / c). `sinks` [H] score a key without value.
    """

    scaling: float
    mask: CausalMask = CausalMask()
    softcap: float | None = None
    sinks: Tensor | None = None

    def shaped(self, products: Tensor) -> Tensor:
        """Scores from `products` of queries and keys, which may be overwritten."""
        scores = products.mul_(self.scaling)
        if self.softcap is None:
            return scores
        return torch.tanh(scores / self.softcap) * self.softcap


def attend(query: Tensor, parts: Sequence[Part], form: ScoreForm) -> Tensor:
    """Output [H, R, Dv] of the rows `query` [H, R, D] at the end of the tokens of `parts`."""
    narrow = form.mask.window is not None and form.mask.window < _count(parts)
    if narrow or form.softcap is not None or not has_kernel(query):
        return _attend_in_blocks(query, parts, form)
    output, log_sum = _attend_fused(query, parts, form.scaling)
    if form.sinks is not None:
        output = output * torch.sigmoid(log_sum - form.sinks.float()[:, None])[..., None]
    return output.to(query.dtype)


def between(parts: Sequence[Part], start: int, stop: int) -> list[Part]:
    """The tokens [start, stop) of `parts`, as views."""
    kept, at = [], 0
    for key, value in parts:
        low, high = max(start - at, 0), min(stop - at, key.shape[1])
        if low < high:
            kept.append((key[:, low:high], value[:, low:high]))
        at += key.shape[1]
    return kept


def together(parts: Sequence[Part]) -> Part:
    """`parts` as one; a copy if there are several."""
    if len(parts) == 1:
        return parts[0]
    keys, values = zip(*parts, strict=True)
    return torch.cat(keys, dim=1), torch.cat(values, dim=1)


def _count(parts: Sequence[Part]) -> int:
    return sum(key.shape[1] for key, _ in parts)


def _attend_fused(query: Tensor, parts: Sequence[Part], scaling: float) -> tuple[Tensor, Tensor]:
    """Output [H, R, Dv] in float32, and the logarithm of each row's sum [H, R]."""
    before = _count(parts) - query.shape[1]
    own = together(between(parts, before, before + query.shape[1]))
    results = [_own_rows(query, own, scaling)]
    results += [_all_keys(query, part, scaling) for part in between(parts, 0, before)]
    if len(results) == 1:
        return results[0]
    outputs, log_sums = zip(*results, strict=True)
    joint = torch.logsumexp(torch.stack(log_sums), dim=0)
    output = sum(
        part * (log_sum - joint).exp()[..., None]
        for part, log_sum in zip(outputs, log_sums, strict=True)
    )
    assert isinstance(output, Tensor)
    return output, joint


def _own_rows(query: Tensor, own: Part, scaling: float) -> tuple[Tensor, Tensor]:
    """Causal attention of rows among themselves."""
    key, value = (one.repeat_interleave(query.shape[0] // one.shape[0], dim=0) for one in own)
    return fused(query, key, value, scaling, is_causal=True)


def _all_keys(query: Tensor, part: Part, scaling: float) -> tuple[Tensor, Tensor]:
    """Attention of rows that see all of `part`; query heads of one key head become rows."""
    key, value = part
    heads, rows, size = query.shape
    grouped = query.reshape(key.shape[0], -1, size)
    output, log_sum = fused(grouped, key, value, scaling, is_causal=False)
    return output.reshape(heads, rows, -1), log_sum.reshape(heads, rows)


def _attend_in_blocks(query: Tensor, parts: Sequence[Part], form: ScoreForm) -> Tensor:
    heads, rows, _ = query.shape
    total = _count(parts)
    before = total - rows
    first = form.mask.first_key(before)
    key, value = together(between(parts, first, total))
    size = max(1, min(BLOCK_ROWS, BLOCK_SCORES // (heads * total)))
    blocks = []
    for start in range(0, rows, size):
        stop = min(start + size, rows)
        low = form.mask.first_key(before + start) - first
        high = before + stop - first
        weights = _weights(
            query[:, start:stop], key[:, low:high], before + start, first + low, form
        )
        grouped = weights.to(value.dtype).view(value.shape[0], -1, high - low)
        blocks.append((grouped @ value[:, low:high]).view(heads, stop - start, -1))
    return torch.cat(blocks, dim=1)


def _weights(query: Tensor, key: Tensor, row: int, column: int, form: ScoreForm) -> Tensor:
    """Softmax weights [H, R, n] of rows from position `row` over keys from `column`."""
    scores = form.shaped(products(query, key).float())
    rows = row + torch.arange(query.shape[1], device=query.device)
    columns = column + torch.arange(key.shape[1], device=key.device)
    scores.masked_fill_(~form.mask.allows(rows[:, None], columns), float("-inf"))
    if form.sinks is None:
        return scores.softmax(-1)
    sinks = form.sinks.float()[:, None, None].expand(*scores.shape[:-1], 1)
    return torch.cat((scores, sinks), dim=-1).softmax(-1)[..., :-1]


def products(query: Tensor, key: Tensor) -> Tensor:
    """`query` [H, R, D] times `key` [K, n, D] as [H, R, n]; no key is repeated."""
    grouped = query.reshape(key.shape[0], -1, query.shape[-1])
    return (grouped @ key.transpose(1, 2)).view(*query.shape[:2], key.shape[1])


def has_kernel(query: Tensor) -> bool:
    """Whether there is a kernel for `query`."""
    return query.device.type in ("cpu", "cuda") and query.dtype.is_floating_point


def fused(
    query: Tensor, key: Tensor, value: Tensor, scaling: float, is_causal: bool
) -> tuple[Tensor, Tensor]:
    """Output [H, R, Dv] in float32, and log of the sum of exponentials [H, R], also in float32.

    `query` [H, R, D], `key` [H, N, D], `value` [H, N, Dv]; with `is_causal`, R equals N.
    """
    rows, size = query.shape[1], value.shape[-1]
    wide = max(key.shape[-1], size)
    wide += -wide % MULTIPLE if query.device.type == "cuda" else 0
    query, key, value = (_widened(one, wide)[None] for one in (query, key, value))
    if query.device.type == "cpu":
        output, log_sum = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, 0.0, is_causal, scale=scaling
        )
    elif query.dtype != torch.float32 and wide <= FLASH_HEAD_SIZE:
        output, log_sum, *_ = torch.ops.aten._scaled_dot_product_flash_attention(
            query, key, value, 0.0, is_causal, scale=scaling
        )
    else:
        output, log_sum, *_ = torch.ops.aten._scaled_dot_product_efficient_attention(
            query, key, value, None, True, 0.0, is_causal, scale=scaling
        )
    return output[0, :, :, :size].float(), log_sum[0, :, :rows].float()


def _widened(one: Tensor, size: int) -> Tensor:
    """`one` [H, n, D] with zeros up to `size`; itself if that is D, where `pad` would copy it."""
    missing = size - one.shape[-1]
    return functional.pad(one, (0, missing)) if missing else one
