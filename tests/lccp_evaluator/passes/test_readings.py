"""Readings are assembled from the steps that judged their tokens."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.finite import NotFiniteModel
from lccp_evaluator.passes.arena import Arena
from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.readings import Readings, judge
from lccp_evaluator.passes.schedule import AnswerRows, Piece
from lccp_evaluator.passes.sight import Sight
from lccp_evaluator.passes.step import Step

VOCABULARY = 5
LOGITS = torch.randn(6, VOCABULARY, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sizes", [(6,), (1, 2, 3), (4, 2)])
def test_rows_are_judged_in_blocks_as_at_once(sizes: tuple[int, ...]) -> None:
    index, targets = np.array([0, 2, 5, 2]), np.array([1, 4, 0, 3])

    nll, is_arg_max = judge(torch.split(LOGITS, sizes), index, targets)

    log_p = LOGITS.log_softmax(-1).numpy()
    np.testing.assert_allclose(nll, -log_p[index, targets], atol=1e-6)
    assert is_arg_max.tolist() == (log_p[index].argmax(-1) == targets).tolist()


def a_step(passages: Sequence[Passage], *judged: AnswerRows, sights: Any = ()) -> Step:
    """One piece of the first passage, in which these rows are judged."""
    piece = Piece(0, 0, len(passages[0].ids), 0, (), 0, judged)
    return Step([piece], passages, Arena(8), bool(sights), [list(layer) for layer in sights])


PASSAGE = Passage(np.array([3, 1, 2, 4]), (1, 4))


def test_an_answer_may_be_judged_in_several_steps() -> None:
    readings = Readings([PASSAGE])
    readings.add(a_step([PASSAGE], AnswerRows(0, 1, 1, 2)), [LOGITS[1:3]])
    readings.add(a_step([PASSAGE], AnswerRows(0, 0, 0, 1)), [LOGITS[:1]])

    (found,) = readings.collected()

    expected = -LOGITS.log_softmax(-1)[[0, 1, 2], [1, 2, 4]].numpy()
    np.testing.assert_allclose(found.nll, expected, atol=1e-6)
    assert found.copied.shape == (0, 0, 3)


def test_what_heads_see_is_a_copy_only_where_it_is_the_token_to_come() -> None:
    passage = Passage(np.array([7, 1, 2, 9, 1, 2]), (4, 6), needle=(1, 3))
    sight = Sight(
        torch.tensor([[1, 2], [2, 2], [4, 0]]),
        torch.tensor([[0.5, 0.7], [0.1, 0.1], [0.0, 0.0]]),
        torch.tensor([True, False]),
    )
    logits = torch.zeros(2, 10)
    readings = Readings([passage])
    readings.add(a_step([passage], AnswerRows(0, 3, 0, 2), sights=[[sight], [sight]]), [logits])

    (found,) = readings.collected()

    assert found.copied[0].tolist() == [[0, 1], [-1, 1], [-1, -1]]
    np.testing.assert_allclose(found.mass[1], [0.6, 0.1, 0.0], atol=1e-6)
    assert found.sees.tolist() == [[True, False]] * 2


def test_layers_must_have_equally_many_heads() -> None:
    passage = Passage(np.array([1, 2, 1]), (2, 3), needle=(0, 1))
    sights = [
        [Sight(torch.zeros(heads, 1, dtype=torch.int64), torch.zeros(heads, 1), torch.ones(1) > 0)]
        for heads in (2, 4)
    ]
    with pytest.raises(InvalidInput, match="its layers have 2 and 4 heads"):
        Readings([passage]).add(
            a_step([passage], AnswerRows(0, 1, 0, 1), sights=sights), [torch.zeros(1, 5)]
        )


def test_what_is_no_number_is_refused() -> None:
    step = a_step([PASSAGE], AnswerRows(0, 0, 0, 3))

    with pytest.raises(NotFiniteModel, match="logits are not finite"):
        Readings([PASSAGE]).add(step, [torch.full((3, VOCABULARY), math.nan)])


def test_a_likelihood_beyond_all_numbers_is_refused() -> None:
    readings = Readings([PASSAGE])
    unlikely = torch.zeros(3, VOCABULARY)
    unlikely[:, 0] = 1_000.0
    readings.add(a_step([PASSAGE], AnswerRows(0, 0, 0, 3)), [unlikely])

    with pytest.raises(NotFiniteModel, match="is 1000 nats a token: its perplexity is too large"):
        readings.collected()


def test_a_step_that_judges_nothing_runs_all_the_same() -> None:
    run: list[int] = []

    def logits() -> Iterator[Tensor]:
        run.append(1)
        yield LOGITS

    Readings([PASSAGE]).add(a_step([PASSAGE]), logits())

    assert run == [1]
