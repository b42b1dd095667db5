"""A Hugging Face model's `config.json`, before anything knows what kind of model it is."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from lccp.api.spec.model import ModelSpec, RopeScaling
from lccp.contract.errors import InvalidInput
from lccp.foreign_formats import lacks

CONFIG = "config.json"
STRETCHED = ("linear", "yarn", "llama3", "longrope")
"""RoPE types of a model whose context was already stretched, by factors of its unscaled angles."""
OFFERED = get_args(RopeScaling.model_fields["type"].annotation)
"""RoPE types that a manifest may ask for."""
ATTENTIVE = {"attention", "full_attention", "sliding_attention", "chunked_attention"}
"""Values of `layer_types` of layers in which tokens see others by plain attention alone."""
CARRIERS = (
    "mamba_d_state",
    "ssm_state_size",
    "state_size",
    "linear_conv_kernel_dim",
    "linear_attn_config",
    "attn_type_list",
    "conv_L_cache",
    "lru_width",
    "rescale_every",
)
"""Fields of models with recurrent or convolutional layers: Mamba, RWKV and others."""


def read_model_config(directory: Path, field: str | None = None) -> dict[str, Any]:
    """The config.json in `directory`.

    Raises InvalidInput, which begins with `field`: there is none, or it is damaged.
    """
    path, begins = directory / CONFIG, f"{field}: " if field else ""
    if not directory.is_dir():
        raise InvalidInput(f"{begins}there is no folder {directory}")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        wanted = "give the directory of a Hugging Face model"
        raise InvalidInput(f"{begins}{directory}: {lacks(directory, CONFIG, wanted)}") from None
    except OSError as error:
        raise InvalidInput(f"{begins}{path}: can't be read: {error.strerror}") from None
    return parsed_model_config(data, f"{begins}{path}")


def parsed_model_config(data: bytes, place: str) -> dict[str, Any]:
    """A config.json of any origin. Raises InvalidInput, which begins with `place`."""
    try:
        config = json.loads(data)
    except (ValueError, RecursionError):
        raise InvalidInput(f"{place}: is not JSON: it is damaged or cut short") from None
    if not isinstance(config, dict):
        raise InvalidInput(f"{place}: is not a JSON object with the model's configuration")
    return config


def unsuited(spec: ModelSpec, config: Mapping[str, Any]) -> Iterator[str]:
    """Why the context of the model can't be extended as `spec` says, a sentence each.

    Args:
        config: of the language model, as `of_text_model` gives it.
    """
    yield from filter(None, (_mixed_documents(config), _lost_scaling(spec, config)))
    chunk = config.get("attention_chunk_size")
    if isinstance(chunk, int) and chunk < spec.target_context_length:
        yield (
            f"model.source: the model attends within chunks of {chunk} tokens only "
            "(attention_chunk_size in config.json): take another model"
        )


def _lost_scaling(spec: ModelSpec, config: Mapping[str, Any]) -> str | None:
    """Why `ropeScaling` would undo the source's own, with which it was trained; None: it does not.

    A scaling replaces the source's: both count from the unscaled angles. If the manifest gives
    their context, it is asked for.
    """
    asked, own = spec.rope_scaling, _rope(config)
    kind = own.get("rope_type", own.get("type"))
    if asked is None or asked.original_context_length is not None or kind not in STRETCHED:
        return None
    field, instead = "model.ropeScaling", "set ropeBase instead, or originalContextLength"
    if asked.type != kind:
        same = f"take {kind}, or " if kind in OFFERED else ""
        return (
            f"{field}.type: {asked.type} would undo the source's own scaling, of type {kind}: "
            f"{same}{instead}"
        )
    factor = own.get("factor")
    if isinstance(factor, int | float) and asked.factor < factor:
        return (
            f"{field}.factor: {asked.factor:g} would undo the source's own {factor:g}, since both "
            f"stretch the same unscaled angles: take more than {factor:g}, or {instead}"
        )
    return None


def of_text_model(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of the language model in `config`, which may hold it beside others."""
    text = config.get("text_config")
    return {**config, **text} if isinstance(text, Mapping) else config


def _mixed_documents(config: Mapping[str, Any]) -> str | None:
    """Why documents of a row would see each other in the model; None: they do not.

    Plain attention is cut where documents begin. Whatever else runs along a row, or selects what
    is attended to, is not, nor is it exchanged between processes that share one.
    """
    kinds = config.get("layer_types")
    if isinstance(kinds, list):
        others = sorted({str(kind) for kind in kinds} - ATTENTIVE)
    else:
        others = [name for name in CARRIERS if config.get(name) is not None]
    if not others:
        return None
    return (
        f"model.source: the model has layers that are not supported ({others[0]} in config.json): "
        "documents of a row are kept apart only in plain attention: take a model whose layers are "
        "all of that kind"
    )


def _rope(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters of the one RoPE, by transformers' new name or by its old one."""
    names = ("rope_parameters", "rope_scaling")
    found = (config.get(name) for name in names)
    return next((rope for rope in found if isinstance(rope, Mapping)), {})
