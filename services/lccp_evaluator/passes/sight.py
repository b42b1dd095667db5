"""Where heads look: the arg-max key of each row, and the share of attention on a needle.

Shapes are as in `attention`, with M watched rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from lccp_evaluator.model.attention import (
    BLOCK_SCORES,
    CausalMask,
    Part,
    ScoreForm,
    between,
    products,
)
from lccp_evaluator.passes.passage import Span


@dataclass(frozen=True)
class Sight:
    """Of one layer: `position` [H, M] of the key with the highest score, `mass` [H, M] of the
    attention on the needle, and whether all of the needle can be seen, `sees` [M].
    """

    position: Tensor
    mass: Tensor
    sees: Tensor

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The sights of consecutive rows, joined."""
        return cls(
            torch.cat([part.position for part in parts], dim=-1),
            torch.cat([part.mass for part in parts], dim=-1),
            torch.cat([part.sees for part in parts]),
        )


def look(query: Tensor, parts: Sequence[Part], rows: range, needle: Span, form: ScoreForm) -> Sight:
    """What heads see at `rows`, positions in the tokens of `parts`; `query` [H, M, D] is theirs.

    Sinks receive attention, but are no keys to look at. Ties go to one of the tied keys.
    """
    first = form.mask.first_key(rows.start)
    visible = between(parts, first, rows.stop)
    at_once = max(1, BLOCK_SCORES // (len(query) * (rows.stop - first)))
    blocks = [rows[start : start + at_once] for start in range(0, len(rows), at_once)]
    seen = []
    for block in blocks:
        low = block.start - rows.start
        seen.append(_look(query[:, low : low + len(block)], visible, first, block, needle, form))
    return Sight.join(seen)


def _look(
    query: Tensor, parts: Sequence[Part], first: int, rows: range, needle: Span, form: ScoreForm
) -> Sight:
    raw = torch.cat([products(query.float(), key.float()) for key, _ in parts], dim=-1)
    _hide(raw, rows, first, form.mask)
    position = raw.argmax(-1) + first  # before a soft-cap, which may flatten the largest ones
    scores = form.shaped(raw)
    if form.softcap is not None:
        _hide(scores, rows, first, form.mask)
    log_sum = scores.logsumexp(-1)
    if form.sinks is not None:
        log_sum = torch.logaddexp(log_sum, form.sinks.float()[:, None])
    start, stop = (max(0, edge - first) for edge in needle)
    mass = (scores[..., start:stop].logsumexp(-1) - log_sum).exp()
    at = torch.arange(rows.start, rows.stop, device=query.device)
    sees = form.mask.allows(at, torch.tensor(needle[0], device=query.device))
    return Sight(position, mass, sees)


def _hide(scores: Tensor, rows: range, first: int, mask: CausalMask) -> None:
    """Make `scores` [H, M, n] of keys from `first` minus infinity where `rows` may not see them."""
    low = rows.start if mask.window is None else first  # all rows see the keys before it
    at = torch.arange(rows.start, rows.stop, device=scores.device)
    keys = torch.arange(low, first + scores.shape[-1], device=scores.device)
    scores[..., low - first :].masked_fill_(~mask.allows(at[:, None], keys), float("-inf"))
