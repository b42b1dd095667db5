"""What a model computes and holds."""

from typing import Any

import pytest
import torch
from tiny_models import a_model
from torch import Tensor

from lccp_evaluator.model import capture
from lccp_evaluator.model.attention import CausalMask
from lccp_evaluator.model.capture import Call
from lccp_evaluator.model.size import Size
from reference.compared import FAMILIES

OWN = {"gpt_neox": {"num_key_value_heads": None}}
"""What a family's own configurations say otherwise."""


def test_weights_cache_and_widths_are_those_of_the_model() -> None:
    model = a_model("llama")
    size = Size.of(model)

    assert size.weight_bytes == 4 * sum(weight.numel() for weight in model.parameters())
    assert (size.vocabulary, size.hidden, size.attention_width) == (97, 32, 3 * 4 * 8)
    assert size.cache_bytes == 2 * 3 * 2 * 8 * 4
    layers = sum(w.numel() for w in model.model.layers.parameters() if w.ndim == 2)
    assert size.multiplied == layers


def test_half_precision_halves_what_is_held_and_changes_no_count() -> None:
    whole, half = Size.of(a_model("llama")), Size.of(a_model("llama").bfloat16())

    assert (half.weight_bytes, half.cache_bytes) == (
        whole.weight_bytes // 2,
        whole.cache_bytes // 2,
    )
    assert half.multiplied == whole.multiplied


def test_of_experts_those_that_are_chosen_count() -> None:
    one, two, four = (
        Size.of(a_model("mixtral", num_experts_per_tok=chosen)).multiplied for chosen in (1, 2, 4)
    )

    assert two - one == (four - two) / 2 > 0


class Widths:
    """An observer that adds up what layers keep, and what their heads compare and add up."""

    cached, attended = 0, 0.0

    def mask(self, mask: CausalMask, asked: dict[str, Any]) -> None:
        """Nothing to do."""

    def attend(self, call: Call) -> Tensor:
        _, heads, tokens, size = call.query.shape
        self.cached += call.key.shape[1] * (size + call.value.shape[-1])
        self.attended += heads * (size + call.value.shape[-1]) / 2
        return call.query.new_zeros(1, tokens, heads, call.value.shape[-1])


@pytest.mark.parametrize("family", FAMILIES)
def test_keys_and_values_are_as_wide_as_those_of_a_pass(family: str) -> None:
    model_type, settings = FAMILIES[family]
    model, seen = a_model(model_type, **OWN.get(model_type, {}) | settings), Widths()
    with torch.no_grad(), capture.observing(seen):
        model(torch.arange(3, 12)[None], use_cache=False, logits_to_keep=torch.arange(9))

    size = Size.of(model)

    assert (size.attention_width, size.cache_bytes) == (seen.attended, 4 * seen.cached)


def test_layers_of_different_widths_are_added_up() -> None:
    layers = ["sliding_attention", "full_attention"]
    widths = {"head_dim": 8, "global_head_dim": 16, "num_global_key_value_heads": None}
    model = a_model("gemma4_text", num_hidden_layers=2, layer_types=layers, **widths)

    assert Size.of(model).attention_width == 4 * (8 + 16)
    assert Size.of(model).cache_bytes == 2 * 2 * (8 + 16) * 4


def test_a_model_without_attention_has_no_width() -> None:
    size = Size.of(a_model("mamba", state_size=4, num_attention_heads=None))

    assert (size.attention_width, size.cache_bytes) == (0, 0)
    assert size.weight_bytes > 0
