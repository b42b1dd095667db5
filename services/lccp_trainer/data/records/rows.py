"""Packs whole records into rows, each epoch separately, in an order given by a seed."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

OPEN_ROWS = 256
"""Rows among which the best fit is chosen."""

Row = tuple[int, ...]
"""Numbers of the records in a row."""


def planned_rows(lengths: Sequence[int], row_tokens: int, epochs: int, seed: int) -> list[Row]:
    """The rows of all epochs; each epoch has every record once.

    A record goes into the open row with the least room that still fits it (best fit). The order of
    the records, and then of the rows, is drawn again for each epoch.

    Args:
        lengths: tokens of each record, none above `row_tokens`.
    """
    rows: list[Row] = []
    for epoch in range(epochs):
        random = np.random.default_rng((seed, epoch))
        packed = _packed(random.permutation(len(lengths)).tolist(), lengths, row_tokens)
        rows += [packed[number] for number in random.permutation(len(packed))]
    return rows


@dataclass(order=True)
class _Open:
    room: int
    number: int
    """The row's number, in the order in which rows were begun."""


def _packed(order: Sequence[int], lengths: Sequence[int], row_tokens: int) -> list[Row]:
    rows: list[list[int]] = []
    opened: list[_Open] = []
    for record in order:
        length = int(lengths[record])
        at = bisect_left(opened, length, key=lambda row: row.room)
        if at < len(opened):
            row = opened.pop(at)
        else:
            row = _Open(row_tokens, len(rows))
            rows.append([])
        rows[row.number].append(record)
        row.room -= length
        if row.room:
            insort(opened, row)
        if len(opened) > OPEN_ROWS:
            opened.pop(0)
    return [tuple(row) for row in rows]
