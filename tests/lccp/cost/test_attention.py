"""The size of one layer's attention, counted by hand."""

from typing import Any

import pytest

from lccp.contract.errors import InvalidInput
from lccp.cost.attention import Attention

BASE = {"hidden_size": 8, "num_attention_heads": 4}


def of(**changes: Any) -> Attention:
    return Attention.from_config({"model_type": "llama", **BASE, **changes})


def test_heads_share_the_hidden_size_unless_it_is_said() -> None:
    assert of() == Attention(4, 4, 2, 2, parameters=4 * 8 * 8)
    grouped = of(num_key_value_heads=1, head_dim=3)
    assert grouped == Attention(4, 1, 3, 3, parameters=2 * 8 * 4 * 3 + 2 * 8 * 3)
    assert (grouped.width, grouped.cached) == (12, 6)


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"attention_bias": True}, 3 * 8 + 8),
        ({"model_type": "qwen2"}, 3 * 8),
        ({"model_type": "qwen3"}, 2 * 2),
        ({"model_type": "qwen3", "attention_bias": True}, 2 * 2 + 3 * 8 + 8),
        ({"model_type": "mixtral", "attention_bias": True}, 0),
    ],
)
def test_biases_and_norms_are_those_that_a_type_reads(changes: dict[str, Any], more: int) -> None:
    assert of(**changes).parameters == 4 * 8 * 8 + more


def test_latent_heads_are_projected_from_few_elements() -> None:
    """Query: 8 -> 3 -> 4 heads of 5; key and value: 8 -> 2 + 1, and 2 -> 4 heads of 4 + 6."""
    latent = {"kv_lora_rank": 2, "qk_rope_head_dim": 1, "qk_nope_head_dim": 4, "v_head_dim": 6}
    found = of(model_type="deepseek_v3", q_lora_rank=3, **latent)

    query, output = 8 * 3 + 3 + 3 * 4 * 5, 4 * 6 * 8
    key_value = 8 * (2 + 1) + 2 + 2 * 4 * (4 + 6)
    assert found == Attention(4, 4, 5, 6, query + key_value + output, latent_size=10)
    assert (found.width, found.cached) == (4 * 11 / 2, 4 * 11)


def test_a_model_without_heads_is_refused() -> None:
    with pytest.raises(InvalidInput, match="num_attention_heads must be 1 or more"):
        of(num_attention_heads=0)
