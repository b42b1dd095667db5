"""Documents of one source become rows of exactly the target length: a pure function of a cursor.

A document is cut into pieces of at most a row. A piece that fills a row is a row; shorter pieces
are joined, in order, and cut where a row ends. So a document longer than a row is never torn by
its neighbours, no token is padding, and positions restart where a document does not go on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Cursor:
    """Where a source is: documents read, and the pieces of them that are not in a row yet."""

    epoch: int = 0
    document: int = 0
    """Documents of the epoch that were read."""
    whole: tuple[Tokens, ...] = ()
    short: tuple[Tokens, ...] = ()


@dataclass(frozen=True, eq=False)
class Row:
    """One row: token ids and positions, both of the row's length."""

    tokens: Tokens
    positions: Tokens


@dataclass(frozen=True)
class RowSource:
    """Endless rows of one source.

    Args:
        read: token ids of a document, by its number.
        documents: how many documents there are.
        row_tokens: length of a row.
        minimum_tokens: shorter documents, and shorter rests of longer ones, are left out.
        seed: of the permutation that each epoch reads the documents in.
        name: for messages.
    """

    read: Callable[[int], Tokens]
    documents: int
    row_tokens: int
    minimum_tokens: int
    seed: tuple[int, ...]
    name: str

    def next(self, cursor: Cursor) -> tuple[Row, Cursor]:
        """The row at `cursor`, and the cursor after it. LookupError if no document is usable."""
        fruitless = 0
        while not cursor.whole and sum(map(len, cursor.short)) < self.row_tokens:
            grown = self._read_on(cursor)
            fruitless = 0 if grown.whole or grown.short is not cursor.short else fruitless + 1
            if fruitless > self.documents:
                raise LookupError(self.name)
            cursor = grown
        if cursor.whole:
            first, *rest = cursor.whole
            return _row([first]), replace(cursor, whole=tuple(rest))
        return self._joined(cursor)

    def _read_on(self, cursor: Cursor) -> Cursor:
        if cursor.document == self.documents:
            return replace(cursor, epoch=cursor.epoch + 1, document=0)
        number = permutation(self.documents, (*self.seed, cursor.epoch))[cursor.document]
        read = replace(cursor, document=cursor.document + 1)
        tokens = self.read(int(number))
        if len(tokens) < max(1, self.minimum_tokens):
            return read
        end = len(tokens) - len(tokens) % self.row_tokens
        whole = tuple(tokens[i : i + self.row_tokens] for i in range(0, end, self.row_tokens))
        rest = tokens[end:]
        keep = len(rest) >= max(1, min(self.minimum_tokens, self.row_tokens))
        return replace(
            read,
            whole=(*cursor.whole, *whole),
            short=(*cursor.short, rest) if keep else cursor.short,
        )

    def _joined(self, cursor: Cursor) -> tuple[Row, Cursor]:
        pieces, room = [], self.row_tokens
        left = list(cursor.short)
        while room:
            piece = left.pop(0)
            pieces.append(piece[:room])
            if len(piece) > room:
                left.insert(0, piece[room:])
            room -= len(pieces[-1])
        return _row(pieces), replace(cursor, short=tuple(left))


@lru_cache(maxsize=64)
def permutation(count: int, seed: tuple[int, ...]) -> NDArray[np.int64]:
    """The numbers below `count` in the order that `seed` gives."""
    return np.random.default_rng(seed).permutation(count)


def _row(pieces: list[Tokens]) -> Row:
    positions = [np.arange(len(piece), dtype=np.int32) for piece in pieces]
    return Row(np.concatenate(pieces), np.concatenate(positions))
