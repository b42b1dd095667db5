"""Fused attention tells the logarithm of each row's sum."""

import pytest
import torch
from torch import Tensor

from lccp_evaluator.model.kernels import fused, have


def random(*sizes: int) -> Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(sum(sizes)))


@pytest.mark.parametrize("value_size", [5, 8, 12], ids=["narrower", "alike", "wider"])
@pytest.mark.parametrize("is_causal", [True, False])
def test_output_and_sum_are_those_of_a_softmax(value_size: int, is_causal: bool) -> None:
    tokens = 9 if is_causal else 13
    query, key, value = random(2, 9, 8), random(2, tokens, 8), random(2, tokens, value_size)
    scores = query @ key.transpose(1, 2) * 0.4
    if is_causal:
        scores.masked_fill_(torch.ones(9, 9).triu(1).bool(), -torch.inf)

    output, log_sum = fused(query, key, value, 0.4, is_causal)

    assert torch.allclose(output, scores.softmax(-1) @ value, atol=1e-5)
    assert torch.allclose(log_sum, scores.logsumexp(-1), atol=1e-5)


def test_half_precision_gives_float32() -> None:
    query = random(2, 9, 8).bfloat16()

    assert {one.dtype for one in fused(query, query, query, 0.4, True)} == {torch.float32}


def test_whole_numbers_have_no_kernel() -> None:
    assert have(torch.zeros(1))
    assert not have(torch.zeros(1, dtype=torch.int64))
    assert not have(torch.zeros(1, device="meta"))
