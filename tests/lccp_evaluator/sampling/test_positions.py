from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_matrix

from lccp_evaluator.sampling.positions import (
    MOST_PERCENT,
    Cell,
    cell,
    cost,
    pick,
    tolerance_percent,
)


def a_grid(lengths, depths, every: int) -> list[Cell]:
    """Cells over a haystack with a sentence for every `every` tokens."""
    sentences = np.arange(0, max(lengths) + 1, every)
    tolerance = tolerance_percent(depths)
    return [
        cell(length, depth, tolerance, sentences, np.arange(0))
        for length, depth in product(lengths, depths)
    ]


@pytest.mark.slow
@given(
    st.integers(1, 300),
    st.integers(0, 100),
    st.sampled_from([1.0, 4.0]),
    st.sets(st.integers(0, 300)),
    st.sets(st.integers(0, 300)),
)
def test_a_needle_may_stand_at_beginnings_near_its_depth_or_exactly_where_asked(
    room, depth, tolerance, sentences, words
):
    begins = (np.array(sorted(s), dtype=int) for s in (sentences, words))
    found = cell(room, depth, tolerance, *begins)

    reach = room * tolerance / 100
    near = [at for at in range(room + 1) if found.exact - reach <= at <= found.exact + reach]
    best = [at for at in near if at in sentences or at in (0, room)]
    best = best or [at for at in near if at in words]
    assert list(found.candidates) == (best or [round(found.exact)])


@pytest.mark.slow
@given(
    st.lists(st.integers(20, 400), min_size=1, max_size=5, unique=True),
    st.lists(st.integers(0, 100), min_size=1, max_size=5, unique=True),
    st.integers(1, 30),
)
def test_every_cell_gets_a_position_within_its_tolerance(lengths, depths, every):
    cells = a_grid(lengths, depths, every)

    for one, at in zip(cells, pick(cells), strict=True):
        assert at in one.candidates


@pytest.mark.parametrize("step", [1, 5, 10, 25])
def test_no_position_stands_for_two_depths_of_a_length(step: int) -> None:
    depths = range(0, 101, step)
    cells = a_grid([4_000, 8_000], depths, 10)

    places = list(zip((one.room for one in cells), pick(cells), strict=True))

    assert len(set(places)) == len(places) == 2 * len(depths)
    assert tolerance_percent(depths) <= min(4, 0.4 * step)
    assert tolerance_percent([50]) == 4


@settings(max_examples=30)
@given(
    st.lists(st.integers(20, 100), min_size=2, max_size=3, unique=True),
    st.lists(st.sampled_from([0, 20, 50, 80, 100]), min_size=1, max_size=3, unique=True),
)
def test_the_cost_is_near_the_least_one(lengths, depths):
    cells = a_grid(lengths, depths, 7)
    least = min(cost(cells, choice) for choice in product(*(one.candidates for one in cells)))

    assert cost(cells, pick(cells)) <= 1.25 * least


def the_least(cells: list[Cell]) -> float:
    """The least cost of any choice of positions, by integer linear programming.

    A variable, by position and length, says that the haystack is computed from one to the other.
    """
    rooms = sorted({one.room for one in cells})
    reaches = [
        (at, room)
        for at in sorted({at for one in cells for at in one.candidates})
        for room in rooms
        if room >= at
    ]
    number = {reach: place for place, reach in enumerate(reaches)}
    before = {
        (at, high): (at, low) for at in {a for a, _ in reaches} for low, high in pairwise(rooms)
    }
    costs = [
        room - (before[at, room][1] if before.get((at, room)) in number else at)
        for at, room in reaches
    ]
    continued = [
        (number[before[reach]], place)
        for reach, place in number.items()
        if before.get(reach) in number
    ]
    needs = lil_matrix((len(continued) + len(cells), len(reaches)))
    for row, (low, high) in enumerate(continued):
        needs[row, low], needs[row, high] = 1, -1
    for row, one in enumerate(cells, start=len(continued)):
        needs[row, [number[at, one.room] for at in one.candidates]] = 1
    least = np.repeat((0, 1), (len(continued), len(cells)))
    found = milp(
        costs,
        integrality=np.ones(len(costs)),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(needs.tocsr(), least),
    )
    return rooms[-1] + found.fun


@pytest.mark.parametrize("seed", [0, 1])
def test_a_grid_of_real_sentences_costs_hardly_more_than_the_least(seed: int) -> None:
    ends = np.random.default_rng(seed).integers(8, 40, 200).cumsum()
    lengths = [512, 1_024, 1_536, 2_048, 3_072, 4_096]
    cells = [
        cell(length, depth, MOST_PERCENT, ends, np.arange(0))
        for length, depth in product(lengths, range(0, 101, 10))
    ]

    assert cost(cells, pick(cells)) <= 1.03 * the_least(cells)


def test_the_default_grid_costs_a_third_of_plain_passes():
    lengths = [1_024 * k for k in (1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64)]
    cells = a_grid(lengths, range(0, 101, 10), 25)

    plain = sum(one.room for one in cells)
    assert cost(cells, pick(cells)) < plain / 3.2
