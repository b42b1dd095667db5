"""Nested plain data with tensors in a safetensors file: nothing is pickled.

Tensors lie in the file under numbers; the structure around them is JSON in its metadata.
"""

import json
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from lccp.contract.errors import InvalidInput

STRUCTURE = "lccp"


def save(value: Any, path: Path) -> None:
    """Write `value`: tensors, None, bool, int, float, str, and lists, tuples, dicts of them.

    Raises TypeError, naming the place, for anything else.
    """
    tensors: dict[str, torch.Tensor] = {}
    structure = _encode(value, tensors, "")
    save_file(tensors, path, metadata={STRUCTURE: json.dumps(structure)})


def load(path: Path) -> Any:
    """What `save` wrote, tensors on the CPU. Raises InvalidInput if the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            structure = json.loads(file.metadata()[STRUCTURE])
            return _decode(structure, file)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"{path.name}: is damaged or cut short: {error}") from None


def _encode(value: Any, tensors: dict[str, torch.Tensor], place: str) -> Any:
    match value:
        case torch.Tensor():
            name = str(len(tensors))
            tensors[name] = value.detach().cpu().contiguous().clone()
            return {"tensor": name}
        case dict():
            items = value.items()
            return {"dict": [[k, _encode(v, tensors, f"{place}.{k}")] for k, v in items]}
        case list() | tuple():
            kind = "list" if isinstance(value, list) else "tuple"
            return {kind: [_encode(v, tensors, f"{place}[{i}]") for i, v in enumerate(value)]}
        case Enum():
            return _encode(value.value, tensors, place)
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(f"state{place}: a {type(value).__name__} can't be saved")


def _decode(structure: Any, file: Any) -> Any:
    match structure:
        case {"tensor": name}:
            return file.get_tensor(name)
        case {"dict": items}:
            return {key: _decode(value, file) for key, value in items}
        case {"list": items}:
            return [_decode(value, file) for value in items]
        case {"tuple": items}:
            return tuple(_decode(value, file) for value in items)
        case _:
            return structure
