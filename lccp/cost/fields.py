"""Numbers of a model's Hugging Face configuration, and of DeepSpeed's."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from lccp.api.spec.training import TrainingSpec
from lccp.contract.errors import InvalidInput


def integer(
    config: Mapping[str, Any], *names: str, default: int | None = None, layer: int = 0
) -> int:
    """The first of `names` that is set; a list holds one value a layer.

    Raises:
        InvalidInput: none is set and there is no default, or it is not a whole number >= 0.
    """
    found = next((config[name] for name in names if config.get(name) is not None), default)
    value = found[layer] if isinstance(found, list) and layer < len(found) else found
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidInput(f"config.json: {names[0]} must be a whole number, not {found!r}")
    return value


def zero_number(training: TrainingSpec, setting: str, default: int) -> int:
    """A number or switch (0 or 1) among the settings of ZeRO in `deepspeed.config`; else
    `default`."""
    settings = training.deepspeed.config.get("zero_optimization")
    found = settings.get(setting) if isinstance(settings, Mapping) else None
    if isinstance(found, int) or (isinstance(found, float) and isfinite(found)):
        return int(found)
    return default


def value_at(config: Any, path: str, default: Any) -> Any:
    """The value at a dotted `path` in nested objects, null included, or `default`."""
    for name in path.split("."):
        if not isinstance(config, Mapping) or name not in config:
            return default
        config = config[name]
    return config
