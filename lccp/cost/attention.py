"""The size of one layer's attention, counted from a Hugging Face configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from lccp.contract.errors import InvalidInput
from lccp.cost.fields import integer

LATENT = ("deepseek_v2", "deepseek_v3")
"""Model types with multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1)."""
NORMED_HEADS = ("qwen3", "qwen3_moe", "hunyuan_v1_dense", "hunyuan_v1_moe")
BIASED = ("llama", "qwen3", "qwen3_moe", "hunyuan_v1_dense", "hunyuan_v1_moe")
"""Types that read `attention_bias`; qwen2 always has a bias on its query, key and value."""


@dataclass(frozen=True)
class Attention:
    """Heads of one layer; every query head has a key head, which several may share."""

    heads: int
    key_value_heads: int
    query_size: int
    """Of one head's query, and of a key."""
    value_size: int
    """Of one head's value."""
    parameters: int
    """Projections, their biases, and norms within."""
    latent_size: int = 0
    """Elements of a token from which queries, keys and values are projected again; 0: none."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Raises InvalidInput if a field is missing or not a number."""
        hidden, heads = integer(config, "hidden_size"), integer(config, "num_attention_heads")
        if heads < 1:
            raise InvalidInput("config.json: num_attention_heads must be 1 or more, not 0")
        if config["model_type"] in LATENT:
            return cls._latent(config, hidden, heads)
        key_value = integer(config, "num_key_value_heads", default=heads)
        size = integer(config, "head_dim", default=hidden // heads)
        projections = 2 * hidden * (heads + key_value) * size
        parameters = projections + _extras(config, heads, key_value, size)
        return cls(heads, key_value, size, size, parameters)

    @classmethod
    def _latent(cls, config: Mapping[str, Any], hidden: int, heads: int) -> Self:
        low, rope = integer(config, "kv_lora_rank"), integer(config, "qk_rope_head_dim")
        plain, value = integer(config, "qk_nope_head_dim"), integer(config, "v_head_dim")
        query_low = integer(config, "q_lora_rank", default=0)
        width = heads * (plain + rope)
        query = query_low * (hidden + 1 + width) if query_low else hidden * width
        key_value = hidden * (low + rope) + low * (1 + heads * (plain + value))
        biases = query_low + low + rope + hidden if config.get("attention_bias", False) else 0
        parameters = query + key_value + heads * value * hidden + biases
        return cls(heads, heads, plain + rope, value, parameters, 2 * (query_low + low))

    @property
    def width(self) -> float:
        """Mean of the widths that query heads compare and add up, over all heads together."""
        return self.heads * (self.query_size + self.value_size) / 2

    @property
    def cached(self) -> int:
        """Elements of keys and values of one token."""
        return self.key_value_heads * (self.query_size + self.value_size)


def _extras(config: Mapping[str, Any], heads: int, key_value: int, size: int) -> int:
    """Biases and head norms."""
    kind = config["model_type"]
    normed = 2 * size if kind in NORMED_HEADS else 0
    query_key_value = (heads + 2 * key_value) * size
    if kind == "qwen2":
        return query_key_value
    biased = kind in BIASED and config.get("attention_bias", False)
    return normed + (query_key_value + integer(config, "hidden_size") if biased else 0)
