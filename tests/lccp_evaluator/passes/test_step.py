"""One step as a forward pass: its pieces in one row, each with its own past."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from lccp_evaluator.model.attention import ScoreForm, attend
from lccp_evaluator.model.capture import Call
from lccp_evaluator.passes.arena import Arena
from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.schedule import AnswerRows, Piece
from lccp_evaluator.passes.step import Step

PASSAGES = [
    Passage(np.array([1, 2, 3, 4, 5]), (3, 5), needle=(1, 2)),
    Passage(np.array([1, 2, 6, 7]), (3, 4)),
]
PIECES = (
    Piece(0, 0, 5, 0, (), 0, (AnswerRows(0, 2, 0, 2),)),
    Piece(1, 2, 4, 5, ((0, 2),), 5, (AnswerRows(1, 5, 0, 1),)),
)


def a_step(watches: bool = True) -> Step:
    return Step(PIECES, PASSAGES, Arena(7), watches)


def test_ids_and_positions_are_those_of_the_pieces() -> None:
    ids, positions = a_step().inputs(torch.device("cpu"))

    assert ids.tolist() == [[1, 2, 3, 4, 5, 6, 7]]
    assert positions.tolist() == [[0, 1, 2, 3, 4, 2, 3]]


def test_judged_rows_are_kept_and_watched_where_there_is_a_needle() -> None:
    assert a_step().kept_rows.tolist() == [2, 3, 5]
    assert [one.passage for one in a_step().watched] == [0]
    assert a_step(watches=False).watched == []
    nothing = Step([Piece(0, 0, 5, 0, (), 0, ())], PASSAGES, Arena(5), True)
    assert nothing.kept_rows.tolist() == []


def test_a_row_may_predict_for_several_passages_and_is_kept_once() -> None:
    piece = Piece(0, 0, 5, 0, (), 0, (AnswerRows(0, 2, 0, 2), AnswerRows(1, 3, 0, 1)))

    assert Step([piece], PASSAGES, Arena(5), False).kept_rows.tolist() == [2, 3]


def test_the_last_layer_attends_at_judged_rows_only() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, 2, 7, 4, generator=generator) for _ in range(3))
    call = Call(nn.Linear(1, 1), query, key, value, ScoreForm(0.5), {})
    whole, step = a_step().attend(call), replace(a_step(), layers=2)

    first, last = step.attend(call), step.attend(call)

    assert torch.equal(first, whole)
    assert torch.allclose(last[0, [2, 3, 5]], whole[0, [2, 3, 5]], atol=1e-6)
    assert not last[0, [0, 1, 4, 6]].any()
    assert torch.equal(step.sights[1][0].position, step.sights[0][0].position)


def test_a_last_layer_without_judged_rows_attends_nowhere() -> None:
    piece, ones = Piece(0, 0, 5, 0, (), 0, ()), torch.ones(1, 2, 5, 4)
    step = Step([piece], PASSAGES, Arena(5), True, layers=1)

    output = step.attend(Call(nn.Linear(1, 1), ones, ones, ones, ScoreForm(0.5), {}))

    assert not output.any()


def test_every_piece_attends_over_its_own_past() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, 2, 7, 4, generator=generator) for _ in range(3))
    step, form = a_step(), ScoreForm(0.5)

    output = step.attend(Call(nn.Linear(1, 1), query, key, value, form, {}))

    assert output.shape == (1, 7, 2, 4)
    for rows, own in ((range(5), range(5)), ([5, 6], [0, 1, 5, 6])):
        alone = attend(
            query[0][:, list(rows)], [(key[0][:, list(own)], value[0][:, list(own)])], form
        )
        assert torch.allclose(output[0, list(rows)].transpose(0, 1), alone, atol=1e-6)
    ((sight,),) = step.sights
    assert sight.position.shape == (2, 2)
    scores = query[0][:, 2:4] @ key[0][:, :5].transpose(1, 2)
    causal = torch.arange(5) <= torch.tensor([[2], [3]])
    assert torch.equal(sight.position, scores.masked_fill(~causal, -torch.inf).argmax(-1))
