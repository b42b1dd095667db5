"""Losses of held-out documents, and the bands of positions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.api.objects.losses import HeldOutCell, HeldOutLoss, position_edges


def a_cell(source: str, tokens: int, loss: float) -> HeldOutCell:
    return HeldOutCell(source=source, band="within", predicted_tokens=tokens, loss=loss)


def test_the_loss_over_all_is_the_mean_over_predicted_tokens() -> None:
    told = HeldOutLoss(tokens=5, cells=(a_cell("long", 3, 2.0), a_cell("short", 1, 6.0)))
    assert told.loss == pytest.approx(3.0)


def test_bands_are_the_source_context_and_its_doublings_up_to_a_row() -> None:
    assert position_edges(64, 300) == [0, 64, 128, 256, 300]
    assert position_edges(64, 64) == position_edges(128, 64) == [0, 64]


@given(st.integers(1, 5_000), st.integers(1, 50_000))
def test_bands_cover_a_row_once(source_context: int, row: int) -> None:
    edges = position_edges(source_context, row)
    assert edges == sorted(set(edges))
    assert (edges[0], edges[-1]) == (0, row)
