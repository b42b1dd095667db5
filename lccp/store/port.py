"""The interface to object storage.

Keys are `/`-separated paths relative to the store's root. Every write is atomic: a reader sees the
old object or the new one, never a part. Calls are synchronous, with timeouts and bounded retries.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """Metadata of an object: size in bytes, ETag, last change (UTC).

    An ETag is opaque and identifies one version of the object; it is not a checksum.
    """

    key: str
    size: int
    etag: str
    modified: datetime


@dataclass(frozen=True)
class StoreLevel:
    """One level of a hierarchy: objects directly below a prefix, and the next prefixes."""

    objects: list[ObjectInfo]
    prefixes: list[str]


@dataclass(frozen=True)
class Entry:
    """An object's bytes, and the ETag for replacing it."""

    data: bytes
    etag: str


class Store(Protocol):
    """An object store.

    Every method raises StoreUnavailable if the store does not answer, StoreRefused if it refuses
    (credentials, no such bucket or folder), and InvalidInput for an unusable key or local file.
    After StoreUnavailable a write may or may not have happened: read before retrying.
    """

    @property
    def url(self) -> str:
        """Its URL, for messages; without credentials."""

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises NotFound."""

    def get_entry(self, key: str) -> Entry:
        """The object's bytes and ETag. Raises NotFound."""

    def get_range(self, key: str, start: int, length: int, etag: str | None = None) -> bytes:
        """`length` bytes, at least one, from `start`; fewer or none at the end of the object.

        Raises NotFound, and Conflict if `etag` is given and the object has another.
        """

    def put(self, key: str, data: bytes) -> str:
        """Write the object unconditionally; its ETag."""

    def put_if_absent(self, key: str, data: bytes) -> str:
        """Write the object unless it exists; its ETag. Raises Conflict if it exists."""

    def put_if_match(self, key: str, data: bytes, etag: str) -> str:
        """Write the object if its ETag is still `etag`; the new ETag. Raises Conflict otherwise."""

    def get_file(self, key: str, path: Path) -> None:
        """Write the object to `path`, streaming; `path` appears once complete. Raises NotFound."""

    def put_file(self, key: str, path: Path) -> None:
        """Write the file's content as the object, streaming, large ones in parts."""

    def stat(self, key: str) -> ObjectInfo | None:
        """Metadata of the object, or None if there is none."""

    def list(self, prefix: str) -> list[ObjectInfo]:
        """All objects whose key starts with `prefix`, sorted by key."""

    def scan(self, prefix: str) -> Iterator[ObjectInfo]:
        """The same while they are being listed: those below one folder are consecutive.

        May raise at any point; memory holds only one page or folder of the listing.
        """

    def level(self, prefix: str) -> StoreLevel:
        """Objects and prefixes directly below `prefix`, unsorted.

        `prefix` ends in a slash, or is empty for the store's root. A server that keeps folders
        (SeaweedFS) may name a prefix below which nothing is left.
        """

    def delete(self, key: str) -> None:
        """Delete the object; no error if there is none."""
