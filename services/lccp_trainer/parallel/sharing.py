"""Attention over sequences of which each of several processes holds a part of the tokens.

A short document that lies within one process's part is attended to there, with all heads. For
documents that several processes hold, and for long ones, whose attention would take that process
longer than the others, heads are exchanged for tokens before attention, and back after it (Jacobs
et al., DeepSpeed-Ulysses, arXiv 2309.14509).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any

import torch
import torch.distributed as dist

Lengths = tuple[tuple[int, ...], ...]
Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Lengths], torch.Tensor]
"""Attention within documents of these lengths, by row: [rows, heads, tokens, size] of query, key
and value to [rows, tokens, heads, size]."""
Parts = Sequence[torch.Tensor]
"""Query, key and value of some tokens: [tokens, heads, size]."""


ALONE_TOKENS_MAX = 4_096
"""Longer documents are always exchanged. Attention within one takes 2 x tokens x dimensions
operations a token, beside 24 x dimensions² of a dense layer: with 4,096 of both, a twelfth."""


@dataclass(frozen=True)
class Piece:
    """The part of a document that one process holds."""

    document: int
    """Its number in the micro batch."""
    tokens: int
    shared: bool
    """Whether the document's heads are exchanged between the processes."""


def pieces_of(lengths: Lengths, processes: int) -> list[list[Piece]]:
    """What each of `processes` holds of a micro batch, in the order of its tokens."""
    found: list[list[Piece]] = [[] for _ in range(processes)]
    number = 0
    for row in lengths:
        part = sum(row) // processes
        for end, length in zip(accumulate(row), row, strict=True):
            first, last = (end - length) // part, (end - 1) // part
            for process in range(first, last + 1):
                begin, stop = max(end - length, process * part), min(end, (process + 1) * part)
                shared = first != last or length > ALONE_TOKENS_MAX
                found[process].append(Piece(number, stop - begin, shared))
            number += 1
    return found


def attended(
    parts: Parts, lengths: Lengths, group: dist.ProcessGroup, attend: Attend
) -> torch.Tensor:
    """Attention of this process's tokens: [rows, own tokens, heads, size of a value].

    Args:
        parts: query, key and value, [rows, heads, own tokens, size].
        lengths: tokens of each document, by row, whichever processes hold it.
    """
    pieces = pieces_of(lengths, dist.get_world_size(group))
    own = pieces[dist.get_rank(group)]
    sizes = [0, *(piece.tokens for piece in own)]
    by_token = (part.transpose(1, 2).flatten(0, 1) for part in parts)
    empty, *cuts = zip(*(torch.split(part, sizes) for part in by_token), strict=True)
    alone = [cut for cut, piece in zip(cuts, own, strict=True) if not piece.shared]
    found: list[torch.Tensor] = []
    if alone:
        within = _within(_joined(alone), _tokens(alone), attend)
        found += torch.split(within, _tokens(alone))
    shared = [[piece for piece in held if piece.shared] for held in pieces]
    mine = [cut for cut, piece in zip(cuts, own, strict=True) if piece.shared]
    over_processes: list[torch.Tensor] = []
    if any(shared):
        # Who shares no document still takes part in every exchange, and in those of gradients.
        mine = mine or [empty]
        within = _exchanging(_joined(mine), shared, group, attend)
        over_processes += torch.split(within, _tokens(mine))
    in_order = [(over_processes if piece.shared else found).pop(0) for piece in own]
    return torch.unflatten(torch.cat([*in_order, *over_processes]), 0, (len(parts[0]), -1))


def _exchanging(
    parts: Parts, shared: Sequence[Sequence[Piece]], group: dist.ProcessGroup, attend: Attend
) -> torch.Tensor:
    """Attention of this process's tokens of the documents that each process shares."""
    query, key, value = parts
    parts = (query, divisible(key, len(shared)), divisible(value, len(shared)))
    tokens = [sum(piece.tokens for piece in held) for held in shared]
    pieces = [piece for held in shared for piece in held]
    order = sorted(range(len(pieces)), key=lambda number: pieces[number].document)
    by_document = [pieces[number] for number in order]
    lengths = [
        sum(piece.tokens for piece in of_one)
        for _, of_one in groupby(by_document, lambda piece: piece.document)
    ]
    received = heads_for_tokens(parts, tokens, group)
    within = _within([_arranged(part, pieces, order) for part in received], lengths, attend)
    back = sorted(range(len(order)), key=order.__getitem__)
    return tokens_for_heads(_arranged(within, by_document, back), tokens, group)


def _arranged(tensor: torch.Tensor, pieces: Sequence[Piece], order: list[int]) -> torch.Tensor:
    """`tensor` [tokens, ...], which has these pieces, with its pieces in another order."""
    if order == [*range(len(pieces))]:
        return tensor
    cuts = torch.split(tensor, [piece.tokens for piece in pieces])
    return torch.cat([cuts[number] for number in order])


def _joined(cuts: Sequence[Parts]) -> Parts:
    """Query, key and value of `cuts`, one after another."""
    return cuts[0] if len(cuts) == 1 else [torch.cat(part) for part in zip(*cuts, strict=True)]


def _tokens(cuts: Sequence[Parts]) -> list[int]:
    return [len(query) for query, *_ in cuts]


def _within(parts: Parts, lengths: Sequence[int], attend: Attend) -> torch.Tensor:
    """Attention within documents that follow one another: [tokens, heads, size]."""
    query, key, value = (part[None].transpose(1, 2) for part in parts)
    return attend(query, key, value, (tuple(lengths),))[0]


def divisible(tensor: torch.Tensor, processes: int) -> torch.Tensor:
    """Heads [tokens, heads, size], each repeated next to itself, until `processes` divides them."""
    times = processes // math.gcd(tensor.shape[1], processes)
    return tensor if times == 1 else tensor.repeat_interleave(times, dim=1)


def heads_for_tokens(
    parts: Parts, tokens: Sequence[int], group: dist.ProcessGroup
) -> tuple[torch.Tensor, ...]:
    """[own tokens, heads, size] each to [tokens, own heads, size], in one message.

    Args:
        tokens: how many each process has.
    """
    size, own = len(tokens), len(parts[0])
    widths = [part.shape[1] // size * part.shape[2] for part in parts]
    by_head = [part.reshape(own, size, width) for part, width in zip(parts, widths, strict=True)]
    packed = torch.cat([part.transpose(0, 1) for part in by_head], dim=-1).flatten(0, 1)
    received = torch.split(exchanged(packed, [own] * size, tokens, group), widths, dim=-1)
    return tuple(
        torch.unflatten(share, -1, (-1, part.shape[2]))
        for share, part in zip(received, parts, strict=True)
    )


def tokens_for_heads(
    tensor: torch.Tensor, tokens: Sequence[int], group: dist.ProcessGroup
) -> torch.Tensor:
    """[tokens, own heads, size] to [own tokens, heads, size]."""
    own = tokens[dist.get_rank(group)]
    received = exchanged(tensor, tokens, [own] * len(tokens), group)
    return torch.unflatten(received, 0, (len(tokens), own)).transpose(0, 1).flatten(1, 2)


def exchanged(
    tensor: torch.Tensor, sent: Sequence[int], received: Sequence[int], group: dist.ProcessGroup
) -> torch.Tensor:
    """[tokens, ...]: `sent` of them go to each process, `received` come from each."""
    result: torch.Tensor = _Exchange.apply(tensor, sent, received, group)  # type: ignore[no-untyped-call]
    return result


class _Exchange(torch.autograd.Function):
    """Its gradient is the exchange in the other direction."""

    @staticmethod
    def forward(
        ctx: Any,
        tensor: torch.Tensor,
        sent: Sequence[int],
        received: Sequence[int],
        group: dist.ProcessGroup,
    ) -> torch.Tensor:
        ctx.back = (received, sent, group)
        return _all_to_all(tensor, sent, received, group)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return _all_to_all(gradient, *ctx.back), None, None, None


def _all_to_all(
    tensor: torch.Tensor, sent: Sequence[int], received: Sequence[int], group: dist.ProcessGroup
) -> torch.Tensor:
    result = tensor.new_empty(sum(received), *tensor.shape[1:])
    dist.all_to_all_single(result, tensor.contiguous(), list(received), list(sent), group=group)
    return result
