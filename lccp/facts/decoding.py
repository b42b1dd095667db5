"""Decoding of objects: each must be about what its key says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from lccp.api.objects.base import StoreObject
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import EvaluationReport
from lccp.contract.errors import InvalidInput
from lccp.facts.facts import Checkpoint, EvaluationKey

R = TypeVar("R")
T = TypeVar("T")
Object = TypeVar("Object", bound=StoreObject)

Read = Callable[[bytes, str], T]
"""Turns an object's bytes into what is kept of it; its key is for messages. Raises InvalidInput."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The result of a GET: an object, or the sentence that says why it can't be read."""

    etag: str
    value: Any
    damage: str = ""


def whole(kind: type[Object], take: Callable[[Object], Any] = lambda value: value) -> Read[Any]:
    """Reads an object, and takes from it what is kept."""
    return lambda data, key: take(kind.from_json(data, key))


def report(of: EvaluationKey, take: Callable[[EvaluationReport], R]) -> Read[R]:
    """Reads the report `of` an evaluation, and takes from it what is kept."""

    def read(data: bytes, key: str) -> R:
        found = EvaluationReport.from_json(data, key)
        if (found.tokens, found.suite) != of:
            about = f"{found.tokens:,} tokens, suite {found.suite}"
            raise InvalidInput(f"{key}: is the report of another evaluation ({about})")
        return take(found)

    return read


def checkpoint(tokens: int) -> Read[Checkpoint]:
    """Reads the manifest of the checkpoint after `tokens` tokens."""

    def read(data: bytes, key: str) -> Checkpoint:
        manifest = Manifest.from_json(data, key)
        if manifest.tokens != tokens:
            raise InvalidInput(f"{key}: is the manifest of {manifest.tokens:,} tokens")
        return Checkpoint(
            tokens, manifest.step, manifest.writer, manifest.digest, manifest.held_out
        )

    return read
