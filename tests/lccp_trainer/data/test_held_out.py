"""Held-out documents: drawn alike everywhere, and packed with room to spare."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp_trainer.data.held_out import drawn, rows_of
from lccp_trainer.data.packing import PackedSource, Packing, Piece, Position

ROW = 32


class Listed(list[int]):
    """Lengths of documents."""

    def length(self, number: int) -> int:
        return self[number]


def a_source(lengths: list[int], minimum: int = 0, seed: int = 5) -> PackedSource:
    return PackedSource(Listed(lengths), 1.0, False, minimum, (seed, 0))


many = st.lists(st.integers(1, 60), min_size=1, max_size=40)


@pytest.mark.slow
@given(many, st.integers(0, 20), st.integers(1, 400))
def test_the_documents_have_the_tokens_that_are_wanted_and_no_document_too_many(
    lengths: list[int], minimum: int, wanted: int
) -> None:
    found = drawn(a_source(lengths, minimum), wanted, ROW)
    counted = [min(lengths[number], ROW) for number in found]
    usable = [number for number, n in enumerate(lengths) if n >= max(2, minimum)]
    assert len(set(found)) == len(found)
    assert set(found) <= set(usable)
    assert sum(counted[:-1]) < wanted
    assert sum(counted) >= wanted or sorted(found) == usable


def test_more_tokens_take_the_same_documents_and_further_ones() -> None:
    source = a_source([10] * 50)
    few, more = drawn(source, 30, ROW), drawn(source, 100, ROW)
    assert (len(few), len(more)) == (3, 10)
    assert more[:3] == few
    assert drawn(a_source([10] * 50, seed=6), 100, ROW) != more


def test_a_source_without_a_part_of_the_tokens_gives_a_document() -> None:
    assert len(drawn(a_source([10] * 5), 0, ROW)) == 1


@given(many)
def test_every_piece_is_in_one_row_and_no_row_is_too_long(lengths: list[int]) -> None:
    pieces = [Piece(0, number, 0, min(n, ROW)) for number, n in enumerate(lengths)]
    rows = rows_of(pieces, ROW)
    assert sorted(piece.document for row in rows for piece in row) == list(range(len(lengths)))
    assert all(0 < sum(map(len, row)) <= ROW for row in rows)
    assert len(rows) <= 1 + 2 * sum(map(len, pieces)) / ROW


@pytest.mark.slow
@given(many, st.integers(0, 100))
def test_what_is_held_out_is_in_no_row_of_the_training(lengths: list[int], wanted: int) -> None:
    source = a_source([*lengths, 5, 5])
    held_out = frozenset(drawn(source, wanted, ROW)[:-1])
    packing = Packing([PackedSource(source.lengths, 1.0, False, 0, (5, 0), held_out)], ROW)
    rows, _ = packing.rows(Position.start(("",)), 60)
    assert held_out.isdisjoint(piece.document for row in rows for piece in row)
