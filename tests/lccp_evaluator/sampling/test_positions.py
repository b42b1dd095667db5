from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_matrix

from lccp_evaluator.sampling.positions import TOLERANCE, Cell, cell, cost, pick


def a_grid(lengths, depths, every: int) -> list[Cell]:
    """Cells over a haystack with a sentence for every `every` tokens."""
    sentences = np.arange(0, max(lengths) + 1, every)
    return [
        cell(length, depth, sentences, np.arange(0)) for length, depth in product(lengths, depths)
    ]


@pytest.mark.slow
@given(
    st.integers(1, 300),
    st.integers(0, 100),
    st.sets(st.integers(0, 300)),
    st.sets(st.integers(0, 300)),
)
def test_a_needle_may_stand_at_beginnings_near_its_depth_or_exactly_where_asked(
    room, depth, sentences, words
):
    found = cell(room, depth, *(np.array(sorted(s), dtype=int) for s in (sentences, words)))

    near = [at for at in range(room + 1) if abs(at - found.exact) <= TOLERANCE * room]
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
        cell(length, depth, ends, np.arange(0))
        for length, depth in product(lengths, range(0, 101, 10))
    ]

    assert cost(cells, pick(cells)) <= 1.03 * the_least(cells)


def test_the_default_grid_costs_a_third_of_plain_passes():
    lengths = [1_024 * k for k in (1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64)]
    cells = a_grid(lengths, range(0, 101, 10), 25)

    plain = sum(one.room for one in cells)
    assert cost(cells, pick(cells)) < plain / 3.2
