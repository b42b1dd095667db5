"""Packs documents into rows of exactly the target length: a plan made only from lengths.

A row is led by the source that is furthest behind its share of the tokens. A piece of a long
document is never cut to fill a row: the row takes the longest waiting piece that still fits. The
rest is filled with short documents; the last one is cut, and continues in a later row. So no token
is padding, and long documents keep their length. Where no short source may give more, a long piece
is cut after all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from lccp_trainer.data.order import Order

WAITING = 64
"""Long pieces among which the best fit is chosen."""


class Lengths(Protocol):
    """Lengths of the documents of a source, in tokens."""

    def __len__(self) -> int: ...

    def length(self, number: int) -> int: ...


@dataclass(frozen=True)
class Piece:
    """Tokens `start` to `end` of a document."""

    source: int
    document: int
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Cursor:
    """The position in a source."""

    epoch: int = 0
    document: int = 0
    """Documents read in this epoch."""
    waiting: tuple[Piece, ...] = ()
    """Pieces that were read but are in no row yet, oldest first."""


@dataclass(frozen=True)
class Position:
    """The position in the data of a run: tokens given and cursor, by source."""

    tokens: tuple[int, ...]
    cursors: tuple[Cursor, ...]
    digests: tuple[str, ...] = ()
    """Of each source's documents: among other documents the position is meaningless."""

    @classmethod
    def start(cls, digests: tuple[str, ...]) -> Self:
        count = len(digests)
        return cls((0,) * count, (Cursor(),) * count, digests)

    def plain(self) -> dict[str, Any]:
        """As JSON types; pieces omit their source, which is the cursor's."""
        return {
            "tokens": list(self.tokens),
            "digests": list(self.digests),
            "cursors": [
                {
                    "epoch": cursor.epoch,
                    "document": cursor.document,
                    "waiting": [[p.document, p.start, p.end] for p in cursor.waiting],
                }
                for cursor in self.cursors
            ],
        }

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Self:
        """The position that `plain` was made from."""
        cursors = tuple(
            Cursor(c["epoch"], c["document"], tuple(Piece(i, *piece) for piece in c["waiting"]))
            for i, c in enumerate(plain["cursors"])
        )
        return cls(tuple(plain["tokens"]), cursors, tuple(plain["digests"]))


@dataclass(frozen=True)
class PackedSource:
    """A source as the plan uses it."""

    lengths: Lengths
    share: float
    """Of all tokens, 0 to 1."""
    long: bool
    minimum_tokens: int
    """Shorter documents, and shorter remainders of longer ones, are left out."""
    seed: tuple[int, ...]
    """Of the order in which each epoch reads the documents."""
    held_out: frozenset[int] = frozenset()
    """Documents that are also left out."""


@dataclass(frozen=True)
class Packing:
    """Endless rows of `row_tokens` from sources whose shares sum to 1.

    Every source must have a document of its minimum length. Planning a row takes time proportional
    to its number of pieces, and memory proportional to the waiting pieces.
    """

    sources: Sequence[PackedSource]
    row_tokens: int

    def rows(self, position: Position, count: int) -> tuple[list[tuple[Piece, ...]], Position]:
        """The next `count` rows at `position`, and the position after them."""
        work = _Work(self, list(position.tokens), [_Reader.of(c) for c in position.cursors])
        rows = [work.row() for _ in range(count)]
        cursors = tuple(reader.cursor() for reader in work.readers)
        return rows, replace(position, tokens=tuple(work.given), cursors=cursors)


@dataclass
class _Reader:
    epoch: int
    document: int
    waiting: list[Piece]

    @classmethod
    def of(cls, cursor: Cursor) -> Self:
        return cls(cursor.epoch, cursor.document, list(cursor.waiting))

    def cursor(self) -> Cursor:
        return Cursor(self.epoch, self.document, tuple(self.waiting))


@dataclass
class _Work:
    """The work of planning some rows."""

    packing: Packing
    given: list[int]
    readers: list[_Reader]
    _orders: dict[tuple[int, int], Order] = field(default_factory=dict)

    def row(self) -> tuple[Piece, ...]:
        leader = self._behind(range(len(self.given)))
        pieces: list[Piece] = []
        room = self.packing.row_tokens
        if self.packing.sources[leader].long:
            self._read_on(leader, WAITING)
            while (best := self._best_fit(leader, room, first=not pieces)) is not None:
                pieces.append(self.readers[leader].waiting.pop(best))
                room -= len(pieces[-1])
        filler = self._filler(leader, room)
        while room:
            pieces.append(self._cut(filler, room))
            room -= len(pieces[-1])
        for piece in pieces:
            self.given[piece.source] += len(piece)
        return tuple(pieces)

    def _behind(self, sources: Sequence[int]) -> int:
        """The source furthest behind its share after one more row; the first of equals."""
        return max(sources, key=lambda number: (self._deficit(number), -number))

    def _deficit(self, number: int) -> float:
        share = self.packing.sources[number].share
        total = sum(self.given) + self.packing.row_tokens
        return share * total - self.given[number] if share > 0 else float("-inf")

    def _best_fit(self, leader: int, room: int, first: bool) -> int | None:
        """The waiting piece to place: the oldest as the row's first, else the longest that fits."""
        waiting = self.readers[leader].waiting
        if first:
            return 0
        best, longest = None, 0
        for i, piece in enumerate(waiting):
            if longest < piece.end - piece.start <= room:
                best, longest = i, piece.end - piece.start
        return best

    def _filler(self, leader: int, room: int) -> int:
        """The source that fills up a row: a short one, unless it is a row ahead of its share."""
        sources = self.packing.sources
        short = [i for i, source in enumerate(sources) if not source.long and source.share > 0]
        if not sources[leader].long or not short:
            return leader
        best = self._behind(short)
        ahead = room - self._deficit(best)
        return best if ahead <= self.packing.row_tokens else leader

    def _cut(self, number: int, room: int) -> Piece:
        """At most `room` tokens of a waiting piece: of the oldest, or of the longest long one."""
        self._read_on(number, 1)
        waiting = self.readers[number].waiting
        at = 0
        if self.packing.sources[number].long:
            at = max(range(len(waiting)), key=lambda i: (len(waiting[i]), -i))
        piece = waiting[at]
        if len(piece) <= room:
            return waiting.pop(at)
        edge = piece.start + room
        waiting[at] = Piece(number, piece.document, edge, piece.end)
        return Piece(number, piece.document, piece.start, edge)

    def _read_on(self, number: int, wanted: int) -> None:
        """Read documents until `wanted` pieces wait."""
        source, reader = self.packing.sources[number], self.readers[number]
        while len(reader.waiting) < wanted:
            if reader.document == len(source.lengths):
                reader.epoch, reader.document = reader.epoch + 1, 0
            document = self._order(number, reader.epoch)[reader.document]
            reader.document += 1
            length = source.lengths.length(document)
            if length >= max(1, source.minimum_tokens) and document not in source.held_out:
                reader.waiting += self._pieces(number, document, length)

    def _pieces(self, number: int, document: int, length: int) -> list[Piece]:
        row, minimum = self.packing.row_tokens, self.packing.sources[number].minimum_tokens
        if length <= row:
            return [Piece(number, document, 0, length)]
        starts = range(0, length, row)
        pieces = [Piece(number, document, start, min(start + row, length)) for start in starts]
        if len(pieces[-1]) < min(minimum, row):
            pieces.pop()
        return pieces

    def _order(self, number: int, epoch: int) -> Order:
        key = (number, epoch)
        if key not in self._orders:
            source = self.packing.sources[number]
            self._orders[key] = Order(len(source.lengths), (*source.seed, epoch))
        return self._orders[key]


def used_tokens(lengths: NDArray[np.int64], minimum: int, row: int) -> int:
    """Tokens that an epoch uses of documents of `lengths`.

    Documents shorter than `minimum`, and shorter remainders of those cut to rows, are left out.
    """
    kept = lengths[lengths >= max(1, minimum)]
    rests = np.where(kept > row, kept % row, 0)
    return int(kept.sum() - rests[rests < min(minimum, row)].sum())
