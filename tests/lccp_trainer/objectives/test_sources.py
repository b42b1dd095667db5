import math

import pytest
import torch

from lccp_trainer.objectives.sources import SourceLosses
from lccp_trainer.parallel.attention import Documents
from lccp_trainer.parallel.shard import IGNORED, Shard


def a_shard(targets: list[list[int]], sources: list[list[int]] | None) -> Shard:
    tokens = torch.tensor(targets)
    of = None if sources is None else torch.tensor(sources)
    return Shard(tokens, tokens, torch.zeros_like(tokens), Documents(()), of)


def test_the_loss_of_a_source_is_the_mean_over_its_predicted_tokens_of_all_shards() -> None:
    losses = SourceLosses(3, torch.device("cpu"))
    first = a_shard([[5, 5, IGNORED], [5, 5, 5]], [[0, 1, 1], [1, 1, 0]])
    losses.add(first, torch.tensor([[1.0, 2.0, 0.0], [4.0, 6.0, 3.0]]))
    losses.add(a_shard([[5, 5]], [[0, 0]]), torch.tensor([[5.0, 7.0]]))
    zero, one, two = losses.take()
    assert (zero, one) == (pytest.approx(4.0), pytest.approx(4.0))
    assert math.isnan(two)


def test_what_was_taken_is_not_counted_again() -> None:
    losses = SourceLosses(1, torch.device("cpu"))
    for nll in (8.0, 2.0):
        losses.add(a_shard([[5]], None), torch.tensor([[nll]]))
        assert losses.take() == [nll]


def test_a_target_whose_loss_is_no_number_is_left_out() -> None:
    losses = SourceLosses(2, torch.device("cpu"))
    nll = torch.tensor([[1.0, math.nan, 3.0, math.inf]])
    losses.add(a_shard([[5, 5, 5, 5]], [[0, 0, 0, 1]]), nll)
    zero, one = losses.take()
    assert zero == 2.0
    assert math.isnan(one)
