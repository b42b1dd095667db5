"""Load a Hugging Face directory as a causal language model that can be measured."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.hooks import remove_hook_from_module  # type: ignore[import-untyped]
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.distributed.configuration_utils import DistributedConfig
from transformers.quantizers.auto import AutoHfQuantizer
from transformers.utils import logging

from lccp.api.causes import Cause, cause_of
from lccp.contract.errors import InvalidInput
from lccp.model_config import CONFIG, read_model_config
from lccp_evaluator.model import capture, finite
from lccp_evaluator.model.execution import ExecutionPlan

CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
ADAPTER = "adapter_config.json"
EXPERT = re.compile(r"(.*\.experts\.)(\d+)(\..*)")


def read_config(directory: Path, trust_remote_code: bool = False) -> Any:
    """The configuration of the text model in `directory`, with transformers' defaults.

    Raises:
        InvalidInput: there is none, or it is damaged or unknown.
    """
    read_model_config(directory)
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    with _told(directory / CONFIG, "cannot be read as a model's configuration"):
        config = AutoConfig.from_pretrained(
            directory, local_files_only=True, trust_remote_code=trust_remote_code
        )
        return config.get_text_config(decoder=True)


def context_length(directory: Path, trust_remote_code: bool = False) -> int:
    """The model's context length (`max_position_embeddings`). Raises InvalidInput."""
    config = read_config(directory, trust_remote_code)
    for name in CONTEXT_NAMES:
        length = getattr(config, name, None)
        if isinstance(length, int) and length > 0:
            return length
    raise InvalidInput(
        f"{directory / CONFIG}: does not say how many tokens the model is made for "
        "(max_position_embeddings): give it (--context), or write it there"
    )


@dataclass(frozen=True)
class Loaded:
    """A model, and notes on how it was loaded."""

    model: PreTrainedModel
    notes: tuple[str, ...] = ()


def load_model(
    directory: Path,
    plan: ExecutionPlan,
    trust_remote_code: bool = False,
    split: DistributedConfig | None = None,
    placing: Mapping[str, str] | None = None,
) -> Loaded:
    """The model in `directory`, on the plan's device.

    Args:
        split: how processes share it; this one then holds its part.
        placing: the device of each of its parts, by name, instead of the plan's.

    Raises:
        InvalidInput: it cannot be read, its weights are damaged or incomplete, or there is an
            adapter beside it.
        NotFiniteModel: a weight is NaN or infinite.
    """
    if (directory / ADAPTER).is_file():
        raise InvalidInput(
            f"{directory}: holds an adapter ({ADAPTER}) beside the model: merge it into the "
            "weights, or move it away to evaluate the base alone"
        )
    capture.register()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    options: dict[str, Any] = {
        "device_map": None if placing is None else dict(placing),
        "distributed_config": split,
        "dtype": plan.torch_dtype,
        "ignore_mismatched_sizes": True,
        "local_files_only": True,
        "output_loading_info": True,
        "trust_remote_code": trust_remote_code,
        "use_safetensors": True,
    }
    with _told(directory, "cannot be loaded as a model"):
        try:
            model, loading = _loaded(directory, options)
        except RuntimeError:
            _check_experts(directory)
            raise
    _check_weights(directory, loading)
    finite.check_weights(model)
    unused = sorted(loading["unexpected_keys"])
    notes = [f"{len(unused)} weights are not used, {unused[0]} among them"] if unused else []
    model.eval()
    if placing is None:
        model.to(plan.device)
    else:  # each part moves what it receives; rows to keep must not move before
        remove_hook_from_module(model)
    return Loaded(model, tuple(notes))


def empty_model(directory: Path, trust_remote_code: bool = False) -> PreTrainedModel:
    """The model that the configuration in `directory` describes, without values of its weights.

    Raises InvalidInput as `read_config`.
    """
    made: Any = AutoModelForCausalLM.from_config
    with torch.device("meta"):
        model: PreTrainedModel = made(
            read_config(directory, trust_remote_code), trust_remote_code=trust_remote_code
        )
    return model


def _loaded(directory: Path, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    try:
        return _loaded_with(capture.NAME, directory, options)
    except (KeyError, ValueError) as error:  # attention without the interface
        if capture.NAME not in str(error):
            raise
        return _loaded_with("eager", directory, options)


def _loaded_with(
    attention: str, directory: Path, options: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """The model with this attention, whichever its config.json names."""
    load: Any = AutoModelForCausalLM.from_pretrained
    config = AutoConfig.from_pretrained(
        directory, local_files_only=True, trust_remote_code=options["trust_remote_code"]
    )
    layers = getattr(config.get_text_config(decoder=True), "num_hidden_layers", None)
    if isinstance(layers, int) and layers < 1:
        where = directory / CONFIG
        raise InvalidInput(f"{where}: num_hidden_layers is {layers}: a model has at least one")
    _check_quantization(config, directory / CONFIG)
    config._attn_implementation = attention
    result: tuple[Any, dict[str, Any]] = load(
        directory, config=config, attn_implementation=attention, **options
    )
    return result


def _check_quantization(config: Any, where: Path) -> None:
    """Raise InvalidInput if transformers would read quantized weights without their scales."""
    quantization = getattr(config, "quantization_config", None)
    if not quantization:
        return
    known = AutoHfQuantizer.supports_quant_method(quantization)  # type: ignore[no-untyped-call]
    if not known:
        raise InvalidInput(
            f"{where}: quantization_config: transformers does not know the method "
            f"{quantization.get('quant_method')!r}, so it would leave out the scales of the "
            "weights: give the model before its quantization, or dequantize it"
        )


def _check_experts(directory: Path) -> None:
    """Raise InvalidInput, naming the weight, if only some experts of a layer have it so.

    transformers joins the weights of a layer's experts, and if it can't, does not say which.
    """
    alike = _shapes_of_experts(directory)
    for (before, after), shapes in sorted(alike.items()):
        (usual, _), *_ = Counter(shapes.values()).most_common(1)
        numbers = {n for (layer, _), seen in alike.items() if layer == before for n in seen}
        for number in sorted(numbers):
            shape = shapes.get(number)
            if shape != usual:
                has = "is missing" if shape is None else f"is of shape {list(shape)}"
                raise InvalidInput(
                    f"{directory}: its weights are incomplete: {before}{number}{after} {has}, that "
                    f"of other experts of {list(usual)}"
                )


def _shapes_of_experts(directory: Path) -> dict[tuple[str, str], dict[int, tuple[int, ...]]]:
    """By what stands before and after the number of an expert, the shape of each one's weight."""
    found = defaultdict[tuple[str, str], dict[int, tuple[int, ...]]](dict)
    for path in sorted(directory.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118
                if match := EXPERT.fullmatch(name):
                    before, number, after = match.groups()
                    shape = tuple(file.get_slice(name).get_shape())
                    found[before, after][int(number)] = shape
    return found


def _check_weights(directory: Path, loading: dict[str, Any]) -> None:
    mismatched = sorted(loading.get("mismatched_keys") or [])
    if mismatched:
        _check_experts(directory)
        name, stored, wanted = mismatched[0]
        raise InvalidInput(
            f"{directory}: config.json and weights do not belong together: {name} is of shape "
            f"{list(stored)}, but the model's is {list(wanted)}"
        )
    missing = sorted(loading["missing_keys"])
    if missing:
        raise InvalidInput(
            f"{directory}: lacks {len(missing)} of the model's weights, {missing[0]} among them"
        )


@contextmanager
def _told(where: Path, what: str) -> Iterator[None]:
    """One sentence for the many error types of transformers, safetensors and models' code."""
    try:
        yield
    except InvalidInput:
        raise
    except Exception as error:
        if cause_of(error) is Cause.OUT_OF_MEMORY:
            raise
        raise InvalidInput(f"{where}: {what}: {_short(error)}") from error


def _short(error: Exception) -> str:
    """The first line of its message, with the next if the first ends in a colon."""
    if "trust_remote_code" in str(error):
        return (
            "it comes with Python code, which must be allowed to run (--trust-remote-code, in a "
            "run model.trustRemoteCode)"
        )
    if isinstance(error, KeyError) and " " not in str(error):
        return f"{error} is unknown to transformers"
    text = str(error.args[0]) if isinstance(error, KeyError) else str(error)
    first, _, rest = text.strip().partition("\n")
    more = f" {rest.strip().split(chr(10))[0]}" if first.endswith(":") and rest.strip() else ""
    return f"{first}{more}".rstrip(".") or type(error).__name__
