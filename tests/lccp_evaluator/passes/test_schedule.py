"""Trees and schedules, executed with token ids in place of keys and values."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.schedule import Schedule, schedule
from lccp_evaluator.passes.tree import common_length, grow, separate

pytestmark = pytest.mark.slow


@st.composite
def passages(draw) -> list[Passage]:
    """Few ids, so that passages share beginnings of all sizes, repeat or contain each other."""
    texts = draw(st.lists(st.lists(st.integers(0, 1), min_size=2, max_size=24), min_size=1))
    spans = [
        sorted(draw(st.sets(st.integers(1, len(text)), min_size=2, max_size=2)))
        if len(text) > 1
        else [1, 1]
        for text in texts
    ]
    return [
        Passage(np.array(ids), (start, stop))
        for ids, (start, stop) in zip(texts, spans, strict=True)
    ]


def carry_out(plan: Schedule, given: list[Passage]) -> Counter[tuple[int, int]]:
    """Run `plan` on an arena of ids, like a model; return how often each answer token was judged.

    Every piece must find the tokens before it in its slots once all pieces of its step have
    written theirs, and every judged row must be the one that predicts its token.
    """
    arena = np.full(plan.slots, -1)
    judged: Counter[tuple[int, int]] = Counter()
    for step in plan.steps:
        ids = np.concatenate([given[p.passage].ids[p.start : p.stop] for p in step])
        for piece in step:
            own = given[piece.passage].ids[piece.start : piece.stop]
            arena[piece.slot : piece.slot + len(own)] = own
        for piece in step:
            held = np.concatenate([arena[slice(*span)] for span in piece.slots])
            np.testing.assert_array_equal(held, given[piece.passage].ids[: piece.stop])
            for one in piece.judged:
                passage = given[one.passage]
                row = passage.answer[0] + one.place - 1
                at = piece.start + one.row - piece.row
                assert at == row
                assert common_length(passage.ids, given[piece.passage].ids) > row + one.count - 1
                assert ids[one.row] == passage.ids[row]
                judged.update((one.passage, one.place + i) for i in range(one.count))
    return judged


def every_answer_once(given: list[Passage]) -> Counter[tuple[int, int]]:
    return Counter(
        (number, place)
        for number, passage in enumerate(given)
        for place in range(passage.answer[1] - passage.answer[0])
    )


def prefixes(given: list[Passage]) -> set[bytes]:
    return {p.ids[: n + 1].tobytes() for p in given for n in range(len(p.ids))}


@given(passages(), st.integers(1, 40))
def test_a_schedule_computes_every_distinct_prefix_once_and_judges_every_answer(given, tokens):
    plan = schedule(given, grow(given), tokens)

    assert carry_out(plan, given) == every_answer_once(given)
    assert plan.tokens == len(prefixes(given))
    assert all(sum(p.stop - p.start for p in step) <= tokens for step in plan.steps)


@given(passages(), st.integers(1, 40))
def test_the_arena_is_hardly_longer_than_the_longest_passage(given, tokens):
    plan = schedule(given, grow(given), tokens)

    assert plan.slots <= max(len(passage.ids) for passage in given) + tokens


@given(passages())
def test_separate_passages_are_steps_of_their_own_and_share_nothing(given):
    plan = schedule(given, separate(given), None)

    assert carry_out(plan, given) == every_answer_once(given)
    assert len(plan.steps) == len(given)
    assert plan.tokens == sum(len(passage.ids) for passage in given)


def test_a_grid_of_lengths_and_depths_costs_one_branch_a_position_and_a_question_a_cell():
    haystack, needle, question = np.arange(1_000) + 10, np.arange(5), np.arange(7)
    lengths, positions = (200, 400, 800, 1_000), (0, 100, 300, 600)
    given = [
        Passage(
            np.concatenate((haystack[:at], needle, haystack[at : length - 12], question, needle)),
            (length, length + 5),
        )
        for length in lengths
        for at in positions
        if at <= length - 12
    ]

    plan = schedule(given, grow(given), 128)

    branches = sum(1_000 - 12 + 5 - at for at in positions)
    questions = len(given) * 12
    assert plan.tokens == pytest.approx(max(positions) + branches + questions, abs=20)
    assert plan.slots <= 1_000 + 128
    assert len(plan.steps) <= plan.tokens / 128 + 2 * len(positions)


def test_pairs_count_what_every_row_sees():
    given = [Passage(np.arange(10), (5, 10))]

    assert schedule(given, grow(given), 4).pairs == 55
