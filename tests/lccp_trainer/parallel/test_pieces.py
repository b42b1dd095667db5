"""Fragments by the names and places of Hugging Face's parameters."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from lccp_trainer.parallel.experts import fused
from lccp_trainer.parallel.fragments import WEIGHT, Fragment
from lccp_trainer.parallel.pieces import pieces

EXPERTS, HIDDEN, INNER, PROCESSES = 4, 3, 5, 2
BLOCK = "model.layers.0.mlp"
"""In the model; the objective has the model as `model`."""


class Layer(nn.Module):
    """The part of AutoEP's layer that one of two processes has: two experts."""

    _is_autoep_layer = True

    def __init__(self, rank: int, whole: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.ep_rank, self.num_local_experts = rank, EXPERTS // PROCESSES
        self.hidden_size = HIDDEN
        own = slice(rank * self.num_local_experts, (rank + 1) * self.num_local_experts)
        self.experts = nn.ParameterDict({n: nn.Parameter(w[own]) for n, w in whole.items()})
        self.router = nn.Module()
        self.router.gate = nn.Linear(HIDDEN, EXPERTS, bias=False)


def an_engine(layer: nn.Module) -> Any:
    inner = nn.Module()
    inner.layers = nn.ModuleList([nn.ModuleDict({"mlp": layer})])
    model = nn.Module()
    model.model = inner
    model.config = SimpleNamespace(model_type="mixtral")  # type: ignore[assignment]
    objective = nn.Module()
    objective.model = model
    return SimpleNamespace(module=objective)


def fragments_of(engine: Any, cut: int) -> list[Fragment]:
    """All parameters, each in two fragments."""
    found = []
    for name, parameter in engine.module.named_parameters():
        whole = Fragment(name, 0, {WEIGHT: parameter.data.flatten()})
        at = min(cut, whole.length - 1)
        found += [whole.part(0, at), whole.part(at, whole.length - at)]
    return found


@pytest.mark.parametrize("cut", [1, HIDDEN * INNER, HIDDEN * INNER + 4])
def test_the_pieces_of_all_processes_are_hugging_faces_parameters(cut: int) -> None:
    torch.manual_seed(0)
    gate, up = (torch.randn(EXPERTS, INNER, HIDDEN) for _ in range(2))
    whole = {"w1": gate, "w3": up, "w2": torch.randn(EXPERTS, HIDDEN, INNER)}
    expected = {f"{BLOCK}.{name}": weight for name, weight in fused(whole).items()}
    found = {name: torch.full((weight.numel(),), torch.nan) for name, weight in expected.items()}

    for rank in range(PROCESSES):
        engine = an_engine(Layer(rank, whole))
        for piece in pieces(engine, fragments_of(engine, cut)):
            if piece.name in found:
                values = piece.values[WEIGHT]
                assert found[piece.name][piece.start : piece.start + len(values)].isnan().all()
                found[piece.name][piece.start : piece.start + len(values)] = values

    for name, weight in expected.items():
        assert torch.equal(found[name].reshape(weight.shape), weight), name


def test_what_is_not_spread_keeps_its_place_under_hugging_faces_name() -> None:
    whole = {name: torch.zeros(EXPERTS, 1, 1) for name in ("w1", "w2", "w3")}
    engine = an_engine(Layer(0, whole))
    gate = engine.module.model.model.layers[0]["mlp"].router.gate.weight
    fragment = Fragment(f"model.{BLOCK}.router.gate.weight", 0, {WEIGHT: gate.data.flatten()})

    (piece,) = pieces(engine, [fragment.part(2, 3)])

    assert (piece.name, piece.start) == (f"{BLOCK}.gate.weight", 2)
    assert torch.equal(piece.values[WEIGHT], gate.flatten()[2:5])
