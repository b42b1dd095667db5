"""A store whose calls are measured."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lccp.contract.errors import StoreUnavailable
from lccp.store.port import Entry, ObjectInfo, Store, StoreLevel


@dataclass(frozen=True)
class InstrumentedStore:
    """`store`; `measure` receives method, result and seconds of every call."""

    store: Store
    measure: Callable[[str, str, float], None]

    @property
    def url(self) -> str:
        return self.store.url

    def get(self, key: str) -> bytes:
        return self.get_entry(key).data

    def get_entry(self, key: str) -> Entry:
        with self._measured("get"):
            return self.store.get_entry(key)

    def get_range(self, key: str, start: int, length: int, etag: str | None = None) -> bytes:
        with self._measured("get"):
            return self.store.get_range(key, start, length, etag)

    def put(self, key: str, data: bytes) -> str:
        with self._measured("put"):
            return self.store.put(key, data)

    def put_if_absent(self, key: str, data: bytes) -> str:
        with self._measured("put"):
            return self.store.put_if_absent(key, data)

    def put_if_match(self, key: str, data: bytes, etag: str) -> str:
        with self._measured("put"):
            return self.store.put_if_match(key, data, etag)

    def get_file(self, key: str, path: Path) -> None:
        with self._measured("get"):
            self.store.get_file(key, path)

    def put_file(self, key: str, path: Path) -> None:
        with self._measured("put"):
            self.store.put_file(key, path)

    def stat(self, key: str) -> ObjectInfo | None:
        with self._measured("stat"):
            return self.store.stat(key)

    def list(self, prefix: str) -> list[ObjectInfo]:
        with self._measured("list"):
            return self.store.list(prefix)

    def scan(self, prefix: str) -> Iterator[ObjectInfo]:
        with self._measured("list"):
            yield from self.store.scan(prefix)

    def level(self, prefix: str) -> StoreLevel:
        with self._measured("list"):
            return self.store.level(prefix)

    def delete(self, key: str) -> None:
        with self._measured("delete"):
            self.store.delete(key)

    @contextmanager
    def _measured(self, method: str) -> Iterator[None]:
        started, result = time.monotonic(), "answered"
        try:
            yield
        except StoreUnavailable:
            result = "unavailable"
            raise
        finally:
            self.measure(method, result, time.monotonic() - started)
