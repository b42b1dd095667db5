import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp_trainer.data.records.rows import OPEN_ROWS, planned_rows

ROW = 20
lengths = st.lists(st.integers(1, ROW), min_size=1, max_size=60)


@pytest.mark.slow
@given(lengths, st.integers(1, 3), st.integers(0, 5))
def test_in_every_epoch_every_record_is_once_and_whole(
    lengths: list[int], epochs: int, seed: int
) -> None:
    rows = planned_rows(lengths, ROW, epochs, seed)
    left = list(rows)
    for _ in range(epochs):
        seen: list[int] = []
        while len(seen) < len(lengths):
            seen += left.pop(0)
        assert sorted(seen) == list(range(len(lengths)))
    assert not left
    assert all(sum(lengths[record] for record in row) <= ROW for row in rows)


@pytest.mark.slow
@given(lengths, st.integers(0, 5))
def test_no_two_rows_of_an_epoch_could_have_been_one(lengths: list[int], seed: int) -> None:
    filled = sorted(
        sum(lengths[record] for record in row) for row in planned_rows(lengths, ROW, 1, seed)
    )
    assert len(filled) < 2 or filled[0] + filled[1] > ROW


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    lengths = [7] * 40
    first, second = planned_rows(lengths, ROW, 2, seed=0), planned_rows(lengths, ROW, 2, seed=1)
    assert first == planned_rows(lengths, ROW, 2, seed=0)
    assert first[: len(first) // 2] != first[len(first) // 2 :]
    assert first != second


def test_little_is_padding_though_few_rows_are_open() -> None:
    lengths = [1 + number * 7 % 100 for number in range(20 * OPEN_ROWS)]
    rows = planned_rows(lengths, 1_000, 1, seed=0)
    assert sum(lengths) / (len(rows) * 1_000) > 0.97
