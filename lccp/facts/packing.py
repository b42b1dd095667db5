"""Keeps what was read of a run between two readings, in a fraction of the memory."""

import io
import pickle
import zlib
from typing import Any, Generic, TypeVar

T = TypeVar("T")

QUICK = 1
"""zlib's level: twice as fast as its default, with hardly larger results: most are numbers."""


class SharedValue:
    """A value that the kept data of many runs share: it is not packed."""


class Packed(Generic[T]):
    """A value as bytes of this process, in less memory than its objects take."""

    def __init__(self, value: T) -> None:
        self._shared: list[SharedValue] = []
        written = io.BytesIO()
        _Pickler(written, self._shared).dump(value)
        self._bytes = zlib.compress(written.getvalue(), QUICK)

    def unpacked(self) -> T:
        """A value equal to the packed one."""
        value: T = _Unpickler(io.BytesIO(zlib.decompress(self._bytes)), self._shared).load()
        return value


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, shared: list[SharedValue]) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._shared = shared
        self._numbers: dict[int, int] = {}

    def persistent_id(self, value: Any) -> int | None:
        if not isinstance(value, SharedValue):
            return None
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._shared)
            self._shared.append(value)
        return self._numbers[id(value)]


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, shared: list[SharedValue]) -> None:
        super().__init__(file)
        self._shared = shared

    def persistent_load(self, number: int) -> SharedValue:
        return self._shared[number]
