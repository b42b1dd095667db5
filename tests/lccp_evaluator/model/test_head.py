"""The LM head runs one block of rows at a time, the part below it only once."""

import pytest
import torch
from tiny_models import a_model
from torch import Tensor, nn

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.head import body_of, logits_in_blocks


class Body(nn.Module):
    """Counts its runs."""

    runs = 0

    def forward(self, tokens: Tensor) -> Tensor:
        self.runs += 1
        return tokens * 2


@pytest.mark.parametrize("at_once", [1, 2, 5, 100])
def test_blocks_are_the_rows_in_order_and_the_body_runs_once(at_once: int) -> None:
    body, tokens, rows = Body(), torch.arange(10.0), torch.tensor([0, 3, 4, 7, 9])

    blocks = list(logits_in_blocks(body, rows, at_once, lambda block: body(tokens)[block] + 1))

    assert body.runs == 1
    assert max(map(len, blocks)) <= at_once
    assert torch.equal(torch.cat(blocks), tokens[rows] * 2 + 1)


def test_the_body_runs_again_afterwards() -> None:
    body, rows = Body(), torch.arange(4)
    list(logits_in_blocks(body, rows, 1, lambda block: body(torch.ones(4))[block]))

    assert torch.equal(body(torch.full((4,), 5.0)), torch.full((4,), 10.0))
    assert body.runs == 2


def test_a_body_is_found_by_its_name_or_as_all_but_the_head() -> None:
    model = a_model("llama")
    assert body_of(model) is model.model

    model.base_model_prefix = "backbone"
    assert body_of(model) is model.model


def test_a_model_of_several_parts_below_its_head_is_refused() -> None:
    model = a_model("llama")
    model.base_model_prefix = "backbone"
    model.surplus = nn.Linear(1, 1)

    with pytest.raises(InvalidInput, match=r"'llama' cannot be evaluated: .*base_model_prefix"):
        body_of(model)
