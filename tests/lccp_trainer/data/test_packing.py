"""Rows are full, long documents stay whole, and every source has its share."""

import json
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp_trainer.data.packing import PackedSource, Packing, Piece, Position, used_tokens

pytestmark = pytest.mark.slow

ROW, MINIMUM = 64, 20


class Listed(list[int]):
    """Lengths of documents."""

    def length(self, number: int) -> int:
        return self[number]


def a_packing(
    long: list[int], short: list[int], short_share: float = 0.25, row: int = ROW
) -> Packing:
    sources = []
    if short_share < 1:
        sources.append(PackedSource(Listed(long), 1 - short_share, True, MINIMUM, (5, 0)))
    if short_share > 0:
        sources.append(PackedSource(Listed(short), short_share, False, 0, (5, 1)))
    return Packing(sources, row)


def start(packing: Packing) -> Position:
    return Position.start(tuple(map(str, range(len(packing.sources)))))


def rows_of(packing: Packing, count: int) -> list[tuple[Piece, ...]]:
    return packing.rows(start(packing), count)[0]


longs = st.lists(st.integers(1, 200), max_size=12).map(lambda lengths: [*lengths, MINIMUM])
shorts = st.lists(st.integers(1, 40), min_size=1, max_size=12)
shares = st.sampled_from([0.0, 0.1, 0.25, 0.7, 1.0])
packings = st.builds(a_packing, longs, shorts, shares, st.integers(MINIMUM, 100))


@given(packings)
def test_every_row_is_full(packing: Packing) -> None:
    for row in rows_of(packing, 20):
        assert sum(map(len, row)) == packing.row_tokens
        assert all(len(piece) > 0 for piece in row)


@given(packings, st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_rows_do_not_depend_on_how_many_are_planned_at_once(
    packing: Packing, counts: list[int]
) -> None:
    position, parts = start(packing), []
    for count in counts:
        rows, position = packing.rows(position, count)
        parts += rows
    whole, end = packing.rows(start(packing), sum(counts))
    assert (parts, position) == (whole, end)


@given(packings, st.integers(1, 30))
def test_a_position_goes_on_after_it_was_stored(packing: Packing, count: int) -> None:
    _, position = packing.rows(start(packing), count)
    stored = Position.of(json.loads(json.dumps(position.plain())))
    assert stored == position
    assert packing.rows(stored, 5) == packing.rows(position, 5)


@given(packings)
def test_an_epoch_gives_no_token_twice(packing: Packing) -> None:
    position = start(packing)
    given_once: dict[tuple[int, int], set[int]] = defaultdict(set)
    for _ in range(40):
        (row,), position = packing.rows(position, 1)
        if any(cursor.epoch for cursor in position.cursors):
            return
        for piece in row:
            tokens = given_once[piece.source, piece.document]
            assert tokens.isdisjoint(range(piece.start, piece.end))
            tokens.update(range(piece.start, piece.end))


@given(shorts, st.lists(st.integers(MINIMUM, ROW), min_size=1, max_size=30))
def test_a_long_document_is_never_cut_while_short_ones_may_fill(
    short: list[int], long: list[int]
) -> None:
    """Half of the tokens are short: more than the gaps that long documents leave."""
    packing = a_packing(long, short, short_share=0.5)
    for row in rows_of(packing, 60):
        for piece in row:
            if piece.source == 0:
                assert (piece.start, piece.end) == (0, long[piece.document])


def test_a_row_takes_the_longest_piece_that_still_fits() -> None:
    packing = a_packing([40, 20, 22, 24, 30], [1], short_share=0.5)
    for row in rows_of(packing, 30):
        lengths = [len(piece) for piece in row if piece.source == 0]
        if lengths[:1] == [40]:
            assert lengths == [40, 24]


@given(packings)
def test_every_source_keeps_its_share_of_the_tokens(packing: Packing) -> None:
    count = 200
    _, position = packing.rows(start(packing), count)
    total = count * packing.row_tokens
    assert sum(position.tokens) == total
    for source, given_tokens in zip(packing.sources, position.tokens, strict=True):
        assert abs(given_tokens - source.share * total) <= 2 * packing.row_tokens


def test_documents_and_rests_below_the_minimum_are_left_out() -> None:
    packing = a_packing([MINIMUM - 1, ROW + MINIMUM - 1, 2 * ROW], [5], short_share=0.5)
    pieces = {piece for row in rows_of(packing, 40) for piece in row if piece.source == 0}
    assert {(piece.document, piece.start, piece.end) for piece in pieces} == {
        (1, 0, ROW),
        (2, 0, ROW),
        (2, ROW, 2 * ROW),
    }


def test_documents_that_are_too_few_for_a_row_are_read_again() -> None:
    _, position = a_packing([], [3], short_share=1.0).rows(Position.start(("one",)), 1)
    assert position.cursors[0].epoch > 10


@given(st.lists(st.integers(0, 100), max_size=8), st.integers(0, ROW))
def test_an_epoch_gives_as_many_tokens_as_are_counted(some: list[int], minimum: int) -> None:
    lengths = Listed([*some, ROW])
    packing = Packing([PackedSource(lengths, 1.0, True, minimum, (1, 0))], ROW)
    counted = used_tokens(np.array(lengths), minimum, ROW)
    _, position = packing.rows(Position.start(("one",)), 20)
    cursor = position.cursors[0]
    read = 20 * ROW + sum(map(len, cursor.waiting))
    assert cursor.epoch * counted <= read <= (cursor.epoch + 1) * counted
