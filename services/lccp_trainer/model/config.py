"""The configuration of the model, with RoPE and context raised as the manifest specifies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch.distributed as dist
from transformers import AutoConfig

from lccp.api.causes import Cause, cause_of
from lccp.api.spec.model import ModelSpec, RopeScaling
from lccp.contract.errors import InvalidInput

LLAMA3_FREQUENCIES = {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
"""Llama 3.1's, for models whose config has none."""
ALPHA = ("hunyuan_v1_moe", "hunyuan_v1_dense")
"""Model types whose `dynamic` RoPE may have an `alpha`."""
UNSCALED = ("rope_theta", "partial_rotary_factor")
"""Parameters that a RoPE keeps when its scaling is removed."""


def load_config(spec: ModelSpec, directory: Path) -> Any:
    """The model's config with RoPE and `max_position_embeddings` raised as `spec` specifies.

    Raises InvalidInput if transformers rejects the config, or it has no context or RoPE to raise.
    """
    with reading(f"model.source: {directory}"):
        config = AutoConfig.from_pretrained(
            directory, trust_remote_code=spec.trust_remote_code, local_files_only=True
        )
    text = config.get_text_config()
    if not isinstance(getattr(text, "max_position_embeddings", None), int):
        raise InvalidInput(
            f"model.source: a {text.model_type} model does not say how many positions it knows "
            "(max_position_embeddings in config.json): take another model"
        )
    _settle(text, text.max_position_embeddings, spec.target_context_length)
    if spec.rope_base is not None:
        _rope(text, "model.ropeBase")["rope_theta"] = float(spec.rope_base)
    if spec.rope_scaling is not None:
        _scale(text, spec.rope_scaling, spec.target_context_length)
    text.max_position_embeddings = max(text.max_position_embeddings, spec.target_context_length)
    return config


def _rope(config: Any, field: str) -> dict[str, Any]:
    rope = getattr(config, "rope_parameters", None)
    if not isinstance(rope, dict) or any(isinstance(value, dict) for value in rope.values()):
        raise InvalidInput(
            f"{field}: a {config.model_type} model has no single RoPE that could be raised"
        )
    return rope


def _scale(config: Any, scaling: RopeScaling, target: int) -> None:
    rope = _rope(config, "model.ropeScaling")
    given = {} if scaling.type != "llama3" else LLAMA3_FREQUENCIES
    if rope.get("rope_type") != scaling.type:
        rope = {name: value for name, value in rope.items() if name in UNSCALED}
    from_own = rope.get("original_max_position_embeddings") or config.max_position_embeddings
    original = scaling.original_context_length or from_own
    config.rope_parameters = (
        given
        | rope
        | {
            "rope_type": scaling.type,
            "factor": scaling.factor,
            "original_max_position_embeddings": original,
        }
    )
    try:
        config.validate_rope()
    except (KeyError, ValueError) as error:
        raise InvalidInput(f"model.ropeScaling: {first_line(error)}") from None
    _settle(config, original, target)


def _settle(config: Any, original: int, target: int) -> None:
    """Replace the scaling of a `dynamic` RoPE by its base at a length of `target`.

    Otherwise its frequencies would follow the longest document of each micro batch, separately on
    each process. HunYuan's `alpha` means another base, the same at every length.
    """
    rope = getattr(config, "rope_parameters", None)
    if not isinstance(rope, dict) or rope.get("rope_type") != "dynamic":
        return
    alpha = rope.get("alpha") if config.model_type in ALPHA else None
    stretch = alpha or rope["factor"] * max(1, target / original) - (rope["factor"] - 1)
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    size = int(head * rope.get("partial_rotary_factor", 1))
    config.rope_parameters = {name: value for name, value in rope.items() if name in UNSCALED} | {
        "rope_type": "default",
        "rope_theta": rope["rope_theta"] * stretch ** (size / (size - 2)),
    }


@contextmanager
def reading(place: str) -> Iterator[None]:
    """Errors of libraries that read a model's files become InvalidInput, which begins with `place`.

    They are of any type, since libraries assume that these files are right. A lack of memory, and a
    connection to another process that broke, say nothing of the files, and stay what they are.
    """
    try:
        yield
    except Exception as error:
        if cause_of(error) is Cause.OUT_OF_MEMORY or _is_of_connection(error):
            raise
        raise InvalidInput(f"{place}: {first_line(error)}") from None


def _is_of_connection(error: Exception) -> bool:
    """Whether it is of torch.distributed; gloo's errors have no type of their own."""
    return isinstance(error, dist.DistError) or "gloo" in str(error)


def first_line(error: Exception) -> str:
    """The first line of the message of an error from transformers, with what a colon announces."""
    first, *more = str(error).strip().splitlines() or [type(error).__name__]
    return f"{first} {more[0].strip()}" if first.endswith(":") and more else first
