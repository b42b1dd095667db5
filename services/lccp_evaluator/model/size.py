"""What a model computes and holds, counted from its weights and its configuration."""

from dataclasses import dataclass
from typing import Any, Self

from transformers import PreTrainedModel

from lccp.cost.attention import Attention
from lccp_evaluator.model.experts import expert_layers
from lccp_evaluator.model.finite import own

ATTENTION = (
    "model_type",
    "hidden_size",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "q_lora_rank",
    "kv_lora_rank",
    "qk_rope_head_dim",
    "qk_nope_head_dim",
    "v_head_dim",
)
"""What a configuration says of its attention, by transformers' names of it."""
CHOSEN_NAMES = ("num_experts_per_tok", "moe_topk", "top_k_experts", "experts_per_token")


@dataclass(frozen=True)
class Size:
    """The size of a decoder."""

    weight_bytes: int
    """Bytes of weights that this process holds."""
    devices: int
    """Devices over which these weights are spread evenly, and keys and values with them."""
    multiplied: int
    """Weights that a token is multiplied with, except embeddings and head; of experts, only the
    chosen ones."""
    vocabulary: int
    hidden: int
    attention_width: float
    """Mean of the query heads' total widths of keys and of values, added up over all layers."""
    widest: int
    """Largest output width of a matrix, per token."""
    cache_bytes: int
    """Bytes of keys and values per token."""
    value_bytes: int

    @classmethod
    def of(cls, model: PreTrainedModel) -> Self:
        """The size of `model`; weights on the meta device count too."""
        config = model.config.get_text_config(decoder=True)
        embeddings: Any = model.get_input_embeddings()
        layers = [_widths(one) for one in _layers(config)]
        value_bytes = embeddings.weight.element_size()
        return cls(
            weight_bytes=sum(own(one).nbytes for one in model.parameters()),
            devices=len({own(one).device for one in model.parameters()}),
            multiplied=_multiplied(model, config),
            vocabulary=len(embeddings.weight),
            hidden=config.hidden_size,
            attention_width=sum(width for width, _ in layers),
            widest=max(one.shape[-2] for one in model.parameters() if one.ndim > 1),
            cache_bytes=sum(cached for _, cached in layers) * value_bytes,
            value_bytes=value_bytes,
        )


def _layers(config: Any) -> list[Any]:
    """The configuration of each layer."""
    if getattr(config, "is_heterogeneous", False):
        return list(config.per_layer_config)
    return [config] * config.num_hidden_layers


def _widths(config: Any) -> tuple[float, int]:
    """Mean attention width of a layer, and the elements of a token's keys and values.

    Both are 0 if its configuration knows no heads, as of state-space models.
    """
    named = {name: getattr(config, name, None) for name in ATTENTION}
    if not named["num_attention_heads"]:
        return 0.0, 0
    attention = Attention.from_config(named)
    return attention.width, attention.cached


def _multiplied(model: PreTrainedModel, config: Any) -> int:
    ends = {id(one.weight) for one in _ends(model)}
    routed = {id(weight): layer for layer in expert_layers(model) for weight in layer.parameters()}
    total = 0.0
    for weight in model.parameters():
        if weight.ndim < 2 or id(weight) in ends:
            continue
        layer: Any = routed.get(id(weight))
        total += weight.numel() * (_chosen(config) / layer.num_experts if layer else 1)
    return round(total)


def _ends(model: Any) -> list[Any]:
    found = [model.get_input_embeddings(), model.get_output_embeddings()]
    return [one for one in found if one is not None]


def _chosen(config: Any) -> int:
    """Experts that compute a token in a layer."""
    found = next((v for name in CHOSEN_NAMES if (v := getattr(config, name, None))), 1)
    return int(max(found) if isinstance(found, list) else found)
