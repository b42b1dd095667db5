"""The interface to a place that files are fetched from."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from lccp.api.objects.inputs import Input

Wanted = Callable[[str], bool]
"""Whether the file of this path, below what was named, is needed."""

MODEL_SUFFIXES = (".json", ".safetensors", ".txt", ".model", ".jinja", ".tiktoken", ".py")


class Remote(Protocol):
    """A place that holds a model or documents.

    `find` and `get` raise InvalidInput if there is no such thing or it is refused, and
    StoreUnavailable if the place does not answer within its timeouts and retries.
    """

    @property
    def url(self) -> str:
        """As `Input.location` tells it."""

    def find(self, wanted: Wanted) -> Input:
        """What lies there now."""

    def get(self, found: Input, name: str, folder: Path) -> None:
        """Write the file `name` of `found` to `folder`/`name`, which appears once complete."""


def of_a_model(path: str) -> bool:
    """Weights, configuration and tokenizer; not what other programs read, in folders below."""
    return "/" not in path and path.endswith(MODEL_SUFFIXES) and not path.startswith(".")


def of_documents(path: str) -> bool:
    """All but hidden files."""
    return not any(part.startswith(".") for part in path.split("/"))
