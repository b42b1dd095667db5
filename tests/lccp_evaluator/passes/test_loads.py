"""The load of experts is assembled from steps that were computed for several passages."""

import numpy as np
import torch
from torch import Tensor

from lccp_evaluator.passes.loads import Loads
from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.schedule import Piece


def a_passage(*ids: int, bands: int = 2) -> Passage:
    return Passage(np.array(ids), (1, len(ids)), bands=bands)


def a_piece(passage: int, start: int, stop: int, row: int = 0) -> Piece:
    return Piece(passage, start, stop, row, (), start, ())


def chosen(*experts: int) -> list[Tensor]:
    """Choices of one layer, one expert per token."""
    return [torch.tensor(experts)[:, None]]


def test_tokens_are_counted_by_band() -> None:
    loads = Loads([a_passage(1, 2, 3, 4)], experts=3)
    loads.add([a_piece(0, 0, 4)], chosen(0, 0, 2, 1))

    assert loads.of(0).tolist() == [[[2, 0, 0], [0, 1, 1]]]


def test_a_beginning_that_was_computed_for_another_counts_for_both() -> None:
    loads = Loads([a_passage(1, 2, 3, 4), a_passage(1, 2, 5, 6)], experts=3)
    loads.add([a_piece(0, 0, 4), a_piece(1, 2, 4, row=4)], chosen(0, 1, 2, 2, 1, 1))

    assert loads.of(0).tolist() == [[[1, 1, 0], [0, 0, 2]]]
    assert loads.of(1).tolist() == [[[1, 1, 0], [0, 2, 0]]]


def test_pieces_of_several_steps_are_joined_and_layers_kept_apart() -> None:
    loads = Loads([a_passage(1, 2, 3)], experts=2)
    layers = [torch.tensor([[0, 1], [1, 0]]), torch.tensor([[1, 1], [1, 1]])]
    loads.add([a_piece(0, 0, 2)], layers)
    loads.add([a_piece(0, 2, 3)], [layer[:1] for layer in layers])

    assert loads.of(0).tolist() == [[[2, 2], [1, 1]], [[0, 4], [0, 2]]]
