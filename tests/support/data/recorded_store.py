"""A store that records which of its objects were read, and that can be made to fail."""

from collections.abc import Iterator

from lccp.contract.errors import StoreUnavailable
from lccp.store.file import FileStore
from lccp.store.port import Entry, ObjectInfo


class RecordedStore(FileStore):
    """A FileStore; `read` holds the keys of all that was read, `answers` is whether it does."""

    read: list[str]
    answers: bool = True

    def get_entry(self, key: str) -> Entry:
        self.read = [*getattr(self, "read", []), key]
        return super().get_entry(key)

    def scan(self, prefix: str) -> Iterator[ObjectInfo]:
        if not self.answers:
            raise StoreUnavailable("store: no answer")
        return super().scan(prefix)
