"""Reads a model and its tokenizer from a Hugging Face directory, and writes such a directory."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import split_torch_state_dict_into_shards
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.core_model_loading import revert_weight_conversion
from transformers.modeling_utils import remove_tied_weights_from_state_dict

from lccp.api.spec.model import ModelSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.model.adapters import merged
from lccp_trainer.model.config import reading
from lccp_trainer.model.source import check_vocabulary, companions
from lccp_trainer.model.tensor_file import write_tensors

SHARD_SIZE = "5GB"


def load_tokenizer(spec: ModelSpec, directory: Path, config: Any) -> Any:
    """The model's tokenizer. Raises InvalidInput if it yields ids that the model lacks."""
    with reading(f"model.source: {directory}: tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(
            directory, trust_remote_code=spec.trust_remote_code, local_files_only=True
        )
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
    """The model with its weights. Raises InvalidInput if weights are missing or of wrong shapes.

    Args:
        attention: name of an implementation that transformers knows.
    """
    with reading(f"model.source: {directory}"):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            directory,
            config=config,
            dtype=dtype,
            attn_implementation=attention,
            trust_remote_code=spec.trust_remote_code,
            local_files_only=True,
            output_loading_info=True,
        )
    model, found = loaded
    missing = sorted(found["missing_keys"])
    if missing:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise InvalidInput(f"model.source: {directory}: the weight {missing[0]}{more} is missing")
    return model


def save_directory(model: Any, weights: dict[str, torch.Tensor], source: Path, to: Path) -> None:
    """Write a Hugging Face directory: weights, config, and the other files in `source`.

    Adapters are added to the weights.
    """
    to.mkdir(parents=True)
    config = model.config
    config.architectures = [type(model).__name__]
    config.dtype = str(next(iter(weights.values())).dtype).removeprefix("torch.")
    config.save_pretrained(to)
    _save_weights(model, merged(model, weights), to)
    for file in companions(source):
        shutil.copyfile(file, to / file.name)
    _raise_length(to / "tokenizer_config.json", config.get_text_config().max_position_embeddings)
    for file in to.iterdir():
        file.chmod(0o644)


def _save_weights(model: Any, weights: dict[str, torch.Tensor], to: Path) -> None:
    """Write the weights as transformers would, in its file layout."""
    untied = remove_tied_weights_from_state_dict(dict(weights), model)
    stored = revert_weight_conversion(model, untied)
    split = split_torch_state_dict_into_shards(
        stored, filename_pattern="model{suffix}.safetensors", max_shard_size=SHARD_SIZE
    )
    for file, names in split.filename_to_tensors.items():
        shard = {name: stored[name].contiguous() for name in names}
        write_tensors(shard, to / file, metadata={"format": "pt"})
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        text = json.dumps(index, indent=2, sort_keys=True) + "\n"
        (to / "model.safetensors.index.json").write_text(text)


def _raise_length(tokenizer_config: Path, length: int) -> None:
    """Let servers accept a context of `length` tokens, not only the source's."""
    if not tokenizer_config.exists():
        return
    settings = json.loads(tokenizer_config.read_bytes())
    given = settings.get("model_max_length", length)
    if not isinstance(given, int | float) or given < length:
        settings["model_max_length"] = length
        text = json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
        tokenizer_config.write_text(text, encoding="utf-8")
