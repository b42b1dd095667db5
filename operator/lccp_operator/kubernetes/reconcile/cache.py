"""Which runs' facts stay in memory between two reconciles: the most recently used ones."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BYTES_MAX = 40_000_000
"""Of what was read, as it lies in the store; in memory it takes about the same."""


class Cache(Generic[K]):
    """Keys by their last use, each with its bytes and what forgets them. Safe to use from threads.

    Using and dropping cost O(1), but for what has to be forgotten.
    """

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._held: OrderedDict[K, tuple[int, Callable[[], None]]] = OrderedDict()
        self._bytes = 0

    def use(self, key: K, size_bytes: int, forget: Callable[[], None]) -> None:
        """`key` was used and holds so many bytes; those used longest ago may be forgotten."""
        with self._lock:
            self._drop(key)
            self._held[key] = (size_bytes, forget)
            self._bytes += size_bytes
            while self._bytes > self._bytes_max:
                oldest = next(iter(self._held))
                self._held[oldest][1]()
                self._drop(oldest)

    def drop(self, key: K) -> None:
        """`key` holds nothing any more."""
        with self._lock:
            self._drop(key)

    def _drop(self, key: K) -> None:
        size_bytes, _ = self._held.pop(key, (0, None))
        self._bytes -= size_bytes
