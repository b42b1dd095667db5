"""A store that remembers which objects were read of it, and that can be made to fail."""

from lccp.contract.errors import StoreUnavailable
from lccp.store.file import FileStore
from lccp.store.port import ObjectInfo


class RecordedStore(FileStore):
    """A FileStore; `read` holds the keys of all that was read, `answers` is whether it does."""

    read: list[str]
    answers: bool = True

    def get(self, key: str) -> bytes:
        self.read = [*getattr(self, "read", []), key]
        return super().get(key)

    def list(self, prefix: str) -> list[ObjectInfo]:
        if not self.answers:
            raise StoreUnavailable("store: no answer")
        return super().list(prefix)
