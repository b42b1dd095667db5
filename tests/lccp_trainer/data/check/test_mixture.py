"""What a source gives is counted as packing gives it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp_trainer.data.check.mixture import SourceFacts, shares_of, used_tokens
from lccp_trainer.data.packing import PackedSource, Packing, Piece, Position

ROW = 32


class Listed(list[int]):
    """Lengths of documents."""

    def length(self, number: int) -> int:
        return self[number]


@given(st.lists(st.integers(0, 100), max_size=8), st.integers(0, ROW))
def test_an_epoch_gives_as_many_tokens_as_are_counted(some: list[int], minimum: int) -> None:
    lengths = Listed([*some, ROW])
    packing = Packing([PackedSource(lengths, 1.0, True, minimum, (1, 0))], ROW)
    counted = used_tokens(np.array(lengths), minimum, ROW)
    _, position = packing.rows(Position.start(("one",)), 20)
    cursor = position.cursors[0]
    read = 20 * ROW + sum(map(len, cursor.waiting))
    assert cursor.epoch * counted <= read <= (cursor.epoch + 1) * counted


def test_the_facts_of_a_source() -> None:
    lengths = np.array([10, 20, 30, 40, 100])
    source = PackedSource(Listed(lengths.tolist()), 0.5, True, 15, (0, 0))
    facts = SourceFacts.of("books", source, lengths, row=64, budget=3_800)
    assert facts == SourceFacts(
        name="books",
        documents=5,
        tokens=200,
        median=30,
        percentile_95=88,
        longest=100,
        minimum=15,
        used_share=0.95,
        share=0.5,
        epochs=10.0,
    )


def test_positions_count_from_the_start_of_each_piece() -> None:
    pieces = [Piece(0, 0, 0, 8), Piece(0, 1, 100, 102)]
    bands = shares_of([0, 2, 4, 8], pieces)
    assert [(band.start, band.end) for band in bands] == [(0, 2), (2, 4), (4, 8)]
    assert [band.share for band in bands] == pytest.approx([0.4, 0.2, 0.4])
