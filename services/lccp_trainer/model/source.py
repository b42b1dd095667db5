"""Checks of a model's directory without loading the model: config, weights, tokenizer."""

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from lccp.api.spec.model import ModelSpec
from lccp.contract.errors import InvalidInput
from lccp.cost.architecture import Architecture
from lccp.cost.flops import flops_per_token
from lccp.documents import LFS_FAULT, LFS_MARK
from lccp.model_config import read_model_config

logger = logging.getLogger(__name__)

FIELD = "model.source"
COMPANION_SUFFIXES = {".json", ".txt", ".model", ".jinja", ".py", ".tiktoken"}


def check_source(spec: ModelSpec, directory: Path) -> None:
    """Raise InvalidInput, with the field's path, unless the directory can be the source model."""
    config = read_config(directory)
    check_weights(directory)
    check_tokenizer(directory, config)
    check_companions(directory)
    context = context_length(config, directory)
    if spec.target_context_length < context:
        raise InvalidInput(
            f"model.targetContextLength: {spec.target_context_length} is less than the "
            f"source's context of {context} tokens: it must be at least that"
        )


def read_config(directory: Path) -> dict[str, Any]:
    """`config.json` of the model in `directory`."""
    return read_model_config(directory, FIELD)


def context_length(config: dict[str, Any], directory: Path) -> int:
    """Context length that the source model was made for, in tokens."""
    length = _of_text(config, "max_position_embeddings")
    if not isinstance(length, int):
        raise InvalidInput(f"{FIELD}: {directory}/config.json does not set max_position_embeddings")
    return length


def flops_of_token(directory: Path) -> Callable[[float], float] | None:
    """FLOPs of training on a token, by its document's length; None: a model of unknown kind."""
    try:
        model = Architecture.from_config(read_config(directory))
    except InvalidInput as error:
        logger.info("model FLOPs utilisation is unknown: %s", error)
        return None
    return partial(flops_per_token, model)


def check_weights(directory: Path) -> None:
    """Raise InvalidInput unless every safetensors file exists and is complete."""
    files = sorted(directory.glob("*.safetensors"))
    if not files:
        raise InvalidInput(f"{FIELD}: {directory} contains no weights (*.safetensors)")
    for index in directory.glob("*.safetensors.index.json"):
        missing = sorted(_named(index) - {file.name for file in files})
        if missing:
            raise InvalidInput(
                f"{FIELD}: {directory}/{missing[0]} is missing, but listed in {index.name}"
            )
    for file in files:
        try:
            with safe_open(file, framework="np"):
                pass
        except (SafetensorError, OSError) as error:
            fault = _pointer(file) or f"is damaged or cut short ({error}): copy it again"
            raise InvalidInput(f"{FIELD}: {file} {fault}") from None


def check_tokenizer(directory: Path, config: dict[str, Any]) -> None:
    """Raise InvalidInput unless there is a tokenizer and the model knows all of its ids."""
    path = directory / "tokenizer.json"
    if not path.exists():
        if not (directory / "tokenizer_config.json").exists():
            raise InvalidInput(f"{FIELD}: {directory} contains no tokenizer")
        return
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        fault = _pointer(path) or f"is not a tokenizer ({error})"
        raise InvalidInput(f"{FIELD}: {path} {fault}") from None
    vocabulary = _of_text(config, "vocab_size")
    if isinstance(vocabulary, int):
        check_vocabulary(max(tokenizer.get_vocab().values()), vocabulary, directory)


def companions(directory: Path) -> list[Path]:
    """The files beside config and weights, which every checkpoint gets unchanged."""
    files = (file for file in sorted(directory.iterdir()) if file.suffix in COMPANION_SUFFIXES)
    return [
        file
        for file in files
        if file.is_file() and file.name != "config.json" and not file.name.endswith(".index.json")
    ]


def check_companions(directory: Path) -> None:
    """Raise InvalidInput unless the companions can be read, and `*.json` holds JSON."""
    for file in companions(directory):
        try:
            data = file.read_bytes()
            if file.suffix == ".json":
                json.loads(data)
        except OSError as error:
            raise InvalidInput(f"{FIELD}: {file} can't be read: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise InvalidInput(f"{FIELD}: {file} is not JSON") from None


def check_vocabulary(largest_id: int, vocabulary: int, directory: Path) -> None:
    """Raise InvalidInput if a token id is outside the model's vocabulary."""
    if largest_id >= vocabulary:
        raise InvalidInput(
            f"{FIELD}: {directory}: the tokenizer does not match the model: it gives ids up to "
            f"{largest_id}, but the model's vocabulary has {vocabulary}"
        )


def _pointer(file: Path) -> str | None:
    """The fault of a file that Git LFS has not fetched; None if it is not one."""
    with suppress(OSError), file.open("rb") as opened:
        return LFS_FAULT if opened.read(len(LFS_MARK)) == LFS_MARK else None
    return None


def _named(index: Path) -> set[str]:
    try:
        return set(json.loads(index.read_bytes())["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidInput(f"{FIELD}: {index} is not an index of safetensors files") from None


def _of_text(config: dict[str, Any], name: str) -> Any:
    text = config.get("text_config")
    return config.get(name, text.get(name) if isinstance(text, dict) else None)
