"""The model: a Hugging Face directory, its RoPE and context raised; and back to a directory."""

import re
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from lccp.api.spec.model import ModelSpec, RopeScaling
from lccp.contract.errors import InvalidInput
from lccp_trainer.source import check_vocabulary

LLAMA3_FREQUENCIES = {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
"""Llama 3.1's, for models whose config doesn't bring any."""
COMPANION_SUFFIXES = {".json", ".txt", ".model", ".jinja", ".py", ".tiktoken"}
OWN_FILES = {"config.json", "generation_config.json"}


def load_config(spec: ModelSpec, directory: Path) -> Any:
    """The model's config with RoPE and `max_position_embeddings` raised as `spec` asks.

    Raises InvalidInput if transformers does not take the config, or it has no RoPE to raise.
    """
    try:
        config = AutoConfig.from_pretrained(
            directory, trust_remote_code=spec.trust_remote_code, local_files_only=True
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InvalidInput(f"model.source: {directory}: {_line(error)}") from None
    text = config.get_text_config()
    if spec.rope_base is not None:
        _rope(text, "model.ropeBase")["rope_theta"] = float(spec.rope_base)
    if spec.rope_scaling is not None:
        _scale(text, spec.rope_scaling)
    text.max_position_embeddings = max(text.max_position_embeddings, spec.target_context_length)
    return config


def load_tokenizer(spec: ModelSpec, directory: Path, config: Any) -> Any:
    """The model's tokenizer. Raises InvalidInput if it gives ids that the model does not have."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            directory, trust_remote_code=spec.trust_remote_code, local_files_only=True
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InvalidInput(f"model.source: {directory}: tokenizer: {_line(error)}") from None
    largest = max(tokenizer.get_vocab().values())
    check_vocabulary(largest, config.get_text_config().vocab_size, directory)
    return tokenizer


def load_model(spec: ModelSpec, directory: Path, config: Any, dtype: torch.dtype) -> Any:
    """The model with its weights. Raises InvalidInput if weights are missing or of other shapes."""
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            directory,
            config=config,
            dtype=dtype,
            attn_implementation="sdpa",
            trust_remote_code=spec.trust_remote_code,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise InvalidInput(f"model.source: {directory}: {_line(error)}") from None
    model, found = loaded
    missing = sorted(found["missing_keys"])
    if missing:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise InvalidInput(f"model.source: {directory}: the weight {missing[0]}{more} is missing")
    return model


def save_directory(model: Any, weights: dict[str, torch.Tensor], source: Path, to: Path) -> None:
    """Write a Hugging Face directory: weights, config, and what lies beside them in `source`."""
    model.save_pretrained(to, state_dict=weights)
    for file in source.iterdir():
        if file.suffix in COMPANION_SUFFIXES and _is_companion(file.name):
            shutil.copyfile(file, to / file.name)
    for file in to.iterdir():
        file.chmod(0o644)


def _is_companion(name: str) -> bool:
    return name not in OWN_FILES and not re.search(r"\.index\.json$", name)


def _rope(config: Any, field: str) -> dict[str, Any]:
    rope = getattr(config, "rope_parameters", None)
    if not isinstance(rope, dict) or any(isinstance(value, dict) for value in rope.values()):
        raise InvalidInput(
            f"{field}: a {config.model_type} model has no single RoPE that could be raised"
        )
    return rope


def _scale(config: Any, scaling: RopeScaling) -> None:
    rope = _rope(config, "model.ropeScaling")
    given = {} if scaling.type != "llama3" else LLAMA3_FREQUENCIES
    original = scaling.original_context_length or config.max_position_embeddings
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
        raise InvalidInput(f"model.ropeScaling: {_line(error)}") from None


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
