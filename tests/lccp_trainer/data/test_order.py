"""The order of an epoch is a permutation that costs no memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp_trainer.data.order import Order

seeds = st.lists(st.integers(0, 2**31), min_size=1, max_size=3).map(tuple)


@pytest.mark.slow
@given(st.integers(1, 700), seeds)
def test_every_number_comes_once(count: int, seed: tuple[int, ...]) -> None:
    order = Order(count, seed)
    assert sorted(order[place] for place in range(count)) == list(range(count))


def test_another_seed_or_epoch_gives_another_order() -> None:
    orders = {tuple(Order(50, seed)[i] for i in range(50)) for seed in ((7, 0), (7, 1), (8, 0))}
    assert len(orders) == 3


@pytest.mark.slow
def test_neighbours_are_scattered() -> None:
    count = 10_000
    order = Order(count, (3, 0))
    found = np.array([order[place] for place in range(count)])
    assert abs(np.corrcoef(np.arange(count), found)[0, 1]) < 0.05
    assert np.abs(np.diff(found)).mean() == pytest.approx(count / 3, rel=0.05)


def test_a_place_of_ten_million_documents_is_found_at_once() -> None:
    order = Order(10_000_000, (1, 2))
    assert all(0 <= order[place] < 10_000_000 for place in (0, 5_000_000, 9_999_999))


@pytest.mark.parametrize("place", [-1, 5])
def test_a_place_beyond_the_end_is_refused(place: int) -> None:
    with pytest.raises(IndexError, match="an order of 5 numbers has no place"):
        Order(5, (0,))[place]
