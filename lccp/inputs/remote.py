"""The interface to a location that files are fetched from."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from lccp.api.objects.inputs import Input

Wanted = Callable[[str], bool]
"""Whether the file at this path, relative to the given location, is needed."""

MODEL_SUFFIXES = (".json", ".safetensors", ".txt", ".model", ".jinja", ".tiktoken", ".py")


class Remote(Protocol):
    """A location that holds a model or documents.

    `find` and `get` raise InvalidInput if it does not exist or access is refused, and
    StoreUnavailable if it does not answer within its timeouts and retries.
    """

    @property
    def url(self) -> str:
        """As in `Input.location`."""

    def find(self, wanted: Wanted) -> Input:
        """The input that is there now."""

    def get(self, found: Input, name: str, folder: Path) -> None:
        """Write the file `name` of `found` to `folder`/`name`, which appears once complete."""


def of_a_model(path: str) -> bool:
    """Weights, configuration and tokenizer; not other programs' files, in folders below."""
    return "/" not in path and path.endswith(MODEL_SUFFIXES) and not path.startswith(".")


def of_documents(path: str) -> bool:
    """All but hidden files."""
    return not any(part.startswith(".") for part in path.split("/"))


def of_an_index(path: str) -> bool:
    """Everything in a folder of tokens but the tokens: index and offsets of the documents."""
    return not path.endswith(".tokens")
