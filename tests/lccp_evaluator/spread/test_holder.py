"""A process that holds a shard computes its part of each call."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lccp_evaluator.model.execution import Execution, ExecutionPlan
from lccp_evaluator.spread.holder import serve
from lccp_evaluator.spread.orders import ExpertCall
from lccp_evaluator.spread.shards import form, joined


class Experts(nn.Module):
    """Records its input."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[tuple[Tensor, Tensor]] = []

    def forward(self, hidden: Tensor, top_k_index: Tensor) -> None:
        self.given.append((hidden, top_k_index))


def test_a_call_reaches_the_experts_of_its_layer_in_the_form_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    layers = [Experts(), Experts()]
    call = ExpertCall(1, [form(torch.zeros(3, 8))], {"top_k_index": form(torch.zeros(3, 2).long())})
    told = [call]

    class Orders:
        @staticmethod
        def recv() -> ExpertCall:
            if not told:
                raise EOFError
            return told.pop()

    plan = ExecutionPlan.here(Execution("cpu"))
    with joined(plan, tmp_path / "meeting", 0, 0), pytest.raises(EOFError):
        serve(Orders, layers, torch.device("cpu"))

    assert not layers[0].given
    ((hidden, index),) = layers[1].given
    assert (hidden.shape, hidden.dtype) == ((3, 8), torch.float32)
    assert (index.shape, index.dtype) == ((3, 2), torch.int64)
