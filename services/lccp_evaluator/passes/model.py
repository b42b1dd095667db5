"""Load a Hugging Face directory as a causal language model that can be measured."""

import json
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from lccp.contract.errors import InvalidInput
from lccp_evaluator.passes import capture
from lccp_evaluator.passes.execution import ExecutionPlan


def read_config(directory: Path) -> dict[str, Any]:
    """`config.json` of a model's directory. Raises InvalidInput."""
    path = directory / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InvalidInput(
            f"{directory}: holds no config.json: give the directory of a Hugging Face model"
        ) from None
    except (OSError, ValueError):
        raise InvalidInput(f"{path}: is not JSON: it is damaged or cut short") from None
    return config


def context_length(directory: Path) -> int:
    """Tokens that the model is made for (`max_position_embeddings`). Raises InvalidInput."""
    config = read_config(directory)
    length = (config.get("text_config") or config).get("max_position_embeddings")
    if not isinstance(length, int) or length < 1:
        raise InvalidInput(f"{directory / 'config.json'}: max_position_embeddings is missing")
    return length


def load_model(
    directory: Path, plan: ExecutionPlan, trust_remote_code: bool = False
) -> PreTrainedModel:
    """The model in `directory`, on the plan's device.

    Raises:
        InvalidInput: it cannot be read, or its weights are damaged or incomplete.
    """
    capture.register()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        from_pretrained: Any = AutoModelForCausalLM.from_pretrained
        model, loading = from_pretrained(
            directory,
            attn_implementation=capture.NAME,
            dtype=plan.torch_dtype,
            local_files_only=True,
            output_loading_info=True,
            trust_remote_code=trust_remote_code,
            use_safetensors=True,
        )
    except MemoryError:
        raise
    except Exception as error:  # transformers, safetensors and config code raise many types
        raise InvalidInput(f"{directory}: cannot be loaded as a model: {_short(error)}") from error
    missing = sorted(loading["missing_keys"])
    if missing:
        raise InvalidInput(
            f"{directory}: lacks {len(missing)} of the model's weights, {missing[0]} among them"
        )
    loaded: PreTrainedModel = model.eval().to(plan.device)
    return loaded


def _short(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")
