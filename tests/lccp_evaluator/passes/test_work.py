"""The cost of a schedule is counted before it is run."""

import numpy as np

from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.schedule import AnswerRows, Piece
from lccp_evaluator.passes.work import Work

PASSAGES = [
    Passage(np.array([1, 2, 3, 4, 5]), (3, 5), needle=(1, 2)),
    Passage(np.array([1, 2, 6]), (2, 3)),
]
FIRST = (Piece(0, 0, 5, 0, (), 0, (AnswerRows(0, 2, 0, 2), AnswerRows(1, 3, 0, 1))),)
SECOND = (Piece(1, 2, 3, 0, ((0, 2),), 5, (AnswerRows(1, 0, 0, 1),)),)


def test_tokens_pairs_and_rows_are_counted_by_pass() -> None:
    assert Work.of([FIRST], PASSAGES, watches=False) == Work(1, 5, 15, 1, 2, 0)
    assert Work.of([SECOND], PASSAGES, watches=False) == Work(1, 1, 3, 1, 1, 0)


def test_heads_are_watched_where_there_is_a_needle() -> None:
    assert Work.of([FIRST, SECOND], PASSAGES, watches=True).watched == 2 * 5


def test_work_adds_up() -> None:
    parts = [Work.of([step], PASSAGES, watches=True) for step in (FIRST, SECOND)]

    assert parts[0] + parts[1] == Work.of([FIRST, SECOND], PASSAGES, watches=True)
