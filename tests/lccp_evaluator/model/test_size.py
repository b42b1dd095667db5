"""What a model computes and holds."""

import pytest
from families import LATENT
from tiny_models import a_model

from lccp_evaluator.model.size import Size


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


def test_keys_and_values_of_latent_attention_have_widths_of_their_own() -> None:
    size = Size.of(a_model("deepseek_v3", **LATENT))

    assert size.attention_width == 3 * 4 * ((8 + 8) + 4) / 2
    assert size.cache_bytes == 3 * 4 * ((8 + 8) + 4) * 4


@pytest.mark.parametrize("model_type", ["olmo2", "mixtral", "hunyuan_v1_moe", "qwen3_moe"])
def test_a_family_has_the_same_widths_whether_it_is_known_or_not(model_type: str) -> None:
    size = Size.of(a_model(model_type))

    assert (size.attention_width, size.cache_bytes) == (3 * 4 * 8, 2 * 3 * 2 * 8 * 4)
