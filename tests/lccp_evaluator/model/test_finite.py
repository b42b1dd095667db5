"""NaN and infinite values are reported with the layer where they begin."""

import math

import pytest
import torch
from torch import Tensor, nn

from lccp_evaluator.model.finite import NotFiniteModel, check_finite, check_weights, named


class Shut(nn.Module):
    """Returns non-finite values, whatever its input."""

    def forward(self, values: Tensor) -> tuple[Tensor, None]:
        return values / 0, None


class First(nn.Module):
    def forward(self, values: tuple[Tensor, None]) -> Tensor:
        return values[0]


def run(model: nn.Module) -> NotFiniteModel:
    def forward() -> None:
        check_finite(model(torch.ones(1, 2)))

    return named(model, forward)


def test_finite_values_pass() -> None:
    check_finite(torch.ones(3), torch.zeros(0))
    check_weights(nn.Linear(2, 2))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_found(value: float) -> None:
    with pytest.raises(NotFiniteModel):
        check_finite(torch.ones(3), torch.tensor([1.0, value]))


def test_a_weight_is_named_first() -> None:
    model = nn.Sequential(nn.Linear(2, 2), Shut())
    with torch.no_grad():
        model[0].weight[0, 0] = math.nan

    assert str(run(model)) == "weights are not finite: 0.weight holds NaN or infinite values"


def test_the_layer_where_they_begin_is_named_every_time() -> None:
    model = nn.Sequential(nn.Linear(2, 2), Shut(), First(), nn.Linear(2, 2))

    assert str(run(model)).endswith("first come from 1")
    assert str(run(model)).endswith("first come from 1")


def test_without_such_a_layer_the_logits_are_named() -> None:
    assert str(run(nn.Sequential(nn.Linear(2, 2)))).endswith("first come from the logits")
