"""Which experts a model's routers choose, read where the experts are called."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.experts import choices, count, expert_layers


class Experts(nn.Module):
    num_experts = 4

    def forward(self, hidden: Tensor, top_k_index: Tensor) -> Tensor:
        return hidden


class NoExperts(nn.Module):
    """Claims to have experts, but receives no chosen ones."""

    num_experts = 4

    def forward(self, hidden: Tensor, weights: Tensor) -> Tensor:
        return hidden


def a_net(*layers: nn.Module) -> Any:
    net = nn.Sequential(*layers)
    net.config = SimpleNamespace(model_type="made_up")  # type: ignore[assignment]
    return net


def test_layers_are_known_by_what_they_are_given() -> None:
    one, other = Experts(), Experts()

    assert expert_layers(a_net(one, nn.Linear(1, 1), NoExperts(), other)) == [one, other]
    assert count(a_net(one, other)) == 4


def test_choices_are_read_in_the_order_of_the_layers_by_place_or_name() -> None:
    first, second = Experts(), Experts()
    hidden, one, other = torch.zeros(2, 1), torch.tensor([[0], [1]]), torch.tensor([[2], [3]])

    with choices(a_net(first, second)) as chosen:
        first(hidden, one)
        second(hidden, top_k_index=other)
    first(hidden, other)

    assert len(chosen) == 2
    assert torch.equal(chosen[0], one)
    assert torch.equal(chosen[1], other)


@pytest.mark.parametrize(
    ("numbers", "sentence"), [((), "has no experts"), ((4, 8), "has layers of 4 and 8 experts")]
)
def test_a_model_whose_load_is_not_told_is_refused(numbers: tuple[int, ...], sentence: str) -> None:
    layers = [Experts() for _ in numbers]
    for layer, number in zip(layers, numbers, strict=True):
        layer.num_experts = number

    with pytest.raises(InvalidInput, match=f"model type 'made_up' {sentence}"):
        count(a_net(*layers))
