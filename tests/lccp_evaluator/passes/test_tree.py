"""The common beginnings of passages exist once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.tree import Node, common_length, grow, separate


def a_passage(*ids: int, judged: int = 1) -> Passage:
    """Its last `judged` tokens are the answer."""
    return Passage(np.array(ids), (len(ids) - judged, len(ids)))


def sequences(passages: list[Passage], roots: list[Node]) -> dict[int, list[int]]:
    """The tokens on the path to each passage's end, by passage; a passage is judged at its end."""
    found: dict[int, list[int]] = {}
    for root in roots:
        for node in root.walk():
            before: list[int] = []
            one: Node | None = node
            while one is not None and one.passage >= 0:
                before = passages[one.passage].ids[one.start : one.stop].tolist() + before
                one = one.parent
            for number in node.judged:
                if len(before) > len(found.get(number, [])):
                    found[number] = before
    return found


def size(roots: list[Node]) -> int:
    return sum(node.stop - node.start for root in roots for node in root.walk())


def test_a_common_beginning_exists_once() -> None:
    passages = [a_passage(1, 2, 3, 4), a_passage(1, 2, 5), a_passage(6, 2)]

    roots = grow(passages)

    assert len(roots) == 2
    assert size(roots) == 4 + 1 + 2


def test_a_passage_that_another_continues_is_judged_within_it() -> None:
    passages = [a_passage(1, 2, 3, 4, 5), a_passage(1, 2, 3)]

    (root,) = grow(passages)

    assert size([root]) == 5
    (judging,) = [node for node in root.walk() if 1 in node.judged]
    assert (judging.start, judging.stop) == (0, 3)


@pytest.mark.slow
@given(
    st.lists(
        st.lists(st.integers(1, 3), min_size=2, max_size=8).map(lambda ids: a_passage(*ids)),
        min_size=1,
        max_size=8,
    )
)
def test_every_passage_lies_on_a_way_from_a_root(passages: list[Passage]) -> None:
    roots = grow(passages)
    found = sequences(passages, roots)

    for number, passage in enumerate(passages):
        ids = passage.ids.tolist()
        assert found[number][: len(ids) - 1] == ids[: len(found[number])][: len(ids) - 1]
        assert len(found[number]) >= len(ids) - 1
    beginnings = {
        tuple(p.ids[:stop].tolist()) for p in passages for stop in range(1, len(p.ids) + 1)
    }
    assert size(roots) == len(beginnings)


def test_separate_passages_share_nothing() -> None:
    passages = [a_passage(1, 2), a_passage(1, 2)]

    roots = separate(passages)

    assert size(roots) == 4
    assert [root.judged for root in roots] == [[0], [1]]


@pytest.mark.parametrize(
    ("one", "other", "common"), [([1, 2], [1, 3], 1), ([1], [1, 3], 1), ([], [1], 0), ([2], [1], 0)]
)
def test_the_common_beginning_is_counted(one: list[int], other: list[int], common: int) -> None:
    assert common_length(np.array(one), np.array(other)) == common
    assert common_length(np.array(other), np.array(one)) == common
