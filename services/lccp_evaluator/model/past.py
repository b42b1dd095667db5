"""A model's own cache: what its code keeps of the tokens that it has read, to read on from them."""

from collections.abc import Mapping
from typing import Any

from lccp.contract.errors import InvalidInput

NAMES = ("cache", "past_key_values", "state")
"""Names of a cache, as an argument and in an output: transformers', those of models with code of
their own, and RWKV's. The first that an output has is used."""


class Past:
    """The cache of the passage that a model is reading."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def before(self, start: int) -> dict[str, Any]:
        """The arguments of a pass over tokens from number `start` of the passage onward."""
        if start == 0:
            self._kept = {}
        return {"use_cache": True, **self._kept}

    def keep(self, output: Mapping[str, Any]) -> None:
        """Keep the cache in `output`. Raises InvalidInput if there is none."""
        name = next((one for one in NAMES if output.get(one) is not None), None)
        if name is None:
            raise InvalidInput("the model returns no cache")
        self._kept = {name: output[name]}
