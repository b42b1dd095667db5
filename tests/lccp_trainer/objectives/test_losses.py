import math

import pytest
import torch

from lccp_trainer.objectives.losses import LossTable
from lccp_trainer.parallel.attention import DocumentLayout
from lccp_trainer.parallel.shard import IGNORED, Shard

WHOLE = [0, 8]


def a_shard(
    targets: list[list[int]],
    sources: list[list[int]] | None,
    positions: list[list[int]] | None = None,
) -> Shard:
    tokens = torch.tensor(targets)
    of = None if sources is None else torch.tensor(sources)
    at = torch.zeros_like(tokens) if positions is None else torch.tensor(positions)
    return Shard(tokens, tokens, at, DocumentLayout(()), of)


def a_table(sources: int, edges: list[int] = WHOLE) -> LossTable:
    return LossTable(sources, edges, torch.device("cpu"))


def test_the_loss_of_a_source_is_the_mean_over_its_predicted_tokens_of_all_shards() -> None:
    losses = a_table(3)
    first = a_shard([[5, 5, IGNORED], [5, 5, 5]], [[0, 1, 1], [1, 1, 0]])
    losses.add(first, torch.tensor([[1.0, 2.0, 0.0], [4.0, 6.0, 3.0]]))
    losses.add(a_shard([[5, 5]], [[0, 0]]), torch.tensor([[5.0, 7.0]]))
    losses.exchange()
    zero, one, two = losses.take().by_source
    assert (zero, one) == (pytest.approx(4.0), pytest.approx(4.0))
    assert math.isnan(two)


def test_a_predicted_token_counts_in_the_band_of_its_own_position() -> None:
    """Positions 3, 4, 7 and 1 are predicted from those before them."""
    losses = a_table(2, [0, 4, 6, 8])
    shard = a_shard([[5, 5, 5, 5, IGNORED]], [[0, 0, 0, 1, 1]], [[2, 3, 6, 0, 1]])
    losses.add(shard, torch.tensor([[1.0, 2.0, 3.0, 4.0, 0.0]]))
    losses.exchange()
    taken = losses.take()
    assert taken.nll.tolist() == [[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]]
    assert taken.predicted.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert [(one.start, one.end, one.share) for one in taken.shares] == [
        (0, 4, 0.5),
        (4, 6, 0.25),
        (6, 8, 0.25),
    ]


def test_before_anything_was_predicted_no_band_has_a_share() -> None:
    assert [one.share for one in a_table(1, [0, 4, 8]).take().shares] == [0.0, 0.0]


def test_what_was_taken_is_not_counted_again() -> None:
    losses = a_table(1)
    for nll in (8.0, 2.0):
        losses.add(a_shard([[5]], None), torch.tensor([[nll]]))
        losses.exchange()
        assert losses.take().by_source == [nll]


def test_a_target_whose_loss_is_no_number_is_left_out() -> None:
    losses = a_table(2)
    nll = torch.tensor([[1.0, math.nan, 3.0, math.inf]])
    losses.add(a_shard([[5, 5, 5, 5]], [[0, 0, 0, 1]]), nll)
    losses.exchange()
    zero, one = losses.take().by_source
    assert zero == 2.0
    assert math.isnan(one)
