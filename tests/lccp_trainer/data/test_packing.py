import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp_trainer.data.packing import Cursor, RowSource, Tokens, permutation

BASE = 1_000


def document(number: int, length: int) -> Tokens:
    """Tokens that say which document they are of, and where in it they stand."""
    return np.arange(number * BASE, number * BASE + length, dtype=np.int32)


def a_source(lengths: list[int], row: int = 16, minimum: int = 0, seed: int = 0) -> RowSource:
    def read(number: int) -> Tokens:
        return document(number, lengths[number])

    return RowSource(read, len(lengths), row, minimum, (seed,), "data.sources[0]")


def rows_of_first_epoch(source: RowSource) -> list[tuple[list[int], list[int]]]:
    """Rows drawn before the second epoch is begun, as (tokens, positions)."""
    rows, cursor = [], Cursor()
    while True:
        row, cursor = source.next(cursor)
        if cursor.epoch > 0:
            return rows
        rows.append((row.tokens.tolist(), row.positions.tolist()))


lengths = st.lists(st.integers(1, 60), min_size=1, max_size=12)


@given(lengths, st.integers(2, 20), st.integers(0, 10))
def test_a_row_is_full_and_positions_restart_exactly_where_a_document_does_not_go_on(
    lengths: list[int], row: int, seed: int
) -> None:
    source, cursor = a_source(lengths, row, seed=seed), Cursor()
    for _ in range(20):
        drawn, cursor = source.next(cursor)
        tokens, positions = drawn.tokens.tolist(), drawn.positions.tolist()
        assert len(tokens) == len(positions) == row
        assert positions[0] == 0
        for i in range(1, row):
            goes_on = tokens[i] == tokens[i - 1] + 1
            assert positions[i] == (positions[i - 1] + 1 if goes_on else 0)


@given(lengths, st.integers(2, 20), st.integers(0, 10))
def test_an_epoch_gives_no_token_twice_and_loses_less_than_a_row(
    lengths: list[int], row: int, seed: int
) -> None:
    rows = rows_of_first_epoch(a_source(lengths, row, seed=seed))
    given = [token for tokens, _ in rows for token in tokens]
    assert len(set(given)) == len(given)
    assert set(given) <= {int(t) for i, n in enumerate(lengths) for t in document(i, n)}
    assert sum(lengths) - len(given) < 2 * row


@given(lengths, st.integers(2, 20))
def test_a_document_that_fills_rows_is_never_torn_by_its_neighbours(
    lengths: list[int], row: int
) -> None:
    rows = rows_of_first_epoch(a_source(lengths, row))
    whole = {tuple(tokens) for tokens, positions in rows if positions == list(range(row))}
    for number, length in enumerate(lengths):
        for start in range(0, length - row + 1, row):
            piece = tuple(document(number, length)[start : start + row].tolist())
            if any(set(piece) & set(tokens) for tokens, _ in rows):
                assert piece in whole


def test_documents_and_rests_below_the_minimum_are_left_out() -> None:
    rows = rows_of_first_epoch(a_source([9, 20, 42], row=16, minimum=10))
    given = {token for tokens, _ in rows for token in tokens}
    kept = {*document(1, 16).tolist(), *document(2, 32).tolist()}
    assert kept <= given
    assert not given & set(document(0, 9).tolist())
    assert not given & set(document(1, 20).tolist()[16:])


def test_a_source_without_a_usable_document_says_so() -> None:
    with pytest.raises(LookupError):
        a_source([3, 4], minimum=5).next(Cursor())


def test_documents_that_are_too_short_for_a_row_are_joined_over_epochs() -> None:
    row, cursor = a_source([3], row=16).next(Cursor())
    assert row.positions.tolist() == [0, 1, 2] * 5 + [0]
    assert cursor.epoch == 5


def test_every_epoch_has_an_order_of_its_own_that_the_seed_gives() -> None:
    orders = {tuple(permutation(50, (7, epoch)).tolist()) for epoch in range(4)}
    assert len(orders) == 4
    assert tuple(permutation(50, (7, 1)).tolist()) in orders
    assert not np.array_equal(permutation(50, (8, 0)), permutation(50, (7, 0)))
