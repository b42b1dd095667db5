"""Keys and values of all layers, by slot."""

import torch
from torch import Tensor

from lccp_evaluator.passes.arena import Arena


def keys(count: int, value: float) -> Tensor:
    return torch.full((2, count, 3), value)


def test_what_was_put_is_read_by_spans_without_a_copy() -> None:
    arena = Arena(8)
    arena.put(0, 0, keys(4, 1.0), keys(4, -1.0))
    arena.put(0, 5, keys(2, 2.0), keys(2, -2.0))

    first, second = arena.parts(0, [(1, 4), (5, 7)])

    assert torch.equal(first[0], keys(3, 1.0))
    assert torch.equal(second[1], keys(2, -2.0))
    arena.put(0, 2, keys(1, 9.0), keys(1, 9.0))
    assert first[0][:, 1].tolist() == [[9.0] * 3] * 2


def test_layers_are_made_as_they_come_each_of_its_own_size_and_type() -> None:
    arena = Arena(4)
    arena.put(0, 0, keys(4, 1.0), keys(4, 1.0))
    arena.put(1, 0, torch.ones(1, 4, 5, dtype=torch.bfloat16), torch.ones(1, 4, 2))

    ((key, value),) = arena.parts(1, [(0, 4)])
    assert (key.shape, value.shape) == ((1, 4, 5), (1, 4, 2))
    assert (key.dtype, value.dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(arena.parts(0, [(0, 4)])[0][0], keys(4, 1.0))
