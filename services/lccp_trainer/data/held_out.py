"""The documents that no step trains on, and the rows in which their loss is measured.

They are drawn by number, in an order given by the seed of the data. Each counts from its beginning,
for at most a row.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from lccp.contract.errors import InvalidInput
from lccp_trainer.data.order import Order
from lccp_trainer.data.packing import PackedSource, Piece, used_tokens

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


def without_held_out(
    source: PackedSource, wanted: int, used: int, row: int, name: str
) -> tuple[PackedSource, int]:
    """The source without its part of `wanted` held-out tokens, and its loss of `used` tokens.

    Raises InvalidInput if that is too large a share.
    """
    if not wanted:
        return source, 0
    documents = drawn(source, math.ceil(source.share * wanted), row)
    lengths = np.array([source.lengths.length(number) for number in documents])
    lost = used_tokens(lengths, source.minimum_tokens, row)
    if lost > LARGEST_SHARE * used:
        raise InvalidInput(
            f"data.heldOutTokens: {wanted:,} takes {lost:,} of the {used:,} tokens of source "
            f"{name} from the training, more than {LARGEST_SHARE:.0%}: give the source more "
            "documents, or start a run of another name with a lower number"
        )
    return replace(source, held_out=frozenset(documents)), lost
