"""The documents that no step trains on, and the rows in which their loss is measured.

They are drawn by number, in an order given by the seed of the data. Each counts from its beginning,
for at most a row.
"""

from collections.abc import Iterable

from lccp_trainer.data.order import Order
from lccp_trainer.data.packing import PackedSource, Piece

SALT = 0x48454C44
"""Added to a source's seed, so that the drawn documents differ from those that begin its epochs."""
LARGEST_SHARE = 0.1
"""Of a source's tokens."""


def drawn(source: PackedSource, wanted: int, row: int) -> list[int]:
    """Numbers of documents with `wanted` tokens in total, or of all documents; at least one.

    Args:
        row: most tokens of a document that count.
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
    """The pieces in rows of at most `row` tokens: longest first, into the first row that fits."""
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
