"""Typed objects in a store: read, write and list."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from lccp.api.labels import INTRINSIC, TOKENS_KEY
from lccp.api.objects.base import StoreObject
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import EvaluationReport
from lccp.contract.errors import NotFound
from lccp.store.keys import BranchKeys, EvaluationKeys
from lccp.store.port import ObjectInfo, Store

T = TypeVar("T", bound=StoreObject)


@dataclass(frozen=True)
class Versioned(Generic[T]):
    """An object, and the ETag for replacing it."""

    value: T
    etag: str


def read(store: Store, key: str, kind: type[T]) -> T:
    """The object at `key`. Raises NotFound; Incompatible or InvalidInput if it is not a `kind`."""
    return kind.from_json(store.get(key), key)


def read_or_none(store: Store, key: str, kind: type[T]) -> T | None:
    """The object at `key`, or None if there is none. Raises Incompatible, InvalidInput."""
    try:
        return read(store, key, kind)
    except NotFound:
        return None


def read_versioned(store: Store, key: str, kind: type[T]) -> Versioned[T]:
    """The object at `key` with its ETag. Raises NotFound, Incompatible, InvalidInput."""
    entry = store.get_entry(key)
    return Versioned(kind.from_json(entry.data, key), entry.etag)


def write(store: Store, key: str, value: StoreObject) -> str:
    """Write the object unconditionally; its ETag."""
    return store.put(key, value.to_json())


def write_if_absent(store: Store, key: str, value: StoreObject) -> str:
    """Write the object unless there is one; its ETag. Raises Conflict."""
    return store.put_if_absent(key, value.to_json())


def write_if_match(store: Store, key: str, value: StoreObject, etag: str) -> str:
    """Replace the object if its ETag is still `etag`; the new ETag. Raises Conflict."""
    return store.put_if_match(key, value.to_json(), etag)


def read_range(store: Store, key: str, start: int, length: int, etag: str | None = None) -> bytes:
    """`length` bytes from `start`, fewer only at the end of the object.

    A store that gives fewer than it has is asked for the rest. Raises as `get_range`.
    """
    data = b""
    while len(data) < length:
        more = store.get_range(key, start + len(data), length - len(data), etag)
        if not more:
            break
        data += more
    return data


def reports(store: Store, keys: EvaluationKeys) -> list[EvaluationReport]:
    """The evaluation reports that exist, by tokens."""
    name = f"{INTRINSIC}/report.json"
    return listed(store, keys.evaluations, name, EvaluationReport)


def branch_end(store: Store, keys: BranchKeys) -> Manifest | None:
    """The manifest of a branch's single checkpoint, at its end, if it exists."""
    return next(iter(listed(store, keys.checkpoints, "manifest.json", Manifest)), None)


def named(infos: Iterable[ObjectInfo], below: str, name: str) -> Iterator[tuple[int, ObjectInfo]]:
    """The objects whose key is `<below><tokens>/<name>`, with their tokens."""
    for info in infos:
        tokens, _, rest = info.key.removeprefix(below).partition("/")
        if rest == name and TOKENS_KEY.fullmatch(tokens):
            yield int(tokens), info


def listed(store: Store, below: str, name: str, kind: type[T]) -> list[T]:
    """The objects `<below><tokens>/<name>`, by tokens: one LIST, and a GET for each."""
    found = (
        read_or_none(store, info.key, kind) for _, info in named(store.list(below), below, name)
    )
    return [value for value in found if value is not None]
