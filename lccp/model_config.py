"""A Hugging Face model's `config.json`, before anything knows what kind of model it is."""

import json
from pathlib import Path
from typing import Any

from lccp.contract.errors import InvalidInput

CONFIG = "config.json"


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
        raise InvalidInput(f"{begins}{directory}: contains no {CONFIG}: {wanted}") from None
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
