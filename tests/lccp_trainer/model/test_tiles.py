import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from deepspeed.moe.ep_experts import GroupedExperts
from equality import make_model
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoConfig, AutoModelForCausalLM

from layouts import LENGTH, SIZES, VOCABULARY
from lccp.cost import memory
from lccp_trainer.model.tiles import tile_feed_forward, tile_routed_experts

ROWS, TILE = 2, 5
FAMILIES = ("llama", "hunyuan_v1_dense", "hunyuan_v1_moe", "deepseek_v3")
ROUTED = ("qwen3_moe", "hunyuan_v1_moe", "mixtral", "deepseek_v3")
CHOSEN = 2
INNER = SIZES["intermediate_size"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "TILE_ELEMENTS", TILE * INNER)


def a_model(family: str, models: Path, checkpointing: bool = False) -> Any:
    model = AutoModelForCausalLM.from_pretrained(make_model(family, models)).train()
    if checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    return model


@pytest.fixture(scope="module")
def whole(models: Path) -> Callable[[str], list[torch.Tensor]]:
    """Gives the loss and the gradients of a family's model without tiles."""
    return cache(lambda family: loss_and_gradients(a_model(family, models)))


def loss_and_gradients(model: Any) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, VOCABULARY, (ROWS, LENGTH), generator=generator)
    loss = model(input_ids=ids, labels=ids).loss
    return [loss, *torch.autograd.grad(loss, list(model.parameters()))]


@pytest.mark.parametrize(
    ("tile", "family"),
    [
        *((tile_feed_forward, family) for family in FAMILIES),
        *((tile_routed_experts, family) for family in ROUTED),
    ],
)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_loss_and_gradients_are_those_without_tiles(
    tile: Any,
    family: str,
    checkpointing: bool,
    models: Path,
    whole: Callable[[str], list[torch.Tensor]],
) -> None:
    model = a_model(family, models, checkpointing)
    assert tile(model, ROWS * LENGTH)
    for found, expected in zip(loss_and_gradients(model), whole(family), strict=True):
        assert (found - expected).abs().max() <= 1e-6


class _Largest(TorchDispatchMode):
    """Notes the most tokens of which an inner part exists in one tensor."""

    tokens = 0

    def __init__(self, inner: int) -> None:
        super().__init__()
        self._inner = inner

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = function(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and out.ndim > 1 and out.shape[-1] == self._inner:
            self.tokens = max(self.tokens, out.shape[:-1].numel())
        return out


def test_the_inner_part_never_exists_whole_neither_forward_nor_backward(models: Path) -> None:
    model = a_model("llama", models, checkpointing=True)
    tile_feed_forward(model, ROWS * LENGTH)
    with _Largest(INNER) as largest:
        loss_and_gradients(model)
    of_a_weight = SIZES["hidden_size"]
    assert largest.tokens == of_a_weight < ROWS * LENGTH


@pytest.mark.parametrize("family", ROUTED)
def test_the_inner_part_of_routed_experts_never_exists_whole(family: str, models: Path) -> None:
    model = a_model(family, models, checkpointing=True)
    experts = next(module.experts for module in model.modules() if hasattr(module, "experts"))
    gate_and_up = 2 * experts.intermediate_dim
    with _Largest(gate_and_up) as whole:
        loss_and_gradients(model)
    tile_routed_experts(model, ROWS * LENGTH)
    with _Largest(gate_and_up) as tiled:
        loss_and_gradients(model)
    assert whole.tokens == CHOSEN * ROWS * LENGTH
    assert tiled.tokens <= experts.num_experts * SIZES["hidden_size"], "more than a weight"


def test_routed_experts_are_computed_whole_where_tiles_would_hold_more(models: Path) -> None:
    """The gradients of their weights are as large as the values of 28.8 tokens."""
    model = a_model("qwen3_moe", models)
    assert tile_routed_experts(model, TILE + 28) == 0
    assert tile_routed_experts(model, TILE + 29) == SIZES["num_hidden_layers"]


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("counts", [[8, 144, 0, 16], [0, 0, 168, 0], [0, 0, 0, 0]])
def test_experts_that_processes_share_are_computed_in_tiles_of_their_rows(
    grouped: bool, counts: list[int], models: Path
) -> None:
    """As AutoEP calls them: rows by expert, the last ones padding, of which nothing is used."""
    torch.manual_seed(0)
    hidden, used, of_experts = SIZES["hidden_size"], sum(counts), torch.tensor(counts).int()
    model, inputs = a_model("qwen3_moe", models), torch.randn(192, hidden)
    for module in [part for part in model.modules() if hasattr(part, "experts")]:
        module.experts = GroupedExperts(hidden, 4 * TILE, 4, use_grouped_mm=grouped)
        for weight in module.experts.parameters():
            torch.nn.init.normal_(weight, std=0.1)

    def computed() -> list[torch.Tensor]:
        given = inputs.clone().requires_grad_()
        out = module.experts(given, of_experts)[:used]
        out.pow(2).sum().backward()
        of_weights = [weight.grad for weight in module.experts.parameters()]
        module.experts.zero_grad()
        return [out, given.grad[:used], *of_weights]

    with _Largest(4 * TILE) as whole:
        expected = computed()
    assert tile_routed_experts(model, ROWS * LENGTH, processes=2) == SIZES["num_hidden_layers"]
    with _Largest(4 * TILE) as tiled:
        found = computed()
    assert whole.tokens >= max(counts)
    assert tiled.tokens == 4 * hidden, "more than a weight"
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_short_rows_are_computed_whole(models: Path) -> None:
    assert tile_feed_forward(a_model("llama", models), TILE) == []


def test_blocks_whose_parts_are_not_known_are_told(caplog: pytest.LogCaptureFixture) -> None:
    config = AutoConfig.for_model("gpt_neox", **SIZES)
    with caplog.at_level(logging.INFO):
        assert tile_feed_forward(AutoModelForCausalLM.from_config(config), 10**9) == []
    assert "none is computed in tiles" in caplog.text
