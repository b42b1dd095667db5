"""The model and its tokenizer from a Hugging Face directory, and back to a directory."""

import re
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lccp.api.spec.model import ModelSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.model.config import first_line
from lccp_trainer.model.source import check_vocabulary

COMPANION_SUFFIXES = {".json", ".txt", ".model", ".jinja", ".py", ".tiktoken"}
OWN_FILES = {"config.json", "generation_config.json"}


def load_tokenizer(spec: ModelSpec, directory: Path, config: Any) -> Any:
    """The model's tokenizer. Raises InvalidInput if it gives ids that the model does not have."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            directory, trust_remote_code=spec.trust_remote_code, local_files_only=True
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InvalidInput(f"model.source: {directory}: tokenizer: {first_line(error)}") from None
    largest = max(tokenizer.get_vocab().values())
    check_vocabulary(largest, config.get_text_config().vocab_size, directory)
    return tokenizer


def load_model(
    spec: ModelSpec,
    directory: Path,
    config: Any,
    dtype: torch.dtype,
    attention: str = "sdpa",
) -> Any:
    """The model with its weights. Raises InvalidInput if weights are missing or of other shapes.

    Args:
        attention: name of an implementation that transformers knows.
    """
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            directory,
            config=config,
            dtype=dtype,
            attn_implementation=attention,
            trust_remote_code=spec.trust_remote_code,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise InvalidInput(f"model.source: {directory}: {first_line(error)}") from None
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
