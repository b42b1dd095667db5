"""The size of a model, counted from its Hugging Face configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from lccp.contract.errors import InvalidInput

DENSE = ("llama", "mistral", "qwen2", "qwen3", "hunyuan_v1_dense")
SPARSE = ("mixtral", "qwen3_moe", "hunyuan_v1_moe")
NORMED_HEADS = ("qwen3", "qwen3_moe", "hunyuan_v1_dense", "hunyuan_v1_moe")
BIASED_ATTENTION = ("llama", "qwen3", "qwen3_moe", "hunyuan_v1_dense", "hunyuan_v1_moe")
"""Types that read `attention_bias`; qwen2 always has a bias on its query, key and value."""


@dataclass(frozen=True)
class FeedForward:
    """The feed-forward part of one layer: gated (SwiGLU), dense or of experts."""

    size: int
    """Inner width of what every token passes: the dense block or the shared expert; 0: none."""
    experts: int = 0
    """Routed experts; 0: a dense layer."""
    chosen: int = 0
    """Routed experts that a token passes."""
    expert_size: int = 0
    """Inner width of a routed expert."""
    bias: bool = False

    @property
    def width(self) -> int:
        """Inner width that one token passes, over all its experts."""
        return self.size + self.chosen * self.expert_size

    def parameters(self, hidden_size: int, experts: int) -> int:
        """Parameters with `experts` of the routed ones counted, the router included."""
        biases = (2 * self.size + hidden_size) if self.bias else 0
        gated = 3 * hidden_size * (self.size + experts * self.expert_size)
        return gated + biases + self.experts * hidden_size


@dataclass(frozen=True)
class Architecture:
    """A decoder with rotary positions, grouped-query attention and gated feed-forward layers."""

    hidden_size: int
    vocabulary_size: int
    heads: int
    key_value_heads: int
    head_size: int
    tied_embeddings: bool
    attention_extras: int
    """Biases and head norms of one layer's attention."""
    feed_forward: tuple[FeedForward, ...]
    """One a layer."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The architecture that `config` (a parsed config.json) describes.

        Raises:
            InvalidInput: its model type is not known here, or a field is missing or no number.
        """
        kind = config.get("model_type")
        if kind not in DENSE + SPARSE:
            known = ", ".join(sorted(DENSE + SPARSE))
            raise InvalidInput(f"config.json: model_type {kind!r} can't be counted; known: {known}")
        hidden, heads = _integer(config, "hidden_size"), _integer(config, "num_attention_heads")
        key_value = _integer(config, "num_key_value_heads", default=heads)
        size = _integer(config, "head_dim", default=hidden // heads)
        return cls(
            hidden_size=hidden,
            vocabulary_size=_integer(config, "vocab_size"),
            heads=heads,
            key_value_heads=key_value,
            head_size=size,
            tied_embeddings=bool(config.get("tie_word_embeddings", False)),
            attention_extras=_attention_extras(config, heads, key_value, size),
            feed_forward=_feed_forward(config),
        )

    @property
    def layers(self) -> int:
        return len(self.feed_forward)

    @property
    def attention_width(self) -> int:
        """Width of all query heads together."""
        return self.heads * self.head_size

    @property
    def parameters(self) -> int:
        """All parameters; tied embeddings count once."""
        return self._parameters([layer.experts for layer in self.feed_forward])

    @property
    def active_parameters(self) -> int:
        """Parameters that one token passes: of the routed experts, those that are chosen."""
        return self._parameters([layer.chosen for layer in self.feed_forward])

    def _parameters(self, experts: list[int]) -> int:
        key_value_width = self.key_value_heads * self.head_size
        projections = 2 * self.hidden_size * (self.attention_width + key_value_width)
        norms = 2 * self.hidden_size
        blocks = sum(
            layer.parameters(self.hidden_size, counted)
            for layer, counted in zip(self.feed_forward, experts, strict=True)
        )
        embeddings = self.vocabulary_size * self.hidden_size * (1 if self.tied_embeddings else 2)
        attention = self.layers * (projections + self.attention_extras + norms)
        return embeddings + attention + blocks + self.hidden_size


def _attention_extras(config: Mapping[str, Any], heads: int, key_value: int, size: int) -> int:
    kind = config["model_type"]
    normed = 2 * size if kind in NORMED_HEADS else 0
    query_key_value = (heads + 2 * key_value) * size
    if kind == "qwen2":
        return query_key_value
    biased = kind in BIASED_ATTENTION and config.get("attention_bias", False)
    return normed + (query_key_value + _integer(config, "hidden_size") if biased else 0)


def _feed_forward(config: Mapping[str, Any]) -> tuple[FeedForward, ...]:
    layers = range(_integer(config, "num_hidden_layers"))
    dense = FeedForward(_integer(config, "intermediate_size"), bias=_mlp_bias(config))
    match config["model_type"]:
        case "mixtral":
            return tuple(_routed(config, layer, 0, dense.size) for layer in layers)
        case "hunyuan_v1_moe":
            return tuple(_routed(config, layer, dense.size, dense.size) for layer in layers)
        case "qwen3_moe":
            width = _integer(config, "moe_intermediate_size")
            step = _integer(config, "decoder_sparse_step", default=1)
            only_dense = config.get("mlp_only_layers") or ()
            return tuple(
                _routed(config, layer, 0, width)
                if layer not in only_dense and (layer + 1) % step == 0
                else dense
                for layer in layers
            )
        case _:
            return tuple(dense for _ in layers)


def _mlp_bias(config: Mapping[str, Any]) -> bool:
    return config["model_type"] == "llama" and bool(config.get("mlp_bias", False))


def _routed(config: Mapping[str, Any], layer: int, shared: int, width: int) -> FeedForward:
    return FeedForward(
        size=shared,
        experts=_integer(config, "num_experts", "num_local_experts", layer=layer),
        chosen=_integer(config, "num_experts_per_tok", "moe_topk", layer=layer),
        expert_size=width,
    )


def _integer(
    config: Mapping[str, Any], *names: str, default: int | None = None, layer: int = 0
) -> int:
    """The first of `names` that is set; a list holds one value a layer."""
    found = next((config[name] for name in names if config.get(name) is not None), default)
    value = found[layer] if isinstance(found, list) and layer < len(found) else found
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidInput(f"config.json: {names[0]} must be a whole number, not {found!r}")
    return value
