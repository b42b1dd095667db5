"""Whether a model is one of which the trainer computes attention and head as the model would.

One with another attention than a causal one, or whose head is more than one linear layer, would be
trained wrongly without a word.
"""

from collections.abc import Mapping
from inspect import signature
from typing import Any

import torch

from lccp.contract.errors import InvalidInput
from lccp.cost.compatibility import HEAD_CHANGES

CHANGES = (
    "attention_mask",
    "s_aux",
    "sinks",
    "softcap",
    "position_bias",
    "indices",
    "block_indices",
)
"""Arguments of attention by which transformers' models ask for something else. Of the masks that
transformers makes, none is made for the trainer: one that is given is the model's own."""


def check_model(model: Any) -> None:
    """Raise InvalidInput unless the model leaves all its attention and its head to the trainer.

    Otherwise documents of a row would see each other, or not begin at position 0; or logits would
    be other ones than the model's.
    """
    kind, config = model.config.model_type, model.config.get_text_config()
    base = model.base_model
    apart = base is not model and "position_ids" in signature(base.forward).parameters
    if not (apart and model.is_backend_compatible()):
        raise InvalidInput(
            f"model.source: documents of a row can't be kept apart in a {kind} model, whose "
            "attention is its own: take a model of another type"
        )
    if all(part is not model.get_output_embeddings() for part in model.children()):
        raise InvalidInput(
            f"model.source: the head of a {kind} model is not one linear layer, which is not "
            "supported: take a model of another type"
        )
    for field, neutral in HEAD_CHANGES.items():
        if getattr(config, field, neutral) not in (None, neutral):
            raise InvalidInput(
                f"model.source: {field} of a {kind} model is not supported, even if config.json "
                "leaves it to its default: take another model"
            )


def not_plain(module: torch.nn.Module, length: int, asked: Mapping[str, Any]) -> str | None:
    """What makes attention another than a causal one over all of a row; None: nothing.

    Args:
        module: the layer that asks for it.
        length: tokens of the row.
        asked: arguments that transformers' models hand to any implementation.
    """
    window, causal = asked.get("sliding_window"), asked.get("is_causal")
    if not (getattr(module, "is_causal", True) if causal is None else causal):
        return "a view of later tokens"
    if window is not None and window < length:
        return f"a window of {window} tokens"
    return next((name for name in CHANGES if asked.get(name) is not None), None)
