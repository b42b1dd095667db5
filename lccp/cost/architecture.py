"""The size of a model, counted from its Hugging Face configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from lccp.contract.errors import InvalidInput
from lccp.cost.attention import Attention
from lccp.cost.fields import integer

DENSE = ("llama", "mistral", "qwen2", "qwen3", "hunyuan_v1_dense")
SPARSE = ("mixtral", "qwen3_moe", "hunyuan_v1_moe", "deepseek_v3")


@dataclass(frozen=True)
class FeedForward:
    """The feed-forward part of one layer: gated (SwiGLU), dense or of experts."""

    size: int
    """Inner width of the part that processes every token: dense block or shared expert; 0: none."""
    experts: int = 0
    """Routed experts; 0: a dense layer."""
    chosen: int = 0
    """Routed experts that process a token."""
    expert_size: int = 0
    """Inner width of a routed expert."""
    bias: bool = False

    @property
    def width(self) -> int:
        """Inner width used by one token, over all its experts."""
        return self.size + self.chosen * self.expert_size

    def parameters(self, hidden_size: int, experts: int) -> int:
        """Parameters with `experts` of the routed ones counted, the router included."""
        biases = (2 * self.size + hidden_size) if self.bias else 0
        gated = 3 * hidden_size * self.size + self.routed_parameters(hidden_size, experts)
        return gated + biases + self.experts * hidden_size

    def routed_parameters(self, hidden_size: int, experts: int) -> int:
        """Parameters of `experts` routed experts, without the router."""
        return 3 * hidden_size * experts * self.expert_size

    def routed_elements(self, hidden_size: int) -> int:
        """Values of one token in its routed experts: inputs, outputs, and four of inner width."""
        return self.chosen * (2 * hidden_size + 4 * self.expert_size)

    def tiled_elements(self, hidden_size: int, sharing: int) -> int:
        """Those that exist for a tile of tokens alone, where experts are computed in tiles.

        Several processes `sharing` the experts exchange inputs and outputs, which then exist whole.
        """
        return self.routed_elements(hidden_size if sharing == 1 else 0)

    def routed_tile(
        self, hidden_size: int, tokens: int, elements: int, sharing: int = 1
    ) -> int | None:
        """Tokens of a tile in which routed experts are computed; None: all of a process at once.

        Tiles hold the gradients of their weights once more: they are used where they save more.

        Args:
            tokens: of a micro batch, those that a process computes.
            elements: of inner width that may exist at once.
            sharing: processes that share the experts.
        """
        if not self.chosen:
            return None
        tile = max(1, elements // (self.chosen * self.expert_size))
        saved = (tokens - tile) * self.tiled_elements(hidden_size, sharing)
        return (
            tile if saved > self.routed_parameters(hidden_size, self.experts) // sharing else None
        )


@dataclass(frozen=True)
class Architecture:
    """A decoder with rotary positions, attention and gated feed-forward layers."""

    hidden_size: int
    vocabulary_size: int
    tied_embeddings: bool
    attention: Attention
    """Of each layer."""
    feed_forward: tuple[FeedForward, ...]
    """One a layer."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The architecture that `config` (a parsed config.json) describes.

        Raises:
            InvalidInput: its model type is unknown, or a field is missing or not a number.
        """
        kind = config.get("model_type")
        if kind not in DENSE + SPARSE:
            known = ", ".join(sorted(DENSE + SPARSE))
            raise InvalidInput(f"config.json: model_type {kind!r} can't be counted; known: {known}")
        return cls(
            hidden_size=integer(config, "hidden_size"),
            vocabulary_size=integer(config, "vocab_size"),
            tied_embeddings=bool(config.get("tie_word_embeddings", False)),
            attention=Attention.from_config(config),
            feed_forward=_feed_forward(config),
        )

    @property
    def layers(self) -> int:
        return len(self.feed_forward)

    @cached_property
    def parameters(self) -> int:
        """All parameters; tied embeddings count once."""
        return self._parameters([layer.experts for layer in self.feed_forward])

    @cached_property
    def active_parameters(self) -> int:
        """Parameters used by one token: of the routed experts, those that are chosen."""
        return self._parameters([layer.chosen for layer in self.feed_forward])

    @cached_property
    def routed_parameters(self) -> int:
        """Parameters of all routed experts, which expert parallelism spreads."""
        hidden = self.hidden_size
        return sum(layer.routed_parameters(hidden, layer.experts) for layer in self.feed_forward)

    @property
    def parts(self) -> list[int]:
        """Parameters of its parts in order: embeddings, each layer, last norm, head unless tied."""
        return self._parts([layer.experts for layer in self.feed_forward])

    def _parameters(self, experts: list[int]) -> int:
        return sum(self._parts(experts))

    def _parts(self, experts: list[int]) -> list[int]:
        """`parts`, with so many of each layer's routed experts counted."""
        beside = self.attention.parameters + 2 * self.hidden_size
        layers = [
            beside + layer.parameters(self.hidden_size, counted)
            for layer, counted in zip(self.feed_forward, experts, strict=True)
        ]
        embeddings = self.vocabulary_size * self.hidden_size
        head = [] if self.tied_embeddings else [embeddings]
        return [embeddings, *layers, self.hidden_size, *head]


def _feed_forward(config: Mapping[str, Any]) -> tuple[FeedForward, ...]:
    layers = range(integer(config, "num_hidden_layers"))
    dense = FeedForward(integer(config, "intermediate_size"), bias=_mlp_bias(config))
    match config["model_type"]:
        case "mixtral":
            return tuple(_routed(config, layer, 0, dense.size) for layer in layers)
        case "hunyuan_v1_moe":
            return tuple(_routed(config, layer, dense.size, dense.size) for layer in layers)
        case "qwen3_moe":
            width = integer(config, "moe_intermediate_size")
            step = integer(config, "decoder_sparse_step", default=1)
            only_dense = config.get("mlp_only_layers") or ()
            return tuple(
                _routed(config, layer, 0, width)
                if layer not in only_dense and (layer + 1) % step == 0
                else dense
                for layer in layers
            )
        case "deepseek_v3":
            width = integer(config, "moe_intermediate_size")
            shared = width * integer(config, "n_shared_experts", default=0)
            first = integer(config, "first_k_dense_replace", default=0)
            return tuple(
                dense if layer < first else _routed(config, layer, shared, width)
                for layer in layers
            )
        case _:
            return tuple(dense for _ in layers)


def _mlp_bias(config: Mapping[str, Any]) -> bool:
    return config["model_type"] == "llama" and bool(config.get("mlp_bias", False))


def _routed(config: Mapping[str, Any], layer: int, shared: int, width: int) -> FeedForward:
    counted = ("num_experts", "num_local_experts", "n_routed_experts")
    return FeedForward(
        size=shared,
        experts=integer(config, *counted, layer=layer),
        chosen=integer(config, "num_experts_per_tok", "moe_topk", layer=layer),
        expert_size=width,
    )
