"""The content of a source, and the positions of its tokens in rows."""

import numpy as np
import pytest

from lccp_trainer.data.check.mixture import SourceFacts, shares_of
from lccp_trainer.data.packing import PackedSource, Piece

ROW = 32


class Listed(list[int]):
    """Lengths of documents."""

    def length(self, number: int) -> int:
        return self[number]


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
