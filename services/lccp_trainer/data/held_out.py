"""Which documents no step trains on, and in which rows their loss is measured.

They are drawn by their numbers, in an order that the seed of the data gives; each counts from its
beginning up to a row at most.
"""

from collections.abc import Iterable

from lccp_trainer.data.order import Order
from lccp_trainer.data.packing import PackedSource, Piece

SALT = 0x48454C44
"""Beside the seed of a source: the documents drawn are not those that its epochs begin with."""
LARGEST_SHARE = 0.1
"""Of a source's tokens."""


def drawn(source: PackedSource, wanted: int, row: int) -> list[int]:
    """Numbers of documents that have `wanted` tokens together, or all there are; at least one.

    Args:
        row: tokens of a document that count, at most.
    """
    lengths, order = source.lengths, Order(len(source.lengths), (*source.seed, SALT))
    found: list[int] = []
    tokens = 0
    for place in range(len(lengths)):
        if tokens >= max(1, wanted):
            break
        length = lengths.length(order[place])
        if length >= max(2, source.minimum_tokens):
            found.append(order[place])
            tokens += min(length, row)
    return found


def rows_of(pieces: Iterable[Piece], row: int) -> list[list[Piece]]:
    """The pieces in rows of at most `row` tokens: the longest first, into the first that fits."""
    rows: list[list[Piece]] = []
    rooms: list[int] = []
    for piece in sorted(pieces, key=lambda p: (-len(p), p.source, p.document)):
        fits = (number for number, room in enumerate(rooms) if len(piece) <= room)
        at = next(fits, len(rows))
        if at == len(rows):
            rows.append([])
            rooms.append(row)
        rows[at].append(piece)
        rooms[at] -= len(piece)
    return rows
